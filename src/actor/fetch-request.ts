/** Reads what `ctx.fetch` was given. */
import { APP_FETCH_BYTES_MAX, APP_METHODS, type AppRequest } from "../protocol/app-actors.ts";
import { Faulty } from "./faulty.ts";
import { jsonText } from "./json.ts";

const HEADER = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;
/** The connection's own. */
const NOT_THEIRS: ReadonlySet<string> = new Set(
  "connection content-length host keep-alive te trailer transfer-encoding upgrade".split(" "),
);
const KEYS: ReadonlySet<string> = new Set(["url", "method", "headers", "body"]);

/** Throws Faulty. */
export function readRequest(asked: unknown): AppRequest {
  if (typeof asked !== "object" || asked === null) {
    throw new Faulty("fetch: the request should be {url, method?, headers?, body?}");
  }
  const { url, method, headers = {}, body } = asked as Record<string, unknown>;
  for (const key of Object.keys(asked)) {
    if (!KEYS.has(key)) throw new Faulty(`fetch: there is no ${JSON.stringify(key)} in a request`);
  }
  if (typeof url !== "string" || !URL.canParse(url)) throw new Faulty("fetch: url is not a URL");
  if (!/^https?:$/.test(new URL(url).protocol)) throw new Faulty("fetch: url is not https");
  const text = body === undefined ? null : bodyText(body);
  const named = method ?? (text === null ? "GET" : "POST");
  const known = APP_METHODS.find((one) => one === named);
  if (known === undefined) throw new Faulty(`fetch: method should be one of ${APP_METHODS}`);
  if (text !== null && (known === "GET" || known === "HEAD")) {
    throw new Faulty(`fetch: a ${known} has no body`);
  }
  const request = { url, method: known, headers: headersOf(headers, body), body: text };
  jsonText(request, "fetch: the request", APP_FETCH_BYTES_MAX);
  return request;
}

function bodyText(body: unknown): string {
  return typeof body === "string" ? body : jsonText(body, "fetch: body", APP_FETCH_BYTES_MAX);
}

function headersOf(headers: unknown, body: unknown): Record<string, string> {
  if (typeof headers !== "object" || headers === null) {
    throw new Faulty("fetch: headers should be an object");
  }
  const read: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers as Record<string, unknown>)) {
    const lower = name.toLowerCase();
    if (!HEADER.test(name) || NOT_THEIRS.has(lower)) {
      throw new Faulty(`fetch: ${JSON.stringify(name)} is no header that can be set`);
    }
    if (typeof value !== "string" || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new Faulty(`fetch: the header ${name} is no text that a header can hold`);
    }
    read[lower] = value;
  }
  if (body !== undefined && read["content-type"] === undefined) {
    read["content-type"] = typeof body === "string" ? "text/plain" : "application/json";
  }
  return read;
}

/** One HTTP call to a host on the loopback, on a connection of its own. Never rejects. */
import { request } from "node:http";

export interface ApiAnswer<T> {
  /** 0 when no answer came: refused, cut off, or too late. */
  status: number;
  body: T | null;
}

export interface ApiCall {
  token?: string;
  body?: unknown;
  deadlineMs?: number;
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

const DEADLINE_MS = 10_000;
const NO_ANSWER = { status: 0, body: null };

export function api<T>(
  port: number,
  method: Method,
  path: string,
  { token, body, deadlineMs = DEADLINE_MS }: ApiCall = {},
): Promise<ApiAnswer<T>> {
  const text = body === undefined ? null : JSON.stringify(body);
  const headers: Record<string, string> = {};
  if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
  if (text !== null) {
    headers["content-type"] = "application/json";
    headers["content-length"] = String(Buffer.byteLength(text));
  }
  return new Promise((resolve) => {
    const call = request({ host: "127.0.0.1", port, method, path, headers, agent: false });
    const timer = setTimeout(() => call.destroy(), deadlineMs);
    const settle = (answer: ApiAnswer<T>) => {
      clearTimeout(timer);
      resolve(answer);
    };
    call.once("error", () => settle(NO_ANSWER));
    call.once("close", () => settle(NO_ANSWER));
    call.once("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", () => settle(NO_ANSWER));
      response.once("end", () => {
        settle({ status: response.statusCode ?? 0, body: parsed<T>(Buffer.concat(chunks)) });
      });
    });
    call.end(text ?? undefined);
  });
}

function parsed<T>(bytes: Buffer): T | null {
  if (bytes.length === 0) return null;
  try {
    return JSON.parse(bytes.toString("utf8")) as T;
  } catch (error) {
    // A page or a cut answer; the status says the rest.
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

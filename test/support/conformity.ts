/**
 * Whether what the server says is what the contract's tables say: every HTTP answer against its
 * route, every event and acknowledgement against its schema, with nothing added. Breaches are
 * gathered while a test runs and fail it afterwards, so that no test has to look for them.
 */
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { ERROR_STATUS, type ErrorCode } from "../../src/protocol/errors.ts";
import { CLIENT_EVENTS, SERVER_EVENTS } from "../../src/protocol/events.ts";
import { type RouteSpec, refusalsOf } from "../../src/protocol/route-spec.ts";
import { ROUTES } from "../../src/protocol/routes.ts";
import { ErrorBody } from "../../src/protocol/schemas.ts";

const breaches: string[] = [];
/** The same breach in each of a thousand answers is one. */
const BREACHES_MAX = 20;

/** What has been found since the last call. */
export function takeBreaches(): string[] {
  return breaches.splice(0);
}

export interface SeenAnswer {
  method: string;
  /** With or without its query. */
  path: string;
  status: number;
  contentType: string | undefined;
  /** Parsed where it is JSON. */
  body: unknown;
}

export function seeAnswer(answer: SeenAnswer): void {
  note(`${answer.method} ${answer.path} → ${answer.status}`, problemOfAnswer(answer));
}

export function seeEvent(name: string, payload: unknown): void {
  const schema = (SERVER_EVENTS as Record<string, TSchema>)[name];
  const problem = schema === undefined ? "no such event" : misfit(schema, payload);
  note(`event "${name}"`, problem);
}

export function seeAck(event: string, answer: unknown): void {
  note(`acknowledgement of "${event}"`, problemOfAck(event, answer));
}

function note(what: string, problem: string | null): void {
  if (problem !== null && breaches.length < BREACHES_MAX) breaches.push(`${what}: ${problem}`);
}

function problemOfAnswer({ method, path, status, contentType, body }: SeenAnswer): string | null {
  const [pathname = ""] = path.split(/[?#]/);
  const isApi = pathname.startsWith("/api/");
  const spec = routeOf(method, pathname);
  if (spec === undefined) return isApi && status >= 400 ? problemOfError(status, body, null) : null;
  if (!(status in spec.answers)) return problemOfError(status, body, refusalsOf(spec));
  const answer = spec.answers[status];
  if (answer === null) return body === null || body === undefined ? null : "a body in a 204";
  if (typeof answer === "string") {
    return contentType?.startsWith(answer) === true ? null : `content type ${contentType}`;
  }
  if (contentType?.startsWith("application/json") !== true) return `content type ${contentType}`;
  return misfit(answer!, body);
}

function problemOfError(
  status: number,
  body: unknown,
  allowed: readonly ErrorCode[] | null,
): string | null {
  const error = (body as { error?: unknown } | null)?.error;
  const problem = misfit(ErrorBody, error);
  if (problem !== null) return problem;
  const { code } = error as { code: string };
  if (!Object.hasOwn(ERROR_STATUS, code)) return `unknown error code ${code}`;
  const known = code as ErrorCode;
  if (ERROR_STATUS[known] !== status) return `${code} with status ${status}`;
  if (allowed !== null && !allowed.includes(known)) return `${code} is not among its refusals`;
  return null;
}

function problemOfAck(event: string, answer: unknown): string | null {
  if (typeof answer !== "object" || answer === null) return `not an object: ${String(answer)}`;
  const { ok, ...rest } = answer as { ok?: unknown; error?: { code?: string } };
  if (ok === true) {
    const spec = (CLIENT_EVENTS as Record<string, { ack: TSchema }>)[event];
    return spec === undefined ? "ok to an unknown event" : misfit(spec.ack, rest);
  }
  if (ok !== false) return `ok is ${String(ok)}`;
  const { code = "" } = rest.error ?? {};
  if (!Object.hasOwn(ERROR_STATUS, code)) return `unknown error code ${code}`;
  return Object.keys(rest).length === 1 ? misfit(ErrorBody, rest.error) : "more than the error";
}

function routeOf(method: string, pathname: string): RouteSpec | undefined {
  const segments = pathname.split("/");
  return Object.values<RouteSpec>(ROUTES).find((spec) => {
    const parts = spec.path.split("/");
    return (
      spec.method === method &&
      parts.length === segments.length &&
      parts.every((part, i) => part.startsWith(":") || part === segments[i])
    );
  });
}

const validators = new Map<TSchema, ReturnType<typeof Compile>>();

function misfit(schema: TSchema, value: unknown): string | null {
  let validator = validators.get(schema);
  if (validator === undefined) {
    validator = Compile(strict(schema) as TSchema);
    validators.set(schema, validator);
  }
  if (validator.Check(value)) return null;
  const wrong = validator
    .Errors(value)
    .slice(0, 3)
    .map((error) => `${error.instancePath} ${error.message}`);
  return `${wrong.join("; ")} in ${JSON.stringify(value)?.slice(0, 600)}`;
}

/** The schema in plain JSON, with no key beyond those it names. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) copy[key] = strict(value);
  // An object without any is the application's own.
  const named = Object.keys((copy["properties"] as object | undefined) ?? {});
  if (copy["type"] === "object" && named.length > 0) {
    copy["additionalProperties"] = false;
  }
  return copy;
}

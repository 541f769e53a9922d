/**
 * The contract's HTTP calls, typed by the server's own table of routes. A call names method and
 * path as the contract writes them, and takes one object of path parameters, query or body:
 *
 *   await api("POST /api/posts/:id/comments", { id: "7", body: "Well said." })
 */
import type { Result } from "../protocol/errors.ts";
import type {
  ROUTES,
  RouteAnswer,
  RouteBody,
  RouteParams,
  RouteQuery,
} from "../protocol/routes.ts";
import { refusal, TroupeError } from "./error.ts";
import type { CallPort } from "./ports.ts";
import type { Tokens } from "./tokens.ts";

const CALL_DEADLINE_MS = 15_000;

type Routes = typeof ROUTES;
type KeyOf<R extends keyof Routes> = `${Routes[R]["method"]} ${Routes[R]["path"]}`;
/** Every call under `/api`: "GET /api/feed", "POST /api/posts/:id/like", … */
export type Call = Extract<
  { [R in keyof Routes]: KeyOf<R> }[keyof Routes],
  `${string} /api/${string}`
>;
type RouteOf<C extends Call> = {
  [R in keyof Routes]: C extends KeyOf<R> ? R : never;
}[keyof Routes];
/** For each call by itself: all calls' params, queries and bodies would be combined otherwise. */
export type CallInput<C extends Call> = {
  [R in keyof Routes]: C extends KeyOf<R> ? RouteParams<R> & RouteQuery<R> & RouteBody<R> : never;
}[keyof Routes];
export type CallAnswer<C extends Call> = RouteAnswer<RouteOf<C>>["body"];

/** Rejects with TroupeError. */
export type Api = <C extends Call>(
  call: C,
  ...input: Record<never, never> extends CallInput<C> ? [CallInput<C>?] : [CallInput<C>]
) => Promise<CallAnswer<C>>;

/** The call port on fetch. `url`: where Troupe is, "" for the page's own origin. */
export function fetchCall(url: string): CallPort {
  return async (method, path, body, token) => {
    const headers: Record<string, string> = {};
    if (token !== null) headers["authorization"] = `Bearer ${token}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    try {
      const init = {
        method,
        headers,
        cache: "no-store",
        signal: AbortSignal.timeout(CALL_DEADLINE_MS),
        body: body === undefined ? null : JSON.stringify(body),
      } as const;
      const response = await fetch(url.replace(/\/$/, "") + path, init);
      const answer = JSON.parse((await response.text()) || "null");
      return response.ok
        ? { ok: true, value: answer }
        : { ok: false, error: answer?.error ?? { code: "internal", message: response.statusText } };
    } catch (error) {
      // No connection, a timeout, or a proxy's page instead of JSON.
      return refusal(`Out of reach: ${error}`);
    }
  };
}

/** `tokens` null: without one, for the calls of `/api/auth`. */
export function createApi(port: CallPort, tokens: Tokens | null): Api {
  return async (call, ...[input]) => {
    const [method, path] = call.split(" ") as [string, string];
    const rest: Record<string, unknown> = { ...input };
    const url = path.replace(/:(\w+)/g, (_, name: string) => {
      const value = String(rest[name]);
      delete rest[name];
      return encodeURIComponent(value);
    });
    const given = Object.entries(rest).filter(([, value]) => value !== undefined);
    const isRead = method === "GET";
    const query = isRead ? `?${new URLSearchParams(given as [string, string][])}` : "";
    const body = isRead || given.length === 0 ? undefined : rest;
    const answer = await (tokens === null
      ? port(method, url + query, body, null)
      : withToken(tokens, (token) => port(method, url + query, body, token)));
    if (!answer.ok) throw new TroupeError(answer.error);
    // The routes' table is what the server answers by.
    return answer.value as CallAnswer<typeof call>;
  };
}

export async function withToken<T>(
  tokens: Tokens,
  call: (token: string) => Promise<Result<T>>,
): Promise<Result<T>> {
  const token = await tokens.current();
  if (!token.ok) return token;
  const answer = await call(token.value);
  if (answer.ok || answer.error.code !== "token_expired") return answer;
  const renewed = await tokens.renewed(token.value);
  return renewed.ok ? call(renewed.value) : renewed;
}

/**
 * HTTP calls of the demo's people, as any program would make them. A call waits when the server
 * asks it to; every other failure is an error with the server's own message.
 */
import { setTimeout as wait } from "node:timers/promises";
import { stopwatch } from "../../base/clock.ts";
import type { ErrorObject } from "../../protocol/errors.ts";

const CALL_MS = 10_000;
/** How long limits and short outages may hold up one call. */
const PATIENCE_MS = 60_000;
const RETRY_MS = 500;

export class DemoFault extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = "DemoFault";
    this.code = code;
  }
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
export type Call = <T>(method: Method, path: string, body?: unknown, token?: string) => Promise<T>;

/** `over`: ends every wait and every call. */
export function createCall(url: string, over: AbortSignal): Call {
  return async <T>(method: Method, path: string, body?: unknown, token?: string): Promise<T> => {
    const elapsedMs = stopwatch();
    for (;;) {
      const error = await attempt<T>(url + path, over, method, body, token);
      if (error.ok) return error.value;
      const { code, message, retry_after_ms } = error.error;
      const canPass = code === "rate_limited" || code === "unavailable";
      const pauseMs = retry_after_ms ?? RETRY_MS;
      if (!canPass || elapsedMs() + pauseMs > PATIENCE_MS) throw new DemoFault(code, message);
      await wait(pauseMs, undefined, { signal: over });
    }
  };
}

type Outcome<T> = { ok: true; value: T } | { ok: false; error: ErrorObject };

async function attempt<T>(
  address: string,
  over: AbortSignal,
  method: Method,
  body: unknown,
  token: string | undefined,
): Promise<Outcome<T>> {
  const headers: Record<string, string> = {};
  if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer: Response;
  try {
    answer = await fetch(address, {
      method,
      headers,
      signal: AbortSignal.any([over, AbortSignal.timeout(CALL_MS)]),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    if (over.aborted) throw error;
    const why = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const message = why instanceof Error ? why.message : String(why);
    throw new DemoFault("unreachable", `${new URL(address).origin} does not answer: ${message}`);
  }
  const text = await answer.text();
  const parsed: unknown = isJson(answer) && text !== "" ? JSON.parse(text) : null;
  if (answer.ok) return { ok: true, value: parsed as T };
  const { error } = (parsed ?? {}) as { error?: ErrorObject };
  if (error !== undefined) return { ok: false, error };
  throw new DemoFault("unreachable", `${address} answered ${answer.status}: is that a Troupe?`);
}

function isJson(answer: Response): boolean {
  return answer.headers.get("content-type")?.startsWith("application/json") === true;
}

/**
 * One HTTP call of the contract, answered as a value: never throws, so that callers treat a
 * dead network like any other refusal.
 */
import { type Result, refused } from "../../protocol/errors.ts";

const TIMEOUT_MS = 15_000;

export type Method = "GET" | "POST" | "PATCH" | "PUT" | "DELETE";

/** Calls without a token; the four of `/api/auth` go this way. */
export async function callApi<T>(
  method: Method,
  path: string,
  body?: unknown,
  token?: string,
): Promise<Result<T>> {
  const headers: Record<string, string> = {};
  if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  try {
    const response = await fetch(path, {
      method,
      headers,
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed = text === "" ? null : JSON.parse(text);
    if (response.ok) return { ok: true, value: parsed as T };
    return parsed?.error
      ? { ok: false, error: parsed.error }
      : refused("internal", `The server answered with status ${response.status}.`);
  } catch (error) {
    // No connection, a timeout, or a proxy's page instead of JSON.
    console.warn("call failed", method, path, error);
    return refused("unavailable", "The server cannot be reached right now.");
  }
}

/** Where the tokens come from: the account. */
interface TokenSource {
  accessToken(): Promise<Result<string>>;
  renewedToken(stale: string): Promise<Result<string>>;
}

/** Calls in the name of the signed-in user. */
export type Api = <T>(method: Method, path: string, body?: unknown) => Promise<Result<T>>;

export function createApi(account: TokenSource): Api {
  return async <T>(method: Method, path: string, body?: unknown): Promise<Result<T>> => {
    const token = await account.accessToken();
    if (!token.ok) return token;
    const answer = await callApi<T>(method, path, body, token.value);
    if (answer.ok || answer.error.code !== "token_expired") return answer;
    const renewed = await account.renewedToken(token.value);
    return renewed.ok ? callApi<T>(method, path, body, renewed.value) : renewed;
  };
}

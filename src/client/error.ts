/**
 * The error of a refused call: the contract's error object as an Error. Every promise of the
 * client rejects with this and nothing else.
 */
import type { ErrorCode, ErrorObject } from "../protocol/errors.ts";

export class TroupeError extends Error {
  override readonly name = "TroupeError";
  declare readonly code: ErrorCode;
  declare readonly details: unknown;
  /** Milliseconds after which a retry can succeed; with `rate_limited`. */
  declare readonly retryAfterMs: number | null;

  constructor({ code, message, details, retry_after_ms }: ErrorObject) {
    super(message);
    Object.assign(this, { code, details, retryAfterMs: retry_after_ms ?? null });
  }
}

/** A refusal made by the client itself. */
export function refusal(
  message: string,
  code: ErrorCode = "unavailable",
): { ok: false; error: ErrorObject } {
  return { ok: false, error: { code, message } };
}

/** Whether trying the same again later can succeed. */
export function isPassing({ code }: ErrorObject): boolean {
  return /^(unavailable|internal|rate_limited|token_expired)$/.test(code);
}

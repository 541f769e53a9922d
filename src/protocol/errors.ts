/**
 * The contract's error codes and the one error object that HTTP answers, socket acks,
 * refused handshakes and actors all use. A refusal is a value, never thrown between modules.
 */
export const ERROR_STATUS = {
  invalid_payload: 400,
  unauthorized: 401,
  token_expired: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  quota_exceeded: 409,
  gone: 410,
  payload_too_large: 413,
  unsupported_media_type: 415,
  rate_limited: 429,
  internal: 500,
  unavailable: 503,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

export interface ErrorObject {
  code: ErrorCode;
  message: string;
  details?: unknown;
  /** Milliseconds after which a retry can succeed; with `rate_limited`. */
  retry_after_ms?: number;
}

/** The answer of every fallible call between modules: a value, or the contract's error object. */
export type Result<T> = { ok: true; value: T } | { ok: false; error: ErrorObject };

export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function refused(
  code: ErrorCode,
  message: string,
  details?: unknown,
): { ok: false; error: ErrorObject } {
  const error: ErrorObject = { code, message };
  if (details !== undefined) error.details = details;
  return { ok: false, error };
}

/** The wording of refusals that several places give. */
export const REFUSALS = {
  conversationNotFound: refused("not_found", "No such conversation."),
  messageNotFound: refused("not_found", "No such message."),
  userNotFound: refused("not_found", "No such user."),
  internal: refused("internal", "Something went wrong on the server."),
  unavailable: refused("unavailable", "The server cannot do this right now. Try again."),
} as const;

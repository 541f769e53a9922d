/** The refusals that the front door answers itself, in the contract's form, ready to write. */
import type { ErrorCode, ErrorObject } from "../protocol/errors.ts";

export type Refusal = "garbage" | "slow" | "large" | "limited" | "unavailable";

const ANSWERS: Record<Refusal, { status: string; code: ErrorCode; headers: string }> = {
  garbage: { status: "400 Bad Request", code: "invalid_payload", headers: "" },
  slow: { status: "408 Request Timeout", code: "invalid_payload", headers: "" },
  large: { status: "431 Request Header Fields Too Large", code: "invalid_payload", headers: "" },
  limited: {
    status: "429 Too Many Requests",
    code: "rate_limited",
    headers: "Retry-After: 1\r\n",
  },
  unavailable: {
    status: "503 Service Unavailable",
    code: "unavailable",
    headers: "Retry-After: 1\r\n",
  },
};

export function refusalBytes(refusal: Refusal, message: string): string {
  const { status, code, headers } = ANSWERS[refusal];
  const error: ErrorObject = { code, message };
  if (code === "rate_limited") error.retry_after_ms = 1000;
  const body = JSON.stringify({ error });
  return (
    `HTTP/1.1 ${status}\r\n${headers}Content-Type: application/json; charset=utf-8\r\n` +
    "X-Content-Type-Options: nosniff\r\n" +
    `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`
  );
}

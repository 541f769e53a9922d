/**
 * JWT_SECRET as a list: several secrets, separated by commas, newest first. The first signs, all
 * verify, and the id of a secret (`kid`) in a token's header tells which one signed it.
 *
 * A text whose parts are not all long enough for a secret is one secret with commas in it.
 */
import { createHash } from "node:crypto";

/** RFC 7518, section 3.2: an HS256 key has at least the size of the hash. */
export const JWT_SECRET_BYTES_MIN = 32;
const KID_BYTES = 8;

/** At least one. */
export function secretsOf(text: string): [string, ...string[]] {
  const [first = "", ...others] = text.split(",").map((one) => one.trim());
  const isLong = (one: string) => Buffer.byteLength(one) >= JWT_SECRET_BYTES_MIN;
  return [first, ...others].every(isLong) ? [first, ...others] : [text];
}

/** It tells nothing of the secret. */
export function kidOf(secret: string): string {
  const hash = createHash("sha256").update(`troupe kid, version 1: ${secret}`).digest();
  return hash.subarray(0, KID_BYTES).toString("base64url");
}

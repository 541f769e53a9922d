/** Compares the bearer token of a request with a secret from the configuration. */
import { createHash, timingSafeEqual } from "node:crypto";

const BEARER = /^Bearer +(\S+) *$/i;

/** In a time that says nothing of where the two differ. `authorization`: the header's value. */
export function isRightToken(authorization: string | undefined, token: string): boolean {
  const sent = BEARER.exec(authorization ?? "")?.[1];
  if (sent === undefined) return false;
  return timingSafeEqual(digest(sent), digest(token));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/**
 * Tokens of other back ends, which speak for a program and not for a user: signed like access
 * tokens, with a scope instead of a login. They end by time only, or with the secret.
 */
import { randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import type { ServiceScope } from "../../protocol/route-spec.ts";
import { epochMsOf, type WallTime } from "../../protocol/time.ts";

export interface ServiceTokenOptions {
  secret: string;
  issuer: string;
  audience: string;
  /** Names the program; for whoever reads the token. */
  subject: string;
  scopes: readonly ServiceScope[];
  ttlS: number;
  wallMs: WallTime;
}

export function mintServiceToken(options: ServiceTokenOptions): Promise<string> {
  const nowS = Math.floor(epochMsOf(options.wallMs) / 1000);
  return new SignJWT({ scope: options.scopes.join(" ") })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setSubject(options.subject)
    .setIssuer(options.issuer)
    .setAudience(options.audience)
    .setIssuedAt(nowS)
    .setExpirationTime(nowS + options.ttlS)
    .setJti(randomUUID())
    .sign(new TextEncoder().encode(options.secret));
}

/**
 * Tokens of other back ends, which speak for a program and not for a user: signed like access
 * tokens, with a scope instead of a login. They end by time, by revocation of their `jti`, or with the secret.
 */
import { randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import { kidOf, secretsOf } from "../../config/jwt-secrets.ts";
import type { NotedToken } from "../../ports/services.ts";
import type { ServiceScope } from "../../protocol/route-spec.ts";
import { epochMsOf, type WallTime } from "../../protocol/time.ts";

export interface ServiceTokenOptions {
  /** One, or a list of which the first signs. */
  secret: string;
  issuer: string;
  audience: string;
  /** The name of the program, for people who read the token. */
  subject: string;
  scopes: readonly ServiceScope[];
  ttlS: number;
  wallMs: WallTime;
}

export async function mintServiceToken(options: ServiceTokenOptions): Promise<string> {
  return (await mintNotedToken(options)).token;
}

/** The same, with what storage keeps of it. */
export async function mintNotedToken(
  options: ServiceTokenOptions,
): Promise<{ token: string; noted: NotedToken }> {
  const nowMs = epochMsOf(options.wallMs);
  const nowS = Math.floor(nowMs / 1000);
  const jti = randomUUID();
  const scope = options.scopes.join(" ");
  const [secret] = secretsOf(options.secret);
  const token = await new SignJWT({ scope, iat_ms: nowMs })
    .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: kidOf(secret) })
    .setSubject(options.subject)
    .setIssuer(options.issuer)
    .setAudience(options.audience)
    .setIssuedAt(nowS)
    .setExpirationTime(nowS + options.ttlS)
    .setJti(jti)
    .sign(new TextEncoder().encode(secret));
  const expiresAtMs = (nowS + options.ttlS) * 1000;
  return { token, noted: { jti, subject: options.subject, scope, issuedAtMs: nowMs, expiresAtMs } };
}

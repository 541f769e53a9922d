/** Access tokens that no login would give out: real ones, changed and signed again. */
import { decodeJwt, type JWTPayload, SignJWT } from "jose";

export const JWT_SECRET = "a secret of the tests, more than 32 bytes long";

export function claimsOf(token: string): JWTPayload {
  return decodeJwt(token);
}

/** `token` with some claims changed (undefined: removed), signed with `secret`. */
export async function resigned(
  token: string,
  changes: Record<string, unknown>,
  secret = JWT_SECRET,
): Promise<string> {
  const claims = Object.entries({ ...claimsOf(token), ...changes }).filter(
    ([, value]) => value !== undefined,
  );
  return new SignJWT(Object.fromEntries(claims))
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .sign(new TextEncoder().encode(secret));
}

/** The same claims without a signature (`alg: none`). */
export function unsigned(token: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none", typ: "JWT" })}.${part(claimsOf(token))}.`;
}

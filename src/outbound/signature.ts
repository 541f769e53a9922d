/**
 * Signatures of what is sent to others, as the Standard Webhooks specification has them: HMAC-SHA256
 * of `id.timestamp.body`, in base64 after `v1,`. Secrets are written `whsec_` and base64.
 */
import { createHmac, randomBytes } from "node:crypto";

const PREFIX = "whsec_";
const SECRET_BYTES = 32;

export function newSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString("base64");
}

/** A secret that is not written in that form is its own bytes. */
function keyOf(secret: string): Buffer {
  if (!secret.startsWith(PREFIX)) return Buffer.from(secret, "utf8");
  return Buffer.from(secret.slice(PREFIX.length), "base64");
}

/** The headers of a request; each of the secrets signs, as while one follows the other. */
export function signedHeaders(
  { id, timestampS, body }: { id: string; timestampS: number; body: string },
  secrets: readonly string[],
): Record<string, string> {
  const signatures = secrets.map((secret) => {
    const mac = createHmac("sha256", keyOf(secret)).update(`${id}.${timestampS}.${body}`);
    return `v1,${mac.digest("base64")}`;
  });
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestampS),
    ...(signatures.length > 0 && { "webhook-signature": signatures.join(" ") }),
  };
}

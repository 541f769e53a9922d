/** Access tokens and passwords of the plain server, with jose and scrypt as Troupe has them. */
import { createSecretKey, randomBytes, randomUUID, scrypt, timingSafeEqual } from "node:crypto";
import { jwtVerify, SignJWT } from "jose";

const TTL_S = 86_400;
/** Troupe's cost. */
const COST = { N: 16_384, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };
const KEY_BYTES = 32;

export interface PlainTokens {
  issue(userId: string): Promise<string>;
  /** The user's id and when it ends, or null. */
  check(token: string): Promise<{ userId: string; expiresAtMs: number } | null>;
}

export function createPlainTokens(secret: string): PlainTokens {
  // As a KeyObject, which jose imports once; bytes it imports for every token.
  const key = createSecretKey(Buffer.from(secret));
  return {
    issue(userId) {
      return new SignJWT({})
        .setProtectedHeader({ alg: "HS256" })
        .setSubject(userId)
        .setIssuer("troupe")
        .setAudience("troupe")
        .setIssuedAt()
        .setExpirationTime(`${TTL_S}s`)
        .setJti(randomUUID())
        .sign(key);
    },
    async check(token) {
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: ["HS256"],
          issuer: "troupe",
          audience: "troupe",
        });
        if (payload.sub === undefined || payload.exp === undefined) return null;
        return { userId: payload.sub, expiresAtMs: payload.exp * 1000 };
      } catch (error) {
        // jose says what is wrong with it; whoever sent it hears that it is not valid.
        if (error instanceof Error) return null;
        throw error;
      }
    },
  };
}

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  return `${salt.toString("base64url")}$${(await derive(password, salt)).toString("base64url")}`;
}

export async function isPassword(password: string, hash: string): Promise<boolean> {
  const [salt = "", key = ""] = hash.split("$");
  const derived = await derive(password, Buffer.from(salt, "base64url"));
  return timingSafeEqual(derived, Buffer.from(key, "base64url"));
}

function derive(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, KEY_BYTES, COST, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

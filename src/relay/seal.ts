/**
 * Which hosts belong together, and how one proves that it is one of them: a key that follows
 * from the database and JWT_SECRET, and an HMAC under it on everything that hosts exchange over
 * Redis. The identity is read by src/main.ts before the relay starts.
 *
 * [SEAL1] A seal holds for one context (a channel, or a host's lease) and one text: what is
 *         sealed for one channel does not verify on another.
 */
import {
  createHash,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
} from "node:crypto";
import { secretsOf } from "../config/jwt-secrets.ts";

/** 128 of HMAC-SHA256's 256 bits: far beyond guessing, and half the bytes of each envelope. */
export const SEAL_BYTES = 16;
const KEY_BYTES = 32;
const KEY_PURPOSE = "troupe relay 1";

export interface ClusterIdentity {
  /** Made once in the database; it begins the name of every channel and key in Redis. */
  id: string;
  /** Tells a database from its copies, which have the same `id`. */
  database: string;
  key: SealKey;
}

/**
 * Of several secrets the first one's key seals, and all verify: while hosts learn of a new secret
 * one after another, each of them reads what the others send.
 */
export interface SealKey {
  signing: KeyObject;
  verifying: readonly KeyObject[];
}

/**
 * Hosts share the key when they use one database and one JWT_SECRET. The database's secret is
 * always part of it, so that seals seen in Redis do not help to guess JWT_SECRET, and so that
 * deployments with an outside issuer, which need no JWT_SECRET, have a key as well.
 */
export function sealKey(databaseSecret: Buffer, jwtSecret: string | null): SealKey {
  const [first, ...others] = jwtSecret === null ? [""] : secretsOf(jwtSecret);
  const keyOf = (secret: string) => {
    const salt = createHash("sha256").update(secret).digest();
    const key = hkdfSync("sha256", databaseSecret, salt, KEY_PURPOSE, KEY_BYTES);
    return createSecretKey(Buffer.from(key));
  };
  const signing = keyOf(first);
  return { signing, verifying: [signing, ...others.map(keyOf)] };
}

/** About 2.4 µs of CPU for an envelope of up to 600 bytes and 14 µs for 20 KB, either way. */
export function sealOf({ signing }: SealKey, context: string, text: Uint8Array | string): Buffer {
  return hmacOf(signing, context, text);
}

function hmacOf(key: KeyObject, context: string, text: Uint8Array | string): Buffer {
  const hmac = createHmac("sha256", key).update(`${context}\n`, "latin1").update(text);
  return hmac.digest().subarray(0, SEAL_BYTES);
}

export function isSealed(
  { verifying }: SealKey,
  context: string,
  text: Uint8Array | string,
  seal: Uint8Array,
): boolean {
  if (seal.length !== SEAL_BYTES) return false;
  return verifying.some((key) => timingSafeEqual(hmacOf(key, context, text), seal));
}

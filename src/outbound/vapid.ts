/** The key pair that signs Web Push: the configured one, or the one that the database keeps. */
import { createECDH } from "node:crypto";
import type { VapidKeys } from "../config/push-keys.ts";
import type { DeviceStore } from "../ports/push.ts";

/** Asks the database once. */
export function createVapidKeys(
  configured: VapidKeys | null,
  store: Pick<DeviceStore, "vapidKeys">,
): () => Promise<VapidKeys> {
  let found: Promise<VapidKeys> | null = null;
  return () => {
    if (configured !== null) return Promise.resolve(configured);
    found ??= store.vapidKeys(makeKeys).catch((error: unknown) => {
      found = null;
      throw error;
    });
    return found;
  };
}

function makeKeys(): VapidKeys {
  const curve = createECDH("prime256v1");
  const publicKey = curve.generateKeys("base64url");
  return { publicKey, privateKey: padded(curve.getPrivateKey()).toString("base64url") };
}

/** A scalar that begins with zeros comes shorter. */
const padded = (scalar: Buffer) => Buffer.concat([Buffer.alloc(32 - scalar.length), scalar]);

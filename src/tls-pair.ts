/**
 * The certificate and key of TLS_CERT and TLS_KEY, read and held against each other: a pair
 * that does not belong together would fail every handshake. Used when the configuration is
 * checked and when SIGHUP asks for what is new.
 */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { fileTrouble } from "./errors.ts";

/** Both in PEM. */
export interface TlsPair {
  cert: string;
  key: string;
}

/** RFC 8996: nothing older is safe. */
export const TLS_VERSION_MIN = "TLSv1.2";

export type TlsPairResult =
  | { ok: true; pair: TlsPair; expiresAt: Date }
  /** Sentences without subject, by whose fault: a file that cannot be read, or the pair. */
  | { ok: false; cert?: string; key?: string; pair?: string };

export function readTlsPair(certPath: string, keyPath: string): TlsPairResult {
  const cert = read(certPath);
  const key = read(keyPath);
  if (!cert.ok || !key.ok) {
    return {
      ok: false,
      ...(!cert.ok && { cert: `${certPath}: ${cert.trouble}` }),
      ...(!key.ok && { key: `${keyPath}: ${key.trouble}` }),
    };
  }
  try {
    createSecureContext({ cert: cert.text, key: key.text, minVersion: TLS_VERSION_MIN });
    const expiresAt = new Date(new X509Certificate(cert.text).validTo);
    return { ok: true, pair: { cert: cert.text, key: key.text }, expiresAt };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ok: false, pair: `${certPath}, which OpenSSL refuses with ${keyPath}: ${why}` };
  }
}

function read(path: string): { ok: true; text: string } | { ok: false; trouble: string } {
  try {
    return { ok: true, text: readFileSync(path, "utf8") };
  } catch (error) {
    return { ok: false, trouble: fileTrouble(error) };
  }
}

/**
 * Reads the certificate and key of TLS_CERT and TLS_KEY and checks that they belong together;
 * a wrong pair would fail every handshake. Used when the configuration is checked and on SIGHUP.
 */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { fileTrouble } from "../base/errors.ts";

/** Both in PEM. */
export interface TlsPair {
  cert: string;
  key: string;
}

/** RFC 8996: nothing older is safe. */
export const TLS_VERSION_MIN = "TLSv1.2";

export type TlsPairResult =
  | { ok: true; pair: TlsPair; expiresAt: Date }
  /** Ends of sentences, by what is wrong: a file that cannot be read, or the pair. */
  | { ok: false; cert?: string; key?: string; pair?: string };

/** Null: neither is set, TLS is off. One without the other is refused. */
export function readTlsPair(certPath: string, keyPath: string): TlsPairResult;
export function readTlsPair(certPath: string | null, keyPath: string | null): TlsPairResult | null;
export function readTlsPair(certPath: string | null, keyPath: string | null): TlsPairResult | null {
  if (certPath === null && keyPath === null) return null;
  const cert = read(certPath, "nothing, though TLS_KEY is set");
  const key = read(keyPath, "nothing, though TLS_CERT is set");
  if (!cert.ok || !key.ok) {
    return {
      ok: false,
      ...(!cert.ok && { cert: cert.trouble }),
      ...(!key.ok && { key: key.trouble }),
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

type ReadFile = { ok: true; text: string } | { ok: false; trouble: string };

function read(path: string | null, unset: string): ReadFile {
  if (path === null) return { ok: false, trouble: unset };
  try {
    return { ok: true, text: readFileSync(path, "utf8") };
  } catch (error) {
    return { ok: false, trouble: `${path}: ${fileTrouble(error)}` };
  }
}

/** Self-signed certificates for loopback, made by the openssl of the machine. */
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Certificates {
  /** Paths, as TLS_CERT and TLS_KEY want them. */
  cert: string;
  key: string;
  /** The certificate itself, for clients to trust. */
  ca: string;
}

/** Makes `name`.crt and `name`.key in `dir`. */
export function makeCertificate(dir: string, name: string): Certificates {
  const cert = join(dir, `${name}.crt`);
  const key = join(dir, `${name}.key`);
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const names = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  const args = ["req", ...kind, "-keyout", key, "-out", cert, "-days", "2", ...names];
  execFileSync("openssl", args, { stdio: "ignore" });
  return { cert, key, ca: readFileSync(cert, "utf8") };
}

/** Puts `from`'s files in the place of `to`'s, as a renewal does. */
export function replaceCertificate(to: Certificates, from: Certificates): void {
  copyFileSync(from.cert, to.cert);
  copyFileSync(from.key, to.key);
}

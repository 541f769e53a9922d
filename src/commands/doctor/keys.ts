/** Certificates and keys: the TLS pair, and the outside issuer's keys. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { msBetween, type WallTime, wallTime } from "../../protocol/time.ts";
import { doubtful, type Finding, fine, wrong } from "./finding.ts";
import { reasonOf } from "./within.ts";

const DAY_MS = 86_400_000;
/** Time enough to renew one by hand. */
const EXPIRY_WARN_DAYS = 21;
const JWKS_MS = 5_000;

export async function checkTls(cert: string, key: string, nowMs: WallTime): Promise<Finding[]> {
  try {
    return judgeCertificate(await readFile(cert), await readFile(key), nowMs);
  } catch (error) {
    return [wrong("TLS", `cannot be used: ${reasonOf(error)}`, "mend TLS_CERT and TLS_KEY")];
  }
}

/** Both in PEM. Throws where one cannot be read as such. */
export function judgeCertificate(cert: Buffer, key: Buffer, nowMs: WallTime): Finding[] {
  const certificate = new X509Certificate(cert);
  const names = certificate.subjectAltName?.replaceAll("DNS:", "") ?? certificate.subject;
  if (!certificate.checkPrivateKey(createPrivateKey(key))) {
    const advice = "TLS_KEY should be the key of the first certificate in TLS_CERT";
    return [wrong("TLS", `the key does not belong to the certificate of ${names}`, advice)];
  }
  const findings = [fine("TLS", `a certificate for ${names}, with its key`)];
  const days = Math.floor(msBetween(nowMs, wallTime(Date.parse(certificate.validTo))) / DAY_MS);
  if (wallTime(Date.parse(certificate.validFrom)) > nowMs) {
    const found = `good only from ${certificate.validFrom}`;
    findings.push(wrong("certificate", found, "set this machine's clock, or wait"));
  } else if (days < 0) {
    const found = `expired on ${certificate.validTo}`;
    findings.push(wrong("certificate", found, "renew it, then SIGHUP"));
  } else if (days < EXPIRY_WARN_DAYS) {
    findings.push(doubtful("certificate", `expires in ${days} days`, "renew it, then SIGHUP"));
  } else findings.push(fine("certificate", `good for ${days} days`));
  return findings;
}

export async function checkJwks(address: string): Promise<Finding> {
  const check = "issuer's keys";
  try {
    const keys = await readKeys(new URL(address));
    if (!Array.isArray(keys) || keys.length === 0) {
      return wrong(check, "there are none", "JWT_JWKS_URL should answer a JSON Web Key Set");
    }
    return fine(check, keys.length === 1 ? "1 key" : `${keys.length} keys`);
  } catch (error) {
    const advice = "mend JWT_JWKS_URL, or the way to it: without keys every token is refused";
    return wrong(check, `cannot be fetched: ${reasonOf(error)}`, advice);
  }
}

async function readKeys(address: URL): Promise<unknown> {
  if (address.protocol === "file:") {
    return (JSON.parse(await readFile(address, "utf8")) as { keys?: unknown }).keys;
  }
  const answer = await fetch(address, {
    headers: { accept: "application/json" },
    redirect: "error",
    signal: AbortSignal.timeout(JWKS_MS),
  });
  if (!answer.ok) throw new Error(`it answered ${answer.status}`);
  return ((await answer.json()) as { keys?: unknown }).keys;
}

/**
 * The host's certificate: read at start (the configuration's check has refused a wrong one by
 * then), given to every worker, read again on SIGHUP. A new one that cannot be used leaves the
 * old one in place. The keys of session tickets are made once a host and survive a renewal, so
 * that a reconnect after a renewal stays cheap.
 */
import { randomBytes } from "node:crypto";
import { systemClock } from "../base/clock.ts";
import { StartRefusal } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { readTlsPair, type TlsPair } from "../config/tls-pair.ts";
import { wallTime } from "../protocol/time.ts";
import type { TlsMaterial } from "../runtime/control.ts";

/** tls.createServer's figure. */
const TICKET_KEYS_BYTES = 48;

export class Certificate {
  readonly #certPath: string;
  readonly #keyPath: string;
  readonly #log: Log;
  readonly #ticketKeys = randomBytes(TICKET_KEYS_BYTES).toString("base64");
  #pair: TlsPair;

  /** Throws a StartRefusal where the files have become unusable since they were checked. */
  constructor(certPath: string, keyPath: string, log: Log) {
    this.#certPath = certPath;
    this.#keyPath = keyPath;
    this.#log = log;
    const read = readTlsPair(certPath, keyPath);
    if (!read.ok) {
      const why = read.pair ?? read.cert ?? read.key ?? "unreadable";
      throw new StartRefusal(`TLS_CERT and TLS_KEY cannot be used: ${why}.`);
    }
    this.#pair = read.pair;
    this.#announce("certificate_loaded", read.expiresAt);
  }

  get material(): TlsMaterial {
    return { ...this.#pair, ticketKeys: this.#ticketKeys };
  }

  /** Reads the files again. */
  renew(): "same" | "changed" | "refused" {
    const read = readTlsPair(this.#certPath, this.#keyPath);
    if (!read.ok) {
      const { ok: _, ...why } = read;
      this.#log.error({ event: "certificate_refused", ...why, kept: "the one in use" });
      return "refused";
    }
    const { cert, key } = read.pair;
    if (cert === this.#pair.cert && key === this.#pair.key) return "same";
    this.#pair = read.pair;
    this.#announce("certificate_renewed", read.expiresAt);
    return "changed";
  }

  #announce(event: string, expiresAt: Date): void {
    const expires_at = expiresAt.toISOString();
    if (wallTime(expiresAt.getTime()) > systemClock.wallMs()) this.#log.info({ event, expires_at });
    else this.#log.warn({ event: "certificate_expired", expires_at });
  }
}

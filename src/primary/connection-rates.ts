/**
 * Limits the new connections of each address: a token bucket each, in memory that is bounded
 * by forgetting the least recently seen address. Pure except for its state; the front door
 * asks once a connection, so it allocates only for an address that it does not know.
 *
 * A connection over the limit is answered with 429, but only at a limited rate: an answer costs
 * more than a reset.
 */
import { type Monotonic, msBetween } from "../protocol/time.ts";

/** `answered`: refuse it with an answer. `cut`: reset it without one. */
export type Admission = "welcome" | "answered" | "cut";

export interface ConnectionRate {
  perS: number;
  burst: number;
}

interface Account {
  tokens: number;
  answers: number;
  atMs: Monotonic;
}

/** About 150 bytes each: 8 MB when full. */
const ADDRESSES_MAX = 50_000;
/** The rate of answered refusals for one address. */
const ANSWERS: ConnectionRate = { perS: 10, burst: 50 };

export class ConnectionRates {
  readonly #rate: ConnectionRate;
  readonly #addressesMax: number;
  readonly #accounts = new Map<string, Account>();

  constructor(rate: ConnectionRate, addressesMax: number = ADDRESSES_MAX) {
    this.#rate = rate;
    this.#addressesMax = addressesMax;
  }

  get size(): number {
    return this.#accounts.size;
  }

  /** Judges one more connection. */
  admit(address: string, nowMs: Monotonic): Admission {
    const account = this.#accountOf(address, nowMs);
    if (account.tokens >= 1) {
      account.tokens--;
      return "welcome";
    }
    if (account.answers < 1) return "cut";
    account.answers--;
    return "answered";
  }

  #accountOf(address: string, nowMs: Monotonic): Account {
    let account = this.#accounts.get(address);
    if (account === undefined) {
      account = { tokens: this.#rate.burst, answers: ANSWERS.burst, atMs: nowMs };
      if (this.#accounts.size >= this.#addressesMax) this.#forgetOldest();
    } else {
      const elapsedS = msBetween(account.atMs, nowMs) / 1000;
      account.tokens = Math.min(this.#rate.burst, account.tokens + elapsedS * this.#rate.perS);
      account.answers = Math.min(ANSWERS.burst, account.answers + elapsedS * ANSWERS.perS);
      account.atMs = nowMs;
      this.#accounts.delete(address);
    }
    // A Map keeps the order of insertion, so the last entry is the most recently seen address.
    this.#accounts.set(address, account);
    return account;
  }

  #forgetOldest(): void {
    for (const address of this.#accounts.keys()) {
      this.#accounts.delete(address);
      return;
    }
  }
}

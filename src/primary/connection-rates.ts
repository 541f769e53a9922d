/**
 * Limits the new connections of each address: a token bucket each, in memory that is bounded
 * by forgetting the least recently seen address. Pure except for its state; the front door
 * asks once a connection, so it allocates only for an address that it does not know.
 *
 * A connection over the limit is answered with 429, but only at a limited rate: an answer costs
 * more than a reset.
 */
import { type Allowance, TokenBucket } from "../base/token-bucket.ts";
import type { Monotonic } from "../protocol/time.ts";

/** `answered`: refuse it with an answer. `cut`: reset it without one. */
export type Admission = "welcome" | "answered" | "cut";

interface Account {
  connections: TokenBucket;
  answers: TokenBucket;
}

/** About 300 bytes each: 15 MB when full. */
const ADDRESSES_MAX = 50_000;
/** The rate of answered refusals for one address. */
const ANSWERS: Allowance = { perS: 10, burst: 50 };

export class ConnectionRates {
  readonly #rate: Allowance;
  readonly #addressesMax: number;
  readonly #accounts = new Map<string, Account>();

  constructor(rate: Allowance, addressesMax: number = ADDRESSES_MAX) {
    this.#rate = rate;
    this.#addressesMax = addressesMax;
  }

  get size(): number {
    return this.#accounts.size;
  }

  /** Judges one more connection. */
  admit(address: string, nowMs: Monotonic): Admission {
    const { connections, answers } = this.#accountOf(address);
    if (connections.take(nowMs)) return "welcome";
    return answers.take(nowMs) ? "answered" : "cut";
  }

  #accountOf(address: string): Account {
    let account = this.#accounts.get(address);
    if (account === undefined) {
      account = { connections: new TokenBucket(this.#rate), answers: new TokenBucket(ANSWERS) };
      if (this.#accounts.size >= this.#addressesMax) this.#forgetOldest();
    } else this.#accounts.delete(address);
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

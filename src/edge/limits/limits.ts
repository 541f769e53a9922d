/**
 * The rate limits on one edge: the buckets of every kind (limit-keys.ts), and the checks of HTTP,
 * logins, handshakes and events. Use is shared with the other edges of the cluster
 * (usage-sharing.ts), so a user's or address's limit holds everywhere.
 */

import type { Clock } from "../../base/clock.ts";
import type { Tally } from "../../base/metrics.ts";
import type { Allowance } from "../../base/token-bucket.ts";
import { LIMIT_KINDS, type LimitKind, type Limits } from "../../config/limit-keys.ts";
import type { ChargedLimit, Units } from "../../protocol/costs.ts";
import type { ErrorObject } from "../../protocol/errors.ts";
import type { Monotonic } from "../../protocol/time.ts";
import { KeyedBuckets, type Sharing, UNSHARED } from "./keyed-buckets.ts";
import { PageTurns } from "./turns.ts";

export interface EdgeLimitsOptions {
  /** Null: RATE_LIMITS=off. */
  limits: Limits | null;
  clock: Clock;
  /** Kind, verdict. */
  tally: Tally;
  sharing?: Sharing & { add(kind: LimitKind, buckets: KeyedBuckets): void };
}

/** A password about to be checked: a place is taken for it, kept if it was wrong. */
export interface LoginTry {
  failed(): void;
  succeeded(): void;
}

/** Kept by the session itself, and by the conversation's actor. */
const OWN: readonly LimitKind[] = ["session", "namespace", "refused", "conversation_change"];

const ENDED = "A session was ended for too many events. Try again later.";

export class EdgeLimits {
  /** Not a rate: RATE_LIMITS=off does not lift it. */
  readonly pages = new PageTurns();
  readonly #options: EdgeLimitsOptions;
  readonly #kinds = new Map<LimitKind, KeyedBuckets>();

  constructor(options: EdgeLimitsOptions) {
    this.#options = options;
    const { limits, sharing } = options;
    for (const kind of limits === null ? [] : LIMIT_KINDS) {
      const allowance = limits?.[kind] ?? null;
      if (allowance === null || OWN.includes(kind)) continue;
      const buckets = new KeyedBuckets(allowance, sharing ?? UNSHARED);
      this.#kinds.set(kind, buckets);
      sharing?.add(kind, buckets);
    }
  }

  /** The limit that each session has for itself; null: not limited. */
  own(kind: "session" | "namespace" | "refused"): Allowance | null {
    return this.#options.limits?.[kind] ?? null;
  }

  /** 0, or the milliseconds to wait. */
  take(kind: LimitKind, key: string, nowMs: Monotonic): number {
    const buckets = this.#kinds.get(kind);
    if (buckets === undefined) return 0;
    const waitMs = buckets.take(key, nowMs);
    this.#options.tally.add(kind, waitMs === 0 ? "allowed" : "refused");
    return waitMs;
  }

  /** One that was taken is not used. */
  giveBack(kind: LimitKind, key: string): void {
    this.#kinds.get(kind)?.giveBack(key);
  }

  /** Takes `count`, there or not: it was used already. */
  debit(kind: LimitKind, key: string, count: number, nowMs: Monotonic): void {
    const buckets = this.#kinds.get(kind);
    buckets?.debit(key, count, nowMs);
    buckets?.tell(key, nowMs, count);
  }

  /** Any call to the API. Null, or the refusal. */
  httpCall(address: string): ErrorObject | null {
    return this.#refusal("http_address", address);
  }

  userCall(userId: string): ErrorObject | null {
    return this.#refusal("http_user", userId);
  }

  /**
   * Charges what a call or event costs beyond its first unit (protocol/costs.ts), all of it or
   * nothing. 0, or the milliseconds to wait. `payer` is the user, or the address of a call that
   * wants no token. `address` pays for HTTP as its user does.
   */
  charge(payer: string, units: Units, address: string | null): number {
    const nowMs = this.#options.clock.monotonicMs();
    const charges: [LimitKind, string, number][] = [];
    for (const [kind, count] of Object.entries(units) as [ChargedLimit, number][]) {
      if (count > 0) charges.push([kind, payer, count]);
    }
    const calls = units.http_user ?? 0;
    if (address !== null && calls > 0) charges.push(["http_address", address, calls]);
    let waitMs = 0;
    let refusing: LimitKind | null = null;
    for (const [kind, key, count] of charges) {
      const kindWaitMs = this.#kinds.get(kind)?.waitMs(key, nowMs, count) ?? 0;
      if (kindWaitMs <= waitMs) continue;
      waitMs = kindWaitMs;
      refusing = kind;
    }
    if (refusing !== null) {
      this.#options.tally.add(refusing, "refused");
      return waitMs;
    }
    for (const [kind, key, count] of charges) this.#kinds.get(kind)?.charge(key, nowMs, count);
    return 0;
  }

  /** As `charge`, of an HTTP call. Null, or the refusal. */
  callCosts(payer: string, units: Units, address: string): ErrorObject | null {
    const waitMs = this.charge(payer, units, address);
    return waitMs === 0 ? null : tooMany(waitMs);
  }

  /** Health, readiness and metrics, which anyone may ask for without a token. */
  operationCall(address: string): ErrorObject | null {
    return this.#refusal("operations", address);
  }

  /** Register, login, refresh, logout. */
  authCall(address: string): ErrorObject | null {
    return this.#refusal("auth", address);
  }

  /** An account to be made from this address. Null, or the refusal. */
  registration(address: string): ErrorObject | null {
    return this.#refusal("register", address);
  }

  /**
   * A user whose session was ended for abuse must wait, and so must one who opens too many
   * sessions.
   */
  handshake(userId: string): ErrorObject | null {
    const waitMs = this.#kinds.get("ended")?.waitMs(userId, this.#options.clock.monotonicMs()) ?? 0;
    if (waitMs === 0) return this.#refusal("handshake", userId);
    this.#options.tally.add("ended", "refused");
    return tooMany(waitMs, ENDED);
  }

  /** A session of this user was ended for abuse. */
  endedForAbuse(userId: string): void {
    this.#kinds.get("ended")?.spend(userId, this.#options.clock.monotonicMs());
  }

  /**
   * A wrong password counts for the account and the address together, for the address, and for the
   * account; but not for the account where the user has logged in from that address before, so
   * that guesses from elsewhere do not keep the owner out. Ask in the password's turn: guesses
   * that are sent all at once wait before it, and count.
   */
  loginTry(account: string, address: string, isKnownAddress: boolean): LoginTry | ErrorObject {
    const { clock, tally } = this.#options;
    const places: [LimitKind, string][] = [
      ["login", `${account} ${address}`],
      ["login_address", address],
    ];
    if (!isKnownAddress) places.push(["login_account", account]);
    const taken: [KeyedBuckets, string][] = [];
    const undo = () => {
      for (const [buckets, key] of taken) buckets.giveBack(key);
    };
    for (const [kind, key] of places) {
      const buckets = this.#kinds.get(kind);
      if (buckets === undefined) continue;
      const waitMs = buckets.reserve(key, clock.monotonicMs());
      if (waitMs > 0) {
        undo();
        tally.add(kind, "refused");
        return tooMany(waitMs);
      }
      taken.push([buckets, key]);
    }
    return {
      failed() {
        for (const [buckets, key] of taken) buckets.tell(key, clock.monotonicMs());
        // Counted: wrong passwords that were still let through.
        for (const [kind] of places) tally.add(kind, "allowed");
      },
      succeeded: undo,
    };
  }

  #refusal(kind: LimitKind, key: string): ErrorObject | null {
    const waitMs = this.take(kind, key, this.#options.clock.monotonicMs());
    return waitMs === 0 ? null : tooMany(waitMs);
  }
}

export function tooMany(
  retryAfterMs: number,
  message = "Too many requests. Try again later.",
): ErrorObject {
  return { code: "rate_limited", message, retry_after_ms: retryAfterMs };
}

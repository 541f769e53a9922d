/**
 * The limits on the requests of one session.
 *
 * [LIM1] A burst is allowed; past it events are refused with the time to wait.
 * [LIM2] Each kind of event has a bucket of its own; protocol/costs.ts has the cost of each event.
 * [LIM3] The sessions of a user share the buckets, also with later sessions.
 * [LIM4] A session that goes on while its events are refused is ended.
 * [LIM7] Signals are refused past their limit without counting as abuse, and a refused one takes
 *        nothing: an application sends them as fast as a pointer moves.
 * [LIM5] With limits off everything is allowed.
 * [LIM6] Packets that come faster than the session's pace wait; when the queue is full they are
 *        refused. See inbound-pacing.ts.
 */

import { TokenBucket } from "../../base/token-bucket.ts";
import { COST_OF_EVENT, type Units } from "../../protocol/costs.ts";
import type { ClientEventName } from "../../protocol/events.ts";
import type { Monotonic } from "../../protocol/time.ts";
import type { EdgeLimits } from "../limits/limits.ts";

export type Verdict =
  | { is: "allowed" }
  | { is: "refused"; retryAfterMs: number }
  /** Refused once too often. */
  | { is: "abuse" };

const ALLOWED: Verdict = { is: "allowed" };
const calmly = (retryAfterMs: number): Verdict => ({ is: "refused", retryAfterMs });
/** Packets that may come after reading has stopped: more than the intake lets wait. */
const OVERDRAFT = 4_000;

export class SessionLimits {
  readonly #limits: EdgeLimits | null;
  readonly #user: string;
  readonly #packets: TokenBucket | null;
  #refusals: TokenBucket | null = null;

  /** `limits` null: none. */
  constructor(limits: EdgeLimits | null, user: string) {
    this.#limits = limits;
    this.#user = user;
    const packets = limits?.own("session") ?? null;
    this.#packets = packets === null ? null : new TokenBucket(packets, OVERDRAFT);
  }

  /** Counts a packet that was read; false: read no more for now. */
  arrived(nowMs: Monotonic): boolean {
    if (this.#packets === null) return true;
    this.#packets.debit(1, nowMs);
    return this.#packets.level(nowMs) >= 0;
  }

  /**
   * Whether the first of `waiting` packets, which have all been counted, may be handled now. With
   * `waiting` 0: whether the next packet may be read.
   */
  isDue(waiting: number, nowMs: Monotonic): boolean {
    return this.#packets === null || this.#packets.level(nowMs) + waiting >= 1;
  }

  /** The first unit of an event. Null: no event of the contract, or one with a bad payload. */
  take(event: ClientEventName | null, nowMs: Monotonic): Verdict {
    if (this.#limits === null) return ALLOWED;
    const kind = event === null ? "bad" : COST_OF_EVENT[event].limit;
    const waitMs = this.#limits.take(kind, this.#user, nowMs);
    if (waitMs === 0) return ALLOWED;
    return kind === "signal" ? calmly(waitMs) : this.#refused(waitMs, nowMs);
  }

  /**
   * [LIM7] Charges a signal of so many units beyond its first unit. If it is refused, the first unit is
   * given back.
   */
  chargeSignal(units: number): Verdict {
    if (this.#limits === null || units <= 1) return ALLOWED;
    const waitMs = this.#limits.charge(this.#user, { signal: units - 1 }, null);
    if (waitMs === 0) return ALLOWED;
    this.#limits.giveBack("signal", this.#user);
    return calmly(waitMs);
  }

  /** Charges a signal for units that were not known when it was charged first. */
  debitSignal(units: number, nowMs: Monotonic): void {
    this.#limits?.debit("signal", this.#user, units, nowMs);
  }

  /** Charges an event beyond its first unit. */
  charge(units: Units, nowMs: Monotonic): Verdict {
    const waitMs = this.#limits?.charge(this.#user, units, null) ?? 0;
    return waitMs === 0 ? ALLOWED : this.#refused(waitMs, nowMs);
  }

  /** Refuses an event that found no room to wait. */
  overrun(nowMs: Monotonic): Verdict {
    return this.#refused(Math.max(1, this.#packets?.retryAfterMs(nowMs) ?? 1), nowMs);
  }

  #refused(retryAfterMs: number, nowMs: Monotonic): Verdict {
    return this.#isAbuse(nowMs) ? { is: "abuse" } : { is: "refused", retryAfterMs };
  }

  #isAbuse(nowMs: Monotonic): boolean {
    const allowance = this.#limits?.own("refused") ?? null;
    if (allowance === null) return false;
    this.#refusals ??= new TokenBucket(allowance);
    return !this.#refusals.take(nowMs);
  }
}

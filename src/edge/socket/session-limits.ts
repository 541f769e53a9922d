/**
 * How much one session may ask.
 *
 * [LIM1] A burst gets through; past it events are refused with the time to wait.
 * [LIM2] Each kind of event has a bucket of its own.
 * [LIM3] The sessions of a user share them, also those that come after.
 * [LIM4] A session that is refused again and again, and does not stop, is ended.
 * [LIM5] With limits off everything is allowed.
 * [LIM6] What a session sends faster than it is read waits in its own connection; what cannot
 *        wait there (long-polling, what was read already) is refused unread.
 */
import type { LimitKind } from "../../limit-keys.ts";
import type { ClientEventName } from "../../protocol/events.ts";
import type { EdgeLimits } from "../limits.ts";
import { TokenBucket } from "../token-bucket.ts";

/**
 * A person never comes near what these allow; a client that catches up after being offline (an
 * outbox, marks of a long list) does, and must get through.
 */
const KIND_OF: Record<ClientEventName, LimitKind> = {
  send_message: "send",
  edit_message: "send",
  delete_message: "send",
  typing: "typing",
  mark_delivered: "mark",
  mark_read: "mark",
  join_conversation: "read",
  leave_conversation: "read",
  sync: "read",
  watch_presence: "watch",
  unwatch_presence: "watch",
  watch_posts: "watch",
  unwatch_posts: "watch",
  set_status: "watch",
  refresh_token: "watch",
};

export type Verdict =
  | { is: "allowed" }
  | { is: "refused"; retryAfterMs: number }
  /** Refused once too often. */
  | { is: "abuse" };

const ALLOWED: Verdict = { is: "allowed" };
/** After a wait at least this much can be read: waking up for one packet costs more than it. */
const HOLD_MIN_MS = 10;
/**
 * Packets that may come after reading should have stopped: the 64 KiB that node reads at once
 * hold about 1,100 of the smallest events.
 */
const OVERDRAFT = 2_000;

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

  /** A packet was read. 0, or the milliseconds for which no more should be. */
  arrived(nowMs: number): number {
    this.#packets?.debit(1, nowMs);
    return this.heldMs(nowMs);
  }

  /** The milliseconds for which nothing should be read. */
  heldMs(nowMs: number): number {
    const waitMs = this.#packets?.retryAfterMs(nowMs) ?? 0;
    return waitMs === 0 ? 0 : Math.max(waitMs, HOLD_MIN_MS);
  }

  /** `event` null: no event of the contract. */
  take(event: ClientEventName | null, nowMs: number): Verdict {
    if (this.#limits === null) return ALLOWED;
    let waitMs = 0;
    if (this.#packets?.isBroke(nowMs)) waitMs = this.#packets.retryAfterMs(nowMs);
    else waitMs = this.#limits.take(event === null ? "bad" : KIND_OF[event], this.#user, nowMs);
    if (waitMs === 0) return ALLOWED;
    return this.#isAbuse(nowMs) ? { is: "abuse" } : { is: "refused", retryAfterMs: waitMs };
  }

  #isAbuse(nowMs: number): boolean {
    const allowance = this.#limits?.own("refused") ?? null;
    if (allowance === null) return false;
    this.#refusals ??= new TokenBucket(allowance);
    return !this.#refusals.take(nowMs);
  }
}

/**
 * How much one session may ask.
 *
 * [LIM1] A burst gets through; past it events are refused with the time to wait.
 * [LIM2] Each kind of event has a bucket of its own.
 * [LIM3] The sessions of a user on this edge share them.
 * [LIM4] A session that is refused again and again, and does not stop, is ended.
 * [LIM5] With limits off everything is allowed.
 */
import type { ClientEventName } from "../../protocol/events.ts";
import { TokenBucket } from "../limits.ts";

type Kind = "write" | "typing" | "mark" | "read" | "watch" | "bad";

const KIND_OF: Record<ClientEventName, Kind> = {
  send_message: "write",
  edit_message: "write",
  delete_message: "write",
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

/**
 * Events a second, and at once. A person never comes near these; a client that catches up after
 * being offline (an outbox, marks of a long list) does, and must get through.
 */
const RATES: Record<Kind, { ratePerS: number; burst: number }> = {
  write: { ratePerS: 100, burst: 1_000 },
  typing: { ratePerS: 50, burst: 500 },
  mark: { ratePerS: 200, burst: 2_000 },
  // The dearest: each can read 1,000 messages.
  read: { ratePerS: 20, burst: 600 },
  watch: { ratePerS: 20, burst: 200 },
  // Events that no schema knows cost little but are never meant well for long.
  bad: { ratePerS: 20, burst: 200 },
};

/** A session refused this often within the window is ended. */
const REFUSALS_MAX = 300;
const REFUSALS_WINDOW_MS = 10_000;

/** Of one user on this edge. */
export class UserLimits {
  readonly #buckets: Record<Kind, TokenBucket>;

  constructor() {
    const bucket = (kind: Kind) => new TokenBucket(RATES[kind].ratePerS, RATES[kind].burst);
    this.#buckets = {
      write: bucket("write"),
      typing: bucket("typing"),
      mark: bucket("mark"),
      read: bucket("read"),
      watch: bucket("watch"),
      bad: bucket("bad"),
    };
  }

  bucketOf(event: ClientEventName | null): TokenBucket {
    return this.#buckets[event === null ? "bad" : KIND_OF[event]];
  }
}

export type Verdict =
  | { is: "allowed" }
  | { is: "refused"; retryAfterMs: number }
  /** Refused once too often. */
  | { is: "abuse" };

const ALLOWED: Verdict = { is: "allowed" };

export class SessionLimits {
  readonly #user: UserLimits | null;
  #refusals = 0;
  #windowEndsAtMs = 0;

  /** `user` null: limits are off. */
  constructor(user: UserLimits | null) {
    this.#user = user;
  }

  /** `event` null: no event of the contract, or not its payload. */
  take(event: ClientEventName | null, nowMs: number): Verdict {
    if (this.#user === null) return ALLOWED;
    const bucket = this.#user.bucketOf(event);
    if (bucket.take(nowMs)) return ALLOWED;
    if (nowMs >= this.#windowEndsAtMs) {
      this.#windowEndsAtMs = nowMs + REFUSALS_WINDOW_MS;
      this.#refusals = 0;
    }
    this.#refusals++;
    if (this.#refusals > REFUSALS_MAX) return { is: "abuse" };
    return { is: "refused", retryAfterMs: Math.max(1, bucket.retryAfterMs(nowMs)) };
  }
}

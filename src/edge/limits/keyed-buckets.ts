/**
 * One token bucket for each key (a user, an address, an account) of one kind of limit, kept until
 * it is full again; and the use that must be published to the other edges.
 *
 * [KBK1] Memory is bounded: full buckets are dropped first, and beyond `keysMax` the oldest half.
 * [KBK2] Use below the quiet share (of burst and of rate) is not published; above it all of the
 *        key's use is.
 */

import { type Allowance, TokenBucket } from "../../base/token-bucket.ts";
import { BEFORE_ALL, type Monotonic, msBetween } from "../../protocol/time.ts";

/** About 150 bytes each. */
const KEYS_MAX = 50_000;
/** Below this number of buckets none are swept. */
const SWEEP_MIN = 1_024;

/** Publishes use to other edges; see usage-sharing.ts. */
export interface Sharing {
  /** The part of the limit that an edge may use without publishing; null without other edges. */
  quietShare(): number | null;
  /** There is use to publish. */
  wake(): void;
}

export const UNSHARED: Sharing = { quietShare: () => null, wake: () => undefined };

class SharedBucket extends TokenBucket {
  untold = 0;
  untoldAtMs = BEFORE_ALL;
}

export class KeyedBuckets {
  readonly allowance: Allowance;
  readonly #sharing: Sharing;
  readonly #keysMax: number;
  readonly #buckets = new Map<string, SharedBucket>();
  readonly #toTell = new Map<string, SharedBucket>();
  #sweepAt = SWEEP_MIN;

  constructor(allowance: Allowance, sharing: Sharing = UNSHARED, keysMax: number = KEYS_MAX) {
    this.allowance = allowance;
    this.#sharing = sharing;
    this.#keysMax = keysMax;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** 0 when it may go on, else the milliseconds after which it can. */
  take(key: string, nowMs: Monotonic): number {
    const waitMs = this.reserve(key, nowMs);
    if (waitMs === 0) this.tell(key, nowMs);
    return waitMs;
  }

  /** Like `take`, but to be confirmed with `tell` or undone with `giveBack`. */
  reserve(key: string, nowMs: Monotonic): number {
    const bucket = this.#bucketOf(key, nowMs);
    return bucket.take(nowMs) ? 0 : bucket.retryAfterMs(nowMs);
  }

  giveBack(key: string): void {
    this.#buckets.get(key)?.giveBack();
  }

  /** `count` were taken here. */
  tell(key: string, nowMs: Monotonic, count = 1): void {
    const share = this.#sharing.quietShare();
    if (share === null) return;
    const bucket = this.#bucketOf(key, nowMs);
    const { perS, burst } = this.allowance;
    const forgotten = (msBetween(bucket.untoldAtMs, nowMs) / 1000) * perS * share;
    bucket.untold = Math.max(0, bucket.untold - forgotten) + count;
    bucket.untoldAtMs = nowMs;
    if (bucket.untold < Math.max(1, burst * share)) return;
    this.#toTell.set(key, bucket);
    this.#sharing.wake();
  }

  /** Takes one without asking. */
  spend(key: string, nowMs: Monotonic): void {
    this.debit(key, 1, nowMs);
    this.tell(key, nowMs);
  }

  /** Another edge has spent `count`. */
  debit(key: string, count: number, nowMs: Monotonic): void {
    this.#bucketOf(key, nowMs).debit(count, nowMs);
  }

  /** The milliseconds after which `count` can be taken; takes nothing. */
  waitMs(key: string, nowMs: Monotonic, count = 1): number {
    return this.#buckets.get(key)?.retryAfterMs(nowMs, count) ?? 0;
  }

  /** Takes `count`, for which there is nothing to wait. */
  charge(key: string, nowMs: Monotonic, count: number): void {
    this.#bucketOf(key, nowMs).take(nowMs, count);
    this.tell(key, nowMs, count);
  }

  /** At most `max` keys to announce to other edges, each with what was spent on it. */
  takeToTell(max: number): [key: string, count: number][] {
    const told: [string, number][] = [];
    for (const [key, bucket] of this.#toTell) {
      if (told.length >= max) break;
      this.#toTell.delete(key);
      told.push([key, Math.round(bucket.untold)]);
      bucket.untold = 0;
    }
    return told;
  }

  #bucketOf(key: string, nowMs: Monotonic): SharedBucket {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      if (this.#buckets.size >= Math.min(this.#sweepAt, this.#keysMax)) this.#makeRoom(nowMs);
      bucket = new SharedBucket(this.allowance);
      this.#buckets.set(key, bucket);
    }
    return bucket;
  }

  /** [KBK1] Twice what is in use before it looks again, so that a look costs little a key. */
  #makeRoom(nowMs: Monotonic): void {
    for (const [key, bucket] of this.#buckets) {
      if (bucket.isFull(nowMs)) this.#buckets.delete(key);
    }
    this.#sweepAt = Math.max(SWEEP_MIN, 2 * this.#buckets.size);
    // All are in use, which only a flood of made-up keys does: the oldest half goes, so that
    // this walk is not made for each of them.
    if (this.#buckets.size < this.#keysMax) return;
    let surplus = Math.ceil(this.#keysMax / 2);
    for (const key of this.#buckets.keys()) {
      if (surplus-- <= 0) break;
      this.#buckets.delete(key);
    }
  }
}

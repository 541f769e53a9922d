/**
 * How often somebody may do something. Token buckets for what is hot (no allocation, no timer),
 * rate-limiter-flexible for logins. All of it is per worker: a client whose connections are
 * spread over n workers gets up to n times as much, and the figures leave room for that.
 */
import { RateLimiterMemory } from "rate-limiter-flexible";
import type { Clock } from "../clock.ts";
import type { ErrorObject } from "../protocol/errors.ts";

/** A bucket of `burst` that refills at `ratePerS`. Times are milliseconds and never run back. */
export class TokenBucket {
  readonly #ratePerMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs = 0;

  constructor(ratePerS: number, burst: number) {
    this.#ratePerMs = ratePerS / 1000;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** Takes one; false when there is none. */
  take(nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Milliseconds until one is there; 0 when it is. */
  retryAfterMs(nowMs: number): number {
    this.#refill(nowMs);
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) / this.#ratePerMs);
  }

  /** Whether nothing has been taken for so long that a new bucket would be the same. */
  isFull(nowMs: number): boolean {
    this.#refill(nowMs);
    return this.#tokens >= this.#burst;
  }

  #refill(nowMs: number): void {
    const elapsedMs = nowMs - this.#atMs;
    if (elapsedMs <= 0) return;
    this.#tokens = Math.min(this.#burst, this.#tokens + elapsedMs * this.#ratePerMs);
    this.#atMs = nowMs;
  }
}

/** Past this many keys the full buckets are dropped: 100 bytes each, so about 10 MB. */
const KEYS_MAX = 100_000;

/** One bucket a key. */
export class KeyedBuckets {
  readonly #ratePerS: number;
  readonly #burst: number;
  readonly #keysMax: number;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(ratePerS: number, burst: number, keysMax: number = KEYS_MAX) {
    this.#ratePerS = ratePerS;
    this.#burst = burst;
    this.#keysMax = keysMax;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** 0 when it may go on, else the milliseconds after which it can. */
  take(key: string, nowMs: number): number {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      if (this.#buckets.size >= this.#keysMax) this.#makeRoom(nowMs);
      bucket = new TokenBucket(this.#ratePerS, this.#burst);
      this.#buckets.set(key, bucket);
    }
    return bucket.take(nowMs) ? 0 : bucket.retryAfterMs(nowMs);
  }

  #makeRoom(nowMs: number): void {
    for (const [key, bucket] of this.#buckets) {
      if (bucket.isFull(nowMs)) this.#buckets.delete(key);
    }
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

/** Guessing one account's password: ten wrong ones a minute are more than a person needs. */
const LOGIN_FAILURES = { points: 10, duration: 60 } as const;
/**
 * Register, login, refresh, logout from one address. An office, a campus or a mobile network
 * is one address for hundreds of people, and after a deploy they all refresh at once.
 */
const AUTH_BURST = 300;
const AUTH_RATE_PER_S = 10;
/** All other calls of one user: far above what a person's clients do, below what one loop can. */
const USER_BURST = 400;
const USER_RATE_PER_S = 100;

export interface HttpLimits {
  /** Null, or the refusal. */
  authCall(address: string): ErrorObject | null;
  userCall(userId: string): ErrorObject | null;
  /** Whether `username` has too many wrong passwords behind it. */
  loginBlocked(username: string): Promise<ErrorObject | null>;
  loginFailed(username: string): Promise<void>;
}

const NO_LIMITS: HttpLimits = {
  authCall: () => null,
  userCall: () => null,
  loginBlocked: () => Promise.resolve(null),
  loginFailed: () => Promise.resolve(),
};

export function createHttpLimits(enabled: boolean, clock: Clock): HttpLimits {
  if (!enabled) return NO_LIMITS;
  const addresses = new KeyedBuckets(AUTH_RATE_PER_S, AUTH_BURST);
  const users = new KeyedBuckets(USER_RATE_PER_S, USER_BURST);
  const failures = new RateLimiterMemory(LOGIN_FAILURES);

  function answer(retryAfterMs: number): ErrorObject | null {
    return retryAfterMs === 0 ? null : tooMany(retryAfterMs);
  }

  return {
    authCall: (address) => answer(addresses.take(address, clock.nowMs())),
    userCall: (userId) => answer(users.take(userId, clock.nowMs())),
    async loginBlocked(username) {
      const state = await failures.get(username);
      if (state === null || state.consumedPoints < LOGIN_FAILURES.points) return null;
      return tooMany(Math.max(1, state.msBeforeNext));
    },
    async loginFailed(username) {
      await failures.penalty(username);
    },
  };
}

export function tooMany(retryAfterMs: number): ErrorObject {
  return {
    code: "rate_limited",
    message: "Too many requests. Try again later.",
    retry_after_ms: retryAfterMs,
  };
}

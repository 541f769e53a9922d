/**
 * A bucket of `burst` tokens that refills at `perS`. No timer and no allocation after its
 * making: it is refilled when it is read.
 *
 * It can be in debt, by default as far as one burst: tokens that were spent elsewhere before the
 * announcement arrived, or read before reading could stop, must be waited for.
 */
import { BEFORE_ALL, type Monotonic, msBetween } from "../protocol/time.ts";

/** A bucket of `burst` tokens that refills at `perS` a second. */
export interface Allowance {
  perS: number;
  burst: number;
}

export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  readonly #debtMax: number;
  #tokens: number;
  #atMs = BEFORE_ALL;

  constructor({ perS, burst }: Allowance, debtMax: number = burst) {
    this.#perMs = perS / 1000;
    this.#burst = burst;
    this.#debtMax = debtMax;
    this.#tokens = burst;
  }

  /** Takes `count`, or nothing and says false. More than a burst counts as one burst. */
  take(nowMs: Monotonic, count = 1): boolean {
    this.#refill(nowMs);
    const wanted = Math.min(count, this.#burst);
    if (this.#tokens < wanted) return false;
    this.#tokens -= wanted;
    return true;
  }

  /** Takes `count`, there or not. */
  debit(count: number, nowMs: Monotonic): void {
    this.#refill(nowMs);
    this.#tokens = Math.max(-this.#debtMax, this.#tokens - count);
  }

  giveBack(): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + 1);
  }

  /** Milliseconds until `count` are there, at most a burst; 0 when they are. */
  retryAfterMs(nowMs: Monotonic, count = 1): number {
    this.#refill(nowMs);
    const missing = Math.min(count, this.#burst) - this.#tokens;
    return missing <= 0 ? 0 : Math.ceil(missing / this.#perMs);
  }

  /** The tokens available; a negative level is a debt. */
  level(nowMs: Monotonic): number {
    this.#refill(nowMs);
    return this.#tokens;
  }

  /** Whether nothing has been taken for so long that a new bucket would be the same. */
  isFull(nowMs: Monotonic): boolean {
    this.#refill(nowMs);
    return this.#tokens >= this.#burst;
  }

  #refill(nowMs: Monotonic): void {
    const elapsedMs = msBetween(this.#atMs, nowMs);
    if (elapsedMs <= 0) return;
    this.#tokens = Math.min(this.#burst, this.#tokens + elapsedMs * this.#perMs);
    this.#atMs = nowMs;
  }
}

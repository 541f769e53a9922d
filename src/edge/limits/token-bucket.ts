/**
 * A bucket of `burst` tokens that refills at `perS`. No timer and no allocation after its
 * making: it is filled when somebody looks.
 *
 * It can be in debt, as far as one burst where nothing else is said: what was spent elsewhere before the word came, or
 * read before reading could stop, is waited for.
 */
import type { Allowance } from "../../config/limit-keys.ts";
import { BEFORE_ALL, type Monotonic, msBetween } from "../../protocol/time.ts";

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

  /** Takes one; false when there is none. */
  take(nowMs: Monotonic): boolean {
    this.#refill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens--;
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

  /** Milliseconds until one is there; 0 when it is. */
  retryAfterMs(nowMs: Monotonic): number {
    this.#refill(nowMs);
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) / this.#perMs);
  }

  /** What is there; below 0 what is owed. */
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

import { expect, it } from "vitest";
import { later, type Monotonic, monotonic, msBetween } from "../../src/protocol/time.ts";
import { Pace } from "../../src/storage/batching/pace.ts";

/** A writer whose batches take a millisecond, under one kind of load. Times in milliseconds. */
class Load {
  #now = monotonic(1_000);
  readonly pace = new Pace(this.#now);
  batches = 0;
  rows = 0;
  longestWaitMs = 0;

  get now(): Monotonic {
    return this.#now;
  }

  /** Rows come every so many milliseconds, whatever becomes of those before. */
  open(everyMs: number, forMs: number): void {
    const end = later(this.now, forMs);
    let next = this.now;
    while (this.now < end) {
      this.#pass(Math.max(0, msBetween(this.now, next)));
      const delayMs = this.pace.delayMs(this.now, 1);
      this.#pass(delayMs);
      let rows = 0;
      for (; next <= this.now; next = later(next, everyMs)) rows++;
      this.#begin(rows, delayMs);
    }
  }

  /** So many callers, each of whom writes again as soon as it is answered. */
  closed(callers: number, forMs: number): void {
    const end = later(this.now, forMs);
    while (this.now < end) {
      const delayMs = this.pace.delayMs(this.now, callers);
      this.#pass(delayMs);
      this.#begin(callers, delayMs);
    }
  }

  forget(): void {
    this.batches = 0;
    this.rows = 0;
    this.longestWaitMs = 0;
  }

  #pass(ms: number): void {
    this.#now = later(this.#now, ms);
  }

  #begin(rows: number, waitedMs: number): void {
    this.pace.begins(this.now, rows);
    this.batches++;
    this.rows += rows;
    this.longestWaitMs = Math.max(this.longestWaitMs, waitedMs);
    this.#pass(1);
  }
}

it("[PCE1] at a hundred rows a second nothing waits", () => {
  const load = new Load();
  load.open(10, 5_000);
  expect(load.longestWaitMs).toBe(0);
});

it("[PCE2] at six hundred rows a second they gather, for at most 3 ms", () => {
  const load = new Load();
  load.open(1.6, 500);
  load.forget();
  load.open(1.6, 5_000);
  expect(load.rows / load.batches).toBeGreaterThan(1.7);
  expect(load.longestWaitMs).toBeGreaterThan(1);
  expect(load.longestWaitMs).toBeLessThanOrEqual(3);
  expect(load.pace.delayMs(load.now, 16)).toBe(0);
  // Calm again: a window later nothing waits.
  load.open(20, 1_000);
  load.forget();
  load.open(20, 1_000);
  expect(load.longestWaitMs).toBe(0);
});

it("[PCE3] callers that wait for their answers are slowed down for a moment only", () => {
  const load = new Load();
  load.closed(2, 500);
  load.forget();
  load.closed(2, 60_000);
  // Without any waiting it would be 2 rows a millisecond.
  expect(load.rows).toBeGreaterThan(0.97 * 2 * 60_000);
  expect(load.longestWaitMs).toBeLessThanOrEqual(3);
});

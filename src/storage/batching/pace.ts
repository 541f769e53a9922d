/**
 * When the writer begins its next batch. A commit costs PostgreSQL much more than a row, so at some
 * hundred rows a second it pays to begin a batch at most every 3 ms and to let rows gather.
 *
 * [PCE1] Below 350 rows a second nothing waits.
 * [PCE2] A row waits at most 3 ms, and not at all where 16 rows wait already.
 * [PCE3] Where callers wait for an answer before they write again, waiting only slows them down:
 *        fewer rows come. Then nothing waits for the next 5 s, and longer each time it is seen again,
 *        up to 80 s.
 */
import { later, type Monotonic, msBetween } from "../../protocol/time.ts";

const GATHER_MS = 3;
const ENOUGH_ROWS = 16;
const WINDOW_MS = 250;
const ROWS_A_SECOND_MIN = 350;
/** Batches that are larger already gain nothing. */
const ROWS_A_BATCH_MAX = 4;
/** Less than this share of the rows that came without waiting: callers have been slowed down. */
const SLOWED_DOWN = 0.75;
const PAUSE_MS = 5_000;
const PAUSE_MAX_MS = 80_000;

export class Pace {
  #windowBegan: Monotonic;
  #rows = 0;
  #batches = 0;
  #lastBegan: Monotonic;
  /** Rows a second that came when nothing waited; null while nothing waits. */
  #rateWithoutWaiting: number | null = null;
  #pausedUntil: Monotonic;
  #pauseMs = PAUSE_MS;

  constructor(now: Monotonic) {
    this.#windowBegan = now;
    this.#lastBegan = now;
    this.#pausedUntil = now;
  }

  /** Milliseconds that the next batch should still wait, for `waiting` rows. */
  delayMs(now: Monotonic, waiting: number): number {
    if (this.#rateWithoutWaiting === null || waiting >= ENOUGH_ROWS) return 0;
    return Math.max(0, GATHER_MS - msBetween(this.#lastBegan, now));
  }

  /** A batch of so many rows begins. */
  begins(now: Monotonic, rows: number): void {
    this.#lastBegan = now;
    this.#rows += rows;
    this.#batches++;
    const elapsedMs = msBetween(this.#windowBegan, now);
    if (elapsedMs < WINDOW_MS) return;
    this.#judge(now, (1000 * this.#rows) / elapsedMs, this.#rows / this.#batches);
    this.#windowBegan = now;
    this.#rows = 0;
    this.#batches = 0;
  }

  #judge(now: Monotonic, rowsASecond: number, rowsABatch: number): void {
    const before = this.#rateWithoutWaiting;
    if (before === null) {
      const isWorthIt = rowsASecond >= ROWS_A_SECOND_MIN && rowsABatch <= ROWS_A_BATCH_MAX;
      if (isWorthIt && now >= this.#pausedUntil) this.#rateWithoutWaiting = rowsASecond;
    } else if (rowsASecond < ROWS_A_SECOND_MIN) {
      this.#rateWithoutWaiting = null;
    } else if (rowsASecond < before * SLOWED_DOWN) {
      this.#rateWithoutWaiting = null;
      this.#pausedUntil = later(now, this.#pauseMs);
      this.#pauseMs = Math.min(PAUSE_MAX_MS, 2 * this.#pauseMs);
    } else this.#pauseMs = PAUSE_MS;
  }
}

/**
 * The figures of one edge or actor thread for the operator's page: histograms in plain numbers, so
 * that observing costs a few additions and reading is one small object.
 *
 * Stamps are tenths of a millisecond of the machine's monotonic clock, in 32 bits: the threads
 * and processes of one host can compare them, and a frame has room for one.
 */
import { type Buckets, LATENCY_BOUNDS_MS, ROWS_BOUNDS } from "../protocol/ops.ts";

export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #count = 0;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > bounds[at]!) at++;
    this.#counts[at]!++;
    this.#count++;
    this.#sum += value;
  }

  read(): Buckets {
    const sum = Math.round(this.#sum * 100) / 100;
    return { count: this.#count, sum, counts: [...this.#counts] };
  }
}

export interface EdgeVitals {
  /** From a client's `send_message` until its answer, which follows the commit. */
  readonly sendCommit: Histogram;
  /** From the publication of a committed message to the write to its readers' sockets. */
  readonly commitDelivery: Histogram;
}

export function createEdgeVitals(): EdgeVitals {
  return {
    sendCommit: new Histogram(LATENCY_BOUNDS_MS),
    commitDelivery: new Histogram(LATENCY_BOUNDS_MS),
  };
}

export interface ThreadVitals {
  readonly commitRows: Histogram;
  readonly commitMs: Histogram;
}

export function createThreadVitals(): ThreadVitals {
  return { commitRows: new Histogram(ROWS_BOUNDS), commitMs: new Histogram(LATENCY_BOUNDS_MS) };
}

const STAMP_MAX = 2 ** 32;
/** An older stamp came from another machine or has wrapped around. */
const AGE_MAX_MS = 60_000;

/** Never 0, which stands for no stamp. */
export function stampNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return (seconds * 10_000 + Math.floor(nanoseconds / 100_000)) % STAMP_MAX || 1;
}

/** Milliseconds since `stamp`; null where it cannot be one of this machine. */
export function ageMsOf(stamp: number, now: number): number | null {
  const ageMs = ((now - stamp + STAMP_MAX) % STAMP_MAX) / 10;
  return ageMs <= AGE_MAX_MS ? ageMs : null;
}

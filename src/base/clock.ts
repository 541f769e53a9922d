/**
 * Time as a port: everything that waits, measures or dates takes a Clock, so that tests own
 * time. The one module of the server that reads the machine's clocks.
 */
import { type Monotonic, monotonic, msBetween, type WallTime, wallTime } from "../protocol/time.ts";

export interface Clock {
  /** For timestamps only. It may jump, in both directions. */
  wallMs(): WallTime;
  /** For durations and deadlines. */
  monotonicMs(): Monotonic;
  /** Calls `ring` once after `delayMs`, unless the returned function is called before. */
  after(delayMs: number, ring: () => void): () => void;
}

/** setTimeout's largest delay; a longer one would ring at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  wallMs: () => wallTime(Date.now()),
  monotonicMs: () => monotonic(performance.now()),
  after(delayMs, ring) {
    const timer = setTimeout(ring, Math.min(delayMs, DELAY_MS_MAX));
    return () => clearTimeout(timer);
  },
};

/** Starts now; each call answers with the milliseconds since. */
export function stopwatch(): () => number {
  const startedMs = systemClock.monotonicMs();
  return () => msBetween(startedMs, systemClock.monotonicMs());
}

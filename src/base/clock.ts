/**
 * Time as a port: everything that waits or dates takes a Clock, so that tests own time.
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  nowMs(): number;
  /** Calls `ring` once after `delayMs`, unless the returned function is called before. */
  after(delayMs: number, ring: () => void): () => void;
}

/** setTimeout's largest delay; a longer one would ring at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  after(delayMs, ring) {
    const timer = setTimeout(ring, Math.min(delayMs, DELAY_MS_MAX));
    return () => clearTimeout(timer);
  },
};

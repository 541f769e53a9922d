/** Real time, for the clock port. */
import type { ClientClock } from "./ports.ts";

export const systemClock: ClientClock = {
  nowMs: () => Date.now(),
  after(delayMs, ring) {
    const timer = setTimeout(ring, delayMs);
    return () => clearTimeout(timer);
  },
};

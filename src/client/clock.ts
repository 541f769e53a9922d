/** Real time, for the clock port. */
import { monotonic, wallTime } from "../protocol/time.ts";
import type { ClientClock } from "./ports.ts";

export const systemClock: ClientClock = {
  wallMs: () => wallTime(Date.now()),
  monotonicMs: () => monotonic(performance.now()),
  after(delayMs, ring) {
    const timer = setTimeout(ring, delayMs);
    return () => clearTimeout(timer);
  },
};

/**
 * Limits how often a changing value is published. A pure rule.
 *
 * [THL1] Two publications are at least `everyMs` apart.
 * [THL2] The first change after a quiet period is published at once.
 * [THL3] The last value is always published.
 */
import { BEFORE_ALL, later, type Monotonic, msBetween } from "../src/protocol/time.ts";

export interface Throttle {
  toldAtMs: Monotonic;
  isWaiting: boolean;
}

export const QUIET: Throttle = { toldAtMs: BEFORE_ALL, isWaiting: false };

export interface ThrottleStep {
  throttle: Throttle;
  /** Whether to publish the value now. */
  tell: boolean;
  /** Call again with `time_up` after this many ms; null: this step asks for no further call. */
  wakeInMs: number | null;
}

export function stepThrottle(
  before: Throttle,
  event: "changed" | "time_up",
  nowMs: Monotonic,
  everyMs: number,
): ThrottleStep {
  const dueInMs = msBetween(nowMs, later(before.toldAtMs, everyMs));
  if (event === "changed" && before.isWaiting) {
    return { throttle: before, tell: false, wakeInMs: null };
  }
  if (event === "time_up" && !before.isWaiting) {
    return { throttle: before, tell: false, wakeInMs: null };
  }
  if (dueInMs > 0) {
    return { throttle: { ...before, isWaiting: true }, tell: false, wakeInMs: dueInMs };
  }
  return { throttle: { toldAtMs: nowMs, isWaiting: false }, tell: true, wakeInMs: null };
}

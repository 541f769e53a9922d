/** The timers of an application's actor, as far as its activation holds them. */
import { msBetween } from "../src/protocol/time.ts";
import type { AppState } from "./app-state.ts";
import type { Context } from "./behaviour.ts";

/** Timers that are due later are left to storage's look for what is due. */
const TIMER_HELD_MS = 60_000;
/** A longer one would ring at once. */
const AFTER_MS_MAX = 2 ** 30;
export const RING = "ring";

/** Starts the timer for what is due next. */
export function wind(state: AppState, ctx: Context): void {
  let nextMs = Number.POSITIVE_INFINITY;
  for (const [timer, dueMs] of state.timers) {
    if (state.ringing.has(timer)) continue;
    nextMs = Math.min(nextMs, msBetween(ctx.monotonicMs, dueMs));
  }
  if (nextMs <= TIMER_HELD_MS || (!state.kind.durable && nextMs < Number.POSITIVE_INFINITY)) {
    ctx.after(Math.min(Math.max(0, nextMs), AFTER_MS_MAX), RING);
  } else ctx.cancel(RING);
}

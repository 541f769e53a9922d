/** The timers of an application's actor, as far as its activation holds them. */
import { msBetween } from "../src/protocol/time.ts";
import type { AppState } from "./app-state.ts";
import type { Context } from "./behaviour.ts";

/** Timers that are due later are left to storage's look for what is due. */
const TIMER_HELD_MS = 60_000;
export const RING = "ring";

/** Starts the timer for what is due next. */
export function wind(state: AppState, ctx: Context): void {
  let nextMs = Number.POSITIVE_INFINITY;
  for (const dueMs of state.timers.values()) {
    nextMs = Math.min(nextMs, msBetween(ctx.monotonicMs, dueMs));
  }
  if (nextMs <= TIMER_HELD_MS || (!state.kind.durable && nextMs < Number.POSITIVE_INFINITY)) {
    ctx.after(Math.max(0, nextMs), RING);
  } else ctx.cancel(RING);
}

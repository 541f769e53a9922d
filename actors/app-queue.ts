/** Which of the turns that wait for an application's actor run next, as one batch. */
import { refused } from "../src/protocol/errors.ts";
import { type AppState, callMade, NO_ACTOR, type WaitingTurn } from "./app-state.ts";
import { wind } from "./app-timers.ts";
import type { Context } from "./behaviour.ts";

/** Turns in one batch: what they changed is one commit, and all of them wait for it. */
const BATCH_MAX = 64;

const EXISTS = refused("conflict", "There is such an actor already.");
const OTHER_ARGS = refused("conflict", "This call_id was used for another call.");

/** The turns that run together; those that have their answer already are answered. */
export function take(state: AppState, ctx: Context): WaitingTurn[] {
  const batch: WaitingTurn[] = [];
  const ids = new Set<string>();
  while (batch.length < BATCH_MAX) {
    const [next] = state.waiting;
    if (next === undefined) break;
    const { once, reply, turn, hops } = next;
    if (once !== null) {
      const made = callMade(state.record, once);
      if (made !== null) {
        state.waiting.shift();
        if (made.hash !== once.hash) reply?.refuse(OTHER_ARGS.error);
        else reply?.okText(made.answer ?? `{"repeated":true,"rev":${made.rev}}`, made.rev);
        if (next.effectDone !== null) state.effects.delete(next.effectDone);
        continue;
      }
      const id = `${once.callId} ${once.caller}`;
      // Its first one is in this batch.
      if (ids.has(id)) break;
      ids.add(id);
    }
    if (turn.does === "create" && batch.length > 0) break;
    if (turn.does === "create" && state.text !== null) {
      state.waiting.shift();
      reply?.refuse(EXISTS.error);
      continue;
    }
    if (turn.does !== "create" && state.text === null) {
      state.waiting.shift();
      reply?.refuse(NO_ACTOR.error);
      if (turn.does === "ring") forget(state, turn.timer, ctx);
      continue;
    }
    if (batch[0] !== undefined && batch[0].hops !== hops) break;
    state.waiting.shift();
    batch.push(next);
    if (turn.does === "create") break;
  }
  return batch;
}

function forget(state: AppState, timer: string, ctx: Context): void {
  state.timers.delete(timer);
  state.ringing.delete(timer);
  wind(state, ctx);
}

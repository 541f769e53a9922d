/**
 * The states of one worker process. Pure; WorkerProcess holds one, the supervisor acts
 * on it. starting: forked, not yet `online`. online: gets connections and actors. draining:
 * gets no new ones, still answers. gone: its process or its pipe has ended. A state never goes
 * back: a restart is another process.
 */
import { unreachable } from "../base/errors.ts";
import { type Monotonic, msBetween } from "../protocol/time.ts";

export type WorkerState =
  | { phase: "starting"; sinceMs: Monotonic }
  | { phase: "online"; sinceMs: Monotonic }
  | { phase: "draining"; sinceMs: Monotonic; drained: boolean }
  /** `ordered`: it was asked to end. `servedMs`: how long it was online before. */
  | { phase: "gone"; sinceMs: Monotonic; ordered: boolean; servedMs: number };

export type WorkerEvent = "online_reported" | "drain_ordered" | "drained_reported" | "lost";

/** The state after `event`; the same object when the event has no effect in this state. */
export function stepWorker(state: WorkerState, event: WorkerEvent, nowMs: Monotonic): WorkerState {
  switch (event) {
    case "online_reported":
      return state.phase === "starting" ? { phase: "online", sinceMs: nowMs } : state;
    case "drain_ordered":
      return state.phase === "starting" || state.phase === "online"
        ? { phase: "draining", sinceMs: nowMs, drained: false }
        : state;
    case "drained_reported":
      return state.phase === "draining" && !state.drained ? { ...state, drained: true } : state;
    case "lost":
      if (state.phase === "gone") return state;
      return {
        phase: "gone",
        sinceMs: nowMs,
        ordered: state.phase === "draining",
        servedMs: state.phase === "online" ? msBetween(state.sinceMs, nowMs) : 0,
      };
    default:
      return unreachable(event);
  }
}

/** The messages between app-host.ts and its threads. */
import type { Bundle } from "../config/extensions.ts";
import type { AppBatch, AppBatchDone } from "../protocol/app-actors.ts";

export interface AppThreadData {
  dir: string;
  /** Those of actors only. */
  bundles: Bundle[];
  /** Two numbers that outlive a thread that hangs: the batch and the turn that it runs. */
  progress: Int32Array;
}

export interface AskedBatch {
  ask: number;
  batch: AppBatch;
}

export interface DoneBatch {
  ask: number;
  done: AppBatchDone;
  /** All its turns. */
  ms: number;
  /** Milliseconds of each turn that took longer than SLOW_MS, by its place. */
  slow: { turn: number; ms: number }[];
  /** What the application's code threw where no turn failed; of each name the first. */
  faults: { of: "authorize" | "migrate"; why: string }[];
}

/** Where `progress` has what. */
export const PROGRESS = { ask: 0, turn: 1, count: 2 } as const;

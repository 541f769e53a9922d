/** The messages between hook-host.ts and its thread. */
import type { HookFailure } from "../base/hook-failures.ts";
import type { Bundle } from "../config/extensions.ts";
import {
  type AskedType,
  type HookCaller,
  type HookVerdict,
  IN_PROCESS_HOOKS,
  type InProcessHook,
} from "../protocol/hooks.ts";

export interface HookThreadData {
  dir: string;
  /** Those of hooks only. */
  bundles: Bundle[];
  /** The question that runs; it outlives a thread that hangs. 0: none. */
  running: Int32Array;
}

/** As much of a worker thread as its host uses. */
export interface HookThread {
  postMessage(asked: AskedHook): void;
  on(event: "message", listener: (message: SettledHook | "ready") => void): unknown;
  on(event: "error", listener: (err: unknown) => void): unknown;
  on(event: "exit", listener: () => void): unknown;
  terminate(): Promise<unknown>;
}

export interface AskedHook {
  ask: number;
  type: AskedType;
  caller: HookCaller;
  /** JSON text. */
  data: string;
}

/** A hook that gave none. */
export interface NoVerdict {
  failed: HookFailure;
  why: string;
}

export interface SettledHook {
  ask: number;
  verdict: HookVerdict | NoVerdict;
}

const NAMES: ReadonlyMap<AskedType, InProcessHook> = new Map(
  Object.entries(IN_PROCESS_HOOKS).map(([name, type]) => [type, name as InProcessHook]),
);

export function hookOf(type: AskedType): InProcessHook {
  const name = NAMES.get(type);
  if (name === undefined) throw new Error(`${type} is no hook in process`);
  return name;
}

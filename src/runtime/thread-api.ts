/**
 * The calls that an actor thread offers its edge over comlink, and its start options. Shared by
 * src/thread.ts (which exposes it) and src/worker.ts (which wraps it).
 */
import type { WorkerConfig } from "../config/config.ts";
import type { Extensions } from "../config/extensions.ts";
import type { ThreadReport } from "../ports/ops.ts";
import type { LineEnd } from "./batch-link.ts";

export interface ThreadStart {
  config: WorkerConfig;
  /** Incarnation id of the worker. */
  incarnation: string;
  slot: string;
  /** The thread's end of the line for frames. */
  line: LineEnd;
}

export interface ThreadApi {
  /** From now on frames are taken. */
  start(options: ThreadStart): Promise<void>;
  /** The thread's registry, as prom-client's `getMetricsAsJSON` gives it. */
  metrics(): Promise<unknown>;
  /** The thread's figures for operators; null before the start. */
  report(): Promise<ThreadReport | null>;
  /** Loads other files of the application beside those that run; false where they do not load. */
  prepare(extensions: Extensions): Promise<boolean>;
  /** What was prepared runs from now on. */
  adopt(extensions: Extensions): Promise<void>;
  /** What was prepared is dropped. */
  abandon(): Promise<void>;
  /** Waits for begun work, at most `deadlineMs`, and closes storage. */
  stop(deadlineMs: number): Promise<void>;
}

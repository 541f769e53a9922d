/**
 * The result of a measurement: the one shape from which tables, JSON, charts and ratios are made.
 */
import type { Percentiles } from "./support/histogram.ts";

/** A figure of growth and hold: what a message costs, heartbeats of the sessions left out. */
export const BEYOND_SILENCE = "CPU µs a message beyond heartbeats";

export interface Sample {
  /** Since the clock started. */
  atMs: number;
  /** Units done so far. */
  units: number;
  /** By part: "primary", "worker 1", "postgres", "redis". Empty where it cannot be read. */
  cpuMs: Record<string, number>;
  rssKb: Record<string, number>;
}

export interface Outcome {
  scenario: string;
  /** One line that says what the scenario did. */
  title: string;
  /** "troupe", "plain", or the target's address. */
  subject: string;
  /** The name of one unit: "delivery", "message", "handshake" … */
  unit: string;
  units: number;
  seconds: number;
  perSecond: number;
  latencies: Percentiles | null;
  /** What was timed. */
  latencyOf: string;
  /** CPU of the whole process tree, by kind of part and in all; null where it cannot be read. */
  cpuMs: Record<string, number> | null;
  cpuUsPerUnit: number | null;
  /** Memory of the whole process tree at the end. */
  rssMb: number | null;
  pssMb: number | null;
  /** Figures of this scenario only, by name with unit. */
  extra: Record<string, number>;
  /** How many units failed, and some of the reasons given. */
  failures: number;
  reasons: string[];
  samples: Sample[];
}

/** The circumstances that a figure must be published with. */
export interface Circumstances {
  command: string;
  commit: string;
  machine: string;
  startedAt: string;
}

/** What a measurement says: the one shape that tables, JSON, charts and ratios are made of. */
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
  /** Of the scenario: what was done, in a line. */
  title: string;
  /** "troupe", "plain", or the target's address. */
  subject: string;
  /** What one unit is: "delivery", "message", "handshake" … */
  unit: string;
  units: number;
  seconds: number;
  perSecond: number;
  latencies: Percentiles | null;
  /** What the latencies are of. */
  latencyOf: string;
  /** Of the whole tree, by kind of part, and in all; null where it cannot be read. */
  cpuMs: Record<string, number> | null;
  cpuUsPerUnit: number | null;
  /** Of the whole tree at the end. */
  rssMb: number | null;
  pssMb: number | null;
  /** Figures of this scenario only, by name with unit. */
  extra: Record<string, number>;
  /** Units that did not come about, and what was said. */
  failures: number;
  reasons: string[];
  samples: Sample[];
}

/** What a figure must be published with. */
export interface Circumstances {
  command: string;
  commit: string;
  machine: string;
  startedAt: string;
}

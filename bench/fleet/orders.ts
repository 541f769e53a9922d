/**
 * The messages between the bench and a process of the fleet. A process gets one order at a time;
 * it sends ticks by itself. Clients are numbered within their process.
 */
import type { HistogramDump } from "../support/histogram.ts";
import type { ClientSpec } from "./lean-client.ts";

export interface EmitJob {
  client: number;
  kind: "send" | "typing" | "status";
  /** Of "send" and "typing". */
  conversation: string;
}

export interface AskJob {
  client: number;
  event: string;
  /** JSON. */
  payload: string;
}

export type Order =
  | { order: "open"; clients: ClientSpec[]; inFlightMax: number }
  /** Each job once, its answer awaited. */
  | { order: "ask"; jobs: AskJob[]; inFlightMax: number }
  | {
      order: "emit";
      jobs: EmitJob[];
      /** Unanswered at once, each job. */
      window: number;
      /** All jobs of this process together; null: as fast as answers come. */
      perSecond: number | null;
      seconds: number;
      /** Whether messages heard tell when they were sent. */
      timesReceipt: boolean;
    }
  /** Drops all, opens all again at once; each then sends its `sync` payload. */
  | { order: "storm"; syncs: string[] }
  | { order: "counts" }
  | { order: "close" };

/** Times are µs of the machine's monotonic clock, the same in every process. */
export interface Report {
  done: number;
  failed: number;
  /** Some of the reasons given. */
  reasons: string[];
  startedUs: number;
  /** When the last of it was done. */
  endedUs: number;
  latencies: HistogramDump;
  receipts: HistogramDump;
}

export interface Counts {
  ready: number;
  /** Sessions that ended unasked. */
  lost: number;
  acked: number;
  heard: number;
  /** By the first letter of the event's name. */
  heardByLetter: Record<string, number>;
  lastHeardUs: number;
}

export type Message =
  | { type: "report"; report: Report }
  | { type: "counts"; counts: Counts }
  | { type: "tick"; counts: Counts };

let offsetUs: number | null = null;

/** The machine's monotonic clock in µs; cheaper than hrtime, and the same. */
export function nowUs(): number {
  offsetUs ??= Number(process.hrtime.bigint() / 1000n) - performance.now() * 1000;
  return Math.round(performance.now() * 1000 + offsetUs);
}

/** Figures of a history: counts, and latencies of acknowledgements and deliveries. Pure. */
import type { History } from "./history.ts";

export interface Latency {
  /** When the answer or the event came. */
  atMs: number;
  ms: number;
}

/** From the first try of a send to its acknowledgement, retries included. */
export function ackLatencies(history: History): Latency[] {
  const begun = new Map<string, number>();
  const found: Latency[] = [];
  for (const rec of history.records) {
    if (rec.kind === "tried" && rec.name === "send_message") {
      const key = `${rec.client} ${rec.op}`;
      if (!begun.has(key)) begun.set(key, rec.atMs);
    } else if (rec.kind === "answered" && rec.name === "send_message" && rec.ok) {
      const key = `${rec.client} ${rec.op}`;
      found.push({ atMs: rec.atMs, ms: rec.atMs - (begun.get(key) ?? rec.atMs) });
    }
  }
  return found;
}

/** From a message's last try to each session that receives it live. */
export function deliveryLatencies(history: History): Latency[] {
  const tried = new Map<string, number>();
  const found: Latency[] = [];
  for (const rec of history.records) {
    if (rec.kind === "tried" && rec.clientId !== undefined) {
      tried.set(`${rec.conversation} ${rec.clientId}`, rec.atMs);
    } else if (rec.kind === "change" && rec.via === "event" && rec.name === "message") {
      const fromMs = tried.get(`${rec.conversation} ${rec.message!.clientId}`);
      if (fromMs !== undefined) found.push({ atMs: rec.atMs, ms: rec.atMs - fromMs });
    }
  }
  return found;
}

/** `share` from 0 to 1; `sorted` rises. */
export function percentile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return 0;
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

export interface Counts {
  acked: number;
  delivered: number;
  connects: number;
  retries: number;
}

export function countsOf(history: History): Counts {
  const counts = { acked: 0, delivered: 0, connects: 0, retries: 0 };
  const tries = new Set<string>();
  for (const rec of history.records) {
    if (rec.kind === "connected") counts.connects++;
    if (rec.kind === "answered" && rec.name === "send_message" && rec.ok) counts.acked++;
    if (rec.kind === "change" && rec.via === "event") counts.delivered++;
    if (rec.kind === "tried" && rec.name === "send_message") {
      const key = `${rec.client} ${rec.op}`;
      if (tries.has(key)) counts.retries++;
      tries.add(key);
    }
  }
  return counts;
}

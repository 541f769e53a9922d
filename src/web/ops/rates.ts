/**
 * What an operator reads, made of the counters that the server gives: rates and quantiles from
 * the difference of two summaries. Pure.
 *
 * [OPR1] A worker that was not there before begins at its first counters, so that neither a
 *        restart nor a host that joins looks like a flood.
 */
import type { Buckets, OpsSummary, OpsWorker, WorkerVitals } from "../../protocol/ops.ts";

export interface WorkerFigures {
  sendsPerS: number;
  deliveriesPerS: number;
  eventsPerS: number;
  commitsPerS: number;
  /** Used share of one core: 1 is a whole core. */
  cpu: number;
}

export interface Quantiles {
  p50: number;
  p99: number;
}

export interface Figures extends WorkerFigures {
  atMs: number;
  /** What the rates are of; 0: of one summary alone, so there are none yet. */
  overMs: number;
  sessions: number;
  actors: number;
  /** Null: nothing was sent. */
  sendCommit: Quantiles | null;
  commitDelivery: Quantiles | null;
  rowsPerCommit: number | null;
  mailboxWaiting: number;
  mailboxDeepest: number;
  /** The worst of edges, threads and primaries. */
  lagMs: number;
  byIncarnation: ReadonlyMap<string, WorkerFigures>;
}

const NONE: Buckets = { count: 0, sum: 0, counts: [] };

/** `before`: an earlier summary; the longer ago, the smoother. */
export function figuresBetween(before: OpsSummary, now: OpsSummary): Figures {
  const overMs = Date.parse(now.at) - Date.parse(before.at);
  const seconds = Math.max(0.001, overMs / 1000);
  const earlier = new Map(workersOf(before).map((worker) => [worker.incarnation, worker.vitals]));
  const byIncarnation = new Map<string, WorkerFigures>();
  const total: WorkerFigures = {
    sendsPerS: 0,
    deliveriesPerS: 0,
    eventsPerS: 0,
    commitsPerS: 0,
    cpu: 0,
  };
  let sendCommit = NONE;
  let commitDelivery = NONE;
  let commitRows = NONE;
  let sessions = 0;
  let actors = 0;
  let mailboxWaiting = 0;
  let mailboxDeepest = 0;
  let lagMs = Math.max(0, ...now.hosts.map(({ vitals }) => vitals?.lag_ms ?? 0));
  for (const { incarnation, vitals } of workersOf(now)) {
    if (vitals === null) continue;
    // [OPR1]
    const past = earlier.get(incarnation) ?? vitals;
    const perS = (of: (one: WorkerVitals) => number) =>
      Math.max(0, of(vitals) - of(past)) / seconds;
    const own: WorkerFigures = {
      sendsPerS: perS(({ sends }) => sends),
      deliveriesPerS: perS(({ deliveries }) => deliveries),
      eventsPerS: perS(({ events }) => events),
      commitsPerS: perS(({ commit_rows }) => commit_rows.count),
      cpu: perS(({ cpu_ms }) => cpu_ms) / 1000,
    };
    byIncarnation.set(incarnation, own);
    for (const key of Object.keys(total) as (keyof WorkerFigures)[]) total[key] += own[key];
    sendCommit = added(sendCommit, grown(past.send_commit, vitals.send_commit));
    commitDelivery = added(commitDelivery, grown(past.commit_delivery, vitals.commit_delivery));
    commitRows = added(commitRows, grown(past.commit_rows, vitals.commit_rows));
    sessions += vitals.sessions;
    actors += Object.values(vitals.actors).reduce((sum, count) => sum + count, 0);
    mailboxWaiting += vitals.mailbox.waiting;
    mailboxDeepest = Math.max(mailboxDeepest, vitals.mailbox.deepest);
    lagMs = Math.max(lagMs, vitals.edge_lag_ms, vitals.thread_lag_ms);
  }
  return {
    ...total,
    atMs: Date.parse(now.at),
    overMs,
    sessions,
    actors,
    sendCommit: quantilesOf(sendCommit, now.bounds.latency_ms),
    commitDelivery: quantilesOf(commitDelivery, now.bounds.latency_ms),
    rowsPerCommit: commitRows.count === 0 ? null : commitRows.sum / commitRows.count,
    mailboxWaiting,
    mailboxDeepest,
    lagMs,
    byIncarnation,
  };
}

export function workersOf(summary: OpsSummary): OpsWorker[] {
  return summary.hosts.flatMap(({ workers }) => workers);
}

/** Below which a share `q` of the values lies, straight between a bucket's bounds. */
export function quantile({ count, counts }: Buckets, bounds: readonly number[], q: number): number {
  const rank = count * q;
  let below = 0;
  for (const [at, inBucket] of counts.entries()) {
    if (inBucket > 0 && below + inBucket >= rank) {
      const low = at === 0 ? 0 : bounds[at - 1]!;
      // Above the last bound nothing is known but that.
      const high = bounds[at] ?? low;
      return low + ((high - low) * (rank - below)) / inBucket;
    }
    below += inBucket;
  }
  return bounds.at(-1) ?? 0;
}

function quantilesOf(buckets: Buckets, bounds: readonly number[]): Quantiles | null {
  if (buckets.count === 0) return null;
  return { p50: quantile(buckets, bounds, 0.5), p99: quantile(buckets, bounds, 0.99) };
}

function grown(past: Buckets, now: Buckets): Buckets {
  return {
    count: now.count - past.count,
    sum: now.sum - past.sum,
    counts: now.counts.map((count, at) => count - (past.counts[at] ?? 0)),
  };
}

function added(a: Buckets, b: Buckets): Buckets {
  return {
    count: a.count + b.count,
    sum: a.sum + b.sum,
    counts: b.counts.map((count, at) => count + (a.counts[at] ?? 0)),
  };
}

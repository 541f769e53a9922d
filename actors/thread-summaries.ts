/**
 * The summaries that roots show of their threads. A thread tells its parent's actor of each reply;
 * replies of one root are gathered before the commit and written as one change of the root.
 *
 * States of a root: a reply comes → its summary is written at once, or at the next moment that the
 * pace allows → the transaction is under way, while further replies are noted → committed and
 * published. Roots whose pace is over are forgotten.
 *
 * [THS1] A root's summary is written at most every SUMMARY_EVERY_MS, and its last state always: what
 *        is not written, because storage or a worker is away, is found in storage by the edges.
 * [THS2] An activation that ends writes at once what waits.
 */

import type { ConversationId } from "../src/protocol/ids.ts";
import type { Monotonic } from "../src/protocol/time.ts";
import { later, msBetween } from "../src/protocol/time.ts";
import type { Context } from "./behaviour.ts";
import { SUMMARIES_WAITING_MAX, SUMMARY_EVERY_MS } from "./limits.ts";
import type { Revised, ThreadStore } from "./ports.ts";

export const SUMMARIES_TIMER = "summaries";

interface BusyRoot {
  isWaiting: boolean;
  isWriting: boolean;
  notBeforeMs: Monotonic;
}

/** By the `seq` of the root. Null until the first reply in any thread. */
export type Summaries = Map<number, BusyRoot> | null;

export interface SummariesHost {
  id: ConversationId;
  summaries: Summaries;
}

export interface SummariesRules<Host extends SummariesHost> {
  store: Pick<ThreadStore, "summarize">;
  committed(host: Host, revised: Revised, ctx: Context): void;
}

export const hasSummariesWaiting = ({ summaries }: SummariesHost): boolean =>
  summaries !== null && summaries.size > 0;

export function noteReply<Host extends SummariesHost>(
  host: Host,
  seq: number,
  rules: SummariesRules<Host>,
  ctx: Context,
): void {
  host.summaries ??= new Map();
  const busy = host.summaries.get(seq);
  if (busy !== undefined) busy.isWaiting = true;
  else if (host.summaries.size < SUMMARIES_WAITING_MAX) {
    host.summaries.set(seq, { isWaiting: true, isWriting: false, notBeforeMs: ctx.monotonicMs });
  }
  writeSummaries(host, rules, ctx);
}

/** Writes what is due, and sets the timer for the rest. `atOnce`: [THS2]. */
export function writeSummaries<Host extends SummariesHost>(
  host: Host,
  rules: SummariesRules<Host>,
  ctx: Context,
  atOnce = false,
): void {
  if (host.summaries === null) return;
  let nextMs = Number.POSITIVE_INFINITY;
  for (const [seq, busy] of host.summaries) {
    if (busy.isWriting) continue;
    const leftMs = atOnce ? 0 : msBetween(ctx.monotonicMs, busy.notBeforeMs);
    if (leftMs > 0) nextMs = Math.min(nextMs, leftMs);
    else if (busy.isWaiting) write(host, seq, busy, rules, ctx);
    else host.summaries.delete(seq);
  }
  if (nextMs !== Number.POSITIVE_INFINITY) ctx.after(nextMs, SUMMARIES_TIMER);
}

function write<Host extends SummariesHost>(
  host: Host,
  seq: number,
  busy: BusyRoot,
  rules: SummariesRules<Host>,
  ctx: Context,
): void {
  busy.isWaiting = false;
  busy.isWriting = true;
  ctx.run(
    rules.store.summarize(host.id, seq),
    (revised) => {
      busy.isWriting = false;
      busy.notBeforeMs = later(ctx.monotonicMs, SUMMARY_EVERY_MS);
      if (revised?.changed) rules.committed(host, revised, ctx);
      writeSummaries(host, rules, ctx);
    },
    () => {
      // [THS1] The row that says that it is due is still there.
      busy.isWriting = false;
      busy.notBeforeMs = later(ctx.monotonicMs, SUMMARY_EVERY_MS);
      writeSummaries(host, rules, ctx);
    },
  );
}

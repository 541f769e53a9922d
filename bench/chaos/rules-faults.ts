/** Rules about each fault: what must keep working meanwhile, and how soon it has healed. */
import { factsOf } from "./fault-table.ts";
import type { FaultRecord, History } from "./history.ts";
import { type HistoryView, Look, type Rule } from "./rule.ts";
import { isLiveFrom, type OfClient } from "./sessions.ts";

/** A worker's memory limit while a client does not read; a new worker holds about 100 MB. */
const WORKER_RSS_MB_MAX = 700;

/** [CHF1] */
const claimsHold: Rule = {
  id: "CHF1",
  promise: 8,
  title: "each fault ends as it must",
  check({ history }) {
    const look = new Look();
    for (const { fault, detail, claims } of history.faults) {
      for (const { claim, holds, found } of claims) {
        look.at(holds, () => `${fault} (${detail}): ${claim}, found: ${found}`);
      }
    }
    return look.verdict;
  },
};

/** [CHF2] */
const serviceReturns: Rule = {
  id: "CHF2",
  promise: 8,
  title: "after each fault everyone is back and settled",
  check({ history }) {
    const look = new Look();
    for (const { fault, detail, recoveredAtMs } of history.faults) {
      look.at(recoveredAtMs !== null, () => `${fault} (${detail}): not everybody came back`);
    }
    look.at(history.broken === undefined, () => `the run broke off: ${history.broken}`);
    return look.verdict;
  },
};

/** [CHF3] */
const sendsGoOn: Rule = {
  id: "CHF3",
  promise: 9,
  title: "while Redis is away, or a clock is set, sends are acknowledged",
  check({ history, sessions }) {
    const look = new Look();
    for (const fault of history.faults) {
      const { sendsWithinMs } = factsOf(fault.fault);
      if (sendsWithinMs === undefined) continue;
      const endMs = fault.healedAtMs ?? history.endedAtMs;
      const acked = firstAcks(history);
      for (const rec of history.records) {
        if (rec.kind !== "tried" || rec.name !== "send_message") continue;
        if (rec.atMs < fault.injectedAtMs || rec.atMs > endMs) continue;
        const lastsMs = rec.atMs + sendsWithinMs;
        const lived = sessions.some(
          (session) => session.client === rec.client && isLiveFrom(session, rec.atMs, lastsMs),
        );
        const verdict = acked.get(`${rec.client} ${rec.op}`);
        // A final refusal (the sender is no longer a member) counts as an answer.
        if (!lived || verdict?.isRefused) continue;
        const isInTime = verdict !== undefined && verdict.atMs <= lastsMs;
        const { name } = history.clients[rec.client]!;
        const what = () =>
          `${fault.fault} (${fault.detail}): a send of ${name} at ${Math.round(rec.atMs)} ms ` +
          `was not acknowledged within ${sendsWithinMs} ms`;
        look.at(isInTime, what, rec, verdict);
      }
    }
    return look.verdict;
  },
};

interface FirstAck {
  atMs: number;
  isRefused: boolean;
}

function firstAcks(history: History): Map<string, FirstAck> {
  const found = new Map<string, FirstAck>();
  for (const rec of history.records) {
    if (rec.kind !== "answered" || rec.name !== "send_message") continue;
    const key = `${rec.client} ${rec.op}`;
    const isRefused = ["not_found", "forbidden"].includes(rec.code);
    if ((rec.ok || isRefused) && !found.has(key)) found.set(key, { atMs: rec.atMs, isRefused });
  }
  return found;
}

/** [CHF4] */
const degradedIsSaid: Rule = {
  id: "CHF4",
  promise: 9,
  title: "while Redis is away /readyz says degraded",
  check({ history }) {
    const look = new Look();
    for (const fault of history.faults) {
      if (factsOf(fault.fault).saysDegraded !== true) continue;
      for (let host = 0; host < history.hosts; host++) {
        if (fault.fault === "redis-cut" && fault.detail !== `host ${host + 1}`) continue;
        const words = history.records
          .filter((rec) => rec.kind === "ready_sample" && rec.host === host)
          .filter((rec) => isDuring(fault, rec.atMs, history))
          .map((rec) => (rec.kind === "ready_sample" ? rec.word : ""));
        const found = [...new Set(words)].join(", ");
        const what = () => `${fault.fault} (${fault.detail}): host ${host + 1} says ${found}`;
        look.at(words.includes("degraded"), what);
      }
    }
    return look.verdict;
  },
};

function isDuring(fault: FaultRecord, atMs: number, history: History): boolean {
  return atMs >= fault.injectedAtMs && atMs <= (fault.healedAtMs ?? history.endedAtMs);
}

/** [CHF5] Sessions that stayed connected from before the fault until the time is over. */
const caughtUp: Rule = {
  id: "CHF5",
  promise: 9,
  title: "once Redis is back everything missed arrives within 2 s",
  check(view) {
    const look = new Look();
    for (const fault of view.history.faults) {
      const { caughtUpWithinMs } = factsOf(fault.fault);
      if (caughtUpWithinMs === undefined || fault.healedAtMs === null) continue;
      const untilMs = fault.healedAtMs + caughtUpWithinMs + view.history.slackMs;
      const reached = committedBy(view.history, fault.healedAtMs);
      for (const session of view.sessions) {
        if (!isLiveFrom(session, fault.injectedAtMs, untilMs)) continue;
        const heard = new Map<string, number>();
        for (const rec of session.records) {
          if (rec.atMs > untilMs) break;
          for (const [conversation, rev] of standingOf(rec)) {
            heard.set(conversation, Math.max(rev, heard.get(conversation) ?? 0));
          }
        }
        for (const [conversation, rev] of reached) {
          const has = heard.get(conversation) ?? 0;
          if (!view.membership.has(conversation, session.user, rev)) continue;
          // The user may have come to follow it later, and version 1 has no threads.
          if (has === 0 && view.threads.has(conversation)) continue;
          const what = () =>
            `${fault.fault} (${fault.detail}): ${session.name} had rev ${has} of ${rev} in ` +
            `conversation ${conversation} when the time was over`;
          look.at(has >= rev, what);
        }
      }
    }
    return look.verdict;
  },
};

/** The rev of each conversation to which a record advances its client. */
function standingOf(rec: OfClient): [string, number][] {
  if (rec.kind === "change") return [[rec.conversation, rec.rev]];
  if (rec.kind !== "synced") return [];
  return [
    ...rec.unchanged,
    ...rec.conversations.map((one): [string, number] => [one.conversation, one.rev]),
  ];
}

/** The highest acknowledged `rev` of each conversation at `atMs`. */
function committedBy(history: History, atMs: number): Map<string, number> {
  const found = new Map<string, number>();
  for (const rec of history.records) {
    if (rec.atMs > atMs) break;
    if (rec.kind !== "change" || rec.via !== "ack") continue;
    found.set(rec.conversation, Math.max(rec.rev, found.get(rec.conversation) ?? 0));
  }
  return found;
}

/** [CHF6] */
const memoryBounded: Rule = {
  id: "CHF6",
  promise: 8,
  title: `no worker holds more than ${WORKER_RSS_MB_MAX} MB`,
  check({ history }: HistoryView) {
    const look = new Look();
    for (const rec of history.records) {
      if (rec.kind !== "memory_sample") continue;
      const what = () => `host ${rec.host + 1}: a worker of ${rec.workerRssMbMax} MB`;
      look.at(rec.workerRssMbMax <= WORKER_RSS_MB_MAX, what, rec);
    }
    return look.verdict;
  },
};

export const FAULT_RULES: readonly Rule[] = [
  claimsHold,
  serviceReturns,
  sendsGoOn,
  degradedIsSaid,
  caughtUp,
  memoryBounded,
];

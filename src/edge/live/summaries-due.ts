/**
 * Finds roots whose summary was not written in its time, because a worker died or storage was
 * away, and tells their conversation's actor.
 *
 * [THS3] A root shows the last state of its thread within seconds, whichever worker or host dies.
 */
import type { Log } from "../../base/log.ts";
import type { Queries } from "../../ports/edge.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import { DueWork } from "./due-work.ts";

const LEASE_MS = 5_000;
const FOUND_MAX = 500;

export interface DueSummariesOptions {
  log: Log;
  queries: Pick<Queries, "claimSummaries">;
  gateway: Pick<Gateway, "tell">;
}

export function dueSummaries({ log, queries, gateway }: DueSummariesOptions) {
  return new DueWork({
    kind: "summaries",
    log,
    event: "summaries_wait",
    foundMax: FOUND_MAX,
    claim: (limit) => queries.claimSummaries(limit, LEASE_MS),
    take(due) {
      for (const { parent, seq } of due) {
        gateway.tell("conversation", parent, "thread_changed", { seq });
      }
    },
  });
}

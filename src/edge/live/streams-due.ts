/**
 * Finds open streams of which nothing was stored lately, and has their conversation's actor look: one
 * whose worker died is activated so, publishes what storage has, and ends it if its writer is gone.
 *
 * [STD1] A stream whose worker or host died shows its last checkpoint within seconds, and is open no
 *        longer than its writer's silence.
 */
import type { Log } from "../../base/log.ts";
import type { Queries } from "../../ports/edge.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import { DueWork } from "./due-work.ts";

const LEASE_MS = 5_000;
const FOUND_MAX = 500;

export interface DueStreamsOptions {
  log: Log;
  queries: Pick<Queries, "claimStreams">;
  gateway: Pick<Gateway, "tell">;
}

export function dueStreams({ log, queries, gateway }: DueStreamsOptions) {
  return new DueWork({
    kind: "streams",
    log,
    event: "streams_wait",
    foundMax: FOUND_MAX,
    claim: (limit) => queries.claimStreams(limit, LEASE_MS),
    take(ids) {
      for (const id of ids) gateway.tell("conversation", id, "streams_due", {});
    },
  });
}

/**
 * Finds messages whose time has come and has their conversation's actor delete them. A deletion
 * that is asked for twice happens once.
 *
 * [EXM1] A message is deleted within 2 s of `expires_at`, whichever worker or host dies.
 */
import type { Log } from "../../base/log.ts";
import type { Queries } from "../../ports/edge.ts";
import type { ConversationId } from "../../protocol/ids.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import { DueWork } from "./due-work.ts";

/** A worker that dies with a claim costs this and a look more: within the 2 s. */
const LEASE_MS = 1_000;
const FOUND_MAX = 500;

export interface DueExpiriesOptions {
  log: Log;
  queries: Pick<Queries, "claimExpired">;
  gateway: Pick<Gateway, "tell">;
}

export function dueExpiries({ log, queries, gateway }: DueExpiriesOptions) {
  return new DueWork({
    kind: "expiries",
    log,
    event: "expiry_waits",
    foundMax: FOUND_MAX,
    claim: (limit) => queries.claimExpired(limit, LEASE_MS),
    take(due) {
      const seqs = new Map<ConversationId, number[]>();
      for (const { id, seq } of due) {
        const known = seqs.get(id);
        if (known === undefined) seqs.set(id, [seq]);
        else known.push(seq);
      }
      for (const [id, of] of seqs) gateway.tell("conversation", id, "expire", { seqs: of });
    },
  });
}

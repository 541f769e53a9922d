/**
 * Takes messages away that are older than their conversations keep them: one job over all hosts, which
 * looks every few seconds. Nobody is served such a message from that second on, whether the job runs or not.
 *
 * [RTJ1] A conversation's first_seq moves by a change of its actor, at most once in `GATHERED_MS`, however
 *        many messages become old; of a thread it moves without one.
 * [RTJ3] Conversations that cannot be moved now hold up no others: a round goes on with the next ones.
 * [RTJ2] The rows are deleted in short transactions, with all that belongs to each message. Which
 *        conversations have some left is a table, so a job that is killed is continued by the next.
 */
import type { Log } from "../base/log.ts";
import type { JobEnd } from "../ports/jobs.ts";
import type { RetentionStore } from "../ports/retention.ts";
import type { Result } from "../protocol/errors.ts";
import type { ConversationId } from "../protocol/ids.ts";
import type { JobHandlers } from "./runner.ts";

export const KEEP_MESSAGES = "messages.retention";

const EVERY_MS = 10_000;
const GATHERED_MS = 30_000;
const DUE_MAX = 200;
/** Between two of these, old rows are deleted. */
const PAGES_MAX = 20;
/** Conversations that failed in a round; of so many the cause is not their own, and the round ends. */
const FAILED_MAX = 2_000;
/** Messages a transaction: some ten milliseconds, for which sends into that conversation wait. */
const FORGOTTEN_MAX = 500;

interface RetentionDeps {
  store: RetentionStore;
  gateway: {
    ask(
      kind: "conversation",
      id: string,
      op: "trim",
      body: Record<string, never>,
    ): Promise<Result<unknown>>;
  };
  log: Log;
}

export function retentionJobs({ store, gateway, log }: RetentionDeps): JobHandlers {
  return {
    async [KEEP_MESSAGES](_job, { signal }) {
      try {
        return await round(signal);
      } catch (err) {
        // PostgreSQL was out of reach for a while: the next round does it.
        log.warn({ event: "retention_waits", err });
        return { is: "again", inMs: EVERY_MS };
      }
    },
  };

  async function round(signal: AbortSignal): Promise<JobEnd> {
    const failed: ConversationId[] = [];
    const asked = new Set<ConversationId>();
    let isMore = true;
    for (let page = 0; isMore && page < PAGES_MAX && !signal.aborted; page++) {
      const due = await store.due(GATHERED_MS, DUE_MAX, failed);
      const fresh = due.filter((id) => !asked.has(id));
      for (const id of fresh) asked.add(id);
      const moved = await Promise.all(fresh.map(move));
      failed.push(...fresh.filter((_, n) => !moved[n]));
      isMore = due.length === DUE_MAX && fresh.length > 0 && failed.length < FAILED_MAX;
    }
    if (failed.length > 0) log.warn({ event: "retention_not_moved", conversations: failed.length });
    let areLeft = true;
    while (areLeft && !signal.aborted) areLeft = await store.forget(FORGOTTEN_MAX);
    return { is: "again", inMs: isMore ? 0 : EVERY_MS };
  }

  async function move(id: ConversationId): Promise<boolean> {
    const done = await gateway.ask("conversation", id, "trim", {});
    // One that is deleted has nothing that is due.
    return done.ok || done.error.code === "not_found";
  }
}

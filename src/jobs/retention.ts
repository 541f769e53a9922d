/**
 * Takes messages away that are older than their conversations keep them: one job over all hosts, which
 * looks every few seconds. Nobody is served such a message from that second on, whether the job runs or not.
 *
 * [RTJ1] A conversation's first_seq moves by a change of its actor, at most once in `GATHERED_MS`, however
 *        many messages become old; of a thread it moves without one.
 * [RTJ2] The rows are deleted in short transactions, with all that belongs to each message. Which
 *        conversations have some left is a table, so a job that is killed is continued by the next.
 */
import type { Log } from "../base/log.ts";
import type { JobEnd } from "../ports/jobs.ts";
import type { RetentionStore } from "../ports/retention.ts";
import type { Result } from "../protocol/errors.ts";
import type { JobHandlers } from "./runner.ts";

export const KEEP_MESSAGES = "messages.retention";

const EVERY_MS = 10_000;
const GATHERED_MS = 30_000;
const DUE_MAX = 200;
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
    const due = await store.due(GATHERED_MS, DUE_MAX);
    const moved = await Promise.all(
      due.map(async (id) => {
        const done = await gateway.ask("conversation", id, "trim", {});
        // One that is deleted has nothing that is due.
        return done.ok || done.error.code === "not_found";
      }),
    );
    let areLeft = true;
    while (areLeft && !signal.aborted) areLeft = await store.forget(FORGOTTEN_MAX);
    const isMore = due.length === DUE_MAX && moved.every(Boolean);
    return { is: "again", inMs: isMore ? 0 : EVERY_MS };
  }
}

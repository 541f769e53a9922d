/**
 * Deletes the many rows of a conversation that was deleted: members, followers of its threads, bans. The
 * transaction that deletes the conversation adds the job. From then on nobody is shown anything of it,
 * however long the rows stay.
 *
 * [FGC1] Each step is a short transaction, and the rows that are left say what a run has to do: a job that
 *        is killed is continued by the next run, on any host.
 */
import type { DeletedConversations } from "../ports/deleted-conversations.ts";
import type { JobHandlers } from "./runner.ts";

/** The name is in change_conversation.sql, too. */
export const FORGET_CONVERSATION = "conversations.forget";

/** Rows a transaction: some tens of milliseconds. */
const FORGOTTEN_MAX = 1_000;

export function forgetJobs({ store }: { store: DeletedConversations }): JobHandlers {
  return {
    async [FORGET_CONVERSATION]({ key }, { signal }) {
      for (let areLeft = true; areLeft; ) {
        if (signal.aborted) return { is: "again", inMs: 0 };
        areLeft = await store.forget(key ?? "", FORGOTTEN_MAX);
      }
      return { is: "done" };
    },
  };
}

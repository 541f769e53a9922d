/**
 * Takes files away: those that their uploaders deleted, those that were never attached, and those that
 * no message shows any more.
 *
 * [FCL1] A file that is taken back first goes from every message that shows it, by a change of each;
 *        then its bytes go, then its row. What a crash leaves undone the next round does.
 * [FCL2] A file that was never attached goes after 24 h, one without references within an hour.
 */
import type { FileStore, FileTable } from "../ports/files.ts";
import type { Result } from "../protocol/errors.ts";
import type { JobHandlers } from "./runner.ts";

export const SWEEP_FILES = "files.sweep";

const LOOSE_MS = 24 * 3_600_000;
const EVERY_MS = 10 * 60_000;
const SWEPT_MAX = 200;
/** Messages that an actor refreshes in one go. */
const REFRESHED_MAX = 100;

interface RetirementDeps {
  table: Pick<FileTable, "places" | "forget">;
  store: Pick<FileStore, "remove">;
  gateway: {
    ask(
      kind: "conversation",
      id: string,
      op: "refresh_files",
      body: { seqs: number[] },
    ): Promise<Result<unknown>>;
  };
}

/** [FCL1] The file is taken back already. */
export function createRetirement({ table, store, gateway }: RetirementDeps) {
  return async function retire(id: string): Promise<void> {
    for (const { conversationId, seqs } of await table.places(id)) {
      for (let at = 0; at < seqs.length; at += REFRESHED_MAX) {
        const some = { seqs: seqs.slice(at, at + REFRESHED_MAX) };
        const done = await gateway.ask("conversation", conversationId, "refresh_files", some);
        // A conversation that is deleted shows nothing.
        if (!done.ok && done.error.code !== "not_found") return;
      }
    }
    await store.remove(id);
    await table.forget(id);
  };
}

interface FileJobsDeps {
  table: Pick<FileTable, "sweep">;
  retire(id: string): Promise<void>;
}

export function fileJobs({ table, retire }: FileJobsDeps): JobHandlers {
  return {
    async [SWEEP_FILES](_job, { signal }) {
      const ids = await table.sweep(LOOSE_MS, SWEPT_MAX);
      for (const id of ids) {
        if (signal.aborted) break;
        await retire(id);
      }
      return { is: "again", inMs: ids.length >= SWEPT_MAX ? 0 : EVERY_MS };
    },
  };
}

/**
 * Deletes files: those that their uploaders deleted, those that were never attached, and those that
 * no message shows any more.
 *
 * [FCL1] A file that its uploader deleted is first removed from every message that shows it, by a
 *        change of each; then its bytes are deleted, then its row. The next round continues after a
 *        crash.
 * [FCL2] A file that was never attached is deleted after 24 h, one without references within an hour.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { FileStore, FileTable } from "../ports/files.ts";
import type { UploadStore } from "../ports/uploads.ts";
import type { Result } from "../protocol/errors.ts";
import { thumbOf } from "../protocol/files.ts";
import { epochMsOf } from "../protocol/time.ts";
import type { JobHandlers } from "./runner.ts";

export const SWEEP_FILES = "files.sweep";

const LOOSE_MS = 24 * 3_600_000;
const EVERY_MS = 10 * 60_000;
const SWEPT_MAX = 200;
/** Messages that an actor refreshes in one go. */
const REFRESHED_MAX = 100;

interface RefreshDeps {
  table: Pick<FileTable, "places">;
  gateway: {
    ask(
      kind: "conversation",
      id: string,
      op: "refresh_files",
      body: { seqs: number[] },
    ): Promise<Result<unknown>>;
  };
}

/** Lets every message that shows a file show it as it is now. False: some do not yet. */
export type RefreshFile = (id: string) => Promise<boolean>;

export function createRefresh({ table, gateway }: RefreshDeps): RefreshFile {
  return async function refresh(id) {
    for (const { conversationId, seqs } of await table.places(id)) {
      for (let at = 0; at < seqs.length; at += REFRESHED_MAX) {
        const some = { seqs: seqs.slice(at, at + REFRESHED_MAX) };
        const done = await gateway.ask("conversation", conversationId, "refresh_files", some);
        // A conversation that is deleted shows nothing.
        if (!done.ok && done.error.code !== "not_found") return false;
      }
    }
    return true;
  };
}

interface RetirementDeps {
  table: Pick<FileTable, "forget">;
  store: Pick<FileStore, "remove">;
  uploads: Pick<UploadStore, "drop">;
  refresh: RefreshFile;
  log: Log;
}

/**
 * [FCL1] The file is taken back already. False: not everything could be done now, and the next sweep
 * continues.
 */
export function createRetirement({ table, store, uploads, refresh, log }: RetirementDeps) {
  return async function retire(id: string): Promise<boolean> {
    if (!(await refresh(id))) return false;
    try {
      await store.remove(id);
      await store.remove(thumbOf(id));
      await uploads.drop(id);
      await table.forget(id);
    } catch (err) {
      log.warn({ event: "file_not_removed", file: id, err });
      return false;
    }
    return true;
  };
}

interface FileJobsDeps {
  table: Pick<FileTable, "sweep">;
  store: Pick<FileStore, "tidy">;
  retire(id: string): Promise<boolean>;
  clock: Clock;
}

export function fileJobs({ table, store, retire, clock }: FileJobsDeps): JobHandlers {
  return {
    async [SWEEP_FILES](_job, { signal }) {
      await store.tidy(epochMsOf(clock.wallMs()));
      const ids = await table.sweep(LOOSE_MS, SWEPT_MAX);
      for (const id of ids) {
        if (signal.aborted) break;
        // With a store that is away, each of the others would wait for it in vain.
        if (!(await retire(id))) return { is: "again", inMs: EVERY_MS };
      }
      return { is: "again", inMs: ids.length >= SWEPT_MAX ? 0 : EVERY_MS };
    },
  };
}

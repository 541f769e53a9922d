/**
 * Exports a user as a zip archive: `data.jsonl`, one object a line, and the user's files below `files/`.
 * The archive is written as it is read, so that an export needs as little memory for a large account
 * as for a small one. The command line writes the same archive.
 *
 * [EXP1] Of others there are names and ids only.
 * [EXP2] An export that is killed begins again; what it had written is taken away as the rest of any
 *        interrupted write.
 * [EXP3] One export of a user for one asker is kept, for a day; the next one takes its place.
 * [EXP4] Nothing is kept of a user who was erased meanwhile.
 */
import type { Clock } from "../base/clock.ts";
import { EXPORT_KEPT_MS, EXPORT_USER, exportKey } from "../base/export-files.ts";
import { type ZipEntry, zipOf } from "../base/zip.ts";
import type { ExportStore } from "../ports/exports.ts";
import type { FileStore } from "../ports/files.ts";
import type { JobQueue } from "../ports/jobs.ts";
import type { UserId } from "../protocol/ids.ts";
import { asUserId } from "../protocol/schemas.ts";
import { epochMsOf, later, type Monotonic } from "../protocol/time.ts";
import type { JobHandlers } from "./runner.ts";

const REMOVE_EXPORT = "users.export.remove";
/** Between two writes of how far it has come. */
const PROGRESS_MS = 1_000;

/** How much an archive holds so far. */
export interface ExportCounts {
  lines: number;
  files: number;
}

export interface UserExportOptions {
  store: Pick<ExportStore, "lines" | "files">;
  files: Pick<FileStore, "read">;
  user: UserId;
  /** Whether what the application calls others is shown. */
  namesOutside: boolean;
  /** The time that the archive bears. */
  at: Date;
  /** Grows as the archive is read. */
  counts: ExportCounts;
}

export function userExport(options: UserExportOptions): AsyncGenerator<Uint8Array> {
  return zipOf(entriesOf(options), options.at);
}

async function* entriesOf(options: UserExportOptions): AsyncGenerator<ZipEntry> {
  const { store, files, user, counts } = options;
  yield { name: "data.jsonl", isCompressed: true, bytes: textOf(options) };
  for await (const some of store.files(user)) {
    for (const { id, name, bytes } of some) {
      const found = await files.read(id, 0, bytes - 1);
      // Deleted since its line was written.
      if (found === null) continue;
      yield { name: pathOf(id, name), isCompressed: false, bytes: found };
      counts.files++;
    }
  }
}

async function* textOf({
  store,
  user,
  namesOutside,
  counts,
}: UserExportOptions): AsyncGenerator<Uint8Array> {
  for await (const lines of store.lines(user, namesOutside)) {
    counts.lines += lines.length;
    yield Buffer.from(`${lines.join("\n")}\n`);
  }
  for await (const files of store.files(user)) {
    counts.lines += files.length;
    const lines = files.map((file) =>
      JSON.stringify({ type: "file", ...file, path: pathOf(file.id, file.name) }),
    );
    yield Buffer.from(`${lines.join("\n")}\n`);
  }
}

/** A name that every system takes, in a folder of its own. */
function pathOf(id: string, name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: names must not hold them.
  const safe = name.replace(/[\u0000-\u001f\u007f/\\:*?"<>|]/gu, "_").replace(/^\.+$/, "file");
  return `files/${id}/${safe === "" ? "file" : safe}`;
}

interface ExportJobsDeps {
  store: ExportStore;
  files: Pick<FileStore, "read" | "write" | "remove">;
  queue: Pick<JobQueue, "add">;
  basePath: string;
  clock: Clock;
}

const GONE = { code: "not_found", message: "The user has been erased." };

export function exportJobs({ store, files, queue, basePath, clock }: ExportJobsDeps): JobHandlers {
  return {
    async [EXPORT_USER]({ id, key, args }, { signal, progress }) {
      const { user: named, namesOutside } = args as { user: string; namesOutside: boolean };
      const user = asUserId(named);
      if (!(await store.isThere(user))) return { is: "failed", error: GONE };
      for (const older of await store.olderJobs(key ?? "", id)) {
        await files.remove(exportKey(older));
      }
      const counts: ExportCounts = { lines: 0, files: 0 };
      const startMs = epochMsOf(clock.wallMs());
      const at = new Date(startMs);
      const archive = userExport({ store, files, user, namesOutside, at, counts });
      const bytes = await files.write(exportKey(id), reported());
      // [EXP4] An erasure that begins from here on finds the export itself.
      if (!(await store.isThere(user))) {
        await files.remove(exportKey(id));
        return { is: "failed", error: GONE };
      }
      await queue.add({ kind: REMOVE_EXPORT, key: id, args: { id }, inMs: EXPORT_KEPT_MS });
      const endMs = epochMsOf(clock.wallMs()) + EXPORT_KEPT_MS;
      const expires_at = new Date(endMs).toISOString();
      const url = `${basePath}/api/exports/${id}`;
      return { is: "done", result: { url, expires_at, bytes, ...counts } };

      async function* reported(): AsyncGenerator<Uint8Array> {
        let dueMs: Monotonic = clock.monotonicMs();
        for await (const chunk of archive) {
          if (signal.aborted) throw new Error("the job is another host's now");
          if (dueMs <= clock.monotonicMs()) {
            dueMs = later(clock.monotonicMs(), PROGRESS_MS);
            if (!(await progress({ ...counts }))) throw new Error("the job is another host's now");
          }
          yield chunk;
        }
      }
    },

    /** [EXP3] */
    async [REMOVE_EXPORT]({ args }) {
      await files.remove(exportKey((args as { id: string }).id));
      return { is: "done" };
    },
  };
}

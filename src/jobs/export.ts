/**
 * Exports a user, a conversation or everything as a zip archive: `data.jsonl`, one object a line, and
 * the files below `files/`. The archive is written as it is read, so that an export needs as little
 * memory for much as for little. The command line writes the same archives.
 *
 * [EXP1] In the export of a user there are names and ids of others only.
 * [EXP2] An export that is killed begins again; what it had written is taken away as the rest of any
 *        interrupted write.
 * [EXP3] One export of a thing for one asker is kept, for a day; the next one takes its place.
 * [EXP4] No archive outlives the erasure of a user whom it may name: an erasure takes all away, and
 *        what was made while one went on is made again.
 */
import type { Clock } from "../base/clock.ts";
import { EXPORT, EXPORT_KEPT_MS, exportKey } from "../base/export-files.ts";
import { type ZipEntry, zipOf } from "../base/zip.ts";
import type { ExportedThing, ExportStore, ExportView } from "../ports/exports.ts";
import type { FileStore } from "../ports/files.ts";
import type { JobQueue } from "../ports/jobs.ts";
import { epochMsOf, later, type Monotonic, msBetween } from "../protocol/time.ts";
import type { JobHandlers } from "./runner.ts";

const REMOVE_EXPORT = "export.remove";
/** Between two writes of how far it has come. */
const PROGRESS_MS = 1_000;
const TRIES_MAX = 20;

/** How much an archive holds so far. */
export interface ExportCounts {
  lines: number;
  files: number;
}

export interface ExportOptions {
  store: Pick<ExportStore, "lines" | "files">;
  files: Pick<FileStore, "read">;
  thing: ExportedThing;
  view: ExportView;
  /** The time that the archive bears. */
  at: Date;
  /** Grows as the archive is read. */
  counts: ExportCounts;
}

export function archiveOf(options: ExportOptions): AsyncGenerator<Uint8Array> {
  return zipOf(entriesOf(options), options.at);
}

async function* entriesOf(options: ExportOptions): AsyncGenerator<ZipEntry> {
  const { store, files, thing, counts } = options;
  yield { name: "data.jsonl", isCompressed: true, bytes: textOf(options) };
  for await (const some of store.files(thing)) {
    for (const { id, name, bytes } of some) {
      const found = await files.read(id, 0, bytes - 1);
      // Deleted since its line was written.
      if (found === null) continue;
      yield { name: pathOf(id, name), isCompressed: false, bytes: found };
      counts.files++;
    }
  }
}

async function* textOf({ store, thing, view, counts }: ExportOptions): AsyncGenerator<Uint8Array> {
  for await (const lines of store.lines(thing, view)) {
    counts.lines += lines.length;
    yield Buffer.from(`${lines.join("\n")}\n`);
  }
  for await (const files of store.files(thing)) {
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

const GONE = { code: "not_found", message: "It is not there any more." };
const ERASING = { code: "conflict", message: "A user is being erased." };
/** Erasures take seconds. */
const AGAIN_MS = 10_000;

export function exportJobs({ store, files, queue, basePath, clock }: ExportJobsDeps): JobHandlers {
  return {
    async [EXPORT]({ id, key, args, attempts }, { signal, progress }) {
      const { thing, namesOutside } = args as { thing: ExportedThing; namesOutside: boolean };
      if (!(await store.isThere(thing))) return { is: "failed", error: GONE };
      for (const older of await store.olderJobs(key ?? "", id)) {
        await files.remove(exportKey(older));
      }
      const counts: ExportCounts = { lines: 0, files: 0 };
      const startMs = clock.monotonicMs();
      const at = new Date(epochMsOf(clock.wallMs()));
      const view = { namesOutside, passwords: false };
      const archive = archiveOf({ store, files, thing, view, at, counts });
      const bytes = await files.write(exportKey(id), reported());
      // [EXP4] An erasure that begins from here on finds the archive itself.
      if (await store.isErasing(msBetween(startMs, clock.monotonicMs()))) {
        await files.remove(exportKey(id));
        return attempts < TRIES_MAX
          ? { is: "retry", inMs: AGAIN_MS, error: ERASING }
          : { is: "failed", error: ERASING };
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

/**
 * Makes files ready: asks the scanner, hands the bytes of a picture to the processes that decode
 * them, stores the result in the place of the upload, and refreshes the messages that show it.
 *
 * [IMJ1] Until then nobody is served the upload, which may contain the place where it was taken.
 * [FSC2] A file about which the scanner does not answer for 20 minutes is refused.
 * [IMJ2] A picture that cannot be read is refused and its bytes go at once; so is one that has ended
 *        its process, or took too long, twice.
 * [IMJ3] After a crash the next run prepares the picture again, or only refreshes the messages. What
 *        it made may be in the store already, and has another length than the upload.
 * [IMJ4] While the store is away a file waits for it, however long, and is not refused.
 */
import type { Log } from "../base/log.ts";
import type {
  FileScanner,
  FileStore,
  FileTable,
  ImagePreparer,
  PreparedImage,
  SettledFile,
  StoredFile,
} from "../ports/files.ts";
import { isPrepared, thumbOf, unscannedOf } from "../protocol/files.ts";
import type { RefreshFile } from "./files.ts";
import type { JobHandlers } from "./runner.ts";

/** Its key is the file's id; complete_file.sql adds it. */
export const PREPARE_FILE = "files.prepare";

const PICTURE_TRIES_MAX = 2;
/** With the pauses of the runner: 21 minutes. */
const SCAN_TRIES_MAX = 9;
/**
 * A message that was on its way may have been written with the file as it was. So the messages are
 * looked at once more, when its statement has ended in any case.
 */
const LOOK_AGAIN_MS = 6_000;
const STORE_AWAY_MS = 15_000;

interface PrepareDeps {
  table: Pick<FileTable, "file" | "settle">;
  store: Pick<FileStore, "read" | "write" | "remove">;
  links: { mark(id: string): string };
  images: ImagePreparer;
  /** Null: nobody is asked. */
  scan: FileScanner | null;
  refresh: RefreshFile;
  log: Log;
}

export function prepareJobs({
  table,
  store,
  links,
  images,
  scan,
  refresh,
  log,
}: PrepareDeps): JobHandlers {
  return {
    async [PREPARE_FILE]({ key, attempts }, { signal }) {
      const id = key ?? "";
      const file = await table.file(id);
      if (file === null) return;
      const isNew = file.shown.state === "processing";
      try {
        if (isNew) await keep(file, await judged(file, attempts, signal));
      } catch (fault) {
        if (signal.aborted || !(fault instanceof StoreAway)) throw fault;
        log.warn({ event: "file_waits_for_store", file: id, err: fault.cause });
        return { is: "again", inMs: STORE_AWAY_MS };
      }
      if (!(await refresh(id))) throw new Error("its messages could not be changed");
      return isNew ? { is: "again", inMs: LOOK_AGAIN_MS } : { is: "done" };
    },
  };

  async function judged(
    file: StoredFile,
    attempts: number,
    signal: AbortSignal,
  ): Promise<PreparedImage | "as it is"> {
    const { id, shown } = file;
    if (scan !== null) {
      try {
        const isAllowed = await scan(shown, links.mark(unscannedOf(id)), signal);
        if (!isAllowed) return { is: "refused", why: "the scanner refused it" };
      } catch (fault) {
        if (signal.aborted || attempts < SCAN_TRIES_MAX) throw fault;
        return { is: "refused", why: "the scanner does not answer" };
      }
    }
    return isPrepared(shown.mime) ? tried(file, attempts, signal) : "as it is";
  }

  /** [IMJ2] */
  async function tried(
    { id, shown }: StoredFile,
    attempts: number,
    signal: AbortSignal,
  ): Promise<PreparedImage> {
    const source = await reached(store.read(id, 0, Number.MAX_SAFE_INTEGER));
    if (source === null) return { is: "refused", why: "its bytes are gone" };
    const watched = new Watched(source);
    try {
      return await images.prepare(watched, shown.mime, signal);
    } catch (fault) {
      if (watched.hasFailed) throw new StoreAway(fault);
      if (signal.aborted || attempts < PICTURE_TRIES_MAX) throw fault;
      return { is: "refused", why: fault instanceof Error ? fault.message : String(fault) };
    }
  }

  async function keep(
    { id, shown }: StoredFile,
    prepared: PreparedImage | "as it is",
  ): Promise<void> {
    let settled: SettledFile = { state: "refused" };
    if (prepared === "as it is") {
      settled = { state: "ready", bytes: shown.bytes, facts: null };
    } else if (prepared.is === "ready") {
      try {
        const thumb_bytes = await reached(store.write(thumbOf(id), prepared.thumb()));
        const bytes = await reached(store.write(id, prepared.image()));
        const facts = { ...prepared.facts, thumb_url: links.mark(thumbOf(id)), thumb_bytes };
        settled = { state: "ready", bytes, facts };
      } finally {
        await prepared.close();
      }
    } else log.info({ event: "file_refused", file: id, why: prepared.why });
    const isKept = await table.settle(id, settled);
    if (isKept && settled.state === "ready") return;
    // It was refused, or its uploader has taken it back meanwhile.
    await reached(store.remove(id));
    await reached(store.remove(thumbOf(id)));
  }
}

/** [IMJ4] */
class StoreAway extends Error {
  constructor(cause: unknown) {
    super("the store of files is out of reach", { cause });
    this.name = "StoreAway";
  }
}

async function reached<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new StoreAway(cause);
  }
}

/** [IMJ4] Bytes of the store, and whether the store failed while they were read. */
class Watched implements AsyncIterable<Uint8Array> {
  hasFailed = false;
  readonly #source: AsyncIterable<Uint8Array>;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    let isFailing = true;
    try {
      for await (const chunk of this.#source) {
        isFailing = false;
        yield chunk;
        isFailing = true;
      }
      isFailing = false;
    } finally {
      this.hasFailed ||= isFailing;
    }
  }
}

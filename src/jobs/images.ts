/**
 * Makes pictures ready: hands the bytes of an upload to the processes that decode them, keeps what
 * they made in the place of the upload, and lets the messages that show it say so.
 *
 * [IMJ1] Until then nobody is served the upload, which may hold where it was taken.
 * [IMJ2] A picture that cannot be read is refused and its bytes go at once; so is one that has ended
 *        its process, or took too long, twice.
 * [IMJ3] What a crash leaves undone the next run does: it prepares the picture again, or only refreshes the messages.
 */
import type { Log } from "../base/log.ts";
import type {
  FileStore,
  FileTable,
  ImagePreparer,
  PreparedImage,
  SettledImage,
  StoredFile,
} from "../ports/files.ts";
import { thumbOf } from "../protocol/files.ts";
import type { RefreshFile } from "./files.ts";
import type { JobHandlers } from "./runner.ts";

/** Its key is the file's id; complete_file.sql adds it. */
export const PREPARE_IMAGE = "files.image";

const TRIES_MAX = 2;
/**
 * A message that was on its way may have been written with the file as it was. So the messages are
 * looked at once more, when its statement has ended in any case.
 */
const LOOK_AGAIN_MS = 6_000;

interface ImageJobsDeps {
  table: Pick<FileTable, "file" | "settle">;
  store: Pick<FileStore, "read" | "write" | "remove">;
  links: { mark(id: string): string };
  images: ImagePreparer;
  refresh: RefreshFile;
  log: Log;
}

export function imageJobs({
  table,
  store,
  links,
  images,
  refresh,
  log,
}: ImageJobsDeps): JobHandlers {
  return {
    async [PREPARE_IMAGE]({ key, attempts }, { signal }) {
      const id = key ?? "";
      const file = await table.file(id);
      if (file === null) return;
      const isNew = file.shown.state === "processing";
      if (isNew) await keep(file, await tried(file, attempts, signal));
      if (!(await refresh(id))) throw new Error("its messages could not be changed");
      return isNew ? { is: "again", inMs: LOOK_AGAIN_MS } : { is: "done" };
    },
  };

  /** [IMJ2] */
  async function tried(
    { id, shown }: StoredFile,
    attempts: number,
    signal: AbortSignal,
  ): Promise<PreparedImage> {
    const source = await store.read(id, 0, shown.bytes - 1);
    if (source === null) return { is: "refused", why: "its bytes are gone" };
    try {
      return await images.prepare(source, shown.mime, signal);
    } catch (fault) {
      if (signal.aborted || attempts < TRIES_MAX) throw fault;
      return { is: "refused", why: fault instanceof Error ? fault.message : String(fault) };
    }
  }

  async function keep({ id }: StoredFile, prepared: PreparedImage): Promise<void> {
    let settled: SettledImage = { state: "refused" };
    if (prepared.is === "ready") {
      try {
        const thumb_bytes = await store.write(thumbOf(id), prepared.thumb());
        const bytes = await store.write(id, prepared.image());
        const facts = { ...prepared.facts, thumb_url: links.mark(thumbOf(id)), thumb_bytes };
        settled = { state: "ready", bytes, facts };
      } finally {
        await prepared.close();
      }
    } else log.info({ event: "image_refused", file: id, why: prepared.why });
    const isKept = await table.settle(id, settled);
    if (isKept && settled.state === "ready") return;
    // It was refused, or its uploader has taken it back meanwhile.
    await store.remove(id);
    await store.remove(thumbOf(id));
  }
}

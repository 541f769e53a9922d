/**
 * Keeps how long an uploaded sound or film plays, before its upload counts as complete.
 *
 * [DUR3] A file whose header cannot be read within DEADLINE_MS is complete without a duration.
 */
import type { Clock } from "../../../base/clock.ts";
import { durationMsOf, type MediaBytes, mayLast } from "../../../base/media-duration.ts";
import type { FileStore, FileTable } from "../../../ports/files.ts";

const DEADLINE_MS = 3_000;

class Late extends Error {}

interface Uploaded {
  id: string;
  bytes: number;
  mime: string;
}

interface Holders {
  store: Pick<FileStore, "read">;
  table: Pick<FileTable, "note">;
}

export async function noteDuration(
  { id, bytes, mime }: Uploaded,
  { store, table }: Holders,
  clock: Clock,
): Promise<void> {
  if (!mayLast(mime)) return;
  let isLate = false;
  let late: () => void = () => undefined;
  const deadline = new Promise<null>((resolve) => {
    late = () => resolve(null);
  });
  const cancel = clock.after(DEADLINE_MS, () => {
    isLate = true;
    late();
  });
  const source: MediaBytes = {
    size: bytes,
    async read(at, length) {
      if (isLate) throw new Late();
      if (at < 0 || at >= bytes) return Buffer.alloc(0);
      const found = await store.read(id, at, Math.min(bytes, at + length) - 1);
      const chunks: Uint8Array[] = [];
      for await (const chunk of found ?? []) chunks.push(chunk.slice());
      return Buffer.concat(chunks);
    },
  };
  try {
    const found = await Promise.race([durationMsOf(mime, source), deadline]);
    if (found !== null) await table.note(id, { duration_ms: found });
  } catch {
    // [DUR3] The store or storage does not answer: what is asked of it next says so.
  } finally {
    cancel();
  }
}

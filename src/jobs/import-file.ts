/** An import of a file of this machine, for the command line. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { ImportStore } from "../ports/imports.ts";
import { type ImportOutcome, type LineReaders, runImport } from "./import.ts";

/** Null: there is no such file. The content names the import: the same file again continues one that was killed. */
export async function importFile(
  path: string,
  store: ImportStore,
  readers: LineReaders,
): Promise<ImportOutcome | null> {
  const found = await stat(path).catch(() => null);
  if (found === null || !found.isFile()) return null;
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  const read = async (start: number, end: number) =>
    createReadStream(path, { start, end }) as AsyncIterable<Uint8Array>;
  return runImport({
    store,
    readers,
    key: `sha256:${hash.digest("hex")}`,
    source: { size: found.size, read },
    progress: async () => true,
    keep: async () => true,
    isStopped: () => false,
  });
}

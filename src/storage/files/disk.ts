/**
 * FileStore in a folder of this host. A file is written under a temporary name, flushed to the disk
 * and then renamed, so that every file under its key is complete.
 *
 * [FST1] When `write` has resolved, the bytes survive `kill -9` and a loss of power.
 * [FST2] The rest of an interrupted write is removed a day later.
 */
import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import type { FileStore } from "../../ports/files.ts";
import { isMissing, syncFolder, UNFINISHED, wholePath, writeAll } from "./disk-paths.ts";

/** An unfinished file that was not written to for this long belongs to no running upload. */
const ABANDONED_MS = 24 * 3_600_000;

export class DiskFiles implements FileStore {
  readonly missing = null;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async write(key: string, source: AsyncIterable<Uint8Array>): Promise<number> {
    const path = this.#pathOf(key);
    const unfinished = join(this.#folder, UNFINISHED, `${key}.${randomUUID()}`);
    await mkdir(dirname(unfinished), { recursive: true, mode: 0o700 });
    let bytes = 0;
    const file = await open(unfinished, "wx", 0o600);
    try {
      try {
        for await (const chunk of source) {
          await writeAll(file, chunk);
          bytes += chunk.length;
        }
        await file.sync();
      } finally {
        await file.close();
      }
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await rename(unfinished, path);
      await syncFolder(dirname(path));
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    }
    return bytes;
  }

  async read(key: string, from: number, to: number): Promise<AsyncIterable<Uint8Array> | null> {
    const path = this.#pathOf(key);
    const found = await stat(path).catch((error: unknown) => {
      if (isMissing(error)) return null;
      throw error;
    });
    if (found === null) return null;
    return to < from ? Readable.from([]) : createReadStream(path, { start: from, end: to });
  }

  async remove(key: string): Promise<void> {
    await rm(this.#pathOf(key), { force: true });
  }

  /** [FST2] */
  async tidy(nowMs: number): Promise<void> {
    const folder = join(this.#folder, UNFINISHED);
    const names = await readdir(folder).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    for (const name of names) {
      const path = join(folder, name);
      const found = await stat(path).catch(() => null);
      if (found !== null && nowMs - found.mtimeMs > ABANDONED_MS) await rm(path, { force: true });
    }
  }

  #pathOf(key: string): string {
    return wholePath(this.#folder, key);
  }
}

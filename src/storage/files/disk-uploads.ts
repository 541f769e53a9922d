/**
 * UploadStore in the folder of DiskFiles. The bytes of an upload are in a file whose size is how far
 * the upload has come, so a process that is killed at any moment leaves nothing to repair.
 *
 * [FST3] The number of bytes that `append` has answered is on the disk.
 */
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { UploadStore } from "../../ports/uploads.ts";
import { isMissing, syncFolder, UNFINISHED, wholePath, writeAll } from "./disk-paths.ts";

/** Bytes that wait for the disk at most, so that the end of an upload does not wait for all. */
const UNSYNCED_BYTES_MAX = 32 * 1024 * 1024;

export class DiskUploads implements UploadStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async size(key: string): Promise<number> {
    return (await sizeOf(this.#partial(key))) ?? (await sizeOf(this.#whole(key))) ?? 0;
  }

  async append(key: string, at: number, source: AsyncIterable<Uint8Array>): Promise<number> {
    const path = this.#partial(key);
    if (at === 0) await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, at === 0 ? "w" : "r+", 0o600);
    let end = at;
    let unsynced = 0;
    try {
      for await (const chunk of source) {
        await writeAll(file, chunk, end);
        end += chunk.length;
        unsynced += chunk.length;
        if (unsynced < UNSYNCED_BYTES_MAX) continue;
        await file.datasync();
        unsynced = 0;
      }
    } finally {
      try {
        await file.sync();
      } finally {
        await file.close();
      }
    }
    return end;
  }

  async head(key: string, most: number): Promise<Buffer> {
    for (const path of [this.#partial(key), this.#whole(key)]) {
      const file = await open(path, "r").catch((error: unknown) => {
        if (isMissing(error)) return null;
        throw error;
      });
      if (file === null) continue;
      try {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(most), 0, most, 0);
        return buffer.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    }
    return Buffer.alloc(0);
  }

  async finish(key: string): Promise<void> {
    const path = this.#whole(key);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await rename(this.#partial(key), path).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
    await syncFolder(dirname(path));
  }

  async drop(key: string): Promise<void> {
    await rm(this.#partial(key), { force: true });
  }

  #partial(key: string): string {
    return join(this.#folder, UNFINISHED, `${key}.upload`);
  }

  #whole(key: string): string {
    return wholePath(this.#folder, key);
  }
}

/** Null: it is not there. */
async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

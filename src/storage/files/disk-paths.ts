/** Where the files of a folder are, and how they get onto the disk. */
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";

/** The folder of what is not whole. */
export const UNFINISHED = "unfinished";

/** Ids grow, so their last digits spread files evenly over folders. */
export function wholePath(folder: string, key: string): string {
  return join(folder, key.slice(-2).padStart(2, "0"), key);
}

/** From byte `position` of the file on; null: where it was written last. */
export async function writeAll(
  file: FileHandle,
  chunk: Uint8Array,
  position: number | null = null,
): Promise<void> {
  let at = 0;
  while (at < chunk.length) {
    const place = position === null ? null : position + at;
    const { bytesWritten } = await file.write(chunk, at, chunk.length - at, place);
    at += bytesWritten;
  }
}

/** A rename is on the disk when its folder is. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === "ENOENT";
}

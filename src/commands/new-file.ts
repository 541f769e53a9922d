/** Writes what is streamed into a file that was not there before. */
import { open, rm } from "node:fs/promises";

/**
 * False: there is a file at `path` already, and `source` was not read. Rejects with what `source` or
 * the disk rejects with, and then nothing is left. Only its owner may read the file.
 */
export async function writeNewFile(
  path: string,
  source: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  const file = await open(path, "wx", 0o600).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return null;
    throw error;
  });
  if (file === null) return false;
  try {
    try {
      for await (const chunk of source) await file.writeFile(chunk);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  return true;
}

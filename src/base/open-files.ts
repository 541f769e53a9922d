/** How many files and sockets this process may have open, as Linux says; null elsewhere. */
import { readFile } from "node:fs/promises";

export async function openFilesMax(): Promise<number | null> {
  let text: string;
  try {
    text = await readFile("/proc/self/limits", "utf8");
  } catch {
    // Not Linux, or no /proc.
    return null;
  }
  // Node raises its soft limit to the hard one when it starts.
  const hard = /^Max open files\s+\S+\s+(\d+)/m.exec(text)?.[1];
  return hard === undefined ? null : Number(hard);
}

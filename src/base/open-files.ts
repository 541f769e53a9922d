/** How many files and sockets this process may have open, as Linux says; null elsewhere. */
import { readFile } from "node:fs/promises";
import { StartRefusal } from "./errors.ts";

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

/** With fewer, the modules alone can use them up, and that ends in a stack. */
const OPEN_FILES_MIN = 256;

/** Throws a StartRefusal where this process may open too few files. */
export async function refuseFewFiles(): Promise<void> {
  const files = await openFilesMax();
  if (files === null || files >= OPEN_FILES_MIN) return;
  throw new StartRefusal(
    `This process may open only ${files} files (ulimit -n), and Troupe needs at least ${OPEN_FILES_MIN} and one for each connection: raise the limit, best to 65536.`,
  );
}

/**
 * The application's own files in ACTORS_DIR, by their names.
 */
import { readdir } from "node:fs/promises";
import type { Bundle } from "../config/extensions.ts";

/** A name like `game.namespace.ts`. */
const NAMED = /^.+\.(actor|hooks|namespace)\.(ts|js)$/;

export type Source = Pick<Bundle, "file" | "kind">;

/** Sorted by name. Other files are the application's helpers. */
export async function sourcesIn(dir: string): Promise<Source[] | { problem: string }> {
  let names: string[];
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such folder" : `it cannot be read (${code})`;
    return { problem: `ACTORS_DIR ${dir}: ${why}.` };
  }
  const sources: Source[] = [];
  for (const file of names.sort()) {
    const kind = NAMED.exec(file)?.[1];
    if (kind === undefined) continue;
    sources.push({ file, kind: kind as Source["kind"] });
  }
  return sources;
}

/**
 * How many files a process may have open: each connection takes one. Node raises its own limit
 * as far as it may when it starts, so what this process has, those that it starts have too.
 */
import { existsSync, readFileSync } from "node:fs";

const LIMITS = "/proc/self/limits";
/** Where it cannot be read: what systems commonly grant. */
const USUAL = 10_240;
/** Open files that each process needs beside its clients' connections. */
export const OTHER_FILES = 300;

export function openFilesMax(): number {
  return existsSync(LIMITS) ? parseOpenFilesMax(readFileSync(LIMITS, "utf8")) : USUAL;
}

/** From the text of /proc/PID/limits. */
export function parseOpenFilesMax(text: string): number {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(text)?.[1];
  if (soft === "unlimited") return Number.POSITIVE_INFINITY;
  return soft === undefined ? USUAL : Number(soft);
}

/** Why so many clients do not fit, and what to do; null when they do. */
export function whyTooMany(clients: number, workers: number, filesMax: number): string | null {
  const each = Math.ceil(clients / workers) + OTHER_FILES;
  if (each <= filesMax) return null;
  const enough = Math.ceil(clients / Math.max(1, filesMax - OTHER_FILES));
  return (
    `${clients} clients on ${workers} workers want ${each} open files a process, and the limit ` +
    `is ${filesMax}: --workers ${enough}, or a higher limit (ulimit -n).`
  );
}

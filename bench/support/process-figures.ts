/**
 * The cost of processes, read from /proc: CPU time (user and system, all threads) and memory of
 * a server's whole tree, its parts apart. Elsewhere than on Linux there is nothing to read.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { errorCode } from "../../src/base/errors.ts";

/** A tick of /proc/…/stat as programs see it; Linux fixes it at 100 a second (man 5 proc). */
const TICK_MS = 10;
const PAGE_KB = 4;
const GONE = new Set(["ENOENT", "ESRCH", "EACCES", "EPERM"]);

export const canReadProcesses = existsSync("/proc/self/smaps_rollup");

/** A root of the tree: its own process, and what descends from it, are counted under names. */
export interface Root {
  kind: "host" | "postgres" | "redis";
  pid: number;
}

export interface PartFigures {
  /** "primary", "worker 1", "postgres", "redis". */
  part: string;
  cpuMs: number;
  /** Resident; what PostgreSQL's processes share counts once. */
  rssKb: number;
}

export interface StatFields {
  pid: number;
  parentPid: number;
  cpuMs: number;
  /** Of children that ended and were waited for. */
  endedChildrenCpuMs: number;
}

/** Null when `text` is no line of /proc/PID/stat, or of a process that has ended. */
export function parseStat(text: string): StatFields | null {
  // The name in parentheses may hold anything; the fields start after the last ")".
  const end = text.lastIndexOf(")");
  const fields = text.slice(end + 2).split(" ");
  if (end < 0 || fields.length < 15 || fields[0] === "Z" || fields[0] === "X") return null;
  const ticks = (from: number) => (Number(fields[from]) + Number(fields[from + 1])) * TICK_MS;
  return {
    pid: Number.parseInt(text, 10),
    parentPid: Number(fields[1]),
    cpuMs: ticks(11),
    endedChildrenCpuMs: ticks(13),
  };
}

/** Resident and shared kB of a line of /proc/PID/statm. */
export function parseStatm(text: string): { rssKb: number; sharedKb: number } {
  const [, resident = 0, shared = 0] = text.split(" ").map(Number);
  return { rssKb: resident * PAGE_KB, sharedKb: shared * PAGE_KB };
}

/** The proportional share of /proc/PID/smaps_rollup: shared pages divided among their users. */
export function parsePssKb(text: string): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
}

/** One entry a part; empty where there is no /proc. */
export function readParts(roots: readonly Root[]): PartFigures[] {
  if (!canReadProcesses) return [];
  const all = readStats();
  return roots.flatMap((root) => {
    const own = all.find((one) => one.pid === root.pid);
    if (own === undefined) return [];
    const below = descendants(all, root.pid);
    if (root.kind !== "host") return [wholeOf(root.kind, own, below)];
    const parts = [{ part: "primary", cpuMs: own.cpuMs, rssKb: memoryOf(own.pid).rssKb }];
    // By age: a replaced worker takes the next number.
    below.sort((a, b) => a.pid - b.pid);
    below.forEach((one, i) => {
      const { rssKb } = memoryOf(one.pid);
      parts.push({ part: `worker ${i + 1}`, cpuMs: one.cpuMs, rssKb });
    });
    return parts;
  });
}

/** The proportional share of each root's tree, kB; slow with much memory (a page walk). */
export function readPssKb(roots: readonly Root[]): number {
  if (!canReadProcesses) return 0;
  const all = readStats();
  let sum = 0;
  for (const { pid } of roots) {
    for (const one of [pid, ...descendants(all, pid).map((each) => each.pid)]) {
      sum += parsePssKb(read(`/proc/${one}/smaps_rollup`) ?? "");
    }
  }
  return sum;
}

/** CPU by kind of part: "primary", "workers", "postgres", "redis"; ms. */
export function cpuByKind(parts: readonly PartFigures[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { part, cpuMs } of parts) {
    const kind = part.startsWith("worker") ? "workers" : part;
    sums[kind] = (sums[kind] ?? 0) + cpuMs;
  }
  return sums;
}

function wholeOf(part: string, own: StatFields, below: StatFields[]): PartFigures {
  // A backend that has ended lives on in its parent's sum.
  let cpuMs = own.cpuMs + own.endedChildrenCpuMs;
  const { rssKb, sharedKb } = memoryOf(own.pid);
  let privateKb = rssKb - sharedKb;
  let sharedMaxKb = sharedKb;
  for (const one of below) {
    const memory = memoryOf(one.pid);
    cpuMs += one.cpuMs;
    privateKb += memory.rssKb - memory.sharedKb;
    sharedMaxKb = Math.max(sharedMaxKb, memory.sharedKb);
  }
  return { part, cpuMs, rssKb: privateKb + sharedMaxKb };
}

function memoryOf(pid: number): { rssKb: number; sharedKb: number } {
  return parseStatm(read(`/proc/${pid}/statm`) ?? "");
}

function readStats(): StatFields[] {
  const found: StatFields[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const fields = parseStat(read(`/proc/${name}/stat`) ?? "");
    if (fields !== null) found.push(fields);
  }
  return found;
}

function descendants(all: readonly StatFields[], pid: number): StatFields[] {
  const children = all.filter((one) => one.parentPid === pid);
  return children.concat(children.flatMap((child) => descendants(all, child.pid)));
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (GONE.has(errorCode(error) ?? "")) return null;
    throw error;
  }
}

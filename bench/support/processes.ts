/**
 * Processes as the system shows them: who descends from whom, and how much memory they hold.
 * /proc where there is one, else `ps`. Faults pick their victims by it.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { errorCode } from "../../src/base/errors.ts";

export interface ProcessRef {
  pid: number;
  parentPid: number;
  /** Its process group. */
  group: number;
  command: string;
}

const HAS_PROC = existsSync("/proc/self/stat");
const GONE = new Set(["ENOENT", "ESRCH", "EACCES", "EPERM"]);

/** Everything below `pid`, parents first; without `pid` itself. */
export function descendantsOf(pid: number): ProcessRef[] {
  const all = HAS_PROC ? fromProc() : fromPs();
  const parents = new Set([pid]);
  const found: ProcessRef[] = [];
  for (let before = -1; before !== found.length; ) {
    before = found.length;
    for (const ref of all) {
      if (!parents.has(ref.parentPid) || parents.has(ref.pid)) continue;
      parents.add(ref.pid);
      found.push(ref);
    }
  }
  return found;
}

/**
 * Whether anything of a process group runs. One that has ended and that nobody has waited for
 * yet (its parent was killed, and init takes its time) does not.
 */
export function groupLives(group: number): boolean {
  if (!signal(-group, 0)) return false;
  return (HAS_PROC ? fromProc() : fromPs()).some((ref) => ref.group === group);
}

/** Resident memory in MB; 0 when the process is gone. */
export function rssMbOf(pid: number): number {
  if (!HAS_PROC) return Number(ps(["-o", "rss=", "-p", String(pid)]).trim()) / 1024 || 0;
  const line = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? "");
  return line === null ? 0 : Math.round(Number(line[1]) / 1024);
}

/** False when it is gone already. A negative pid means the process group. */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if (errorCode(error) === "ESRCH") return false;
    throw error;
  }
}

function fromProc(): ProcessRef[] {
  const found: ProcessRef[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(`/proc/${name}/stat`);
    const command = read(`/proc/${name}/cmdline`);
    if (stat === null || command === null) continue;
    // The name in parentheses may hold anything; the fields start after the last ")".
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") continue;
    const text = command.split("\0").join(" ").trim();
    const [, parentPid, group] = fields.map(Number);
    found.push({ pid: Number(name), parentPid: parentPid!, group: group!, command: text });
  }
  return found;
}

function fromPs(): ProcessRef[] {
  return ps(["-A", "-o", "pid=,ppid=,pgid=,stat=,args="])
    .split("\n")
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line))
    .filter((match) => match !== null)
    .filter((match) => !match[4]!.startsWith("Z"))
    .map(([, pid, parent, group, , command]) => ({
      pid: Number(pid),
      parentPid: Number(parent),
      group: Number(group),
      command: command!,
    }));
}

/** An exit code of 1 means that no such process is there. */
function ps(args: string[]): string {
  try {
    return execFileSync("ps", args, { encoding: "utf8" });
  } catch (error) {
    if (error instanceof Error && "status" in error && error.status === 1) return "";
    throw error;
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (GONE.has(errorCode(error) ?? "")) return null;
    throw error;
  }
}

/**
 * Processes as the kernel sees them (/proc): the descendants of a server, which of them still
 * live, and which of them owns the other end of a client's connection. A process is named by
 * pid and start time, so a reused pid is never mistaken for the old process.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface ProcessRef {
  pid: number;
  parentPid: number;
  /** Clock ticks since boot. */
  startedAt: string;
  command: string;
}

/** Undefined when the process is gone or only a zombie is left of it. */
export function processOf(pid: number): ProcessRef | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  const command = readIfThere(`/proc/${pid}/cmdline`);
  if (stat === undefined || command === undefined) return undefined;
  // The name in parentheses may hold anything; the fields start after the last ")".
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") return undefined;
  return {
    pid,
    parentPid: Number(fields[1]),
    startedAt: fields[19]!,
    command: command.split("\0").join(" ").trim(),
  };
}

export function allProcesses(): ProcessRef[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => processOf(Number(name)))
    .filter((found) => found !== undefined);
}

/** `pid` and everything below it, parents first. */
export function familyOf(pid: number): ProcessRef[] {
  const all = allProcesses();
  const family = all.filter((found) => found.pid === pid);
  for (let i = 0; i < family.length; i++) {
    family.push(...all.filter((found) => found.parentPid === family[i]!.pid));
  }
  return family;
}

/** Processes that were started, directly or not, with `tag` in their environment. */
export function taggedWith(tag: string): ProcessRef[] {
  return allProcesses().filter((found) => readIfThere(`/proc/${found.pid}/environ`)?.includes(tag));
}

export function isAlive(ref: ProcessRef): boolean {
  return processOf(ref.pid)?.startedAt === ref.startedAt;
}

export function kill(ref: ProcessRef, signal: NodeJS.Signals): void {
  if (!isAlive(ref)) return;
  try {
    process.kill(ref.pid, signal);
  } catch (error) {
    // It may end between the look and the signal.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Pid among `pids` that holds the server's end of the connection from `clientPort`. */
export function ownerOfConnection(
  serverPort: number,
  clientPort: number,
  pids: number[],
): number | undefined {
  const inode = inodeOf(serverPort, clientPort);
  if (inode === undefined) return undefined;
  return pids.find((pid) => holdsSocket(pid, inode));
}

function inodeOf(localPort: number, remotePort: number): string | undefined {
  const hexPort = (port: number) => port.toString(16).toUpperCase().padStart(4, "0");
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of (readIfThere(table) ?? "").split("\n")) {
      const fields = line.trim().split(/\s+/);
      if (
        fields[1]?.endsWith(`:${hexPort(localPort)}`) &&
        fields[2]?.endsWith(`:${hexPort(remotePort)}`)
      ) {
        return fields[9];
      }
    }
  }
  return undefined;
}

function holdsSocket(pid: number, inode: string): boolean {
  const folder = `/proc/${pid}/fd`;
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
  return names.some((name) => {
    try {
      return readlinkSync(`${folder}/${name}`) === `socket:[${inode}]`;
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    }
  });
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Processes come and go while one reads; another user's are not ours to look at. */
function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOENT" || code === "ESRCH" || code === "EACCES" || code === "EPERM";
}

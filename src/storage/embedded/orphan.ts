/**
 * Clears what an earlier PostgreSQL of a cluster left, before a new one starts: a server that
 * outlived its Troupe is stopped; a `postmaster.pid` whose pid means another process by now
 * (after a reboot, or in a container, where pids repeat) is made to name nobody.
 *
 * The pid file is never removed: PostgreSQL also finds in it the shared memory that tells it
 * whether a child of the old server still writes to the files.
 */
import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { stopwatch } from "../../base/clock.ts";
import { errorCode, StartRefusal } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";

const run = promisify(execFile);

const POLL_MS = 20;
/** How long each signal has to work: fast shutdown, immediate shutdown, kill. */
const PATIENCE_MS = { SIGINT: 8000, SIGQUIT: 4000, SIGKILL: 2000 } as const;
/** Above any pid that Linux (4194304) or macOS (99998) gives. */
const NO_PID = 99_999_999;

/** The caller holds the data directory's lock, so whatever runs in `path` is left over. */
export async function stopOrphan(path: string, log: Log): Promise<void> {
  const pidFile = join(path, "postmaster.pid");
  let text: string;
  try {
    text = await readFile(pidFile, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw error;
  }
  const [first = "", ...rest] = text.split("\n");
  const pid = Number.parseInt(first, 10);
  if (!(pid > 0) || !isAlive(pid)) return;
  if (!(await isServerOf(pid, path))) {
    log.info({ event: "postgres_pid_file_stale", pid });
    await rewrite(pidFile, [NO_PID, ...rest].join("\n"));
    return;
  }
  const elapsedMs = stopwatch();
  for (const [signal, patienceMs] of Object.entries(PATIENCE_MS)) {
    if (!kill(pid, signal as NodeJS.Signals)) break;
    if (await isGone(pid, path, patienceMs)) break;
  }
  if (isAlive(pid) && (await isServerOf(pid, path))) {
    throw new StartRefusal(
      `PostgreSQL (pid ${pid}), left over by an earlier Troupe in ${path}, cannot be stopped.`,
    );
  }
  log.warn({
    event: "postgres_orphan_stopped",
    pid,
    ms: Math.round(elapsedMs()),
  });
}

/**
 * In place, so the owner stays. Root writes here into a directory of the unprivileged account,
 * which must not be able to point it at another file.
 */
async function rewrite(pidFile: string, text: string): Promise<void> {
  const file = await open(pidFile, constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    if ((await file.stat()).nlink !== 1) throw new StartRefusal(`${pidFile} is a linked file.`);
    await file.truncate();
    await file.writeFile(text);
  } finally {
    await file.close();
  }
}

async function isGone(pid: number, path: string, patienceMs: number): Promise<boolean> {
  const elapsedMs = stopwatch();
  while (elapsedMs() < patienceMs) {
    if (!isAlive(pid) || !(await isServerOf(pid, path))) return true;
    await wait(POLL_MS);
  }
  return false;
}

/** Whether `pid` is a PostgreSQL that works in `path`. A zombie works nowhere. */
async function isServerOf(pid: number, path: string): Promise<boolean> {
  try {
    if (process.platform === "linux") {
      const [theirs, ours] = await Promise.all([stat(`/proc/${pid}/cwd`), stat(path)]);
      return theirs.dev === ours.dev && theirs.ino === ours.ino;
    }
    const { stdout } = await run("ps", ["-o", "stat=", "-o", "command=", "-p", String(pid)]);
    return !stdout.startsWith("Z") && stdout.includes("postgres") && stdout.includes(path);
  } catch (error) {
    // Gone, or another user's process, which cannot be ours; `ps` exits with 1 when it is gone.
    if (error instanceof Error && "code" in error) return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}

function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (errorCode(error) === "ESRCH") return false;
    throw error;
  }
}

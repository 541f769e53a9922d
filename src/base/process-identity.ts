/**
 * Identifies a process by pid and start time, since a pid alone is reused.
 * The lock of the data directory uses it to detect that its holder's pid belongs to another
 * process.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { errorCode } from "./errors.ts";

const run = promisify(execFile);

/**
 * The start of the running process `pid`, as text that is only compared; null when there is no
 * such process. A zombie counts as dead, since it holds nothing.
 */
export async function processStart(pid: number): Promise<string | null> {
  return process.platform === "linux" ? startInProc(pid) : startByPs(pid);
}

async function startInProc(pid: number): Promise<string | null> {
  let stat: string;
  try {
    stat = await readFile(`/proc/${pid}/stat`, "utf8");
  } catch (error) {
    // ESRCH: the process ended between open and read.
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ESRCH") return null;
    throw error;
  }
  // proc(5): "pid (comm) state …"; comm may hold anything, so fields count from the last ")".
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, startTicks] = [fields[0], fields[19]];
  if (state === "Z" || state === "X" || startTicks === undefined) return null;
  // Ticks since boot: after a reboot the same pid can start at the same tick.
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
  return `${startTicks}@${boot.trim()}`;
}

async function startByPs(pid: number): Promise<string | null> {
  try {
    const { stdout } = await run("ps", ["-o", "stat=", "-o", "lstart=", "-p", String(pid)], {
      env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
    });
    const line = stdout.trim();
    if (line === "" || line.startsWith("Z")) return null;
    return line.slice(line.indexOf(" ")).trim();
  } catch (error) {
    // ps exits with 1 when there is no such process.
    if (error instanceof Error && "code" in error && error.code === 1) return null;
    throw error;
  }
}

/** Which Redis server program this machine has, and how it could come by one. */
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { StartRefusal } from "../../src/base/errors.ts";

const PROGRAMS = ["redis-server", "valkey-server"];
const INSTALL_MS = 300_000;

/** Its path. Refuses with one sentence on what to install where there is none. */
export async function redisProgram(mayInstall: boolean): Promise<string> {
  const found = findProgram() ?? (mayInstall && install() ? findProgram() : null);
  if (found !== null) return found;
  throw new StartRefusal(
    "Redis is missing: install redis-server (apt-get install redis-server, or brew install redis), " +
      "or set REDIS_URL.",
  );
}

export function findProgram(): string | null {
  return PROGRAMS.map(inPath).find((path) => path !== null) ?? null;
}

function inPath(name: string): string | null {
  // /usr/sbin and Homebrew's folders are often missing from a service's PATH.
  const folders = (process.env["PATH"] ?? "")
    .split(delimiter)
    .concat("/usr/bin", "/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin");
  for (const folder of folders) {
    const path = join(folder, name);
    if (folder !== "" && isExecutable(path)) return path;
  }
  return null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

/** Whether a package manager did it: apt-get as root or with a sudo that asks nothing, or brew. */
function install(): boolean {
  const apt = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "redis-server"];
  if (inPath("apt-get") !== null) {
    if (process.getuid?.() === 0) return runs(apt);
    if (inPath("sudo") !== null) return runs(["sudo", "-n", ...apt]);
  }
  return inPath("brew") !== null && runs(["brew", "install", "-q", "redis"]);
}

function runs([program, ...args]: string[]): boolean {
  process.stderr.write(`Redis is missing: ${program} ${args.join(" ")}\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  try {
    execFileSync(program!, args, { stdio: "ignore", timeout: INSTALL_MS, env });
    return true;
  } catch (error) {
    // No permission, no network, no such package: the refusal says what to do by hand.
    if (error instanceof Error) return false;
    throw error;
  }
}

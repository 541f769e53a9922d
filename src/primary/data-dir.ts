/**
 * The data directory and its lock: one Troupe at a time. Opened by the primary before
 * anything in it is touched.
 *
 * `lock` names its holder (pid, start time, nonce). A dead holder's place is taken by linking
 * `lock.heir.<nonce>`, which succeeds for one process only, and then moving the heir's own
 * claim over `lock`. The last claim of the chain lock → heir → heir of the heir holds the lock.
 * Invariant: `lock` changes before any heir file goes, so a claim on a chain that still
 * begins as it was read cannot have been overtaken.
 */
import { randomBytes } from "node:crypto";
import { link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { systemClock } from "../base/clock.ts";
import { errorCode, fileTrouble, StartRefusal } from "../base/errors.ts";
import { processStart } from "../base/process-identity.ts";
import { readOrMakeSecretFile, readSecretFile, rotateSecretFile } from "../config/secret-file.ts";
import { msBetween, wallTime } from "../protocol/time.ts";

export interface DataDir {
  /** Absolute. */
  path: string;
  /** Path of the lock file. */
  lock: string;
  /** Releases the directory. Idempotent. */
  release(): Promise<void>;
}

/** Another Troupe holds the directory. */
export class DataDirInUse extends StartRefusal {}

interface Claim {
  pid: number;
  start: string;
  nonce: string;
}

/** A lock that changes this often between reads means a broken file system, not a race. */
const TRIES_MAX = 100;

/** Longer than writing one line can take. */
const WRITING_MS = 60_000;
const DAMAGED = "damaged";

/** Makes the directory (0700) where it is missing, and locks it. Refuses with StartRefusal. */
export async function openDataDir(path: string): Promise<DataDir> {
  const dir = resolve(path);
  await makeDir(dir);
  const start = await processStart(process.pid);
  const mine: Claim = {
    pid: process.pid,
    start: start ?? "unknown",
    nonce: randomBytes(12).toString("hex"),
  };
  const lock = join(dir, "lock");
  const fresh = join(dir, `lock.new.${mine.nonce}`);
  try {
    try {
      await writeFile(fresh, `${JSON.stringify(mine)}\n`, { flag: "wx", mode: 0o644 });
      await take(dir, lock, fresh, mine);
    } finally {
      await rm(fresh, { force: true });
    }
    await sweep(dir);
  } catch (error) {
    if (error instanceof StartRefusal || errorCode(error) === undefined) throw error;
    throw new StartRefusal(`DATA_DIR ${dir} cannot be written: ${fileTrouble(error)}.`);
  }
  let released = false;
  return {
    path: dir,
    lock,
    async release() {
      if (released) return;
      released = true;
      if ((await readClaim(lock))?.nonce === mine.nonce) await rm(lock, { force: true });
    },
  };
}

/** The secret that signs tokens when JWT_SECRET is not set: made once, 64 hex digits. */
export function readOrMakeSecret(dataDir: string): Promise<string> {
  return readOrMakeSecretFile(join(dataDir, "jwt-secret"));
}

/** Puts a new secret before the others; null: there is none yet. See rotateSecretFile. */
export function rotateSecret(dataDir: string, isOnly: boolean): Promise<number | null> {
  return rotateSecretFile(join(dataDir, "jwt-secret"), isOnly);
}

/** The same secret, or null when it has not been made yet. */
export function readSecret(dataDir: string): Promise<string | null> {
  return readSecretFile(join(dataDir, "jwt-secret"));
}

async function makeDir(dir: string): Promise<void> {
  try {
    await mkdir(dirname(dir), { recursive: true });
    await mkdir(dir, { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) === "EEXIST" && (await isDirectory(dir))) return;
    throw new StartRefusal(`DATA_DIR ${dir} cannot be made: ${fileTrouble(error)}.`);
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    // The link is broken, or a file is in the way.
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return false;
    throw error;
  }
}

async function take(dir: string, lock: string, fresh: string, mine: Claim): Promise<void> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    if (await linkIfAbsent(fresh, lock)) return;
    const last = await lastOfChain(dir, lock);
    if (last === null) continue;
    if ((await processStart(last.pid)) === last.start) {
      throw new DataDirInUse(`DATA_DIR ${dir} is in use by another Troupe (pid ${last.pid}).`);
    }
    const heir = heirFile(dir, last.nonce);
    if (!(await linkIfAbsent(fresh, heir))) continue;
    if ((await lastOfChain(dir, lock))?.nonce === mine.nonce) {
      await rename(fresh, lock);
      return;
    }
    // The chain was removed before this claim was made.
    await rm(heir, { force: true });
  }
  throw new StartRefusal(`The lock in DATA_DIR ${dir} cannot be taken: it changes all the time.`);
}

/** The claim that holds the lock, dead or alive; null when there is none or the chain changed. */
async function lastOfChain(dir: string, lock: string): Promise<Claim | null> {
  const root = await readClaim(lock);
  let last = root;
  while (last !== null) {
    const heir = await readClaim(heirFile(dir, last.nonce));
    if (heir === null) break;
    last = heir;
  }
  return last !== root && (await readClaim(lock))?.nonce !== root?.nonce ? null : last;
}

async function readClaim(path: string): Promise<Claim | null> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw error;
  }
  return parseClaim(text);
}

/** Links appear with their content, so a claim that does not parse was damaged by a crash. */
function parseClaim(text: string): Claim {
  try {
    const { pid, start, nonce } = JSON.parse(text) as Partial<Claim>;
    if (Number.isSafeInteger(pid) && pid! > 0 && start && /^[0-9a-f]{24}$/.test(nonce ?? "")) {
      return { pid: pid!, start, nonce: nonce! };
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { pid: 0, start: "never", nonce: DAMAGED };
}

const heirFile = (dir: string, nonce: string) => join(dir, `lock.heir.${nonce}`);

async function linkIfAbsent(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

/**
 * Removes files that dead processes left; only the holder does it. An heir file removed here either
 * led to the holder, or belongs to a chain that `lock` no longer starts, which its maker detects.
 */
async function sweep(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    if (name.startsWith("lock.heir.")) await rm(path, { force: true });
    if (!name.startsWith("lock.new.")) continue;
    const claim = await readClaim(path);
    // A claim is empty between its creation and its first write.
    if (claim === null || (claim.nonce === DAMAGED && !(await isOld(path)))) continue;
    if ((await processStart(claim.pid)) !== claim.start) await rm(path, { force: true });
  }
}

async function isOld(path: string): Promise<boolean> {
  try {
    return msBetween(wallTime((await stat(path)).mtimeMs), systemClock.wallMs()) > WRITING_MS;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

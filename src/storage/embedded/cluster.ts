/**
 * The embedded PostgreSQL's files: `postgres/` (the cluster) and `postgres-password` in the
 * data directory. A cluster is made in a directory of its own and moved into place, so there is a
 * whole one or none. Deleting the data directory is enough to begin with an empty one.
 *
 * When Troupe is started by root, only the cluster belongs to the unprivileged account, and the
 * directories above it stay closed to that account: PostgreSQL is started with the cluster as
 * its working directory and `-D /proc/self/cwd`, which opens without passing the directories above.
 * So the data stays in DATA_DIR even below /root.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { lchown, mkdir, open, readdir, readFile, rename, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { stopwatch } from "../../base/clock.ts";
import { errorCode, fileTrouble, StartRefusal } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { readOrMakeSecretFile } from "../../config/secret-file.ts";
import { type Account, isRoot, unprivilegedAccount } from "./account.ts";
import { type Binaries, locateBinaries, SERVER_ENV } from "./binaries.ts";

const run = promisify(execFile);

export const SUPERUSER = "troupe";

/** With the password in it: never to be logged. */
export function embeddedUrl(password: string, port: number): string {
  return `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`;
}

export interface Cluster {
  path: string;
  /** What to tell PostgreSQL that its directory is, when it is started in `path`. */
  ownPath: string;
  /** Null: runs as Troupe does. */
  account: Account | null;
  binaries: Binaries;
  password: string;
}

/** Finds the cluster of `dataDir`, or makes it. Refuses with StartRefusal. */
export async function openCluster(dataDir: string, log: Log): Promise<Cluster> {
  const path = join(dataDir, "postgres");
  const owner = await ownerOf(path);
  const account = isRoot() ? await rootsAccount(path, owner, log) : checkOwner(path, owner);
  const binaries = await locateBinaries(dataDir, account, log);
  const password = await readOrMakeSecretFile(join(dataDir, "postgres-password"));
  const ownPath = account === null ? path : "/proc/self/cwd";
  const cluster: Cluster = { path, ownPath, account, binaries, password };
  try {
    await sweep(dataDir);
    if (owner === null) await makeCluster(dataDir, cluster, log);
  } catch (error) {
    if (error instanceof StartRefusal || errorCode(error) === undefined) throw error;
    throw new StartRefusal(
      `The embedded database cannot be made in ${dataDir}: ${fileTrouble(error)}.`,
    );
  }
  await checkVersion(path, binaries);
  return cluster;
}

/** Null where there is no cluster; an empty directory is none. */
async function ownerOf(path: string): Promise<Account | null> {
  try {
    const { uid, gid } = await stat(path);
    if (await removeIfEmpty(path)) return null;
    return { uid, gid };
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw new StartRefusal(`The embedded database in ${path} is unusable: ${fileTrouble(error)}.`);
  }
}

async function removeIfEmpty(path: string): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOTEMPTY" || errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

async function rootsAccount(path: string, owner: Account | null, log: Log): Promise<Account> {
  if (process.platform !== "linux") {
    throw new StartRefusal(
      "PostgreSQL does not run as root: start Troupe as another user, or set DATABASE_URL.",
    );
  }
  if (owner === null) return unprivilegedAccount(log);
  if (owner.uid !== 0) return owner;
  throw new StartRefusal(
    `The embedded database in ${path} belongs to root, and PostgreSQL does not run as root: give it back to its owner with chown -R.`,
  );
}

function checkOwner(path: string, owner: Account | null): null {
  const uid = process.geteuid?.();
  if (owner === null || uid === undefined || owner.uid === uid) return null;
  throw new StartRefusal(
    `The embedded database in ${path} belongs to uid ${owner.uid} and Troupe runs as uid ${uid}: start it as the owner, or give the whole directory to this user with chown -R.`,
  );
}

async function makeCluster(dataDir: string, cluster: Cluster, log: Log): Promise<void> {
  const elapsedMs = stopwatch();
  const { account } = cluster;
  const aside = join(dataDir, `postgres.new-${randomBytes(6).toString("hex")}`);
  const fresh = join(aside, "cluster");
  const passwordFile = join(aside, "password");
  for (const dir of [aside, fresh]) await mkdir(dir, { mode: 0o700 });
  await writeSynced(passwordFile, `${cluster.password}\n`);
  if (account !== null) {
    for (const one of [passwordFile, fresh, aside]) await lchown(one, account.uid, account.gid);
  }
  const args = [
    `--pgdata=${account === null ? fresh : cluster.ownPath}`,
    `--username=${SUPERUSER}`,
    "--pwfile=../password",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    // PostgreSQL's own rules for text instead of the system's: a cluster means the same on
    // every machine, and an upgrade of the C library cannot break its indexes.
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
  ];
  try {
    await run(cluster.binaries.initdb, args, { cwd: fresh, env: SERVER_ENV, ...account });
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    throw new StartRefusal(`The embedded database cannot be made in ${dataDir}: ${saidBy(error)}.`);
  }
  await rename(fresh, cluster.path);
  await syncDir(dataDir);
  await rm(aside, { recursive: true, force: true });
  const ms = Math.round(elapsedMs());
  log.info({ event: "postgres_cluster_made", path: cluster.path, uid: account?.uid, ms });
}

/** On a nearly full disk PostgreSQL may only report that a write was short. */
export function isDiskFull(complaint: string): boolean {
  return /No space left on device|wrote only \d+ of \d+ bytes/.test(complaint);
}

/** What initdb complained of, without its prefix and its advice. */
function saidBy(error: unknown): string {
  const stderr = error instanceof Error && "stderr" in error ? String(error.stderr) : "";
  if (isDiskFull(stderr)) return "the disk is full";
  if (stderr.includes("could not look up effective user ID")) {
    return "PostgreSQL wants the user it runs as to have a name in /etc/passwd, so start Troupe as such a user, or set DATABASE_URL";
  }
  const line = stderr.split("\n").find((one) => /\b(error|FATAL|PANIC):/.test(one));
  if (line !== undefined) return line.replace(/^.*?\b(error|FATAL|PANIC):\s*/, "");
  return error instanceof Error ? error.message.replace(/\s+/g, " ").trim() : String(error);
}

async function checkVersion(path: string, binaries: Binaries): Promise<void> {
  let major: string;
  try {
    major = (await readFile(join(path, "PG_VERSION"), "utf8")).trim();
  } catch (error) {
    throw new StartRefusal(`${path} holds no PostgreSQL database: ${fileTrouble(error)}.`);
  }
  if (!/^\d{1,3}$/.test(major)) {
    throw new StartRefusal(`${path} holds no PostgreSQL database: its PG_VERSION is no version.`);
  }
  if (major !== binaries.major) {
    throw new StartRefusal(
      `The database in ${path} was made by PostgreSQL ${major} and this Troupe brings ${binaries.major}: dump it with the old Troupe and load it into the new.`,
    );
  }
}

/** Removes half-made clusters of starts that were killed. The caller holds the data directory. */
async function sweep(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (!name.startsWith("postgres.new-")) continue;
    // Retries: an initdb that outlived its Troupe may still be writing there, and ends soon.
    await rm(join(dataDir, name), { recursive: true, force: true, maxRetries: 10 });
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A rename survives a power cut only once its directory is on disk. */
async function syncDir(path: string): Promise<void> {
  const dir = await open(path, "r");
  try {
    await dir.sync();
  } finally {
    await dir.close();
  }
}

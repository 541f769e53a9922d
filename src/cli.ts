#!/usr/bin/env node
/**
 * The command line: `troupe start`, `migrate`, `chaos`. Reads the configuration, and turns what
 * keeps Troupe from starting into one sentence and exit code 1.
 */
import { readFileSync } from "node:fs";
import { type Config, describeProblems, loadConfig } from "./config.ts";
import { StartRefusal } from "./errors.ts";
import { createLogger, type Log } from "./log.ts";
import { openDataDir } from "./primary/data-dir.ts";
import { startEmbedded } from "./storage/embedded.ts";
import { StorageFault } from "./storage/fault.ts";
import { migrate, NewerDatabaseError } from "./storage/migrate.ts";

const HELP = `Usage: troupe <command>

  start      start Troupe on this host
  migrate    bring the database up to this version, and exit
  chaos      inject faults into hosts of its own and check the promises (chaos --help)
  --help     show this
  --version  show the version

Configuration comes from environment variables (PORT, DATA_DIR, DATABASE_URL, …): see README.md.
`;

const COMMANDS: Record<string, (config: Config, log: Log) => Promise<void>> = {
  async start(config, log) {
    // Imported late: a wrong configuration is told without loading the server.
    const { startPrimary } = await import("./main.ts");
    await startPrimary(config, log);
  },
  async migrate(config, log) {
    const { applied } = await migrateOnce(config, log);
    process.stdout.write(
      applied.length === 0 ? "The database is up to date.\n" : `Applied ${applied.join(", ")}.\n`,
    );
  },
};

/**
 * Migrates the database that the configuration means and leaves it alone; the embedded one is
 * started for it. A start migrates by itself: this is for who wants it done beforehand.
 */
async function migrateOnce(config: Config, log: Log): Promise<{ applied: string[] }> {
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

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

async function main(args: string[]): Promise<number | null> {
  const [word = "", ...rest] = args;
  // Has options of its own, and starts hosts with a configuration of their own.
  if (word === "chaos") {
    const { chaos } = await import("../bench/chaos/main.ts");
    return chaos(rest);
  }
  if (word === "--help" || word === "-h" || word === "help" || rest.includes("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  if (word === "--version" || word === "-v") {
    process.stdout.write(`${version()}\n`);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined;
  if (command === undefined || rest.length > 0) {
    const wrong = command === undefined ? word : rest[0];
    if (wrong) process.stderr.write(`troupe: unknown command or option "${wrong}"\n\n`);
    process.stderr.write(HELP);
    return 2;
  }
  const outcome = loadConfig(process.env);
  if (!outcome.ok) {
    process.stderr.write(describeProblems(outcome.problems));
    return 1;
  }
  await command(outcome.config, createLogger({ level: outcome.config.logLevel, name: "primary" }));
  return null;
}

try {
  const exitCode = await main(process.argv.slice(2));
  if (exitCode !== null) process.exitCode = exitCode;
} catch (error) {
  const isForPeople = error instanceof StartRefusal;
  process.stderr.write(isForPeople ? `${error.message}\n` : `${describe(error)}\n`);
  // Not exitCode: a start that failed halfway may have left something that keeps the loop alive.
  process.exit(1);
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

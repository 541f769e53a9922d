#!/usr/bin/env node
/**
 * The command line. Reads the configuration and the options, and turns what keeps a command
 * from doing its work into one sentence and exit code 1.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  differenceTable,
  type OptionsResult,
  readNoOptions,
  readRecountOptions,
  readTokenOptions,
  type TokenCommand,
} from "./command-options.ts";
import { type Config, describeProblems, loadConfig } from "./config.ts";
import { mintServiceToken } from "./edge/service-token.ts";
import { StartRefusal } from "./errors.ts";
import { createLogger, type Log } from "./log.ts";
import { DataDirInUse, openDataDir, readSecret } from "./primary/data-dir.ts";
import { startEmbedded } from "./storage/embedded.ts";
import { runningEmbeddedUrl } from "./storage/embedded-running.ts";
import { StorageFault } from "./storage/fault.ts";
import { migrate, NewerDatabaseError } from "./storage/migrate.ts";
import { createRecount } from "./storage/recount.ts";

const HELP = `Usage: troupe <command> [options]

  start      start Troupe on this host
  migrate    bring the database up to this version, and exit
  token      print a token with which another back end may call the API
               --scope <words>   what it may do: notify, admin
               --sub <name>      who it is for (service)
               --ttl <time>      how long it is good: 90s, 15m, 12h, 30d (30d)
  recount    compare every stored count with what it counts; exit code 1 where they differ
               --mend            correct what differs
  chaos      inject faults into hosts of its own and check the promises (chaos --help)
  bench      measure throughput, latency, CPU and memory, here or elsewhere (bench --help)
  --help     show this
  --version  show the version

Configuration comes from environment variables (PORT, DATA_DIR, DATABASE_URL, …): see README.md.
`;

interface Command<T> {
  options(args: string[]): OptionsResult<T>;
  /** Answers the exit code; null leaves it as it is. */
  run(config: Config, log: Log, options: T): Promise<number | null>;
}

/** Each command with its own options. */
type AnyCommand = (
  args: string[],
) => { ok: true; run: (config: Config, log: Log) => Promise<number | null> } | Problem;
type Problem = { ok: false; problem: string };

function command<T>({ options, run }: Command<T>): AnyCommand {
  return (args) => {
    const read = options(args);
    return read.ok ? { ok: true, run: (config, log) => run(config, log, read.options) } : read;
  };
}

const COMMANDS: Record<string, AnyCommand> = {
  start: command({
    options: readNoOptions,
    async run(config, log) {
      // Imported late: a wrong configuration is told without loading the server.
      const { startPrimary } = await import("./main.ts");
      await startPrimary(config, log);
      return null;
    },
  }),
  migrate: command({
    options: readNoOptions,
    async run(config, log) {
      const { applied } = await withDatabase(config, log, migrateOrRefuse);
      process.stdout.write(
        applied.length === 0 ? "The database is up to date.\n" : `Applied ${applied.join(", ")}.\n`,
      );
      return 0;
    },
  }),
  token: command({ options: readTokenOptions, run: printToken }),
  recount: command({
    options: readRecountOptions,
    run: (config, log, { mend }) => recount(config, log, mend),
  }),
};

async function printToken(config: Config, _log: Log, options: TokenCommand): Promise<number> {
  if (config.jwtJwksUrl !== null) {
    throw new StartRefusal(
      "This deployment trusts an outside token issuer (JWT_JWKS_URL): service tokens are had there.",
    );
  }
  const secret = config.jwtSecret ?? (await readSecret(config.dataDir));
  if (secret === null) {
    throw new StartRefusal(
      `There is no secret in DATA_DIR ${config.dataDir} yet: start Troupe once, or set DATA_DIR or JWT_SECRET as the server has it.`,
    );
  }
  const token = await mintServiceToken({
    ...options,
    secret,
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    nowMs: Date.now(),
  });
  process.stdout.write(`${token}\n`);
  return 0;
}

async function recount(config: Config, log: Log, mend: boolean): Promise<number> {
  const differences = await withRunningDatabase(config, log, async (url) => {
    try {
      return await createRecount(url).recount(mend);
    } catch (error) {
      if (!(error instanceof StorageFault)) throw error;
      throw new StartRefusal(`The database cannot be read: ${reasonOf(error)}.`);
    }
  });
  if (differences.length === 0) {
    process.stdout.write("Every count is right.\n");
    return 0;
  }
  process.stdout.write(differenceTable(differences));
  const found = differences.length === 1 ? "1 count" : `${differences.length} counts`;
  process.stderr.write(
    mend ? `Corrected ${found}.\n` : `Found ${found} that differ: --mend corrects them.\n`,
  );
  return mend ? 0 : 1;
}

/**
 * Lends the database that the configuration means; the embedded one is started for it. A
 * start migrates by itself: this is for who wants it done beforehand.
 */
async function withDatabase<T>(
  config: Config,
  log: Log,
  work: (url: string) => Promise<T>,
): Promise<T> {
  if (config.databaseUrl !== null) return work(config.databaseUrl);
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
async function withRunningDatabase<T>(
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
  // These start hosts with a configuration of their own, and have a help of their own.
  if (word === "chaos") {
    const { chaos } = await import("../bench/chaos/main.ts");
    return chaos(rest);
  }
  if (word === "bench") {
    const { bench } = await import("../bench/main.ts");
    return bench(rest);
  }
  if (word === "--help" || word === "-h" || word === "help" || rest.includes("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  if (word === "--version" || word === "-v") {
    process.stdout.write(`${version()}\n`);
    return 0;
  }
  const read = Object.hasOwn(COMMANDS, word) ? COMMANDS[word]?.(rest) : undefined;
  if (read === undefined || !read.ok) {
    const problem = read?.problem ?? (word && `unknown command "${word}"`);
    if (problem) process.stderr.write(`troupe: ${problem}\n\n`);
    process.stderr.write(HELP);
    return 2;
  }
  const outcome = loadConfig(process.env);
  if (!outcome.ok) {
    process.stderr.write(describeProblems(outcome.problems));
    return 1;
  }
  return read.run(
    outcome.config,
    createLogger({ level: outcome.config.logLevel, name: "primary" }),
  );
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

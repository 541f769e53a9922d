#!/usr/bin/env node
/**
 * The command line. Reads the configuration and the options, and turns what keeps a command
 * from doing its work into one sentence and exit code 1.
 */
import { systemClock } from "./base/clock.ts";
import { StartRefusal } from "./base/errors.ts";
import { createLogger, type Log } from "./base/log.ts";
import { refuseFewFiles } from "./base/open-files.ts";
import { packageVersion } from "./base/version.ts";
import { readCapacityOptions } from "./commands/capacity/options.ts";
import { backup, readFolder, restoreBackup } from "./commands/database/backup.ts";
import { type MoveCommand, moveDatabase, readMoveOptions } from "./commands/database/move.ts";
import {
  migrateOrRefuse,
  reasonOf,
  withDatabase,
  withRunningDatabase,
  withStorage,
} from "./commands/database/open.ts";
import { hasFailed, reportText } from "./commands/doctor/finding.ts";
import { type ExportCommand, exportOutcome, readExportOptions } from "./commands/export.ts";
import { helpOf } from "./commands/help.ts";
import { type ImportCommand, importOutcome, readImportOptions } from "./commands/import.ts";
import { writeNewFile } from "./commands/new-file.ts";
import {
  type DemoCommand,
  differenceTable,
  type NewToken,
  type OptionsResult,
  readDemoOptions,
  readDoctorOptions,
  readNoOptions,
  readRecountOptions,
  readRotateOptions,
  readStartOptions,
  readTokenOptions,
  type TokenCommand,
} from "./commands/options.ts";
import { reload } from "./commands/reload.ts";
import { listedTokens, operatorRow, revokeToken } from "./commands/service-tokens.ts";
import { readUserOptions, type UserCommand } from "./commands/user-options.ts";
import { type Outcome, runUserCommand } from "./commands/users.ts";
import { readWebhookOptions, testWebhooks, type WebhookCommand } from "./commands/webhooks.ts";
import { type Config, describeProblems, loadConfig } from "./config/config.ts";
import { isReservedName, passwordProblem } from "./edge/auth/account-rules.ts";
import { hashPassword } from "./edge/auth/passwords.ts";
import { mintNotedToken } from "./edge/auth/service-token.ts";
import { importReaders } from "./edge/import-readers.ts";
import { archiveOf } from "./jobs/export.ts";
import { importFile } from "./jobs/import-file.ts";
import { Addresses } from "./outbound/addresses.ts";
import { createProbe } from "./outbound/probe.ts";
import { Outbound } from "./outbound/request.ts";
import type { ExportedThing } from "./ports/exports.ts";
import type { NotedToken } from "./ports/services.ts";
import { readSecret, rotateSecret } from "./primary/data-dir.ts";
import { listenForSignals } from "./primary/signals.ts";
import { epochMsOf } from "./protocol/time.ts";
import { runningEmbeddedUrl } from "./storage/embedded/running.ts";
import { openFileStores } from "./storage/files/open.ts";
import { createEdgePorts, type EdgeStorage } from "./storage/postgres/edge-ports.ts";
import { StorageFault } from "./storage/postgres/fault.ts";
import { createRecount } from "./storage/postgres/recount.ts";

interface Command<T> {
  options(args: string[]): OptionsResult<T>;
  /** What the options say of the environment. */
  environment?(options: T): NodeJS.ProcessEnv;
  /** Answers the exit code; null leaves it as it is. */
  run(config: Config, log: Log, options: T): Promise<number | null>;
}

/** Each command with its own options. */
type AnyCommand = (args: string[]) => Runnable | Problem;
interface Runnable {
  ok: true;
  environment: NodeJS.ProcessEnv;
  run(config: Config, log: Log): Promise<number | null>;
}
type Problem = { ok: false; problem: string };

function command<T>({ options, environment, run }: Command<T>): AnyCommand {
  return (args) => {
    const read = options(args);
    if (!read.ok) return read;
    return {
      ok: true,
      environment: environment?.(read.options) ?? {},
      run: (config, log) => run(config, log, read.options),
    };
  };
}

const COMMANDS: Record<string, AnyCommand> = {
  start: command({
    options: readStartOptions,
    environment: ({ actorsDir }) => (actorsDir === null ? {} : { ACTORS_DIR: actorsDir }),
    async run(config, log) {
      // Process 1 of a container ignores signals that nobody listens to.
      const signals = listenForSignals(systemClock);
      await refuseFewFiles();
      // A wrong configuration has been refused by now, without loading the server.
      const { startPrimary } = await import("./main.ts");
      await startPrimary(config, log, signals);
      return null;
    },
  }),
  reload: command({
    options: readNoOptions,
    run: ({ dataDir }) => reload(dataDir, systemClock),
  }),
  migrate: command({
    options: readNoOptions,
    async run(config, log) {
      const { applied, functions } = await withDatabase(config, log, migrateOrRefuse);
      const done = [...applied, ...(functions.length > 0 ? [`${functions.length} functions`] : [])];
      process.stdout.write(
        done.length === 0 ? "The database is up to date.\n" : `Applied ${done.join(", ")}.\n`,
      );
      return 0;
    },
  }),
  "rotate-secret": command({
    options: readRotateOptions,
    run: (config, _log, { isOnly }) => rotate(config, isOnly),
  }),
  user: command({ options: readUserOptions, run: userCommand }),
  export: command({ options: readExportOptions, run: exportCommand }),
  import: command({ options: readImportOptions, run: importCommand }),
  backup: command({
    options: readFolder,
    run: async (config, log, dir) => printed(await backup(config, log, dir, say)),
  }),
  restore: command({
    options: readFolder,
    run: async (config, log, dir) => printed(await restoreBackup(config, log, dir, say)),
  }),
  move: command({
    options: readMoveOptions,
    run: async (config, log, options: MoveCommand) =>
      printed(await moveDatabase(config, log, options, say)),
  }),
  token: command({ options: readTokenOptions, run: serviceToken }),
  webhook: command({ options: readWebhookOptions, run: webhook }),
  recount: command({
    options: readRecountOptions,
    run: (config, log, { mend }) => recount(config, log, mend),
  }),
  reindex: command({ options: readNoOptions, run: reindex }),
  demo: command({
    options: readDemoOptions,
    run: (config, _log, options) => demo(config, options),
  }),
};

/** A wrong configuration is what it is asked about, so it reads that itself. */
async function doctor(args: string[]): Promise<number> {
  const read = readDoctorOptions(args);
  if (!read.ok) return misused("doctor", read.problem);
  const { examine } = await import("./commands/doctor/doctor.ts");
  const findings = await examine(process.env, systemClock.wallMs());
  const hasFailing = hasFailed(findings);
  process.stdout.write(
    read.options.json
      ? `${JSON.stringify({ ok: !hasFailing, findings }, null, 2)}\n`
      : `Troupe ${packageVersion()}\n\n${reportText(findings)}`,
  );
  return hasFailing ? 1 : 0;
}

/** It reckons, and reads at most the metrics of a server that may be elsewhere. */
async function capacityCommand(args: string[]): Promise<number> {
  const read = readCapacityOptions(args);
  if (!read.ok) return misused("capacity", read.problem);
  const { capacity } = await import("./commands/capacity/capacity.ts");
  return printed(await capacity(read.options, process.env["METRICS_TOKEN"] || null));
}

const say = (line: string) => void process.stdout.write(`${line}\n`);

async function demo(config: Config, { url, ...options }: DemoCommand): Promise<number> {
  const { runDemo } = await import("./commands/demo/demo.ts");
  const scheme = config.tlsCert === null ? "http" : "https";
  const over = new AbortController();
  const signals = listenForSignals(systemClock);
  void signals.stop.then(() => over.abort());
  void signals.force.then(() => process.exit(1));
  try {
    await runDemo(
      { ...options, url: url ?? `${scheme}://localhost:${config.port}` },
      over.signal,
      say,
    );
  } finally {
    signals.close();
  }
  return 0;
}

function misused(word: string, problem: string): number {
  process.stderr.write(`troupe: ${problem}\n\n${helpOf(word)}`);
  return 2;
}

async function serviceToken(config: Config, log: Log, options: TokenCommand): Promise<number> {
  if (options.is === "mint") return printToken(config, options);
  return withStorage(config, log, async (storage) => {
    if (options.is === "list") {
      process.stdout.write(await listedTokens(storage.services));
      return 0;
    }
    const nowMs = epochMsOf(systemClock.wallMs());
    if (await revokeToken(storage.services, options.jti, nowMs)) return 0;
    process.stderr.write("No token with this id was known. It is refused from now on.\n");
    return 1;
  });
}

async function rotate(config: Config, isOnly: boolean): Promise<number> {
  if (config.jwtJwksUrl !== null || config.jwtSecret !== null) {
    throw new StartRefusal(
      config.jwtSecret === null
        ? "This deployment trusts an outside token issuer (JWT_JWKS_URL), which keeps its own keys."
        : "JWT_SECRET is set: put a new secret before it, with a comma between them, on every host.",
    );
  }
  const count = await rotateSecret(config.dataDir, isOnly);
  if (count === null) {
    throw new StartRefusal(`There is no secret in DATA_DIR ${config.dataDir} yet.`);
  }
  process.stdout.write(
    count === 1
      ? "There is one new secret: restart Troupe, and every token from before is refused.\n"
      : `There is a new secret, and ${count - 1} before it: restart Troupe, and new tokens are signed with it. Older tokens stay good.\n`,
  );
  return 0;
}

async function exportCommand(config: Config, log: Log, asked: ExportCommand): Promise<number> {
  return printed(
    await withStorage(config, log, async (storage) =>
      exportOutcome(asked, {
        services: storage.services,
        isThere: (thing) => storage.exports.isThere(thing),
        exportTo: (thing, path) => exportTo(config, storage, thing, path),
      }),
    ),
  );
}

async function importCommand(config: Config, log: Log, asked: ImportCommand): Promise<number> {
  return printed(
    await withStorage(config, log, async ({ imports, services }) =>
      importOutcome(asked, {
        services,
        importFrom: (path) => importFile(path, imports, importReaders()),
      }),
    ),
  );
}

async function userCommand(config: Config, log: Log, options: UserCommand): Promise<number> {
  return printed(
    await withStorage(config, log, async (storage) => {
      const { accounts, erasures, queries, services } = storage;
      return runUserCommand(options, {
        accounts,
        people: queries.people,
        services,
        erasures,
        userByName: (username) => queries.userByName(username),
        isReservedName,
        passwordProblem,
        hashPassword,
        exportTo: (id, path) => exportTo(config, storage, { is: "user", id }, path),
        readPassword: () => firstLineOfInput(),
      });
    }),
  );
}

function printed({ exitCode, text }: Outcome): number {
  (exitCode === 0 ? process.stdout : process.stderr).write(text);
  return exitCode;
}

async function exportTo(config: Config, storage: EdgeStorage, thing: ExportedThing, path: string) {
  const counts = { lines: 0, files: 0 };
  const { store, close } = openFileStores({
    s3: config.fileStore,
    dataDir: config.dataDir,
    hasOtherHosts: config.redisUrl !== null,
    clock: systemClock,
  });
  const archive = archiveOf({
    store: storage.exports,
    files: store,
    thing,
    view: { namesOutside: true, passwords: thing.is === "all" },
    at: new Date(epochMsOf(systemClock.wallMs())),
    counts,
  });
  try {
    return (await writeNewFile(path, archive)) ? counts : null;
  } catch (error) {
    if (error instanceof StorageFault) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartRefusal(`${path} cannot be written: ${reason}.`);
  } finally {
    close();
  }
}

async function firstLineOfInput(): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin) text += String(chunk);
  return text.split(/\r?\n/)[0] ?? "";
}

async function webhook(config: Config, log: Log, options: WebhookCommand): Promise<number> {
  return withStorage(config, log, async (storage) => {
    const addresses = new Addresses(config.webhookAllowPrivate);
    const outbound = new Outbound(addresses);
    try {
      const probe = createProbe(addresses, outbound.post, systemClock);
      return await testWebhooks(storage.webhooks, probe, options, say);
    } finally {
      outbound.close();
    }
  });
}

async function printToken(config: Config, options: NewToken): Promise<number> {
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
  const { token, noted } = await mintNotedToken({
    ...options,
    secret,
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    wallMs: systemClock.wallMs(),
  });
  await noteMinted(config, noted);
  process.stdout.write(`${token}\n`);
  return 0;
}

/**
 * A database that is not running is not started for this: an edge notes a token when it is first
 * shown.
 */
async function noteMinted(config: Config, noted: NotedToken): Promise<void> {
  const own = config.databaseDirectUrl ?? config.databaseUrl;
  const url = own ?? (await runningEmbeddedUrl(config.dataDir));
  if (url === null) return;
  const storage = createEdgePorts(url);
  try {
    await storage.services.noteToken(noted);
    const changed = noted.scope.split(" ");
    await storage.services.writeAudit([operatorRow("mint_token", `token:${noted.jti}`, changed)]);
  } catch (error) {
    if (!(error instanceof StorageFault)) throw error;
    process.stderr.write(
      `The token is good, and listed once it was used: the database cannot be used now (${reasonOf(error)}).\n`,
    );
  } finally {
    await storage.close();
  }
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

async function reindex(config: Config, log: Log): Promise<number> {
  const count = await withStorage(config, log, (storage) => storage.searchIndex.empty());
  const read = count === 1 ? "1 conversation" : `${count} conversations`;
  process.stdout.write(
    `The index of messages is empty, and ${read} will be read anew by a running Troupe; \`behind_ms\` of a search says how far it is.\n`,
  );
  return 0;
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
  if (word === "help" || [word, ...rest].some((one) => one === "--help" || one === "-h")) {
    process.stdout.write(helpOf(word === "help" ? (rest[0] ?? "") : word));
    return 0;
  }
  if (word === "--version" || word === "-v") {
    process.stdout.write(`${packageVersion()}\n`);
    return 0;
  }
  if (word === "doctor") return doctor(rest);
  if (word === "capacity") return capacityCommand(rest);
  const read = Object.hasOwn(COMMANDS, word) ? COMMANDS[word]?.(rest) : undefined;
  if (read === undefined && word === "") {
    process.stderr.write(helpOf(""));
    return 2;
  }
  if (read === undefined) return misused(word, `unknown command "${word}"`);
  if (!read.ok) return misused(word, read.problem);
  const outcome = loadConfig({ ...process.env, ...read.environment });
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

/**
 * The options of a run, read from the command line. Everything has a default; what is
 * wrong is reported in one sentence. `repeatCommand` is the command line that repeats a run.
 */
import { randomInt } from "node:crypto";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { FAULT_NAMES, FAULTS, type FaultName, isUsual, needsRedis } from "./fault-table.ts";

export interface Options {
  seed: number;
  /** How many runs, each with the next seed. */
  runs: number;
  hosts: number;
  workers: number;
  people: number;
  /** Each fault once; with `seconds`, over and over until that time is up. */
  faults: FaultName[];
  seconds: number | null;
  /** How much the machine may add to promised times; more on a busy machine. */
  slackMs: number;
  /** Absolute. */
  outDir: string;
  /** Where to write the Markdown summary of all runs; null for none. */
  summaryPath: string | null;
  /** Whether a missing redis-server may be installed with the system's package manager. */
  mayInstall: boolean;
}

export type OptionsResult =
  | { ok: true; options: Options }
  | { ok: false; exitCode: number; text: string };

const HOSTS_MAX = 3;
const SECONDS_MAX = 3600;
const RUNS_MAX = 1000;
const SEED_END = 2 ** 31;
/** Default slack: one machine runs all hosts at once. */
const SLACK_MS = 500;
const SLACK_MS_MAX = 10_000;

export const HELP = `Usage: troupe chaos [options]

Starts hosts with real PostgreSQL and Redis, lets clients talk, injects faults, and holds what
happened against the promises. Exit code 1 when one is broken.

  --faults a,b   which faults (default: all that fit the number of hosts, but disk-full, which
                 needs the right to mount a file system)
  --hosts N      1 to ${HOSTS_MAX} (default 2; one host runs without Redis unless a redis fault is named)
  --workers N    workers a host (default 2)
  --people N     4 to 40 people (default 8), every other one with two sessions
  --seconds N    goes on with faults for that long (default: each fault once)
  --slack-ms N   what a busy machine may add to promised times (default ${SLACK_MS})
  --seed N       repeats a plan (default: a fresh one, printed)
  --runs N       that many runs with rising seeds (default 1)
  --out DIR      where history.json, report.html and logs go (default .data/chaos)
  --summary FILE writes all runs' verdicts as Markdown
  --install      installs redis-server with apt-get or brew where it is missing

DATABASE_URL: a PostgreSQL to use (a database of its own is made in it and dropped) instead of
an embedded one. REDIS_URL: a Redis to use instead of a redis-server from the PATH.

Faults:
${FAULT_NAMES.map((name) => `  ${name.padEnd(18)}${FAULTS[name].title}`).join("\n")}
`;

export function parseOptions(args: string[]): OptionsResult {
  const wrong = (text: string): OptionsResult => ({ ok: false, exitCode: 2, text });
  let values: Record<string, string | boolean | undefined>;
  try {
    values = parseArgs({ args, options: ARGUMENTS, strict: true }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return wrong(`${error.message}\n\n${HELP}`);
  }
  if (values["help"] === true) return { ok: false, exitCode: 0, text: HELP };

  const problems: string[] = [];
  const number = (name: string, min: number, max: number, unset: number): number => {
    const text = values[name];
    if (typeof text !== "string") return unset;
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    problems.push(`--${name} wants a whole number from ${min} to ${max}, found "${text}".`);
    return unset;
  };
  const text = (name: string): string | null => {
    const value = values[name];
    return typeof value === "string" && value !== "" ? value : null;
  };

  const hosts = number("hosts", 1, HOSTS_MAX, 2);
  const named = text("faults")?.split(",") ?? null;
  for (const name of named ?? []) {
    if (!Object.hasOwn(FAULTS, name)) problems.push(`There is no fault "${name}".`);
    else if (hosts === 1 && FAULTS[name as FaultName].needs === "cluster") {
      problems.push(`${name} wants two hosts.`);
    }
  }
  const fitting = FAULT_NAMES.filter((name) => isUsual(name, hosts));
  const options: Options = {
    seed: number("seed", 0, SEED_END - 1, randomInt(SEED_END)),
    runs: number("runs", 1, RUNS_MAX, 1),
    hosts,
    workers: number("workers", 1, 16, 2),
    people: number("people", 4, 40, 8),
    faults: named === null ? fitting : FAULT_NAMES.filter((name) => named.includes(name)),
    seconds: typeof values["seconds"] === "string" ? number("seconds", 1, SECONDS_MAX, 60) : null,
    slackMs: number("slack-ms", 0, SLACK_MS_MAX, SLACK_MS),
    outDir: resolve(text("out") ?? join(".data", "chaos")),
    summaryPath: text("summary") === null ? null : resolve(text("summary")!),
    mayInstall: values["install"] === true,
  };
  if (problems.length > 0) return wrong(`${problems.join("\n")}\n`);
  return { ok: true, options };
}

const ARGUMENTS = {
  faults: { type: "string" },
  hosts: { type: "string" },
  workers: { type: "string" },
  people: { type: "string" },
  seconds: { type: "string" },
  "slack-ms": { type: "string" },
  seed: { type: "string" },
  runs: { type: "string" },
  out: { type: "string" },
  summary: { type: "string" },
  install: { type: "boolean" },
  help: { type: "boolean" },
} as const;

export function repeatCommand(options: Options): string {
  const parts = [
    "npm run chaos --",
    `--seed ${options.seed}`,
    `--hosts ${options.hosts}`,
    `--workers ${options.workers}`,
    `--people ${options.people}`,
    `--faults ${options.faults.join(",")}`,
  ];
  if (options.seconds !== null) parts.push(`--seconds ${options.seconds}`);
  if (options.slackMs !== SLACK_MS) parts.push(`--slack-ms ${options.slackMs}`);
  return parts.join(" ");
}

/** Whether this run has a Redis; several hosts need one. */
export function wantsRedis(options: Options): boolean {
  return options.hosts > 1 || options.faults.some(needsRedis);
}

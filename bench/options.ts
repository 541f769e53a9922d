/**
 * The bench's options, read from the command line. Everything has a default; a wrong option is
 * reported in one sentence. `repeatCommand` is the line that repeats a run.
 */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Plan } from "./scenarios/scenario.ts";
import { SCENARIOS } from "./scenarios/scenarios.ts";

export interface Options {
  /** "scenarios" and "against" run `scenarios`. */
  does: "scenarios" | "against" | "target" | "limits" | "growth" | "hold" | "check";
  scenarios: string[];
  plan: Plan;
  workers: number;
  rounds: number;
  targets: string[];
  /** Absolute; a folder of its own for each run is made in it. */
  outDir: string;
  /** Absolute; null: nowhere. */
  savePath: string | null;
}

export type OptionsResult =
  | { ok: true; options: Options }
  | { ok: false; exitCode: number; text: string };

const CLIENTS_MAX = 100_000;
const ROUNDS_USUAL = 3;
const SPECIAL = ["limits", "growth", "hold", "check"] as const;

export const HELP = `Usage: troupe bench [scenario …] [options]
       troupe bench [scenario …] --against plain
       troupe bench [scenario …] --target https://chat.example.com
       troupe bench limits | growth | hold | check
       troupe bench scale --hosts 2,4,8,16,32,64

Measures a server that it starts itself, with an embedded PostgreSQL of its own, fresh for each
measurement. Prints a table; a JSON file and an HTML report with charts go to .data/bench.
"CPU" is user and system time of the server's whole process tree (Linux only), the load
generator's left out; PSS is that tree's memory. A scenario's clock stops when the server's
queues are empty. What comes to nothing is told, and the rest goes on. Exit code 0: all was
measured, nothing failed and no aim was missed; 1: else; 2: called wrongly.

Scenarios (default: all):
${SCENARIOS.map(({ name, title }) => `  ${name.padEnd(10)}${title}`).join("\n")}

Beyond them:
  limits    what this machine can do at all, in the same terms: bare socket writes with the same
            coalescing, bare ws, bare multi-row commits, HTTP past the front door; each beside
            Troupe, as a ratio
  growth    cost of a message with 10,000 sessions and 20,000 conversations against 100 and 200
            (--clients N: N against a hundredth), heartbeats told apart
  hold      40,000 connections with messages flowing
  check     a few seconds for CI: a delivery's CPU beside that of a bare ws server
  scale     no measurement but counts, in simulated clusters: what grows with the number of hosts
            (troupe bench scale --help)

  --seconds N      of each measurement (default 4)
  --clients N      clients or HTTP connections, where a scenario has its own number
  --per-second N   messages a second of latency (150), growth (500) and hold (500)
  --workers N      of the server (default: 2; hold: 4)
  --against plain  by turns with a server as one usually builds it: Node cluster, sticky, the
                   Redis adapter, one transaction a message (bench/peers/plain.ts; wants
                   redis-server); prints medians and ratios beside what Troupe promises itself
  --rounds N       with --against, limits and growth: that many of each (default ${ROUNDS_USUAL})
  --target URL     loads a deployment elsewhere instead; again for each further host of it. Its
                   people are registered over HTTP (a password hash each: about 20 a second and
                   core), at most 100 unless --clients says more. Start it with RATE_LIMITS=off,
                   or its limits for one address are what is measured. Never a deployment that
                   people use: accounts and messages stay in it
  --out DIR        where results go (default .data/bench)
  --save [FILE]    also appends them to a page of Markdown (default bench/RESULTS.md)
`;

const ARGUMENTS = {
  seconds: { type: "string" },
  clients: { type: "string" },
  "per-second": { type: "string" },
  workers: { type: "string" },
  against: { type: "string" },
  rounds: { type: "string" },
  target: { type: "string", multiple: true },
  out: { type: "string" },
  save: { type: "string" },
  help: { type: "boolean" },
} as const;

export function parseOptions(given: string[]): OptionsResult {
  const wrong = (text: string): OptionsResult => ({ ok: false, exitCode: 2, text });
  let parsed: ReturnType<typeof read>;
  try {
    parsed = read(withSaveDefault(given));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return wrong(`${error.message}\n\n${HELP}`);
  }
  const { values, positionals } = parsed;
  if (values.help === true) return { ok: false, exitCode: 0, text: HELP };

  const problems: string[] = [];
  const number = <Unset>(text: string | undefined, name: string, max: number, unset: Unset) => {
    if (text === undefined) return unset;
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= 1 && value <= max) return value;
    problems.push(`--${name} wants a whole number from 1 to ${max}, found "${text}".`);
    return unset;
  };
  const targets = values.target ?? [];
  for (const target of targets) {
    if (!/^https?:$/.test(URL.canParse(target) ? new URL(target).protocol : "")) {
      problems.push(`--target wants a URL like https://chat.example.com, found "${target}".`);
    }
  }
  if (values.against !== undefined && values.against !== "plain") {
    problems.push(`There is no peer "${values.against}": plain is one.`);
  }
  const special = SPECIAL.find((word) => positionals.includes(word));
  if (special !== undefined && positionals.length > 1) {
    problems.push(`${special} runs alone.`);
  }
  const names = SCENARIOS.map(({ name }) => name);
  for (const word of special === undefined ? positionals : []) {
    if (!names.includes(word)) problems.push(`There is no scenario "${word}".`);
  }
  const isAgainst = values.against !== undefined;
  if ([special !== undefined, isAgainst, targets.length > 0].filter(Boolean).length > 1) {
    problems.push("limits, growth, hold, check, --against and --target exclude each other.");
  }
  const does =
    special ?? (isAgainst ? "against" : targets.length > 0 ? "target" : ("scenarios" as const));
  const options: Options = {
    does,
    scenarios:
      positionals.length === 0 ? names : names.filter((name) => positionals.includes(name)),
    plan: {
      seconds: number(values.seconds, "seconds", 3600, 4),
      clients: number(values.clients, "clients", CLIENTS_MAX, null),
      perSecond: number(values["per-second"], "per-second", 1_000_000, null),
    },
    workers: number(values.workers, "workers", 64, does === "hold" ? 4 : 2),
    rounds: number(values.rounds, "rounds", 99, ROUNDS_USUAL),
    targets,
    outDir: resolve(values.out ?? join(".data", "bench")),
    savePath: values.save === undefined ? null : resolve(values.save),
  };
  if (problems.length > 0) return wrong(`${problems.join("\n")}\n`);
  return { ok: true, options };
}

function read(args: string[]) {
  return parseArgs({ args, options: ARGUMENTS, strict: true, allowPositionals: true });
}

/** parseArgs knows no option whose value may be left out. */
function withSaveDefault(args: readonly string[]): string[] {
  return args.flatMap((arg, i) => {
    if (arg !== "--save") return [arg];
    const next = args[i + 1];
    const isBare = next === undefined || next.startsWith("--");
    return isBare ? [`--save=${join("bench", "RESULTS.md")}`] : [arg];
  });
}

export function repeatCommand({
  does,
  scenarios,
  plan,
  workers,
  rounds,
  targets,
}: Options): string {
  const words = ["npm run bench --"];
  const runsAll = scenarios.length === SCENARIOS.length;
  if (SPECIAL.some((word) => word === does)) words.push(does);
  else if (!runsAll) words.push(...scenarios);
  if (does === "against") words.push("--against plain");
  for (const target of targets) words.push(`--target ${target}`);
  words.push(`--seconds ${plan.seconds}`, `--workers ${workers}`);
  if (does === "against" || does === "limits" || does === "growth")
    words.push(`--rounds ${rounds}`);
  if (plan.clients !== null) words.push(`--clients ${plan.clients}`);
  if (plan.perSecond !== null) words.push(`--per-second ${plan.perSecond}`);
  return words.join(" ");
}

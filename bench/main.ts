/**
 * `troupe bench`: measures, compares and reports. Exit code 0 when everything could be measured
 * and what was aimed at is met, 1 when not, 2 when it was called wrongly. Ctrl-C ends what was
 * started and reports what there is.
 */

import { COMMITS } from "./limits/commits.ts";
import { startBare, startDatabaseAlone, startPastDoor } from "./limits/stacks.ts";
import { type Options, parseOptions, repeatCommand } from "./options.ts";
import type { Outcome } from "./outcome.ts";
import {
  AGAINST_LIMITS,
  AGAINST_PLAIN,
  CHECK_AIM,
  compare,
  GROWTH_AIM,
  PLAIN_APART,
  type Row,
} from "./report/comparison.ts";
import { writeResults } from "./report/results.ts";
import { asText, comparisonTable, outcomeTable } from "./report/tables.ts";
import { type Contender, type Run, Runner } from "./runner.ts";
import { GROWTH, HOLD } from "./scenarios/crowd.ts";
import { HISTORY } from "./scenarios/http.ts";
import { SCENARIOS } from "./scenarios/scenarios.ts";
import { DURABLE, FANOUT } from "./scenarios/talk.ts";
import { remoteStack, startStack } from "./stack.ts";
import { canReadProcesses } from "./support/process-figures.ts";

const PLAIN = "plain";
const CHECK_CLIENTS = 300;
/** Beside a hundredth of them. */
const GROWTH_CLIENTS = 10_000;
const GROWTH_FEW_MIN = 5;

/** The exit code. Rejects with a StartRefusal when something needed is missing. */
export async function bench(args: string[]): Promise<number> {
  if (args[0] === "scale") {
    const { scale } = await import("./scale/main.ts");
    return scale(args.slice(1));
  }
  const parsed = parseOptions(args);
  if (!parsed.ok) {
    const stream = parsed.exitCode === 0 ? process.stdout : process.stderr;
    stream.write(parsed.text);
    return parsed.exitCode;
  }
  const { options } = parsed;
  if (!canReadProcesses) {
    process.stderr.write("CPU and memory are read from /proc, which only Linux has: left out.\n");
  }
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  try {
    return await benchAll(options, stop.signal);
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}

async function benchAll(options: Options, abort: AbortSignal): Promise<number> {
  const startedAt = new Date();
  const runner = new Runner(options.plan, abort);
  const plan = planOf(options);
  try {
    await runner.all(plan.runs, plan.rounds);
  } catch (error) {
    // Ctrl-C and timeouts reach the processes of a measurement too: what breaks then is no news.
    if (!abort.aborted) throw error;
  } finally {
    const { outcomes, unmeasured } = runner;
    if (outcomes.length > 0) {
      const rows = plan.compare(outcomes);
      process.stdout.write(`${asText(outcomeTable(outcomes), process.stdout.columns)}\n`);
      if (rows.length > 0) {
        process.stdout.write(`${asText(comparisonTable(rows, plan.first, plan.second))}\n`);
      }
      const paths = await writeResults({
        options,
        startedAt,
        outcomes,
        unmeasured,
        rows,
        ...namesOf(plan),
      });
      process.stdout.write(
        `Report: ${paths.html}  Figures: ${paths.json}\nAgain: ${repeatCommand(options)}\n`,
      );
    }
    for (const one of unmeasured) process.stderr.write(`Not measured: ${one}\n`);
    for (const { subject, scenario, failures, reasons } of outcomes) {
      if (failures === 0) continue;
      const said = reasons.length === 0 ? "" : `: ${reasons.join("; ")}`;
      process.stderr.write(`Failed: ${scenario} ${subject}, ${failures} times${said}\n`);
    }
  }
  const rows = plan.compare(runner.outcomes);
  // A peer's failures are reported but do not make this run fail.
  const isWhole =
    runner.unmeasured.length === 0 &&
    runner.outcomes.every((one) => one.failures === 0 || one.subject.startsWith(PLAIN));
  return isWhole && !abort.aborted && rows.every((row) => row.isMet !== false) ? 0 : 1;
}

interface BenchPlan {
  runs: Run[];
  rounds: number;
  /** The names of the two subjects, when two are compared. */
  first: string;
  second: string;
  compare(outcomes: readonly Outcome[]): Row[];
}

function namesOf({ first, second }: BenchPlan) {
  return { first, second };
}

function planOf(options: Options): BenchPlan {
  const { workers, rounds, targets } = options;
  const troupe: Contender = { name: "troupe", start: () => startStack("troupe", { workers }) };
  const plain: Contender = { name: PLAIN, start: () => startStack("plain", { workers }) };
  const plainApart: Contender = {
    name: PLAIN_APART,
    start: () => startStack("plain", { workers, isHttpApart: true }),
  };
  const bare = (mode: "raw" | "ws"): Contender => ({
    name: mode,
    start: () => startBare(mode, workers),
  });
  const scenarios = SCENARIOS.filter(
    ({ name, isOurs }) =>
      options.scenarios.includes(name) && (options.does !== "against" || isOurs !== true),
  );
  const runsOf = (contenders: Contender[]) =>
    scenarios.map((scenario): Run => ({ scenario, contenders }));
  const alone = { rounds: 1, first: "", second: "", compare: () => [] };
  switch (options.does) {
    case "scenarios":
      return { runs: runsOf([troupe]), ...alone };
    case "target":
      return {
        runs: runsOf([{ name: new URL(targets[0]!).host, start: () => remoteStack(targets) }]),
        ...alone,
      };
    case "against":
      return {
        runs: runsOf([troupe, plain]).map((run) =>
          run.scenario === HISTORY ? { ...run, contenders: [...run.contenders, plainApart] } : run,
        ),
        rounds,
        first: "troupe",
        second: "plain",
        compare: (outcomes) => compare(AGAINST_PLAIN, outcomes, "troupe", "plain"),
      };
    case "limits":
      return {
        runs: [
          { scenario: FANOUT, contenders: [troupe, bare("raw"), bare("ws")] },
          {
            scenario: DURABLE,
            contenders: [
              troupe,
              { name: "postgres", scenario: COMMITS, start: () => startDatabaseAlone(workers) },
            ],
          },
          {
            scenario: HISTORY,
            contenders: [troupe, { name: "past the door", start: () => startPastDoor(workers) }],
          },
        ],
        rounds,
        first: "troupe",
        second: "limit",
        compare: (outcomes) => compare(AGAINST_LIMITS, outcomes, "troupe", ""),
      };
    case "growth": {
      const most = Math.max(2 * GROWTH_FEW_MIN, options.plan.clients ?? GROWTH_CLIENTS);
      const least = Math.max(GROWTH_FEW_MIN, Math.round(most / 100));
      const [many, few] = [most, least].map((clients) => ({
        ...troupe,
        name: `${clients.toLocaleString("en-GB")} sessions`,
        clients,
      })) as [Contender, Contender];
      return {
        runs: [{ scenario: GROWTH, contenders: [many, few] }],
        rounds,
        first: many.name,
        second: few.name,
        compare: (outcomes) => compare(GROWTH_AIM, outcomes, many.name, few.name),
      };
    }
    case "check": {
      const few = { clients: options.plan.clients ?? CHECK_CLIENTS };
      return {
        runs: [
          {
            scenario: FANOUT,
            contenders: [
              { ...troupe, ...few },
              { ...bare("ws"), ...few },
            ],
          },
        ],
        rounds: 1,
        first: "troupe",
        second: "bare ws",
        compare: (outcomes) => compare(CHECK_AIM, outcomes, "troupe", ""),
      };
    }
    case "hold":
      return { runs: [{ scenario: HOLD, contenders: [troupe] }], ...alone };
  }
}

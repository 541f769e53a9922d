/** A Markdown page that sums up many runs; test/fault/RESULTS.md is made from it. */
import { FAULTS, type FaultName } from "./fault-table.ts";
import { ackLatencies, countsOf, percentile } from "./figures.ts";
import type { Options } from "./options.ts";
import type { RunResult } from "./verdict-text.ts";

/** The part of a run that stays in memory once its history is written to disk. */
export interface RunDigest {
  seed: number;
  startedAt: string;
  clients: number;
  acked: number;
  delivered: number;
  ackP50Ms: number;
  ackP99Ms: number;
  faults: FaultName[];
  rules: { id: string; title: string; looked: number; broken: number }[];
}

export function digestOfRun({ history, judged }: RunResult): RunDigest {
  const ms = ackLatencies(history)
    .map((one) => one.ms)
    .sort((a, b) => a - b);
  const { acked, delivered } = countsOf(history);
  return {
    seed: history.seed,
    startedAt: history.startedAt,
    clients: history.clients.length,
    acked,
    delivered,
    ackP50Ms: percentile(ms, 0.5),
    ackP99Ms: percentile(ms, 0.99),
    faults: history.faults.map(({ fault }) => fault),
    rules: judged.map(({ id, title, looked, findings }) => ({
      id,
      title,
      looked,
      broken: findings.length,
    })),
  };
}

export function isWholeDigest({ rules }: RunDigest): boolean {
  return rules.every((rule) => rule.broken === 0);
}

/** `options`: those of the first run. */
export function summaryMarkdown(runs: RunDigest[], options: Options, command: string): string {
  const faults = new Map<FaultName, number>();
  const rules = new Map<string, { title: string; looked: number; broken: number }>();
  for (const run of runs) {
    for (const name of run.faults) faults.set(name, (faults.get(name) ?? 0) + 1);
    for (const { id, title, looked, broken } of run.rules) {
      const sum = rules.get(id) ?? { title, looked: 0, broken: 0 };
      rules.set(id, { title, looked: sum.looked + looked, broken: sum.broken + broken });
    }
  }
  const whole = runs.filter(isWholeDigest).length;
  const acked = runs.reduce((sum, run) => sum + run.acked, 0);
  const delivered = runs.reduce((sum, run) => sum + run.delivered, 0);
  return [
    "# Results of the fault harness",
    "",
    `\`${command}\``,
    "",
    `${whole} of ${runs.length} runs (seeds ${options.seed} to ${options.seed + runs.length - 1}) ` +
      `kept every promise. Hosts: ${options.hosts} of ${options.workers} workers, Node ` +
      `${process.version}, ${runs[0]?.startedAt.slice(0, 10) ?? ""}. ${acked} sends acknowledged, ` +
      `${delivered} changes heard.`,
    "",
    "| fault | | times |",
    "|---|---|---|",
    ...[...faults].map(([name, times]) => `| ${name} | ${FAULTS[name].title} | ${times} |`),
    "",
    "| rule | | held against | broken |",
    "|---|---|---|---|",
    ...[...rules].map(
      ([id, { title, looked, broken }]) => `| ${id} | ${title} | ${looked} | ${broken} |`,
    ),
    "",
    "| seed | sends acknowledged | acks p50 / p99 | faults | broken rules |",
    "|---|---|---|---|---|",
    ...runs.map((run) => {
      const broken = run.rules.filter((rule) => rule.broken > 0).map((rule) => rule.id);
      const acks = `${run.ackP50Ms.toFixed(1)} / ${run.ackP99Ms.toFixed(0)} ms`;
      return `| ${run.seed} | ${run.acked} | ${acks} | ${run.faults.length} | ${broken.join(", ") || "none"} |`;
    }),
    "",
  ].join("\n");
}

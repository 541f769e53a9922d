/** The verdict of a run, for the terminal. */
import type { Judged } from "./checker.ts";
import { ackLatencies, countsOf, deliveryLatencies, percentile } from "./figures.ts";
import type { History } from "./history.ts";

const FINDINGS_SHOWN = 3;

export interface RunResult {
  history: History;
  judged: Judged[];
}

export function isWhole({ judged }: RunResult): boolean {
  return judged.every((one) => one.holds);
}

export function verdictText({ history, judged }: RunResult, colours: boolean): string {
  const paint = (code: number, text: string) => (colours ? `\x1b[${code}m${text}\x1b[0m` : text);
  const counts = countsOf(history);
  const lines = [
    "",
    `Seed ${history.seed}: ${history.hosts} host${history.hosts === 1 ? "" : "s"} of ${history.workers} workers, ` +
      `${history.clients.length} clients, ${history.faults.length} faults, ${seconds(history.endedAtMs)}`,
    `${counts.acked} sends acknowledged (${counts.retries} retries), ${counts.delivered} changes heard, ` +
      `${counts.connects} connects`,
    latencyLine(history),
    "",
  ];
  for (const fault of history.faults) {
    const end = fault.healedAtMs ?? history.endedAtMs;
    const back =
      fault.recoveredAtMs === null
        ? "not back"
        : `back after ${seconds(fault.recoveredAtMs - end)}`;
    lines.push(
      `  ${fault.fault.padEnd(17)}${fault.detail}; lasted ${seconds(end - fault.injectedAtMs)}, ${back}`,
    );
  }
  lines.push("");
  for (const { id, title, holds, looked, findings } of judged) {
    const mark = holds ? (looked === 0 ? paint(33, "–") : paint(32, "✔")) : paint(31, "✖");
    const count = looked === 0 ? "nothing to look at" : `${looked} looked at`;
    const broken = holds ? "" : paint(31, `, ${findings.length} broken`);
    lines.push(`  ${mark} ${id}  ${title} ${paint(2, `(${count})`)}${broken}`);
    for (const { what } of findings.slice(0, FINDINGS_SHOWN)) lines.push(`           ${what}`);
  }
  lines.push("");
  return lines.join("\n");
}

function latencyLine(history: History): string {
  const of = (name: string, found: { ms: number }[]) => {
    const ms = found.map((one) => one.ms).sort((a, b) => a - b);
    const [p50, p99] = [percentile(ms, 0.5), percentile(ms, 0.99)];
    return `${name} p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(0)} ms, longest ${(ms.at(-1) ?? 0).toFixed(0)} ms`;
  };
  return `${of("acks", ackLatencies(history))}; ${of("deliveries", deliveryLatencies(history))}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

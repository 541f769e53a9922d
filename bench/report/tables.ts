/** Results as text: columns for a terminal, and the same as Markdown. Pure. */
import type { Outcome } from "../outcome.ts";
import type { Row } from "./comparison.ts";

export interface Table {
  head: string[];
  rows: string[][];
}

export function outcomeTable(outcomes: readonly Outcome[]): Table {
  return {
    head: [
      "scenario",
      "server",
      "a second",
      "p50 ms",
      "p99 ms",
      "CPU µs a unit",
      "PSS MB",
      "failed",
      "",
    ],
    rows: outcomes.map((one) => [
      one.scenario,
      one.subject,
      `${shown(one.perSecond)} × ${one.unit}`,
      one.latencies === null ? "" : shown(one.latencies.p50),
      one.latencies === null ? "" : shown(one.latencies.p99),
      one.cpuUsPerUnit === null ? "" : `${shown(one.cpuUsPerUnit)}${cpuShares(one)}`,
      one.pssMb === null ? "" : shown(one.pssMb),
      one.failures === 0 ? "" : String(one.failures),
      Object.entries(one.extra)
        .map(([name, value]) => `${name} ${shown(value)}`)
        .join("; "),
    ]),
  };
}

export function comparisonTable(rows: readonly Row[], first: string, second: string): Table {
  return {
    head: ["scenario", "figure", first, second, "ratio", "aim", "", "rounds"],
    rows: rows.map((row) => [
      row.scenario,
      row.figure,
      shown(row.first),
      shown(row.second),
      `${shown(row.ratio)}×`,
      row.aim,
      row.isMet === null ? "" : row.isMet ? "met" : "NOT MET",
      String(row.rounds),
    ]),
  };
}

export function asText({ head, rows }: Table): string {
  const widths = head.map((cell, i) =>
    Math.max(cell.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  const line = (cells: string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd();
  return [line(head), line(widths.map((width) => "─".repeat(width))), ...rows.map(line), ""].join(
    "\n",
  );
}

export function asMarkdown({ head, rows }: Table): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line), ""].join("\n");
}

/** Three digits that mean something. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en-GB");
  if (size >= 10) return value.toFixed(1);
  if (size === 0) return "0";
  return value.toFixed(size >= 0.1 ? 2 : 3);
}

function cpuShares({ cpuMs, units }: Outcome): string {
  const parts = Object.entries(cpuMs ?? {}).filter(([, ms]) => ms > 0);
  if (parts.length < 2) return "";
  return ` (${parts.map(([kind, ms]) => `${kind} ${shown((ms * 1000) / units)}`).join(", ")})`;
}

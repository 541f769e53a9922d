/** Results as text: columns for a terminal, and the same as Markdown. Pure. */
import type { Outcome } from "../outcome.ts";
import type { Row } from "./comparison.ts";

export interface Table {
  head: string[];
  rows: string[][];
  /** Beside each row what has no column: in a terminal below it, elsewhere as the last column. */
  notes?: string[];
}

export const NOTES_HEAD = "more";

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
    ],
    rows: outcomes.map((one) => [
      one.scenario,
      one.subject,
      `${shown(one.perSecond)} × ${one.unit}`,
      one.latencies === null ? "" : shown(one.latencies.p50),
      one.latencies === null ? "" : shown(one.latencies.p99),
      one.cpuUsPerUnit === null ? "" : shown(one.cpuUsPerUnit),
      one.pssMb === null ? "" : shown(one.pssMb),
      one.failures === 0 ? "" : shownMark(one.failures),
    ]),
    notes: outcomes.map((one) => [...cpuShares(one), ...extras(one), ...one.reasons].join("; ")),
  };
}

export function comparisonTable(rows: readonly Row[], first: string, second: string): Table {
  return {
    head: ["scenario", "figure", first, second, "ratio", "aim", "verdict", "rounds"],
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

/** `columns`: of the terminal, for the notes. */
export function asText({ head, rows, notes }: Table, columns = Number.POSITIVE_INFINITY): string {
  const widths = head.map((cell, i) =>
    Math.max(cell.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  const line = (cells: string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd();
  const indent = " ".repeat((widths[0] ?? 0) + 2);
  const body = rows.flatMap((row, i) => [
    line(row),
    ...wrapped(notes?.[i] ?? "", columns - indent.length).map((text) => indent + text),
  ]);
  return [line(head), line(widths.map((width) => "─".repeat(width))), ...body, ""].join("\n");
}

export function asMarkdown(table: Table): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  const { head, rows } = withNotes(table);
  return [line(head), line(head.map(() => "---")), ...rows.map(line), ""].join("\n");
}

/** The notes as a column. */
export function withNotes({ head, rows, notes }: Table): Table {
  if (notes === undefined) return { head, rows };
  return { head: [...head, NOTES_HEAD], rows: rows.map((row, i) => [...row, notes[i] ?? ""]) };
}

/** At "; ", where lines get longer than `width`. */
function wrapped(note: string, width: number): string[] {
  const lines: string[] = [];
  for (const part of note === "" ? [] : note.split("; ")) {
    const last = lines.at(-1);
    if (last === undefined || `${last}; ${part}`.length > width) lines.push(part);
    else lines[lines.length - 1] = `${last}; ${part}`;
  }
  return lines;
}

/** A number on an axis, with as many digits as needed. */
export function shownMark(value: number): string {
  return Number(value.toPrecision(6)).toLocaleString("en-GB", { maximumFractionDigits: 6 });
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

function extras({ extra }: Outcome): string[] {
  return Object.entries(extra).map(
    ([name, value]) => `${name} ${Number.isInteger(value) ? shownMark(value) : shown(value)}`,
  );
}

/** CPU a unit of each kind of part, where there are several. */
function cpuShares({ cpuMs, units }: Outcome): string[] {
  const parts = Object.entries(cpuMs ?? {}).filter(([, ms]) => ms > 0);
  if (parts.length < 2) return [];
  return [
    `CPU µs: ${parts.map(([kind, ms]) => `${kind} ${shown((ms * 1000) / units)}`).join(", ")}`,
  ];
}

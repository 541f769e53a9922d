/**
 * The report of a run: what was compared, then for each scenario its figures and charts. One
 * file, nothing loaded from elsewhere, light and dark. Pure.
 */
import type { Circumstances, Outcome, Sample } from "../outcome.ts";
import { html, type Line, lineChart, percentileChart } from "./charts.ts";
import type { Row } from "./comparison.ts";
import { comparisonTable, NOTES_HEAD, outcomeTable, type Table, withNotes } from "./tables.ts";

export interface PageContent {
  circumstances: Circumstances;
  outcomes: readonly Outcome[];
  unmeasured: readonly string[];
  rows: readonly Row[];
  first: string;
  second: string;
}

const STYLE = `
:root{color-scheme:light dark;--paper:#fff;--text:#1f2328;--soft:#59636e;--rule:#d8dee4;--tile:#f6f8fa;--good:#1a7f37;--bad:#c4321d;--ink-1:#0969da;--ink-2:#bc4c00;--ink-3:#1a7f37;--ink-4:#8250df;--ink-5:#bf3989;--ink-6:#6e7781}
@media (prefers-color-scheme:dark){:root{--paper:#14171c;--text:#e6e8eb;--soft:#98a2ae;--rule:#2d333b;--tile:#1c2128;--good:#4ac26b;--bad:#ff7b6b;--ink-1:#58a6ff;--ink-2:#f0883e;--ink-3:#4ac26b;--ink-4:#bc8cff;--ink-5:#f778ba;--ink-6:#8b949e}}
body{font:15px/1.55 system-ui,sans-serif;margin:0 auto;max-width:1140px;padding:28px 20px 60px;color:var(--text);background:var(--paper)}
h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:40px 0 2px}p{margin:2px 0 12px;color:var(--soft)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th{text-align:left;color:var(--soft);font-weight:600}th,td{padding:6px 14px 6px 0;border-bottom:1px solid var(--rule);vertical-align:top}
td.number,th.number{text-align:right}td.notes{min-width:min(340px,80vw)}ul{margin:2px 0 12px;padding-left:20px}
.met{color:var(--good);font-weight:600}.missed{color:var(--bad);font-weight:600}
code{background:var(--tile);padding:2px 6px;border-radius:5px;font-size:13px;overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr));gap:16px;margin-top:14px}
figure{margin:0;background:var(--tile);border-radius:10px;padding:12px 14px}figcaption{font-size:13px;color:var(--soft);margin-bottom:4px}
svg{width:100%;height:auto;display:block}svg text{font:11px system-ui,sans-serif;fill:var(--soft)}
.grid{stroke:var(--rule);stroke-width:1}.line{fill:none;stroke-width:1.8;stroke-linejoin:round}
@media (max-width:560px){svg text{font-size:15px}}
.key{display:flex;flex-wrap:wrap;gap:4px 14px;font-size:12px;color:var(--soft)}.key i{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:5px}
`;

export function reportPage(content: PageContent): string {
  const { circumstances, outcomes, unmeasured, rows, first, second } = content;
  const scenarios = [...new Set(outcomes.map(({ scenario }) => scenario))];
  const compared =
    rows.length === 0
      ? ""
      : `<h2>${html(first)} beside ${html(second)}</h2><p>${roundsOf(rows)}, a fresh server and database each.</p>${tableOf("Compared", comparisonTable(rows, first, second))}`;
  const missing =
    unmeasured.length === 0
      ? ""
      : `<h2>Not measured</h2><ul>${unmeasured.map((one) => `<li class="missed">${html(one)}</li>`).join("")}</ul>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Troupe bench</title><style>${STYLE}</style></head><body><main>
<h1>Troupe bench</h1>
<p>${html(circumstances.startedAt.slice(0, 16).replace("T", " "))} UTC · ${html(circumstances.commit)} · ${html(circumstances.machine)}<br><code>${html(circumstances.command)}</code></p>
${compared}${missing}
<h2>All measurements</h2>${tableOf("All measurements", outcomeTable(outcomes))}
${scenarios
  .map((scenario) =>
    section(
      scenario,
      outcomes.filter((one) => one.scenario === scenario),
    ),
  )
  .join("\n")}
</main></body></html>
`;
}

function section(scenario: string, outcomes: readonly Outcome[]): string {
  const subjects = [...new Set(outcomes.map(({ subject }) => subject))];
  // Where one line stands for a scenario, it is the round with the median rate.
  const typical = subjects.map((subject) =>
    middleOf(outcomes.filter((one) => one.subject === subject)),
  );
  const charts = [
    percentileChart(`Latency (${outcomes[0]!.latencyOf})`, percentileGroups(typical)),
    lineChart(
      "Throughput over time",
      `${outcomes[0]!.unit} a second`,
      throughputLines(outcomes, subjects),
    ),
    ...typical.flatMap((one) => [
      lineChart(`CPU of each process: ${one.subject}`, "% of a core", partLines(one, cpuShare)),
      lineChart(`Memory of each process: ${one.subject}`, "MB resident", partLines(one, rssMb)),
    ]),
  ].filter((chart) => chart !== "");
  const { title } = outcomes[0]!;
  return `<section><h2>${html(scenario)}</h2>${title === "" ? "" : `<p>${html(title)}</p>`}<div class="charts">${charts.join("")}</div></section>`;
}

function roundsOf(rows: readonly Row[]): string {
  const rounds = Math.min(...rows.map((row) => row.rounds));
  return rounds === 1 ? "One round" : `Medians of ${rounds} rounds taken by turns`;
}

function middleOf(outcomes: readonly Outcome[]): Outcome {
  const sorted = [...outcomes].sort((a, b) => a.perSecond - b.perSecond);
  return sorted[sorted.length >> 1]!;
}

function percentileGroups(outcomes: readonly Outcome[]) {
  return (["p50", "p90", "p99", "p999"] as const).map((share) => ({
    label: share === "p999" ? "p99.9" : share,
    bars: outcomes.flatMap(({ subject, latencies }, i) =>
      latencies === null ? [] : [{ label: subject, ink: i + 1, value: latencies[share] }],
    ),
  }));
}

function throughputLines(outcomes: readonly Outcome[], subjects: readonly string[]): Line[] {
  return outcomes.map(({ subject, samples }) => ({
    label: subject,
    ink: subjects.indexOf(subject) + 1,
    points: between(samples, (before, after, seconds) => (after.units - before.units) / seconds),
  }));
}

function partLines(
  { samples }: Outcome,
  value: (part: string, before: Sample, after: Sample, seconds: number) => number,
): Line[] {
  const parts = [...new Set(samples.flatMap(({ rssKb }) => Object.keys(rssKb)))];
  return parts.map((part, i) => ({
    label: part,
    ink: i + 1,
    points: between(samples, (before, after, seconds) => value(part, before, after, seconds)),
  }));
}

function cpuShare(part: string, before: Sample, after: Sample, seconds: number): number {
  const ms = (after.cpuMs[part] ?? 0) - (before.cpuMs[part] ?? after.cpuMs[part] ?? 0);
  return Math.max(0, ms / 10 / seconds);
}

function rssMb(part: string, _before: Sample, after: Sample): number {
  return (after.rssKb[part] ?? 0) / 1024;
}

/** A point for each two neighbouring samples, unless they lie too close for a rate. */
function between(
  samples: readonly Sample[],
  value: (before: Sample, after: Sample, seconds: number) => number,
): { x: number; y: number }[] {
  const points: { x: number; y: number }[] = [];
  let before = samples[0];
  for (const after of samples.slice(1)) {
    const seconds = (after.atMs - before!.atMs) / 1000;
    if (seconds < 0.1) continue;
    points.push({ x: after.atMs / 1000, y: Math.max(0, value(before!, after, seconds)) });
    before = after;
  }
  return points;
}

/** Wider than a phone: a region that scrolls, and that a keyboard reaches. */
function tableOf(name: string, table: Table): string {
  const { head, rows } = withNotes(table);
  const isNumeric = head.map((_, i) => rows.every((row) => isNumber(row[i] ?? "")));
  const classes = (text: string, i: number) =>
    [
      ...(isNumeric[i] ? ["number"] : []),
      ...(head[i] === NOTES_HEAD ? ["notes"] : []),
      ...(text === "met" ? ["met"] : []),
      ...(text === "NOT MET" ? ["missed"] : []),
    ].join(" ");
  const cell = (text: string, i: number) => `<td class="${classes(text, i)}">${html(text)}</td>`;
  const heading = (text: string, i: number) =>
    `<th scope="col" class="${classes("", i)}">${html(text)}</th>`;
  const line = (row: string[]) => `<tr>${row.map(cell).join("")}</tr>`;
  return `<div class="scroll" tabindex="0" role="region" aria-label="${html(name)}"><table><thead><tr>${head.map(heading).join("")}</tr></thead><tbody>${rows.map(line).join("")}</tbody></table></div>`;
}

function isNumber(text: string): boolean {
  return /^(-?[\d.,]+×?|–|)$/.test(text);
}

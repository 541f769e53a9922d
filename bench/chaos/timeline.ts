/**
 * report.html of a run: faults as shaded spans against the latencies of acknowledgements and
 * deliveries on a logarithmic scale, each host's readiness below, then the verdict. One
 * self-contained file.
 */
import type { Judged } from "./checker.ts";
import { FAULTS } from "./fault-table.ts";
import { ackLatencies, deliveryLatencies, type Latency, percentile } from "./figures.ts";
import type { FaultRecord, History } from "./history.ts";
import { sessionsOf } from "./sessions.ts";

const WIDTH = 1200;
const LEFT = 64;
const RIGHT = 16;
const TOP = 56;
const PLOT = 300;
const LANE = 18;
const DOTS_MAX = 4000;
const BANDS = 240;
/** The scale's ends: 0.5 ms and 60 s. */
const LEAST_MS = 0.5;
const MOST_MS = 60_000;
const MARKS_MS = [1, 10, 100, 1000, 10_000];

const INK = {
  ack: "#0b6e99",
  delivery: "#b45309",
  fault: "#d9480f",
  good: "#2f9e44",
  bad: "#c92a2a",
};

export function timelineHtml(history: History, judged: readonly Judged[]): string {
  const broken = judged.filter((one) => !one.holds);
  const word = broken.length === 0 ? "every promise kept" : `${broken.length} rules broken`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Chaos, seed ${history.seed}: ${word}</title>
<style>
body{font:14px/1.5 system-ui,sans-serif;margin:24px auto;max-width:${WIDTH}px;padding:0 16px;color:#1f2328;background:#fff}
svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:#57606a}
table{border-collapse:collapse;width:100%}td{padding:3px 10px 3px 0;vertical-align:top;border-top:1px solid #eaeef2}
.good{color:${INK.good}}.bad{color:${INK.bad}}code{background:#f6f8fa;padding:1px 4px}small{color:#57606a}
@media (prefers-color-scheme:dark){body{background:#16181c;color:#e6e6e6}svg text{fill:#9aa4af}td{border-color:#2c3138}code{background:#23272e}small{color:#9aa4af}}
</style></head><body>
<h1>Chaos: <span class="${broken.length === 0 ? "good" : "bad"}">${word}</span></h1>
<p>Seed ${history.seed}, ${history.hosts} host(s) of ${history.workers} workers, ${history.clients.length} clients, ${html(history.startedAt)}.
Again: <code>${html(history.command)}</code></p>
${svg(history)}
<h2>Faults</h2><table>${history.faults.map((fault) => faultRow(fault)).join("")}</table>
<h2>Rules</h2><table>${judged.map(ruleRow).join("")}</table>
</body></html>
`;
}

function svg(history: History): string {
  const lanesTop = TOP + PLOT + 28;
  const height = lanesTop + LANE * (history.hosts + 1) + 8;
  const x = (atMs: number) =>
    round(LEFT + ((WIDTH - LEFT - RIGHT) * atMs) / Math.max(1, history.endedAtMs));
  const y = (ms: number) => {
    const share = Math.log(Math.max(LEAST_MS, ms) / LEAST_MS) / Math.log(MOST_MS / LEAST_MS);
    return round(TOP + PLOT - PLOT * Math.min(1, share));
  };
  const parts = [
    ...history.faults.flatMap((fault, i) => faultSpan(fault, i, history, x)),
    ...MARKS_MS.map(
      (ms) =>
        `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(ms)}" y2="${y(ms)}" stroke="#8888" stroke-width=".5"/>` +
        `<text x="${LEFT - 6}" y="${y(ms) + 4}" text-anchor="end">${ms < 1000 ? `${ms} ms` : `${ms / 1000} s`}</text>`,
    ),
    ...timeMarks(history.endedAtMs).map(
      (atMs) =>
        `<text x="${x(atMs)}" y="${TOP + PLOT + 16}" text-anchor="middle">${atMs / 1000} s</text>`,
    ),
    band(deliveryLatencies(history), history.endedAtMs, INK.delivery, x, y),
    band(ackLatencies(history), history.endedAtMs, INK.ack, x, y),
    dots(ackLatencies(history), x, y),
    `<text x="${LEFT}" y="14" style="fill:${INK.ack}">● acknowledgements (dots; band p50–p99)</text>`,
    `<text x="${LEFT + 260}" y="14" style="fill:${INK.delivery}">■ deliveries (band p50–p99)</text>`,
    ...readinessLanes(history, lanesTop, x),
    sessionsLine(history, lanesTop + LANE * history.hosts, x),
  ];
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Latencies and faults over time">${parts.join("\n")}</svg>`;
}

function faultSpan(
  fault: FaultRecord,
  index: number,
  history: History,
  x: (atMs: number) => number,
): string[] {
  const from = x(fault.injectedAtMs);
  const to = Math.max(from + 2, x(fault.healedAtMs ?? history.endedAtMs));
  const back = x(fault.recoveredAtMs ?? history.endedAtMs);
  const title = `<title>${html(`${fault.fault}: ${fault.detail}`)}</title>`;
  return [
    `<rect x="${from}" y="${TOP}" width="${round(to - from)}" height="${PLOT}" fill="${INK.fault}" opacity=".22">${title}</rect>`,
    `<rect x="${to}" y="${TOP}" width="${round(Math.max(0, back - to))}" height="${PLOT}" fill="${INK.fault}" opacity=".08">${title}</rect>`,
    `<text x="${from}" y="${TOP - 6 - 12 * (index % 2)}">${fault.fault}</text>`,
  ];
}

function band(
  latencies: Latency[],
  endMs: number,
  colour: string,
  x: (atMs: number) => number,
  y: (ms: number) => number,
): string {
  const widthMs = Math.max(1, endMs / BANDS);
  const cells = new Map<number, number[]>();
  for (const { atMs, ms } of latencies) {
    const cell = Math.floor(atMs / widthMs);
    const found = cells.get(cell);
    if (found === undefined) cells.set(cell, [ms]);
    else found.push(ms);
  }
  return [...cells]
    .map(([cell, ms]) => {
      ms.sort((a, b) => a - b);
      const top = y(percentile(ms, 0.99));
      const bottom = Math.max(top + 1, y(percentile(ms, 0.5)));
      const width = round(x(widthMs) - x(0));
      return `<rect x="${x(cell * widthMs)}" y="${top}" width="${width}" height="${round(bottom - top)}" fill="${colour}" opacity=".28"/>`;
    })
    .join("");
}

/** All slow ones, and as many of the others as a page can hold. */
function dots(
  latencies: Latency[],
  x: (atMs: number) => number,
  y: (ms: number) => number,
): string {
  const every = Math.ceil(latencies.length / DOTS_MAX);
  const path = latencies
    .filter(({ ms }, i) => i % every === 0 || ms > 1000)
    .map(({ atMs, ms }) => `M${x(atMs)} ${y(ms)}h0`)
    .join("");
  return `<path d="${path}" stroke="${INK.ack}" stroke-width="2.4" stroke-linecap="round" opacity=".7"/>`;
}

function readinessLanes(history: History, top: number, x: (atMs: number) => number): string[] {
  const lanes: string[] = [];
  for (let host = 0; host < history.hosts; host++) {
    const samples = history.records.filter(
      (rec) => rec.kind === "ready_sample" && rec.host === host,
    );
    const y = top + LANE * host;
    lanes.push(`<text x="${LEFT - 6}" y="${y + 10}" text-anchor="end">host ${host + 1}</text>`);
    samples.forEach((rec, i) => {
      if (rec.kind !== "ready_sample") return;
      const from = x(samples[i - 1]?.atMs ?? 0);
      const colour =
        rec.word === "degraded" ? INK.delivery : rec.status === 200 ? INK.good : INK.bad;
      const width = round(x(rec.atMs) - from);
      lanes.push(
        `<rect x="${from}" y="${y}" width="${width}" height="12" fill="${colour}" opacity=".75"><title>${rec.status} ${html(rec.word)}</title></rect>`,
      );
    });
  }
  return lanes;
}

function sessionsLine(history: History, top: number, x: (atMs: number) => number): string {
  const steps = sessionsOf(history)
    .flatMap(({ fromMs, toMs }) => [
      { atMs: fromMs, by: 1 },
      ...(toMs === null ? [] : [{ atMs: toMs, by: -1 }]),
    ])
    .sort((a, b) => a.atMs - b.atMs);
  let live = 0;
  const most = history.clients.length;
  const points = steps.map(({ atMs, by }) => {
    live += by;
    return `${x(atMs)},${round(top + 14 - (12 * live) / Math.max(1, most))}`;
  });
  return (
    `<text x="${LEFT - 6}" y="${top + 12}" text-anchor="end">sessions</text>` +
    `<polyline points="${points.join(" ")}" fill="none" stroke="#7775" stroke-width="1.4"/>`
  );
}

function timeMarks(endMs: number): number[] {
  const stepMs = [1000, 2000, 5000, 10_000, 20_000, 60_000, 300_000].find(
    (step) => endMs / step <= 14,
  );
  const marks: number[] = [];
  for (let at = 0; at <= endMs; at += stepMs ?? 600_000) marks.push(at);
  return marks;
}

function faultRow({ fault, detail, claims, injectedAtMs, healedAtMs }: FaultRecord): string {
  const lasted = healedAtMs === null ? "?" : ((healedAtMs - injectedAtMs) / 1000).toFixed(1);
  const found = claims.map(
    ({ claim, holds, found: what }) =>
      `<span class="${holds ? "good" : "bad"}">${holds ? "✔" : "✖"} ${html(claim)}</span> (${html(what)})`,
  );
  return `<tr><td>${(injectedAtMs / 1000).toFixed(1)} s</td><td>${fault}<br><small>${FAULTS[fault].title}</small></td><td>${html(detail)}</td><td>${lasted} s</td><td>${found.join("<br>")}</td></tr>`;
}

function ruleRow({ id, title, holds, looked, findings }: Judged): string {
  const mark = holds ? `<span class="good">✔</span>` : `<span class="bad">✖</span>`;
  const shown = findings.slice(0, 10).map(({ what }) => `<br><small>${html(what)}</small>`);
  return `<tr><td>${mark} ${id}</td><td>${html(title)}${shown.join("")}</td><td>${looked} looked at</td><td>${findings.length} broken</td></tr>`;
}

function html(text: string): string {
  return text.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

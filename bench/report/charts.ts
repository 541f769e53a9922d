/**
 * The two kinds of chart of the report, as SVG text: lines over time, and bars of percentiles
 * on a logarithmic scale. Colours are the page's variables, so they follow light and dark; each
 * mark has its value as a tooltip. Pure.
 */
import { shown, shownMark } from "./tables.ts";

export interface Line {
  label: string;
  /** 1 to 6: a colour of the page's. */
  ink: number;
  points: { x: number; y: number }[];
}

export interface BarGroup {
  label: string;
  bars: { label: string; ink: number; value: number }[];
}

const WIDTH = 520;
const HEIGHT = 220;
const LEFT = 56;
const RIGHT = 12;
const TOP = 14;
const BOTTOM = 26;
const PLOT_WIDTH = WIDTH - LEFT - RIGHT;
const PLOT_HEIGHT = HEIGHT - TOP - BOTTOM;
const BASE = TOP + PLOT_HEIGHT;
const INKS = 6;

/** `x` in seconds, or in what `along` says; `y` from 0. */
export function lineChart(
  title: string,
  unit: string,
  lines: readonly Line[],
  along = "s",
): string {
  const drawn = lines.filter(({ points }) => points.length > 1);
  if (drawn.length === 0) return "";
  const all = drawn.flatMap(({ points }) => points);
  const xMax = Math.max(...all.map(({ x }) => x));
  const marks = marksTo(Math.max(...all.map(({ y }) => y)));
  const top = marks.at(-1)!;
  const x = (value: number) => round(LEFT + (PLOT_WIDTH * value) / Math.max(xMax, 0.001));
  const y = (value: number) => round(BASE - (PLOT_HEIGHT * value) / top);
  const grid = marks.map((value) => gridLine(y(value), shownMark(value)));
  const seconds = marksTo(xMax)
    .filter((value) => value <= xMax)
    .map((value) => text(x(value), HEIGHT - 8, "middle", `${shownMark(value)} ${along}`));
  const paths = drawn.map(({ label, ink, points }) => {
    const path = points.map((one, i) => `${i === 0 ? "M" : "L"}${x(one.x)} ${y(one.y)}`).join("");
    const last = points.at(-1)!;
    return `<path d="${path}" class="line" style="stroke:${inkOf(ink)}"><title>${html(label)}: ${shown(last.y)} ${html(unit)} at the end</title></path>`;
  });
  const keys = uniqueKeys(drawn.map(({ label, ink }) => ({ label, ink })));
  const said = drawn.map(({ label, points }) => {
    const mean = points.reduce((sum, { y }) => sum + y, 0) / points.length;
    return `${label} ${shown(mean)} on average`;
  });
  return chart(`${title}, ${unit}`, said, [...grid, ...seconds, ...paths], keys);
}

/** Values in milliseconds; 0 is drawn as nothing. */
export function percentileChart(title: string, groups: readonly BarGroup[]): string {
  const values = groups.flatMap(({ bars }) => bars.map(({ value }) => value)).filter(isPositive);
  if (values.length === 0) return "";
  const low = 10 ** Math.floor(Math.log10(Math.min(...values)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...values) * 1.01));
  const decades = Math.max(1, Math.round(Math.log10(high / low)));
  const y = (ms: number) =>
    round(BASE - (PLOT_HEIGHT * Math.log10(Math.max(ms, low) / low)) / decades);
  const grid = Array.from({ length: decades + 1 }, (_, i) => low * 10 ** i).map((ms) =>
    gridLine(y(ms), ms >= 1000 ? `${ms / 1000} s` : `${shownMark(ms)} ms`),
  );
  const groupWidth = PLOT_WIDTH / groups.length;
  const bars = groups.flatMap((group, g) => {
    const width = Math.min(28, (groupWidth * 0.8) / Math.max(1, group.bars.length));
    const from = LEFT + groupWidth * (g + 0.5) - (width * group.bars.length) / 2;
    return [
      text(LEFT + groupWidth * (g + 0.5), HEIGHT - 8, "middle", group.label),
      ...group.bars
        .filter(({ value }) => isPositive(value))
        .map(({ label, ink, value }, i) => {
          const height = Math.max(1.5, BASE - y(value));
          return `<rect x="${round(from + i * width + 1)}" y="${round(BASE - height)}" width="${round(width - 2)}" height="${round(height)}" rx="2" style="fill:${inkOf(ink)}"><title>${html(label)} ${html(group.label)}: ${shown(value)} ms</title></rect>`;
        }),
    ];
  });
  const keys = uniqueKeys(groups.flatMap((group) => group.bars));
  const said = groups.flatMap(({ label: group, bars: own }) =>
    own.map(({ label, value }) => `${label} ${group} ${shown(value)} ms`),
  );
  return chart(title, said, [...grid, ...bars], keys);
}

/** The picture of a chart as a file of its own, with the colours that a page would give it. */
export function standalone(figure: string): string {
  const picture = /<svg[\s\S]*<\/svg>/.exec(figure)?.[0] ?? "";
  const title = /<figcaption>([\s\S]*?)<\/figcaption>/.exec(figure)?.[1] ?? "";
  const keys = [
    ...figure.matchAll(/<i style="background:(var\(--ink-\d\))"><\/i>([^<]*)<\/span>/g),
  ];
  const inks = ["#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#6e7781"];
  const style = `svg{background:#fff;${inks.map((ink, n) => `--ink-${n + 1}:${ink}`).join(";")}}text{font:11px system-ui,sans-serif;fill:#59636e}.grid{stroke:#d8dee4}.line{fill:none;stroke-width:1.8}`;
  const legend = keys.map(([, ink, label], n) => {
    const x = LEFT + n * 200;
    return `<rect x="${x}" y="-14" width="10" height="10" rx="3" style="fill:${ink}"/><text x="${x + 15}" y="-5">${label}</text>`;
  });
  const head = `<text x="${LEFT}" y="-24">${title}</text>${legend.join("")}`;
  return `${picture
    .replace(
      /viewBox="[^"]*"/,
      `xmlns="http://www.w3.org/2000/svg" viewBox="0 -40 ${WIDTH} ${HEIGHT + 40}"`,
    )
    .replace(
      ">",
      `><style>${style}</style><rect x="0" y="-40" width="${WIDTH}" height="${HEIGHT + 40}" fill="#fff"/>${head}`,
    )}\n`;
}

export function html(value: string): string {
  return value.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);
}

/** `said`: a text alternative for readers who cannot see the chart. */
function chart(
  title: string,
  said: readonly string[],
  parts: string[],
  keys: { label: string; ink: number }[],
): string {
  const key = keys
    .map(({ label, ink }) => `<span><i style="background:${inkOf(ink)}"></i>${html(label)}</span>`)
    .join("");
  return `<figure><figcaption>${html(title)}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${html(`${title}: ${said.join("; ")}`)}">${parts.join("")}</svg><div class="key">${key}</div></figure>`;
}

function gridLine(y: number, label: string): string {
  return `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" class="grid"/>${text(LEFT - 6, y + 4, "end", label)}`;
}

function text(x: number, y: number, anchor: string, content: string): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${html(content)}</text>`;
}

function inkOf(ink: number): string {
  return `var(--ink-${((ink - 1) % INKS) + 1})`;
}

function uniqueKeys(keys: readonly { label: string; ink: number }[]) {
  return [...new Map(keys.map((key) => [key.label, key])).values()];
}

/** Round numbers from 0 to at least `most`, four or five of them. */
export function marksTo(most: number): number[] {
  if (!(most > 0)) return [0, 1];
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((times) => times * power).find((one) => one >= rough)!;
  const marks: number[] = [];
  for (let i = 0; i * step < most + step; i++) marks.push(i * step);
  return marks;
}

function isPositive(value: number): boolean {
  return value > 0;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

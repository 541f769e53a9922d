/** The pictures of bench/SCALE.md: counts by the number of hosts, before and now. Pure. */
import { type Line, lineChart, standalone } from "../report/charts.ts";
import type { Counted } from "./causes.ts";
import type { Measure } from "./counts.ts";

interface Picture {
  file: string;
  title: string;
  unit: string;
  cause: keyof Counted["by"];
  measures: readonly Measure[];
}

const PICTURES: readonly Picture[] = [
  {
    file: "message.svg",
    title: "A message between hosts, by the number of hosts",
    unit: "each message",
    cause: "send",
    measures: ["publishes", "deliveries"],
  },
  {
    file: "handshake.svg",
    title: "A handshake that counts against limits",
    unit: "deliveries each",
    cause: "handshake",
    measures: ["deliveries"],
  },
  {
    file: "group.svg",
    title: "A group of four is made",
    unit: "deliveries each",
    cause: "group",
    measures: ["deliveries"],
  },
  {
    file: "death.svg",
    title: "One worker dies",
    unit: "rows of ended logins that all edges read",
    cause: "death",
    measures: ["lookRows"],
  },
];

/** File name and SVG of each picture. `before`: counts of an earlier version, drawn beside it. */
export function picturesOf(
  counted: readonly Counted[],
  before: readonly Counted[],
): [file: string, svg: string][] {
  return PICTURES.map(({ file, title, unit, cause, measures }) => {
    const linesOf = (all: readonly Counted[], when: string, ink: number): Line[] =>
      measures.map((measure, n) => ({
        label: `${measures.length > 1 ? `${measure}, ` : ""}${when}`,
        ink: ink + n * 2,
        points: all.map(({ hosts, by }) => ({ x: hosts, y: Math.max(0, by[cause][measure]) })),
      }));
    const lines = [...linesOf(before, "before", 2), ...linesOf(counted, "now", 1)];
    return [file, standalone(lineChart(title, unit, lines, "hosts"))];
  });
}

/** A small chart of the last two minutes: one or two lines over the same scale, as SVG. */
import { setAttr } from "./dom.ts";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 120;
const HEIGHT = 32;
/** Room for the line's own width. */
const INSET = 1.5;

export interface Spark {
  node: SVGSVGElement;
  /**
   * Oldest first at the left edge, newest at the right one, however few they are; null is a hole.
   * `lower` is drawn thinner.
   */
  draw(values: readonly (number | null)[], lower?: readonly (number | null)[]): void;
}

/** Silent to screen readers: the tile says its figure in words. */
export function createSpark(): Spark {
  const node = document.createElementNS(SVG, "svg");
  node.setAttribute("class", "spark");
  node.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  node.setAttribute("preserveAspectRatio", "none");
  node.setAttribute("aria-hidden", "true");
  const part = (name: string): SVGPathElement => {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    node.append(path);
    return path;
  };
  const area = part("spark-area");
  const thin = part("spark-lower");
  const line = part("spark-line");
  return {
    node,
    draw(values, lower = []) {
      const top = Math.max(0, ...values.map((value) => value ?? 0), ...lower.map((v) => v ?? 0));
      setAttr(line, "d", linePath(values, top));
      setAttr(thin, "d", linePath(lower, top));
      setAttr(area, "d", areaPath(values, top));
    },
  };
}

type Point = readonly [x: number, y: number];

/** Runs of values without a hole, as points of the drawing. */
function runsOf(values: readonly (number | null)[], top: number): Point[][] {
  const runs: Point[][] = [[]];
  for (const [at, value] of values.entries()) {
    if (value === null) {
      if (runs.at(-1)!.length > 0) runs.push([]);
      continue;
    }
    const x = values.length === 1 ? 0 : (at / (values.length - 1)) * WIDTH;
    const share = top === 0 ? 0 : value / top;
    const y = HEIGHT - INSET - share * (HEIGHT - 2 * INSET);
    runs.at(-1)!.push([x, y]);
    // The only value that is known yet is a level line.
    if (values.length === 1) runs.at(-1)!.push([WIDTH, y]);
  }
  return runs.filter((run) => run.length > 0);
}

const pointText = ([x, y]: Point): string => `${x.toFixed(1)} ${y.toFixed(1)}`;

/** The path of the line, for values from 0 to `top`. */
export function linePath(values: readonly (number | null)[], top: number): string {
  return runsOf(values, top)
    .map((run) => `M${run.map(pointText).join("L")}${run.length === 1 ? "h.1" : ""}`)
    .join("");
}

/** The path of what lies below the line. */
export function areaPath(values: readonly (number | null)[], top: number): string {
  return runsOf(values, top)
    .map((run) => {
      const [left, right] = [run[0]![0].toFixed(1), run.at(-1)![0].toFixed(1)];
      return `M${left} ${HEIGHT}L${run.map(pointText).join("L")}L${right} ${HEIGHT}Z`;
    })
    .join("");
}

/**
 * The page's drawings, as path data for a 24 × 24 field, in the colour of the text around
 * them. In the script rather than in a file: they must also show while the network is away.
 */
const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  alert: "M12 3a9 9 0 1 0 0 18 9 9 0 1 0 0-18zM12 7.5v5M12 16.5h.01",
  back: "M15 5l-7 7 7 7",
  check: "M5 12.5l4.5 4.5L19 7.5",
  checks: "M2 12.5l4.5 4.5L16 7.5M12 16.5l.5.5L22 7.5",
  circle: "M12 5.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 1 0 0-13z",
  close: "M6 6l12 12M18 6L6 18",
  compose:
    "M12 5H7a3 3 0 0 0-3 3v9a3 3 0 0 0 3 3h9a3 3 0 0 0 3-3v-5M10 14l1-3.5L18.5 3 21 5.5 13.5 13z",
  down: "M12 5v14M6 13l6 6 6-6",
  group:
    "M9 5.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 1 0 0-7zM2.5 19.5c.6-3.3 3.2-5 6.5-5s5.9 1.7 6.5 5M15.5 5.8a3.5 3.5 0 0 1 0 6.4M18 15c2 .8 3.2 2.3 3.5 4.5",
  more: "M5 11.5v1M12 11.5v1M19 11.5v1",
  send: "M12 19V5M5.5 11.5L12 5l6.5 6.5",
  "sign-out": "M10 4H7a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h3M15 8l4 4-4 4M19 12H10",
} as const;

export type IconName = keyof typeof PATHS;

/** Silent to screen readers: whoever shows it says what it means. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "path"));
  setIcon(svg, name);
  return svg;
}

export function setIcon(svg: SVGSVGElement, name: IconName): void {
  const path = svg.firstElementChild;
  if (path && path.getAttribute("d") !== PATHS[name]) path.setAttribute("d", PATHS[name]);
}

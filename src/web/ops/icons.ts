/**
 * The page's drawings, as path data for a 24 × 24 field, in the colour of the text around
 * them. In the script rather than in a file: they must also show while the network is away.
 */
const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  alert: "M12 3a9 9 0 1 0 0 18 9 9 0 1 0 0-18zM12 7.5v5M12 16.5h.01",
  at: "M12 8.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 1 0 0-7zM15.5 8.5v4.8c0 1.7 1 2.7 2.4 2.7 1.6 0 2.6-1.5 2.6-4a8.5 8.5 0 1 0-3.6 7",
  back: "M15 5l-7 7 7 7",
  bell: "M6 10a6 6 0 0 1 12 0c0 4.5 1.5 5.6 2 6.5H4c.5-.9 2-2 2-6.5zM10 19.5c.4.9 1.1 1.3 2 1.3s1.6-.4 2-1.3",
  check: "M5 12.5l4.5 4.5L19 7.5",
  checks: "M2 12.5l4.5 4.5L16 7.5M12 16.5l.5.5L22 7.5",
  circle: "M12 5.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 1 0 0-13z",
  close: "M6 6l12 12M18 6L6 18",
  comment:
    "M12 4.5c-5 0-8.5 3-8.5 7 0 2.2 1.1 4.1 2.9 5.4L5.5 20.5l4.3-2.2c.7.1 1.4.2 2.2.2 5 0 8.5-3 8.5-7s-3.5-7-8.5-7z",
  compose:
    "M12 5H7a3 3 0 0 0-3 3v9a3 3 0 0 0 3 3h9a3 3 0 0 0 3-3v-5M10 14l1-3.5L18.5 3 21 5.5 13.5 13z",
  down: "M12 5v14M6 13l6 6 6-6",
  group:
    "M9 5.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 1 0 0-7zM2.5 19.5c.6-3.3 3.2-5 6.5-5s5.9 1.7 6.5 5M15.5 5.8a3.5 3.5 0 0 1 0 6.4M18 15c2 .8 3.2 2.3 3.5 4.5",
  heart:
    "M12 20S4 15 4 9.3C4 6.7 5.9 5 8.1 5c1.6 0 3 .8 3.9 2.2C12.9 5.8 14.3 5 15.9 5 18.1 5 20 6.7 20 9.3 20 15 12 20 12 20z",
  feed: "M5 5h14v5H5zM5 14h14M5 18.5h9",
  more: "M5 11.5v1M12 11.5v1M19 11.5v1",
  person: "M12 4.5a4 4 0 1 0 0 8 4 4 0 1 0 0-8zM4.5 20c.7-3.6 3.7-5.5 7.5-5.5s6.8 1.9 7.5 5.5",
  reload: "M19.5 12a7.5 7.5 0 1 1-2.4-5.5M19.5 3.5v4h-4",
  search: "M10.5 4.5a6 6 0 1 0 0 12 6 6 0 1 0 0-12zM15 15l5 5",
  send: "M12 19V5M5.5 11.5L12 5l6.5 6.5",
  talks: "M20 5H4v11h4v3.5l4.5-3.5H20z",
  up: "M12 19V5M6 11l6-6 6 6",
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

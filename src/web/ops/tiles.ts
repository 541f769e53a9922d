/** The row of figures with their last two minutes: what an operator looks at first. */
import { el, setText } from "./dom.ts";
import type { Figures, Quantiles } from "./rates.ts";
import { createSpark } from "./spark.ts";
import { countText, msText, plural, rateText } from "./wording.ts";

interface TileSpec {
  key: string;
  label: string;
  /** The explanation that appears when the pointer is over the tile. */
  hint: string;
  value(now: Figures): string;
  unit?: string;
  note(now: Figures): string;
  drawn(point: Figures): number | null;
  lower?(point: Figures): number | null;
}

const UNKNOWN = "–";
/** Nothing has been counted yet, which is not the same as none. */
const rate = (now: Figures, perS: number): string => (now.overMs > 0 ? rateText(perS) : UNKNOWN);
const rateDrawn = (now: Figures, perS: number): number | null => (now.overMs > 0 ? perS : null);

const latency = (quantiles: Quantiles | null): string =>
  quantiles === null ? UNKNOWN : msText(quantiles.p50);
const latencyNote = (now: Figures, quantiles: Quantiles | null): string => {
  if (quantiles !== null) return `99 % within ${msText(quantiles.p99)}`;
  return now.overMs > 0 ? "nothing sent lately" : "measuring…";
};

const TILES: readonly TileSpec[] = [
  {
    key: "sessions",
    label: "Sessions",
    hint: "Connected sockets on all hosts.",
    value: ({ sessions }) => countText(sessions),
    note: ({ actors }) => plural(actors, "actor"),
    drawn: ({ sessions }) => sessions,
  },
  {
    key: "messages",
    label: "Messages",
    hint: "Messages committed, a second.",
    value: (now) => rate(now, now.sendsPerS),
    unit: "/s",
    note: (now) => `${rate(now, now.eventsPerS)} events/s`,
    drawn: (now) => rateDrawn(now, now.sendsPerS),
  },
  {
    key: "deliveries",
    label: "Deliveries",
    hint: "Events written to sockets, a second.",
    value: (now) => rate(now, now.deliveriesPerS),
    unit: "/s",
    note: ({ overMs, cpu }) => `${overMs > 0 ? cpu.toFixed(2) : UNKNOWN} cores busy`,
    drawn: (now) => rateDrawn(now, now.deliveriesPerS),
  },
  {
    key: "send-commit",
    label: "Send → commit",
    hint: "From a client's send_message until its answer, which follows the commit. Half are faster.",
    value: ({ sendCommit }) => latency(sendCommit),
    note: (now) => latencyNote(now, now.sendCommit),
    drawn: ({ sendCommit }) => sendCommit?.p99 ?? null,
    lower: ({ sendCommit }) => sendCommit?.p50 ?? null,
  },
  {
    key: "commit-delivery",
    label: "Commit → delivery",
    hint: "From the commit to the write to its readers' sockets, within one host.",
    value: ({ commitDelivery }) => latency(commitDelivery),
    note: (now) => latencyNote(now, now.commitDelivery),
    drawn: ({ commitDelivery }) => commitDelivery?.p99 ?? null,
    lower: ({ commitDelivery }) => commitDelivery?.p50 ?? null,
  },
  {
    key: "commits",
    label: "Rows a commit",
    hint: "Group commit: what arrives together is committed together.",
    value: ({ rowsPerCommit }) => (rowsPerCommit === null ? UNKNOWN : rowsPerCommit.toFixed(1)),
    note: (now) => `${rate(now, now.commitsPerS)} commits/s`,
    drawn: ({ rowsPerCommit }) => rowsPerCommit,
  },
  {
    key: "mailboxes",
    label: "In mailboxes",
    hint: "Messages that wait for actors, or that actors have begun.",
    value: ({ mailboxWaiting }) => countText(mailboxWaiting),
    note: ({ mailboxDeepest }) => `deepest ${countText(mailboxDeepest)}`,
    drawn: ({ mailboxWaiting }) => mailboxWaiting,
  },
  {
    key: "lag",
    label: "Event loop",
    hint: "How late the latest event loop is: the worst of edges, threads and primaries.",
    value: ({ lagMs }) => msText(lagMs),
    note: () => "late at worst",
    drawn: ({ lagMs }) => lagMs,
  },
];

/** The first figures of a page have no rates yet; the charts begin after them. */
function countedOf(points: readonly Figures[]): readonly Figures[] {
  return points.length > 1 && points[0]!.overMs === 0 ? points.slice(1) : points;
}

export interface Tiles {
  node: HTMLElement;
  show(points: readonly Figures[]): void;
}

export function createTiles(): Tiles {
  const node = el("ul", { class: "tiles", attrs: { "aria-label": "Figures" } });
  const shows = TILES.map((spec) => {
    const value = el("span", { class: "tile-number" });
    const unit = el("span", { class: "tile-unit", text: spec.unit ?? "" });
    const note = el("span", { class: "tile-note" });
    const spark = createSpark();
    node.append(
      el(
        "li",
        { class: "tile", attrs: { "data-tile": spec.key, title: spec.hint } },
        el("span", { class: "tile-label", text: spec.label }),
        el("span", { class: "tile-value" }, value, unit),
        note,
        spark.node,
      ),
    );
    return (points: readonly Figures[]): void => {
      const now = points.at(-1);
      if (now === undefined) return;
      setText(value, spec.value(now));
      setText(note, spec.note(now));
      const drawn = countedOf(points);
      spark.draw(drawn.map(spec.drawn), spec.lower && drawn.map(spec.lower));
    };
  });
  return {
    node,
    show(points) {
      for (const show of shows) show(points);
    },
  };
}

/** The application's own actors over all workers, one line a kind; hidden where there are none. */
import type { AppKindVitals, OpsSummary } from "../../protocol/ops.ts";
import { el, keyedList, setAttr, setText } from "./dom.ts";
import { countText, msText, plural } from "./wording.ts";

interface KindLine {
  kind: string;
  versions: number[];
  actors: number;
  turns: number;
  failures: number;
  /** Null: no turn has run. */
  turnMs: number | null;
  unavailable: string[];
}

export interface Application {
  node: HTMLElement;
  show(summary: OpsSummary): void;
}

export function createApplication(): Application {
  const list = el("ul", { class: "faults", attrs: { "aria-labelledby": "application-title" } });
  const title = el("h2", { text: "The application's actors", attrs: { id: "application-title" } });
  const node = el(
    "section",
    { class: "panel", attrs: { "aria-labelledby": "application-title" } },
    title,
    list,
  );
  node.hidden = true;

  const update = keyedList<KindLine>(
    list,
    ({ kind }) => kind,
    () => {
      const dot = el("span", { class: "dot", attrs: { "aria-hidden": "true" } });
      const name = el("span", { class: "fault-text" });
      const figures = el("span", { class: "fault-place" });
      const entry = el("li", {}, dot, el("div", {}, name, figures));
      return {
        node: entry,
        update(line) {
          const isOut = line.unavailable.length > 0;
          setAttr(entry, "data-kind", line.kind);
          setAttr(entry, "data-level", isOut ? "error" : line.failures > 0 ? "warn" : "info");
          const versions = line.versions.map((version) => `v${version}`).join(", ");
          const out = isOut ? ` · unavailable: ${line.unavailable.join(", ")}` : "";
          setText(name, `${line.kind} ${versions}${out}`);
          setText(figures, figuresText(line));
        },
      };
    },
  );

  return {
    node,
    show(summary) {
      const lines = linesOf(summary);
      node.hidden = lines.length === 0;
      update(lines);
    },
  };
}

function figuresText({ actors, turns, failures, turnMs }: KindLine): string {
  const time = turnMs === null ? [] : [`${msText(turnMs)} a turn`];
  const failed = failures === 0 ? "none failed" : `${countText(failures)} failed`;
  return [plural(actors, "active actor"), plural(turns, "turn"), ...time, failed].join(" · ");
}

export function linesOf({ hosts }: Pick<OpsSummary, "hosts">): KindLine[] {
  const byKind = new Map<string, AppKindVitals[]>();
  for (const { workers } of hosts) {
    for (const { vitals } of workers) {
      for (const one of vitals?.application ?? []) {
        byKind.set(one.kind, [...(byKind.get(one.kind) ?? []), one]);
      }
    }
  }
  return [...byKind]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, all]) => {
      const sum = (of: (one: AppKindVitals) => number) => all.reduce((so, one) => so + of(one), 0);
      const timed = sum(({ turn_ms }) => turn_ms.count);
      return {
        kind,
        versions: [...new Set(all.map(({ version }) => version))].sort((a, b) => a - b),
        actors: sum(({ actors }) => actors),
        turns: sum(({ turns }) => turns),
        failures: sum(({ failures }) => failures),
        turnMs: timed === 0 ? null : sum(({ turn_ms }) => turn_ms.sum) / timed,
        unavailable: [...new Set(all.flatMap(({ unavailable }) => unavailable))].sort(),
      };
    });
}

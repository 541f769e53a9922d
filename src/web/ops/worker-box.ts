/** One worker in the picture: its edge and its actor thread, side by side in one process. */
import type { OpsWorker } from "../../protocol/ops.ts";
import { el, setAttr, setText } from "./dom.ts";
import type { WorkerFigures } from "./rates.ts";
import { bytesText, countText, msText, plural, rateText, slotNumber, spanText } from "./wording.ts";

export interface WorkerBox {
  node: HTMLElement;
  /** Without `figures` its rates are not known. */
  show(worker: OpsWorker, figures: WorkerFigures | undefined, isHostSilent: boolean): void;
}

const KINDS = ["user", "conversation", "post"] as const;
/** Late enough for somebody to notice. */
const LAG_WARN_MS = 100;

function fact(parent: HTMLElement, label: string): (text: string, isWarning?: boolean) => void {
  const value = el("dd");
  const row = el("div", { class: "fact" }, el("dt", { text: label }), value);
  parent.append(row);
  return (text, isWarning = false) => {
    setText(value, text);
    setAttr(row, "data-warning", isWarning);
  };
}

export function createWorkerBox(): WorkerBox {
  const name = el("h4");
  const phase = el("span", { class: "phase" });
  const process = el("p", { class: "process" });
  const load = el("span", { class: "load" });
  const head = el("div", { class: "worker-head" }, name, phase);

  const sessions = el("b", { class: "big" });
  const sessionsUnit = el("span");
  const actorsUnit = el("span");
  const edgeFacts = el("dl");
  const edge = el(
    "div",
    { class: "half edge" },
    el("h5", { text: "Edge" }),
    el("p", { class: "amount" }, sessions, " ", sessionsUnit),
    edgeFacts,
  );
  const events = fact(edgeFacts, "in");
  const deliveries = fact(edgeFacts, "out");
  const edgeLag = fact(edgeFacts, "late");

  const actors = el("b", { class: "big" });
  const kinds = el("span", { class: "kinds", attrs: { role: "img" } });
  const bars = KINDS.map((kind) => {
    const bar = el("span", { attrs: { "data-kind": kind } });
    kinds.append(bar);
    return bar;
  });
  const threadFacts = el("dl");
  const thread = el(
    "div",
    { class: "half thread" },
    el("h5", { text: "Actor thread" }),
    el("p", { class: "amount" }, actors, " ", actorsUnit),
    kinds,
    threadFacts,
  );
  const commits = fact(threadFacts, "commits");
  const mailbox = fact(threadFacts, "waiting");
  const threadLag = fact(threadFacts, "late");

  const halves = el("div", { class: "halves" }, edge, thread);
  const empty = el("p", { class: "no-answer" });
  const node = el("li", { class: "worker" }, head, process, load, halves, empty);

  return {
    node,
    show(worker, figures, isHostSilent) {
      const { vitals } = worker;
      const state = isHostSilent || (vitals === null && worker.phase === "online");
      const shown = state ? "silent" : worker.phase;
      setText(name, `Worker ${slotNumber(worker.slot)}`);
      setText(phase, shown);
      setAttr(node, "data-phase", shown);
      setAttr(node, "data-incarnation", worker.incarnation);
      setAttr(node, "data-slot", worker.slot);
      const up = worker.uptime_ms > 0 ? ` · up ${spanText(worker.uptime_ms)}` : "";
      const memory = vitals === null ? "" : ` · ${bytesText(vitals.rss_bytes)}`;
      setText(process, worker.pid === null ? "" : `pid ${worker.pid}${memory}${up}`);
      halves.hidden = vitals === null;
      empty.hidden = vitals !== null;
      load.hidden = vitals === null;
      setText(empty, worker.phase === "starting" && !isHostSilent ? "Starting…" : "No answer.");
      if (vitals === null) return;
      // Over a whole core: the edge and the thread may use one each.
      const cpu = Math.min(1, (figures?.cpu ?? 0) / 2);
      load.style.setProperty("--load", cpu.toFixed(3));
      setAttr(load, "title", `${((figures?.cpu ?? 0) * 100).toFixed(0)} % of a core`);
      setText(sessions, countText(vitals.sessions));
      setText(sessionsUnit, vitals.sessions === 1 ? "session" : "sessions");
      const rate = (perS?: number) => (perS === undefined ? "–" : `${rateText(perS)}/s`);
      events(rate(figures?.eventsPerS));
      deliveries(rate(figures?.deliveriesPerS));
      edgeLag(msText(vitals.edge_lag_ms), vitals.edge_lag_ms > LAG_WARN_MS);
      const counts = KINDS.map((kind) => vitals.actors[kind] ?? 0);
      const total = counts.reduce((sum, count) => sum + count, 0);
      setText(actors, countText(total));
      setText(actorsUnit, total === 1 ? "actor" : "actors");
      const words = KINDS.map((kind, at) => plural(counts[at]!, kind)).join(", ");
      setAttr(kinds, "aria-label", words);
      setAttr(kinds, "title", words);
      for (const [at, bar] of bars.entries()) {
        bar.style.setProperty("--share", String(counts[at]! / Math.max(1, total)));
      }
      commits(rate(figures?.commitsPerS));
      const { waiting, deepest } = vitals.mailbox;
      mailbox(
        deepest > 1 ? `${countText(waiting)}, deepest ${countText(deepest)}` : countText(waiting),
      );
      threadLag(msText(vitals.thread_lag_ms), vitals.thread_lag_ms > LAG_WARN_MS);
    },
  };
}

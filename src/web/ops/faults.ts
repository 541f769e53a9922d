/** The recent faults of all hosts, newest first, in sentences. */
import type { Fault, OpsSummary } from "../../protocol/ops.ts";
import { el, keyedList, setAttr, setText } from "./dom.ts";
import { agoText, faultText, momentText, plural, timeText } from "./wording.ts";

const SHOWN_MAX = 60;

interface Told extends Fault {
  host: string;
}

export interface Faults {
  node: HTMLElement;
  show(summary: OpsSummary): void;
}

export function createFaults(): Faults {
  // The list scrolls, so it must take the keyboard's focus.
  const list = el("ol", {
    class: "faults",
    attrs: { tabindex: "0", "aria-labelledby": "faults-title" },
  });
  const none = el("p", { class: "nothing", text: "Nothing has gone wrong lately." });
  const node = el("section", { class: "panel", attrs: { "aria-labelledby": "faults-title" } });
  node.append(el("h2", { text: "Recent faults", attrs: { id: "faults-title" } }), none, list);
  let nowMs = 0;

  const update = keyedList<Told>(
    list,
    ({ host, worker, event, since }) => `${host} ${worker} ${event} ${since}`,
    () => {
      const dot = el("span", { class: "dot", attrs: { "aria-hidden": "true" } });
      const text = el("span", { class: "fault-text" });
      const place = el("span", { class: "fault-place" });
      const time = el("time");
      const entry = el("li", {}, dot, el("div", {}, text, place), time);
      return {
        node: entry,
        update(fault) {
          setAttr(entry, "data-level", fault.level);
          setAttr(entry, "data-event", fault.event);
          setText(text, faultText(fault));
          const where = fault.worker === null ? `host ${fault.host}` : `worker ${fault.worker}`;
          const often =
            fault.count > 1
              ? ` · ${plural(fault.count, "time")}, from ${timeText(fault.since)}`
              : "";
          setText(place, where + often);
          setText(time, agoText(fault.at, nowMs));
          setAttr(time, "datetime", fault.at);
          setAttr(time, "title", momentText(fault.at));
        },
      };
    },
  );

  return {
    node,
    show(summary) {
      nowMs = Date.parse(summary.at);
      const told = summary.hosts.flatMap(({ host, vitals }) =>
        (vitals?.faults ?? []).map((fault) => ({ ...fault, host })),
      );
      told.sort((a, b) => (a.at < b.at ? 1 : -1));
      const news = told.filter((fault) => isNews(fault, told));
      update(news.slice(0, SHOWN_MAX));
      none.hidden = news.length > 0;
    },
  };
}

/** What ends a fault, by what began it: without that it is a host's start, and no news. */
const CAUSES: Readonly<Record<string, readonly string[]>> = {
  worker_online: ["worker_lost", "worker_exited", "worker_start_too_slow"],
  relay_joined: ["relay_away"],
};

function isNews(fault: Told, told: readonly Told[]): boolean {
  const causes = CAUSES[fault.event];
  if (causes === undefined) return true;
  return told.some(
    ({ host, event, at }) => host === fault.host && at <= fault.at && causes.includes(event),
  );
}

/**
 * The cluster as a picture: a box for each host with its workers in it, on the two things that
 * all hosts share. What was looked up last is marked in it.
 */
import type { OpsHost, OpsSummary } from "../../protocol/ops.ts";
import { el, type KeyedEntry, keyedList, setAttr, setText } from "./dom.ts";
import type { Figures } from "./rates.ts";
import { bytesText, countText, msText, plural, spanText } from "./wording.ts";
import { createWorkerBox, type WorkerBox } from "./worker-box.ts";

/** Where the looked-up user's or conversation's actor is, and the lives with sessions of theirs. */
export interface Marks {
  actorSlot: string | null;
  sessionIncarnations: ReadonlySet<string>;
}

export interface Picture {
  node: HTMLElement;
  show(summary: OpsSummary, figures: Figures): void;
  mark(marks: Marks): void;
}

export const NO_MARKS: Marks = { actorSlot: null, sessionIncarnations: new Set() };

export function createPicture(): Picture {
  const hosts = el("ul", { class: "hosts", attrs: { "aria-label": "Hosts" } });
  const redis = createShared("redis", "Redis");
  const database = createShared("database", "PostgreSQL");
  const title = el("h2", {
    class: "visually-hidden",
    text: "The cluster",
    attrs: { id: "cluster" },
  });
  const node = el("section", { class: "picture", attrs: { "aria-labelledby": "cluster" } });
  node.append(title, hosts, el("div", { class: "shared" }, redis.node, database.node));

  let shown: { summary: OpsSummary; figures: Figures } | null = null;
  const list = keyedList<OpsHost>(
    hosts,
    ({ host }) => host,
    () => createHostBox(() => shown),
  );

  return {
    node,
    show(summary, figures) {
      shown = { summary, figures };
      setAttr(hosts, "data-count", String(Math.min(3, summary.hosts.length)));
      list(summary.hosts);
      showRedis(redis, summary);
      showDatabase(database, summary);
    },
    mark({ actorSlot, sessionIncarnations }) {
      for (const box of hosts.querySelectorAll(".worker")) {
        const isActor = actorSlot !== null && box.getAttribute("data-slot") === actorSlot;
        const hasSession = sessionIncarnations.has(box.getAttribute("data-incarnation") ?? "");
        setAttr(box, "data-mark-actor", isActor);
        setAttr(box, "data-mark-sessions", hasSession);
      }
    },
  };
}

function createHostBox(
  shown: () => { summary: OpsSummary; figures: Figures } | null,
): KeyedEntry<OpsHost> {
  const name = el("h3");
  const machine = el("span", { class: "machine" });
  const facts = el("p", { class: "host-facts" });
  const workers = el("ul", { class: "workers", attrs: { "aria-label": "Workers" } });
  const node = el(
    "li",
    { class: "host" },
    el("div", { class: "host-head" }, name, machine),
    facts,
    workers,
  );
  const boxes = new Map<string, WorkerBox>();
  const list = keyedList<OpsHost["workers"][number]>(
    workers,
    ({ incarnation }) => incarnation,
    ({ incarnation }) => {
      const box = createWorkerBox();
      boxes.set(incarnation, box);
      return { node: box.node, update: () => undefined };
    },
  );
  return {
    node,
    update(host) {
      const { vitals } = host;
      setText(name, `Host ${host.host}`);
      setText(machine, vitals?.name ?? "");
      setAttr(node, "data-silent", vitals === null);
      setAttr(node, "data-host", host.host);
      setText(
        facts,
        vitals === null
          ? "Does not answer. What is shown of it is what the other hosts know."
          : [
              vitals.draining ? "draining" : `up ${spanText(vitals.uptime_ms)}`,
              `primary ${vitals.pid}, ${bytesText(vitals.rss_bytes)}, ${msText(vitals.lag_ms)} late`,
              plural(vitals.topics, "topic"),
              ...(vitals.front_door_sockets > 0
                ? [`${countText(vitals.front_door_sockets)} at the door`]
                : []),
            ].join(" · "),
      );
      list(host.workers);
      const incarnations = new Set(host.workers.map(({ incarnation }) => incarnation));
      for (const incarnation of boxes.keys())
        if (!incarnations.has(incarnation)) boxes.delete(incarnation);
      for (const worker of host.workers) {
        const { overMs = 0, byIncarnation } = shown()?.figures ?? {};
        const figures = overMs > 0 ? byIncarnation?.get(worker.incarnation) : undefined;
        boxes.get(worker.incarnation)?.show(worker, figures, vitals === null);
      }
    },
  };
}

interface Shared {
  node: HTMLElement;
  show(state: "well" | "warning" | "bad" | "none", headline: string, facts: string): void;
}

function createShared(kind: string, label: string): Shared {
  const headline = el("b");
  const facts = el("span", { class: "shared-facts" });
  const dot = el("span", { class: "dot", attrs: { "aria-hidden": "true" } });
  const title = el("h3", {}, dot, label);
  const node = el("div", { class: "shared-box", attrs: { "data-kind": kind } });
  node.append(title, headline, facts);
  return {
    node,
    show(state, text, more) {
      setAttr(node, "data-state", state);
      setText(headline, text);
      setText(facts, more);
    },
  };
}

function showRedis(box: Shared, { hosts }: OpsSummary): void {
  const relays = hosts.flatMap(({ vitals }) => vitals?.relay ?? []);
  if (relays.length === 0) {
    box.show("none", "not used", "One host needs none. REDIS_URL joins several.");
    return;
  }
  const away = relays.filter(({ state }) => state === "away").length;
  const pings = relays.flatMap(({ ping_ms }) => ping_ms ?? []);
  const gaps = relays.reduce((sum, relay) => sum + relay.gaps, 0);
  const facts = gaps === 0 ? "no gaps" : plural(gaps, "gap looked into", "gaps looked into");
  if (away > 0) box.show("bad", `away for ${away} of ${relays.length}`, facts);
  else {
    const ping = pings.length === 0 ? "connected" : `answers in ${msText(Math.max(...pings))}`;
    box.show("well", ping, `${plural(relays.length, "host")} · ${facts}`);
  }
}

function showDatabase(box: Shared, { database }: OpsSummary): void {
  if (database === null) {
    box.show("bad", "does not answer", "Nothing is acknowledged until it is back.");
    return;
  }
  const { version, ping_ms, connections, connections_max, cache_hit_ratio } = database;
  const share = connections / connections_max;
  const parts = [`version ${version}`, `${connections} of ${connections_max} connections`];
  // 0 until PostgreSQL has looked at the table for the first time.
  if (database.messages > 0) parts.push(`about ${plural(database.messages, "message")}`);
  if (cache_hit_ratio !== null) parts.push(`${(cache_hit_ratio * 100).toFixed(1)} % from memory`);
  const { waiting, running, failed } = database.jobs;
  if (waiting + running > 0) parts.push(plural(waiting + running, "job"));
  if (failed > 0) parts.push(`${plural(failed, "job")} failed`);
  if (database.deadlocks > 0) parts.push(plural(database.deadlocks, "deadlock"));
  if (database.oldest_transaction_ms > 5_000) {
    parts.push(`a transaction is ${spanText(database.oldest_transaction_ms)} old`);
  }
  const isWarning = share >= 0.9 || ping_ms > 100;
  box.show(isWarning ? "warning" : "well", `answers in ${msText(ping_ms)}`, parts.join(" · "));
}

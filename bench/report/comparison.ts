/**
 * Two servers side by side: medians over the rounds of each, their ratio, and whether it is
 * what was aimed at. Pure.
 */
import { BEYOND_SILENCE, type Outcome } from "../outcome.ts";
import { medianOf } from "../support/histogram.ts";

export interface Figure {
  scenario: string;
  /** With its unit. */
  name: string;
  /** Null where an outcome does not have it. */
  of(outcome: Outcome): number | null;
  /** Where the second's outcome is found when not under the same scenario and the usual name. */
  beside?: { scenario: string; subject: string };
  /** Ratio of the first to the second; null: only shown. */
  aim: { atMost: number } | { atLeast: number } | null;
}

export interface Row {
  scenario: string;
  figure: string;
  /** Medians. */
  first: number;
  second: number;
  /** The ratio of the first to the second. */
  ratio: number;
  /** In words, or "". */
  aim: string;
  isMet: boolean | null;
  rounds: number;
}

const cpu = (outcome: Outcome) => outcome.cpuUsPerUnit;
const rate = (outcome: Outcome) => outcome.perSecond;

/** Sticky ends every connection that it has handed over; past it they are kept alive. */
export const PLAIN_APART = "plain, API apart";

/** Against a server as one usually builds it: what Troupe promises itself. */
export const AGAINST_PLAIN: readonly Figure[] = [
  { scenario: "fanout", name: "CPU a delivery, µs", of: cpu, aim: { atMost: 0.2 } },
  { scenario: "fanout", name: "deliveries a second", of: rate, aim: null },
  { scenario: "durable", name: "acknowledged a second", of: rate, aim: { atLeast: 8 } },
  { scenario: "durable", name: "CPU a message, µs", of: cpu, aim: null },
  {
    scenario: "latency",
    name: "send → receive p99, ms",
    of: ({ latencies }) => latencies?.p99 ?? null,
    aim: { atMost: 0.5 },
  },
  { scenario: "likes", name: "likes a second", of: rate, aim: { atLeast: 6 } },
  { scenario: "connect", name: "CPU a handshake, µs", of: cpu, aim: { atMost: 0.4 } },
  {
    scenario: "idle",
    name: "memory a connection, KB",
    of: extra("KB a connection"),
    aim: { atMost: 0.7 },
  },
  { scenario: "idle", name: "tree with them, MB", of: extra("tree with them, MB"), aim: null },
  {
    scenario: "storm",
    name: "all synced after, ms",
    of: extra("all synced after, ms"),
    aim: { atMost: 0.4 },
  },
  { scenario: "typing", name: "CPU a typing event heard, µs", of: cpu, aim: { atMost: 0.33 } },
  { scenario: "presence", name: "CPU a status heard, µs", of: cpu, aim: null },
  { scenario: "comments", name: "comments a second", of: rate, aim: null },
  { scenario: "messages", name: "messages a second", of: rate, aim: null },
  { scenario: "history", name: "reads a second", of: rate, aim: { atLeast: 5 } },
  {
    scenario: "history",
    name: "reads a second, of plain with its API on a port of its own",
    of: rate,
    aim: null,
    beside: { scenario: "history", subject: PLAIN_APART },
  },
  { scenario: "feed", name: "reads a second", of: rate, aim: { atLeast: 5 } },
  { scenario: "login", name: "logins a second", of: rate, aim: null },
];

/** Against what the machine can do at all. */
export const AGAINST_LIMITS: readonly Figure[] = [
  {
    scenario: "fanout",
    name: "deliveries a second, of raw corked writes",
    of: rate,
    aim: { atLeast: 0.5 },
    beside: { scenario: "fanout", subject: "raw" },
  },
  {
    scenario: "fanout",
    name: "CPU a delivery, µs, of raw corked writes",
    of: cpu,
    aim: null,
    beside: { scenario: "fanout", subject: "raw" },
  },
  {
    scenario: "fanout",
    name: "deliveries a second, of bare ws",
    of: rate,
    aim: null,
    beside: { scenario: "fanout", subject: "ws" },
  },
  {
    scenario: "durable",
    name: "messages a second, of bare group commit",
    of: rate,
    aim: { atLeast: 0.4 },
    beside: { scenario: "commits", subject: "postgres" },
  },
  {
    scenario: "history",
    name: "reads a second, of the same past the front door",
    of: rate,
    aim: { atLeast: 0.8 },
    beside: { scenario: "history", subject: "past the door" },
  },
];

/** For every change: two figures of one run, of which none depends on how fast the machine is. */
export const CHECK_AIM: readonly Figure[] = [
  {
    scenario: "fanout",
    name: "CPU a delivery, µs, of bare ws",
    of: cpu,
    aim: { atMost: 0.5 },
    beside: { scenario: "fanout", subject: "ws" },
  },
];

/** Ten thousand sessions beside a hundred. */
export const GROWTH_AIM: readonly Figure[] = [
  {
    scenario: "growth",
    name: "CPU a message beyond heartbeats, µs",
    of: extra(BEYOND_SILENCE),
    aim: { atMost: 1.15 },
  },
  { scenario: "growth", name: "CPU of everything, a message, µs", of: cpu, aim: null },
  {
    scenario: "growth",
    name: "send → receive p99, ms",
    of: ({ latencies }) => latencies?.p99 ?? null,
    aim: null,
  },
];

function extra(name: string): Figure["of"] {
  return (outcome) => outcome.extra[name] ?? null;
}

/** A row for each figure that both have; a figure of a scenario that did not run has none. */
export function compare(
  figures: readonly Figure[],
  outcomes: readonly Outcome[],
  first: string,
  second: string,
): Row[] {
  return figures.flatMap(({ scenario, name, of, aim, beside }) => {
    const valuesOf = (where: string, subject: string) =>
      outcomes
        .filter((one) => one.scenario === where && one.subject === subject)
        .map(of)
        .filter((value) => value !== null);
    const ours = valuesOf(scenario, first);
    const theirs = valuesOf(beside?.scenario ?? scenario, beside?.subject ?? second);
    if (ours.length === 0 || theirs.length === 0) return [];
    const ratio = medianOf(ours) / medianOf(theirs);
    return [
      {
        scenario,
        figure: name,
        first: medianOf(ours),
        second: medianOf(theirs),
        ratio,
        aim: aimText(aim),
        isMet: isMet(aim, ratio),
        rounds: Math.min(ours.length, theirs.length),
      },
    ];
  });
}

function aimText(aim: Figure["aim"]): string {
  if (aim === null) return "";
  return "atMost" in aim ? `≤ ${aim.atMost}` : `≥ ${aim.atLeast}`;
}

function isMet(aim: Figure["aim"], ratio: number): boolean | null {
  // Of nothing there is no ratio, so none that is met.
  if (aim === null || !Number.isFinite(ratio)) return null;
  return "atMost" in aim ? ratio <= aim.atMost : ratio >= aim.atLeast;
}

/** What the operator's page makes of two summaries, and how it says what is wrong. Pure. */
import { describe, expect, test } from "vitest";
import { AppFigures } from "../../src/ops/app-figures.ts";
import { Histogram } from "../../src/ops/vitals.ts";
import {
  LATENCY_BOUNDS_MS,
  type OpsSummary,
  ROWS_BOUNDS,
  type WorkerVitals,
} from "../../src/protocol/ops.ts";
import { linesOf } from "../../src/web/ops/application.ts";
import { healthOf } from "../../src/web/ops/health.ts";
import { NO_HISTORY, withSummary } from "../../src/web/ops/history.ts";
import { figuresBetween, quantile } from "../../src/web/ops/rates.ts";
import { areaPath, linePath } from "../../src/web/ops/spark.ts";
import { faultText, spanText } from "../../src/web/ops/wording.ts";

const EMPTY = new Histogram(LATENCY_BOUNDS_MS).read();

function vitals(changes: Partial<WorkerVitals> = {}): WorkerVitals {
  return {
    sessions: 0,
    events: 0,
    refusals: 0,
    http_requests: 0,
    deliveries: 0,
    sends: 0,
    actors: {},
    mailbox: { waiting: 0, deepest: 0 },
    edge_lag_ms: 0,
    thread_lag_ms: 0,
    rss_bytes: 0,
    cpu_ms: 0,
    send_commit: EMPTY,
    commit_delivery: EMPTY,
    commit_rows: new Histogram(ROWS_BOUNDS).read(),
    commit_ms: EMPTY,
    ...changes,
  };
}

/** One host; lives by name, null where one does not answer. */
function summary(second: number, incarnations: Record<string, WorkerVitals | null>): OpsSummary {
  return {
    at: new Date(1_700_000_000_000 + second * 1000).toISOString(),
    answered_by: "h",
    view: 1,
    status: "ready",
    reasons: [],
    bounds: { latency_ms: LATENCY_BOUNDS_MS, commit_rows: ROWS_BOUNDS },
    hosts: [
      {
        host: "h",
        vitals: {
          name: "box",
          version: "0",
          pid: 1,
          uptime_ms: 0,
          draining: false,
          degraded: [],
          lag_ms: 3,
          rss_bytes: 0,
          cpu_ms: 0,
          front_door_sockets: 0,
          topics: 0,
          pipe_queue_bytes: 0,
          relay: null,
          faults: [],
        },
        workers: Object.entries(incarnations).map(([incarnation, one], n) => ({
          incarnation,
          slot: `h/${n}`,
          pid: n,
          phase: "online",
          uptime_ms: 1,
          vitals: one,
        })),
      },
    ],
    database: {
      version: "18",
      ping_ms: 1,
      connections: 1,
      connections_max: 100,
      commits: 0,
      rollbacks: 0,
      deadlocks: 0,
      cache_hit_ratio: null,
      oldest_transaction_ms: 0,
      jobs: { waiting: 0, running: 0, failed: 0, oldest_ms: 0 },
      messages: 0,
      users: 0,
    },
  };
}

describe("figures", () => {
  test("[OPR2] rates are what has grown between two summaries, a second", () => {
    const before = summary(0, { a: vitals({ sends: 100, cpu_ms: 1000 }), b: vitals() });
    const now = summary(2, {
      a: vitals({ sends: 140, cpu_ms: 2000, sessions: 3 }),
      b: vitals({ deliveries: 10, sessions: 4, actors: { user: 2, post: 1 } }),
    });
    const figures = figuresBetween(before, now);
    expect(figures).toMatchObject({
      sendsPerS: 20,
      deliveriesPerS: 5,
      cpu: 0.5,
      sessions: 7,
      actors: 3,
      lagMs: 3,
      sendCommit: null,
    });
    expect(figures.byIncarnation.get("a")).toMatchObject({ sendsPerS: 20, deliveriesPerS: 0 });
  });

  test("[OPR1] a new life of a worker is no flood, and its predecessor's end no negative rate", () => {
    const before = summary(0, { "h.0.1": vitals({ sends: 5000 }) });
    const now = summary(1, { "h.0.2": vitals({ sends: 7, deliveries: 1000 }) });
    expect(figuresBetween(before, now)).toMatchObject({ sendsPerS: 0, deliveriesPerS: 0 });
  });

  test("[OPR3] quantiles are of what came between, not of all that ever was", () => {
    const histogram = new Histogram(LATENCY_BOUNDS_MS);
    for (let n = 0; n < 1000; n++) histogram.observe(900);
    const past = vitals({ send_commit: histogram.read() });
    for (let n = 0; n < 100; n++) histogram.observe(1.5);
    const now = vitals({ send_commit: histogram.read() });
    const { sendCommit } = figuresBetween(summary(0, { a: past }), summary(1, { a: now }));
    expect(sendCommit!.p50).toBeGreaterThan(1);
    expect(sendCommit!.p99).toBeLessThanOrEqual(2);
  });

  test("[OPR3] a quantile lies within its bucket, and above the last bound is that bound", () => {
    const histogram = new Histogram(LATENCY_BOUNDS_MS);
    for (let n = 0; n < 98; n++) histogram.observe(4);
    for (let n = 0; n < 2; n++) histogram.observe(60_000);
    const read = histogram.read();
    expect(read).toMatchObject({ count: 100, sum: 98 * 4 + 120_000 });
    expect(quantile(read, LATENCY_BOUNDS_MS, 0.5)).toBeGreaterThan(3);
    expect(quantile(read, LATENCY_BOUNDS_MS, 0.5)).toBeLessThanOrEqual(5);
    expect(quantile(read, LATENCY_BOUNDS_MS, 0.99)).toBe(LATENCY_BOUNDS_MS.at(-1));
  });

  test("[OPR4] the history takes each summary once and stays bounded", () => {
    let history = NO_HISTORY;
    const first = summary(0, { a: vitals() });
    history = withSummary(history, first);
    // One summary alone has no rates; its point is marked by `overMs` 0.
    expect(history.points).toMatchObject([{ overMs: 0 }]);
    expect(withSummary(history, first)).toBe(history);
    for (let n = 1; n < 500; n++) history = withSummary(history, summary(n, { a: vitals() }));
    expect(history.points).toHaveLength(120);
    expect(history.summaries.length).toBeLessThan(20);
    expect(history.points.at(-1)!.atMs).toBe(Date.parse(summary(499, {}).at));
  });
});

describe("health", () => {
  const read = (one: OpsSummary) => healthOf(one, figuresBetween(one, one));

  test("[OPR5] says that all is well only where everybody answers", () => {
    const well = summary(0, { a: vitals(), b: vitals() });
    expect(read(well)).toEqual({ is: "well", text: "All is well: 1 host, 2 workers." });
    expect(read(summary(0, { a: vitals(), b: null }))).toMatchObject({ is: "bad" });
    expect(read({ ...well, database: null }).text).toMatch(/database does not answer/);
    const [host] = well.hosts;
    expect(read({ ...well, hosts: [host!, { ...host!, vitals: null }] }).is).toBe("bad");
    const away = {
      state: "away" as const,
      ping_ms: null,
      messages_in: 0,
      messages_out: 0,
      gaps: 0,
    };
    const reasons = ["Redis is away: nothing listens", "nothing can be committed: no space"];
    const vitalsNow = { ...host!.vitals!, relay: away, degraded: reasons };
    const degraded = { ...host!, vitals: vitalsNow };
    expect(read({ ...well, status: "degraded", reasons, hosts: [degraded] }).text).toBe(
      "Degraded (1 of 1 host): Redis is away: nothing listens; nothing can be committed: no space.",
    );
    const full = { ...well.database!, connections: 95 };
    expect(read({ ...well, database: full })).toMatchObject({ is: "warning" });
    const late = summary(0, { a: vitals({ thread_lag_ms: 900 }) });
    expect(read(late)).toMatchObject({ is: "warning", text: "An event loop is 900 ms late." });
  });
});

describe("words", () => {
  test("[OPR6] a fault is a sentence, also one that this page does not know", () => {
    expect(faultText({ event: "worker_exited", detail: "SIGKILL" })).toBe(
      "A worker ended (SIGKILL).",
    );
    expect(faultText({ event: "never_heard_of", detail: null })).toBe("Never heard of.");
    expect([spanText(900), spanText(61_000), spanText(3_600_000), spanText(200_000_000)]).toEqual([
      "0 s",
      "1 min",
      "1 h",
      "2 d 7 h",
    ]);
  });
});

describe("charts", () => {
  /** The places of a path's points, from the left edge at 0 to the right one at 120. */
  const placesOf = (path: string): number[] =>
    [...path.matchAll(/[ML]([\d.]+) /g)].map((match) => Number(match[1]));

  test("[OPR7] a chart fills its whole width, however few figures there are", () => {
    expect(placesOf(linePath([5], 5))).toEqual([0, 120]);
    expect(placesOf(linePath([1, 5], 5))).toEqual([0, 120]);
    expect(placesOf(linePath([1, 2, 5], 5))).toEqual([0, 60, 120]);
    const full = placesOf(
      linePath(
        Array.from({ length: 120 }, (_, n) => n),
        119,
      ),
    );
    expect([full.length, full[0], full.at(-1)]).toEqual([120, 0, 120]);
    expect(placesOf(areaPath([1, 5], 5))).toEqual([0, 0, 120, 120]);
  });

  test("[OPR8] the greatest value is at the top, a hole is one in the line", () => {
    expect(linePath([0, 4, null, 2, 4], 4)).toBe("M0.0 30.5L30.0 1.5M90.0 16.0L120.0 1.5");
    expect(linePath([], 0)).toBe("");
    expect(linePath([null], 0)).toBe("");
    expect(linePath([0, 0], 0)).toBe("M0.0 30.5L120.0 30.5");
  });
});

describe("the application's actors", () => {
  const kinds = (version: number) => [
    {
      kind: "poll",
      version,
      durable: true,
      create: {},
      view: null,
      actions: {},
      events: {},
      hasAuthorize: false,
      hasWatchHooks: false,
    },
  ];

  test("[OPS20] each kind is one line, whatever workers and versions have it", () => {
    const [one, other] = [new AppFigures(), new AppFigures()];
    one.ran("poll", 4, 8);
    one.failed("poll");
    other.ran("poll", 2, 1);
    const workers = {
      a: vitals({ application: one.read(kinds(1), ["poll:a", "poll:b", "chess:a"], []) }),
      b: vitals({ application: other.read(kinds(2), ["poll:c"], ["poll.vote", "polls.vote"]) }),
      c: null,
    };
    expect(linesOf(summary(1, workers))).toEqual([
      {
        kind: "poll",
        versions: [1, 2],
        actors: 3,
        turns: 6,
        failures: 1,
        turnMs: 1.5,
        unavailable: ["poll.vote"],
      },
    ]);
    expect(linesOf(summary(1, { a: vitals() }))).toEqual([]);
  });
});

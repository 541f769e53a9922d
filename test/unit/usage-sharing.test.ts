/** Several edges that tell each other what was spent, over a wire that a test owns. */
import { beforeEach, expect, test } from "vitest";
import { Tally } from "../../src/base/metrics.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/config/limit-keys.ts";
import { EdgeLimits } from "../../src/edge/limits/limits.ts";
import { ReportedUse } from "../../src/edge/limits/reported-use.ts";
import { UsageSharing } from "../../src/edge/limits/usage-sharing.ts";
import { FakeClock } from "../support/fake-clock.ts";

const SEND = { perS: 20, burst: 100 };

interface Edge {
  limits: EdgeLimits;
  spending: UsageSharing;
  /** What it published to all, and what it reported to the owners of keys. */
  told: string[];
  reports: string[];
}

let clock: FakeClock;
let edges: Edge[];
/** Whether what an edge says reaches the others. */
let isWired: boolean;
/** Whether all edges take reports, as those of earlier versions do not. */
let isOfOneVersion: boolean;

beforeEach(() => {
  clock = new FakeClock();
  edges = [];
  isWired = true;
  isOfOneVersion = true;
});

function addEdges(count: number, some: Partial<Limits> = { send: SEND }): void {
  for (let n = 0; n < count; n++) {
    const told: string[] = [];
    const reports: string[] = [];
    const self = String(edges.length);
    const spending: UsageSharing = new UsageSharing({
      clock,
      self,
      edges: () => edges.length,
      takeReports: () => isOfOneVersion,
      ownerOf: (key) => String(sumOfCodes(key) % edges.length),
      report(to, body) {
        reports.push(body);
        if (isWired) edges[Number(to)]!.spending.reported(self, body);
      },
      publish(body) {
        told.push(body);
        if (!isWired) return;
        for (const other of edges) if (other.spending !== spending) other.spending.heard(body);
      },
    });
    const limits = new EdgeLimits({
      limits: { ...DEFAULT_LIMITS, ...some },
      clock,
      tally: new Tally(),
      sharing: spending,
    });
    edges.push({ limits, spending, told, reports });
  }
}

function sumOfCodes(text: string): number {
  return [...text].reduce((sum, letter) => sum * 7 + letter.charCodeAt(0), 0) % 1_000_003;
}

const reportings = () => edges.flatMap(({ reports }) => reports);
const tellings = () => edges.flatMap(({ told }) => told);

/** Every edge is asked `perTick` times each 10 ms for `ms`; how many were allowed. */
async function floods(ms: number, perTick: number): Promise<number> {
  let allowed = 0;
  for (let passedMs = 0; passedMs < ms; passedMs += 10) {
    for (const { limits } of edges) {
      for (let n = 0; n < perTick; n++) {
        if (limits.take("send", "ann", clock.monotonicMs()) === 0) allowed++;
      }
    }
    await clock.advance(10);
  }
  return allowed;
}

test.each([2, 4, 16])(
  "[SPN1] a flood over %i edges gets the limit once, a quarter more at most",
  async (count) => {
    addEdges(count);
    const seconds = 20;
    const budget = SEND.burst + SEND.perS * seconds;
    const allowed = await floods(seconds * 1_000, 2);
    expect(allowed).toBeGreaterThan(budget * 0.7);
    expect(allowed).toBeLessThanOrEqual(budget * 1.25);
  },
);

test("[SPN1] staying just under everyone's notice gains a quarter at most", async () => {
  addEdges(4);
  const perEdge = (SEND.perS / 4 / 4) * 0.99;
  let allowed = 0;
  const seconds = 60;
  for (let s = 0; s < seconds; s++) {
    for (const { limits } of edges) {
      for (let n = 0; n < Math.floor((s + 1) * perEdge) - Math.floor(s * perEdge); n++) {
        if (limits.take("send", "ann", clock.monotonicMs()) === 0) allowed++;
      }
    }
    await clock.advance(1_000);
  }
  expect(allowed).toBeLessThanOrEqual((SEND.burst + SEND.perS * seconds) / 4);
  expect(tellings()).toEqual([]);
});

test("[SPN1] calm users cost nothing, and a single edge never says anything", async () => {
  addEdges(4, {});
  for (let s = 0; s < 60; s++) {
    for (const { limits } of edges) {
      for (let user = 0; user < 50; user++) {
        limits.take("send", `user${user}`, clock.monotonicMs());
        limits.userCall(`user${user}`);
      }
    }
    await clock.advance(1_000);
  }
  expect(tellings()).toEqual([]);

  edges = [];
  addEdges(1);
  await floods(2_000, 10);
  expect(tellings()).toEqual([]);
});

test("[SPN1] what was spent at once everywhere is waited for, one burst at most", async () => {
  addEdges(4);
  let allowed = 0;
  for (const { limits } of edges) {
    for (let n = 0; n < 1_000; n++) {
      if (limits.take("send", "ann", clock.monotonicMs()) === 0) allowed++;
    }
  }
  expect(allowed).toBe(4 * SEND.burst);
  await clock.advance(100);
  const waits = edges.map(({ limits }) => limits.take("send", "ann", clock.monotonicMs()));
  for (const waitMs of waits) {
    expect(waitMs).toBeGreaterThan(4_000);
    expect(waitMs).toBeLessThanOrEqual(5_050);
  }
});

test("[SPN1] each wrong password and each ended session is known everywhere", async () => {
  addEdges(4, { login: { perS: 1 / 6, burst: 10 } });
  for (let n = 0; n < 10; n++) {
    const place = edges[n % 4]!.limits.loginTry("ada", "10.0.0.1", false);
    if ("code" in place) throw new Error(`guess ${n} was refused`);
    place.failed();
    await clock.advance(20);
  }
  for (const { limits } of edges) {
    expect(limits.loginTry("ada", "10.0.0.1", false)).toMatchObject({ code: "rate_limited" });
  }
  edges[0]!.limits.endedForAbuse("ann");
  await clock.advance(20);
  for (const { limits } of edges) {
    expect(limits.handshake("ann")).toMatchObject({ code: "rate_limited" });
  }
});

test("[SPN2] a moment's news of many keys is one frame, and many more are several", async () => {
  addEdges(2, { login: { perS: 1, burst: 2 } });
  const guesses = (count: number) => {
    for (let n = 0; n < count; n++) {
      const place = edges[0]!.limits.loginTry(`user${n}`, `10.1.${n >> 8}.${n & 255}`, false);
      if (!("code" in place)) place.failed();
    }
  };
  guesses(300);
  await clock.advance(20);
  expect(tellings()).toHaveLength(1);
  guesses(2_500);
  await clock.advance(20);
  expect(tellings()).toHaveLength(2);
  await clock.advance(40);
  expect(tellings()).toHaveLength(4);
  expect(clock.pending).toBe(0);
});

test("[SPN2] unheard, each edge counts alone", async () => {
  addEdges(2);
  isWired = false;
  const allowed = await floods(5_000, 2);
  expect(allowed).toBeGreaterThan(2 * (SEND.burst + SEND.perS * 4));
  expect(allowed).toBeLessThanOrEqual(2 * (SEND.burst + SEND.perS * 5));
});

test("[SPN2] kinds of another version, and those not limited here, are passed over", () => {
  addEdges(1, { send: SEND, typing: null });
  edges[0]!.spending.heard('{"dreaming":[["1",5]],"typing":[["1",9]],"send":[["1",100]]}');
  expect(edges[0]!.limits.take("send", "1", clock.monotonicMs())).toBeGreaterThan(0);
  expect(edges[0]!.limits.take("typing", "1", clock.monotonicMs())).toBe(0);
});

test("[SPN3] a flood over 64 edges gets the limit once, a quarter more at most", async () => {
  addEdges(64);
  const seconds = 60;
  const budget = SEND.burst + SEND.perS * seconds;
  const allowed = await floods(seconds * 1_000, 1);
  expect(allowed).toBeGreaterThan(budget * 0.6);
  expect(allowed).toBeLessThanOrEqual(budget * 1.25);
});

test("[SPN3] calm users of 200 edges cost a message an event at most, and nothing to all", async () => {
  addEdges(200, {});
  let events = 0;
  for (let s = 0; s < 30; s++) {
    for (const { limits } of edges) {
      for (let user = 0; user < 5; user++) {
        limits.handshake(`user${s}.${user}.${events++}`);
      }
    }
    await clock.advance(1_000);
  }
  expect(tellings()).toEqual([]);
  expect(reportings().length).toBeLessThanOrEqual(events);
  expect(clock.pending).toBe(0);
});

test("[SPN3] beside edges of an earlier version all publish to all", async () => {
  isOfOneVersion = false;
  addEdges(40);
  await floods(100, 10);
  expect(edges.flatMap(({ reports }) => reports)).toEqual([]);
  expect(tellings().length).toBeGreaterThan(0);
});

test("[SPN3] guesses spread over 40 edges are refused everywhere, one or two late", async () => {
  addEdges(40, { login: { perS: 1 / 60, burst: 10 } });
  let letThrough = 0;
  for (let n = 0; n < 40; n++) {
    const place = edges[n]!.limits.loginTry("ada", "10.0.0.1", false);
    if ("code" in place) continue;
    letThrough++;
    place.failed();
    await clock.advance(50);
  }
  expect(letThrough).toBeGreaterThanOrEqual(10);
  expect(letThrough).toBeLessThanOrEqual(12);
});

test("[SPN3] an ended session is known everywhere, and no edge counts its own use twice", async () => {
  addEdges(40, { ended: { perS: 1 / 60, burst: 1 } });
  edges[7]!.limits.endedForAbuse("ann");
  await clock.advance(50);
  for (const { limits } of edges) {
    const refusal = limits.handshake("ann");
    expect(refusal).toMatchObject({ code: "rate_limited" });
    expect(refusal!.retry_after_ms).toBeLessThanOrEqual(60_000);
  }
});

test("[RPU1] [RPU2] a key is loud once when its use reaches the quiet part, and old use is forgotten", () => {
  const uses = new ReportedUse({ perS: 8, burst: 80 }, 1 / 8);
  const nowMs = () => clock.monotonicMs();
  for (let n = 0; n < 9; n++) expect(uses.add("ann", `edge${n % 3}`, 1, nowMs())).toBe(false);
  expect(uses.add("ann", "edge0", 1, nowMs())).toBe(true);
  expect(uses.takeLoud(5)).toEqual([["ann", 10, { edge0: 4, edge1: 3, edge2: 3 }]]);
  expect(uses.takeLoud(5)).toEqual([]);
  expect(uses.add("ann", "edge0", 9, nowMs())).toBe(false);
});

test("[RPU1] use is forgotten at the pace of the quiet part", async () => {
  const uses = new ReportedUse({ perS: 8, burst: 80 }, 1 / 8);
  uses.add("ann", "edge0", 9, clock.monotonicMs());
  await clock.advance(5_000);
  expect(uses.add("ann", "edge1", 5, clock.monotonicMs())).toBe(false);
  expect(uses.add("ann", "edge1", 1, clock.monotonicMs())).toBe(true);
});

test("[RPU3] made-up keys are bounded", () => {
  const uses = new ReportedUse({ perS: 1, burst: 100 }, 1 / 8, 2_000);
  for (let n = 0; n < 10_000; n++) uses.add(`key${n}`, "edge", 1, clock.monotonicMs());
  expect(uses.size).toBeLessThanOrEqual(2_000);
});

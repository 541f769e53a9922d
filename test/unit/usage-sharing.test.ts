/** Several edges that tell each other what was spent, over a wire that a test owns. */
import { beforeEach, expect, test } from "vitest";
import { Tally } from "../../src/base/metrics.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/config/limit-keys.ts";
import { EdgeLimits } from "../../src/edge/limits/limits.ts";
import { UsageSharing } from "../../src/edge/limits/usage-sharing.ts";
import { FakeClock } from "../support/fake-clock.ts";

const SEND = { perS: 20, burst: 100 };

interface Edge {
  limits: EdgeLimits;
  spending: UsageSharing;
  told: string[];
}

let clock: FakeClock;
let edges: Edge[];
/** Whether what an edge says reaches the others. */
let isWired: boolean;

beforeEach(() => {
  clock = new FakeClock();
  edges = [];
  isWired = true;
});

function addEdges(count: number, some: Partial<Limits> = { send: SEND }): void {
  for (let n = 0; n < count; n++) {
    const told: string[] = [];
    const spending: UsageSharing = new UsageSharing({
      clock,
      edges: () => edges.length,
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
    edges.push({ limits, spending, told });
  }
}

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

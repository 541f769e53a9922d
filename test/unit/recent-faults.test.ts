/** The ring of faults that operators see, and the stamps that measure deliveries. */
import { describe, expect, test } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import { mergedFaults, RecentFaults } from "../../src/ops/recent-faults.ts";
import { ageMsOf, stampNow } from "../../src/ops/vitals.ts";
import { FakeClock } from "../support/fake-clock.ts";

function ringOf(worker: string | null = null) {
  const clock = new FakeClock();
  return { clock, ring: new RecentFaults(clock, worker) };
}

describe("the fault ring", () => {
  test("[RFL1] hears warnings and errors at any log level, and passes every line on", () => {
    const { ring } = ringOf("w1");
    const lines: string[] = [];
    const log = ring.tap(
      createLogger({ level: "error", to: { write: (line) => lines.push(line) } }),
    );
    log.warn({ event: "relay_away", why: "silent", err: new Error("no answer") });
    log.info({ event: "ready" });
    log.info({ event: "relay_joined" });
    log.error({ event: "actor_failed", actor: "user:7", err: new Error("boom") });
    expect(ring.list().map(({ event, level, detail }) => [event, level, detail])).toEqual([
      ["actor_failed", "error", "user:7: boom"],
      ["relay_joined", "info", null],
      ["relay_away", "warn", "silent: no answer"],
    ]);
    expect(ring.list().every(({ worker }) => worker === "w1")).toBe(true);
    // At level "error" the logger itself writes one line.
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("actor_failed");
  });

  test("[RFL2] a storm is one entry that counts, and the ring never grows past its bound", async () => {
    const { clock, ring } = ringOf();
    for (let n = 0; n < 100; n++) {
      ring.note("warn", { event: "command_unavailable" });
      await clock.advance(1);
    }
    expect(ring.list()).toHaveLength(1);
    const [storm] = ring.list();
    expect(storm).toMatchObject({ count: 100 });
    expect(Date.parse(storm!.at) - Date.parse(storm!.since)).toBe(99);
    for (let n = 0; n < 1_000; n++) ring.note("warn", { event: `event_${n}` });
    expect(ring.list()).toHaveLength(100);
    expect(ring.list()[0]!.event).toBe("event_999");
  });

  test("[RFL3] rings of several boxes are told in order of time, newest first", async () => {
    const { clock, ring: a } = ringOf("a");
    const b = new RecentFaults(clock, "b");
    for (const [ring, event] of [
      [a, "one"],
      [b, "two"],
      [a, "three"],
    ] as const) {
      ring.note("warn", { event });
      await clock.advance(10);
    }
    expect(mergedFaults([a.list(), b.list()]).map(({ event }) => event)).toEqual([
      "three",
      "two",
      "one",
    ]);
  });
});

describe("stamps", () => {
  test("[VIT1] an age is what has passed, also across the turn of 32 bits, and else unknown", () => {
    expect(ageMsOf(1_000, 1_234)).toBeCloseTo(23.4);
    expect(ageMsOf(2 ** 32 - 10, 15)).toBeCloseTo(2.5);
    expect(ageMsOf(1_234, 1_000)).toBeNull();
    const age = ageMsOf(stampNow(), stampNow());
    expect(age).toBeGreaterThanOrEqual(0);
    expect(age).toBeLessThan(1_000);
  });
});

/** `troupe bench`: every scenario to its end, with few people. */
import { describe, expect, it } from "vitest";
import { canReadProcesses } from "../../bench/support/process-figures.ts";
import { BENCH_TIMEOUT_MS, bench, expectWhole } from "../support/bench.ts";

describe.skipIf(!canReadProcesses)("bench", () => {
  it("[BEN28] every scenario comes to its end, counts, and loses nothing", {
    timeout: BENCH_TIMEOUT_MS,
  }, async () => {
    const found = await bench("--seconds", "1", "--clients", "25");
    expectWhole(found);
    expect(found.outcomes.map(({ scenario }) => scenario)).toEqual([
      ...["fanout", "channel", "durable", "latency", "typing", "presence", "connect", "storm"],
      ...["likes", "comments", "messages", "history", "feed", "login", "idle"],
    ]);
    for (const { scenario, cpuUsPerUnit, pssMb } of found.outcomes) {
      // A few who do nothing for a second may cost less than a tick.
      if (scenario !== "idle") expect(cpuUsPerUnit, `${scenario}: CPU`).toBeGreaterThan(0);
      expect(pssMb, `${scenario}: memory`).toBeGreaterThan(50);
    }
    expect(found.exitCode, found.text).toBe(0);
  });
});

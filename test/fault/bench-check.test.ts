/**
 * `troupe bench` as its users run it: as CI does (a ratio inside one run, never an absolute
 * time), with connections that are only held, and against a deployment elsewhere.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { canReadProcesses } from "../../bench/support/process-figures.ts";
import { BENCH_TIMEOUT_MS, bench, expectWhole } from "../support/bench.ts";
import { harnessCommand } from "../support/chaos.ts";
import { troupeForFile } from "../support/suite.ts";

describe.skipIf(!canReadProcesses)("bench", () => {
  it("[BEN20] a delivery costs at most half the CPU of a bare ws broadcast, and none is lost", {
    timeout: BENCH_TIMEOUT_MS,
  }, async () => {
    const found = await bench("check", "--seconds", "2");
    expect(found.outcomes.map(({ subject }) => subject)).toEqual(["troupe", "ws"]);
    for (const one of found.outcomes) {
      expect(one.extra["heard of what was due, %"], one.subject).toBe(100);
    }
    expect(found.rows).toMatchObject([{ scenario: "fanout", isMet: true }]);
    expect(found.exitCode, found.text).toBe(0);
  });

  it("[BEN29] messages flow among the sessions that are held", {
    timeout: BENCH_TIMEOUT_MS,
  }, async () => {
    const found = await bench("hold", "--seconds", "1", "--clients", "200", "--per-second", "50");
    expectWhole(found);
    const [hold] = found.outcomes;
    expect(hold?.extra["sessions still there"]).toBe(200);
    expect(hold?.units).toBeGreaterThanOrEqual(40);
    expect(found.exitCode, found.text).toBe(0);
  });
});

describe("Ctrl-C", () => {
  it("[BEN31] ends what was started at once, and reports what there is", {
    timeout: BENCH_TIMEOUT_MS,
  }, async () => {
    const outDir = await mkdtemp(join(tmpdir(), "troupe-bench-test-"));
    try {
      const args = ["fanout", "likes", "--clients", "20", "--out", outDir];
      // An hour each would be waited for if it were not stopped; harnessCommand looks for what is left.
      const long = [...args, "--seconds", "3600"];
      const { exitCode, text } = await harnessCommand("bench", long, "fanout troupe: measuring");
      expect(exitCode, text).toBe(1);
      expect(text).not.toContain("likes troupe");
      expect(text, "no stack of its own making").not.toMatch(/\n +at /);
    } finally {
      await rm(outDir, { recursive: true, force: true });
    }
  });
});

describe("bench --target", () => {
  const troupe = troupeForFile();

  it("[BEN30] a deployment elsewhere is loaded over its API alone", {
    timeout: BENCH_TIMEOUT_MS,
  }, async () => {
    const scenarios = ["durable", "storm", "likes", "feed"];
    const found = await bench(
      ...scenarios,
      ...["--target", troupe().url, "--seconds", "1", "--clients", "6"],
    );
    expectWhole(found);
    expect(found.outcomes.map(({ scenario }) => scenario)).toEqual(scenarios);
    for (const one of found.outcomes) {
      expect(one.subject).toBe(new URL(troupe().url).host);
      expect(one.cpuMs, "its processes are not ours to look at").toBeNull();
    }
    expect(found.exitCode, found.text).toBe(0);
  });
});

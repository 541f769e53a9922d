/**
 * `troupe bench` as its users run it: as CI does (a ratio inside one run, never an absolute
 * time), every scenario to its end with few people, and against a deployment elsewhere.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Outcome } from "../../bench/outcome.ts";
import type { Row } from "../../bench/report/comparison.ts";
import { canReadProcesses } from "../../bench/support/process-figures.ts";
import { harnessCommand } from "../support/chaos.ts";
import { troupeForFile } from "../support/suite.ts";

/** Fourteen scenarios, each with a server of its own, on a machine that does other things too. */
const TIMEOUT_MS = 420_000;

interface Found {
  exitCode: number | null;
  text: string;
  html: string;
  outcomes: Outcome[];
  unmeasured: string[];
  rows: Row[];
}

async function bench(...args: string[]): Promise<Found> {
  const outDir = await mkdtemp(join(tmpdir(), "troupe-bench-test-"));
  try {
    const { exitCode, text } = await harnessCommand("bench", [...args, "--out", outDir]);
    const [, html, json] = /Report: (\S+) +Figures: (\S+)/.exec(text) ?? [];
    if (html === undefined || json === undefined) throw new Error(`no results:\n${text}`);
    const found = JSON.parse(await readFile(json, "utf8")) as Found;
    return { ...found, exitCode, text, html: await readFile(html, "utf8") };
  } finally {
    await rm(outDir, { recursive: true, force: true });
  }
}

/** Something was counted, nothing failed, and what others had to hear they heard. */
function expectWhole({ outcomes, unmeasured, text, html }: Found): void {
  expect(unmeasured, text).toEqual([]);
  for (const one of outcomes) {
    expect(one.units, one.scenario).toBeGreaterThan(0);
    expect(one.failures, `${one.scenario}: ${one.reasons.join("; ")}`).toBe(0);
    expect(one.latencies?.count, one.scenario).toBeGreaterThan(0);
    expect(html, one.scenario).toContain(`<h2>${one.scenario}</h2>`);
  }
  expect(html).not.toMatch(/NaN|undefined|Infinity/);
}

describe.skipIf(!canReadProcesses)("bench", () => {
  it("[BEN20] a delivery costs at most half the CPU of a bare ws broadcast, and none is lost", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const found = await bench("check", "--seconds", "2");
    expect(found.outcomes.map(({ subject }) => subject)).toEqual(["troupe", "ws"]);
    for (const one of found.outcomes) {
      expect(one.extra["heard of what was due, %"], one.subject).toBe(100);
    }
    expect(found.rows).toMatchObject([{ scenario: "fanout", isMet: true }]);
    expect(found.exitCode, found.text).toBe(0);
  });

  it("[BEN28] every scenario comes to its end, counts, and loses nothing", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const found = await bench("--seconds", "1", "--clients", "25");
    expectWhole(found);
    expect(found.outcomes.map(({ scenario }) => scenario)).toEqual([
      ...["fanout", "durable", "latency", "typing", "presence", "connect", "storm"],
      ...["likes", "comments", "messages", "history", "feed", "login", "idle"],
    ]);
    for (const { scenario, cpuUsPerUnit, pssMb } of found.outcomes) {
      // A few who do nothing for a second may cost less than a tick.
      if (scenario !== "idle") expect(cpuUsPerUnit, `${scenario}: CPU`).toBeGreaterThan(0);
      expect(pssMb, `${scenario}: memory`).toBeGreaterThan(50);
    }
    expect(found.exitCode, found.text).toBe(0);
  });

  it("[BEN29] messages flow among the sessions that are held", {
    timeout: TIMEOUT_MS,
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
    timeout: TIMEOUT_MS,
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
    timeout: TIMEOUT_MS,
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

/** `troupe bench` run as a user runs it, and what it reported. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { Outcome } from "../../bench/outcome.ts";
import type { Row } from "../../bench/report/comparison.ts";
import { harnessCommand } from "./chaos.ts";

/** Fourteen scenarios, each with a server of its own, on a machine that does other things too. */
export const BENCH_TIMEOUT_MS = 720_000;

export interface BenchFound {
  exitCode: number | null;
  text: string;
  html: string;
  outcomes: Outcome[];
  unmeasured: string[];
  rows: Row[];
}

export async function bench(...args: string[]): Promise<BenchFound> {
  const outDir = await mkdtemp(join(tmpdir(), "troupe-bench-test-"));
  try {
    const { exitCode, text } = await harnessCommand("bench", [...args, "--out", outDir]);
    const [, html, json] = /Report: (\S+) +Figures: (\S+)/.exec(text) ?? [];
    if (html === undefined || json === undefined) throw new Error(`no results:\n${text}`);
    const found = JSON.parse(await readFile(json, "utf8")) as BenchFound;
    return { ...found, exitCode, text, html: await readFile(html, "utf8") };
  } finally {
    await rm(outDir, { recursive: true, force: true });
  }
}

/** Something was counted, nothing failed, and what others had to hear they heard. */
export function expectWhole({ outcomes, unmeasured, text, html }: BenchFound): void {
  expect(unmeasured, text).toEqual([]);
  for (const one of outcomes) {
    expect(one.units, one.scenario).toBeGreaterThan(0);
    expect(one.failures, `${one.scenario}: ${one.reasons.join("; ")}`).toBe(0);
    expect(one.latencies?.count, one.scenario).toBeGreaterThan(0);
    expect(html, one.scenario).toContain(`<h2>${one.scenario}</h2>`);
  }
  expect(html).not.toMatch(/NaN|undefined|Infinity/);
}

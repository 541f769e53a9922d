/**
 * A reporter that lists the files which took longest, with their wall seconds: what to look at
 * when a run has become slow. With WRITE_DURATIONS=1 it also writes test/durations.json, by which
 * vitest.config.ts orders the files; do so after a whole run on an idle machine.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import type { Reporter, TestModule, Vitest } from "vitest/node";

const LISTED = 10;
const FILE = "test/durations.json";

export default class SlowestFiles implements Reporter {
  #root = ".";

  onInit(vitest: Vitest): void {
    this.#root = vitest.config.root;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const seconds = new Map(
      modules
        .filter((module) => module.state() !== "skipped")
        .map((module) => [relative(this.#root, module.moduleId), secondsOf(module)] as const),
    );
    const slowest = [...seconds].sort(([, one], [, other]) => other - one).slice(0, LISTED);
    const lines = slowest.map(([path, s]) => `${s.toFixed(1).padStart(7)} s  ${path}`);
    console.log(`\nThe files that took longest:\n${lines.join("\n")}`);
    if (process.env["WRITE_DURATIONS"] === "1") this.#write(seconds);
  }

  /** Files that did not run keep their figure. */
  #write(seconds: ReadonlyMap<string, number>): void {
    const path = resolve(this.#root, FILE);
    const rounded = [...seconds].map(([name, s]) => [name, Math.round(s * 10) / 10] as const);
    const all = { ...readDurations(path), ...Object.fromEntries(rounded) };
    const sorted = Object.fromEntries(
      Object.entries(all).sort(([one], [other]) => (one < other ? -1 : 1)),
    );
    writeFileSync(path, `${JSON.stringify(sorted, null, 2)}\n`);
  }
}

/** Wall seconds of test files, by path from the repository's root. */
export function readDurations(path: string): Record<string, number> {
  return JSON.parse(readFileSync(path, "utf8")) as Record<string, number>;
}

function secondsOf(module: TestModule): number {
  const { environmentSetupDuration, prepareDuration, collectDuration, setupDuration, duration } =
    module.diagnostic();
  const ms =
    environmentSetupDuration + prepareDuration + collectDuration + setupDuration + duration;
  return ms / 1000;
}

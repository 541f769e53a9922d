/** `troupe bench check` as CI runs it: a ratio inside one run, never an absolute time. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Outcome } from "../../bench/outcome.ts";
import type { Row } from "../../bench/report/comparison.ts";
import { canReadProcesses } from "../../bench/support/process-figures.ts";
import { harnessCommand } from "../support/chaos.ts";

const TIMEOUT_MS = 120_000;

describe.skipIf(!canReadProcesses)("bench", () => {
  it("[BEN20] a delivery costs at most half the CPU of a bare ws broadcast, and none is lost", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const outDir = await mkdtemp(join(tmpdir(), "troupe-bench-test-"));
    try {
      const { exitCode, text } = await harnessCommand("bench", [
        "check",
        "--seconds",
        "2",
        "--out",
        outDir,
      ]);
      const path = /Figures: (\S+)/.exec(text)?.[1];
      expect(path, text).toBeDefined();
      const found = JSON.parse(await readFile(path!, "utf8")) as {
        outcomes: Outcome[];
        rows: Row[];
      };
      expect(found.outcomes.map(({ subject }) => subject)).toEqual(["troupe", "ws"]);
      for (const one of found.outcomes) {
        expect(one.extra["heard of what was due, %"], one.subject).toBe(100);
      }
      expect(found.rows).toMatchObject([{ scenario: "fanout", isMet: true }]);
      expect(exitCode, text).toBe(0);
    } finally {
      await rm(outDir, { recursive: true, force: true });
    }
  });
});

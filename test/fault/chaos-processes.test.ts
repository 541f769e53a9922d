/** A short run of the fault harness: hosts and their processes die, drain and are replaced. */
import { describe, expect, it } from "vitest";
import type { FaultName } from "../../bench/chaos/fault-table.ts";
import { brokenPromises, chaosRun } from "../support/chaos.ts";

const FAULTS: FaultName[] = ["worker-kill", "primary-kill", "host-kill", "host-drain", "host-roll"];
const TIMEOUT_MS = 240_000;

describe("chaos", () => {
  it("[CHX1] every promise is kept while processes are killed, drained and replaced", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const outcome = await chaosRun("[CHX1]", { faults: FAULTS, hosts: 1 });
    expect(brokenPromises(outcome), outcome.text).toEqual([]);
    expect(outcome.exitCode).toBe(0);
    expect(outcome.history.faults.map(({ fault }) => fault).sort()).toEqual([...FAULTS].sort());
  });
});

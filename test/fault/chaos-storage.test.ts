/** Short runs of the fault harness: PostgreSQL in trouble, clients in a hurry and asleep. */
import { describe, expect, it } from "vitest";
import type { FaultName } from "../../bench/chaos/fault-table.ts";
import { brokenPromises, chaosCommand, chaosRun } from "../support/chaos.ts";

const FAULTS: FaultName[] = [
  "postgres-restart",
  "postgres-pause",
  "slow-reader",
  "reconnect-storm",
];
const TIMEOUT_MS = 240_000;

describe("chaos", () => {
  it("[CHX2] every promise is kept while PostgreSQL is away and clients misbehave", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const outcome = await chaosRun("[CHX2]", { faults: FAULTS, hosts: 1 });
    expect(brokenPromises(outcome), outcome.text).toEqual([]);
    expect(outcome.exitCode).toBe(0);
    expect(outcome.history.faults.map(({ fault }) => fault).sort()).toEqual([...FAULTS].sort());
  });

  it("[CHX4] wrong options are told at once, all of them, with exit code 2", async () => {
    const { exitCode, text } = await chaosCommand(["--hosts", "9", "--faults", "flood"]);
    expect(exitCode).toBe(2);
    expect(text).toContain("--hosts wants a whole number from 1 to 3");
    expect(text).toContain('no fault "flood"');
  });
});

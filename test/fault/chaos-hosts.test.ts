/** A short run of the fault harness on two hosts that one Redis joins, and that lose it. */
import { describe, expect, it } from "vitest";
import { FAULT_NAMES, type FaultName, factsOf } from "../../bench/chaos/fault-table.ts";
import { findProgram } from "../../bench/chaos/redis-program.ts";
import { brokenPromises, chaosRun } from "../support/chaos.ts";

const FAULTS: FaultName[] = [
  ...FAULT_NAMES.filter((name) => factsOf(name).needs !== "nothing"),
  "worker-kill",
  "host-kill",
];
const TIMEOUT_MS = 300_000;
const hasRedis = Boolean(process.env["REDIS_URL"]) || findProgram() !== null;

describe.skipIf(!hasRedis)("chaos", () => {
  it("[CHX3] every promise is kept by two hosts while Redis is killed, paused and cut off", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const outcome = await chaosRun("[CHX3]", { faults: FAULTS, hosts: 2 });
    expect(brokenPromises(outcome), outcome.text).toEqual([]);
    expect(outcome.exitCode).toBe(0);
    expect(outcome.history.faults.map(({ fault }) => fault).sort()).toEqual([...FAULTS].sort());
  });
});

if (!hasRedis) {
  console.warn("skipped: two hosts need Redis (apt-get install redis-server, or REDIS_URL)");
}

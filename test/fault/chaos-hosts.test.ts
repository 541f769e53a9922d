/** A short run of the fault harness on two hosts that one Redis joins, and that lose it. */
import { describe, expect, it } from "vitest";
import { FAULT_NAMES, type FaultName, needsRedis } from "../../bench/chaos/fault-table.ts";
import { redisProgram } from "../../bench/support/redis-program.ts";
import { StartRefusal } from "../../src/base/errors.ts";
import { brokenPromises, chaosRun } from "../support/chaos.ts";

const FAULTS: FaultName[] = [...FAULT_NAMES.filter(needsRedis), "worker-kill", "host-kill"];
const TIMEOUT_MS = 300_000;

/** Installs Redis where that is possible; else null, with a warning that names what to install. */
async function findRedis(): Promise<string | null> {
  try {
    return process.env["REDIS_URL"] ?? (await redisProgram(true));
  } catch (error) {
    if (!(error instanceof StartRefusal)) throw error;
    console.warn(`skipped: ${error.message}`);
    return null;
  }
}

const hasRedis = (await findRedis()) !== null;

describe.skipIf(!hasRedis)("chaos", () => {
  it("[CHX3] every promise is kept by two hosts while Redis is killed, paused, cut off and shared", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const outcome = await chaosRun("[CHX3]", { faults: FAULTS, hosts: 2 });
    expect(brokenPromises(outcome), outcome.text).toEqual([]);
    expect(outcome.exitCode).toBe(0);
    expect(outcome.history.faults.map(({ fault }) => fault).sort()).toEqual([...FAULTS].sort());
  });
});

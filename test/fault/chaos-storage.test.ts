/** Short runs of the fault harness: PostgreSQL in trouble, clients in a hurry and asleep. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { FaultName } from "../../bench/chaos/fault-table.ts";
import { SmallDisk } from "../../bench/support/small-disk.ts";
import { brokenPromises, chaosCommand, chaosRun } from "../support/chaos.ts";

const FAULTS: FaultName[] = [
  "postgres-restart",
  "postgres-pause",
  "slow-reader",
  "reconnect-storm",
];
const EXHAUSTED: FaultName[] = ["connections-gone", "descriptors-gone"];
const TIMEOUT_MS = 240_000;
const isLinux = process.platform === "linux";

/** Says why not on the console. */
function mountsDisks(): boolean {
  const disk = SmallDisk.mount(mkdtempSync(join(tmpdir(), "troupe-small-disk-")), 1);
  if (typeof disk === "string") {
    console.warn(`disk-full skipped: ${disk}`);
    return false;
  }
  disk.unmount();
  return true;
}

describe("chaos", () => {
  it("[CHX2] every promise is kept while PostgreSQL is away and clients misbehave", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const outcome = await chaosRun("[CHX2]", { faults: FAULTS, hosts: 1 });
    expect(brokenPromises(outcome), outcome.text).toEqual([]);
    expect(outcome.exitCode).toBe(0);
    expect(outcome.history.faults.map(({ fault }) => fault).sort()).toEqual([...FAULTS].sort());
  });

  it("[CHX6] every promise is kept while connections, descriptors and the disk run out", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const faults = EXHAUSTED.filter((name) => name !== "descriptors-gone" || isLinux);
    if (mountsDisks()) faults.push("disk-full");
    const outcome = await chaosRun("[CHX6]", { faults, hosts: 1 });
    expect(brokenPromises(outcome), outcome.text).toEqual([]);
    expect(outcome.exitCode).toBe(0);
    expect(outcome.history.faults.map(({ fault }) => fault).sort()).toEqual([...faults].sort());
  });

  it("[CHX4] wrong options are told at once, all of them, with exit code 2", async () => {
    const { exitCode, text } = await chaosCommand(["--hosts", "9", "--faults", "flood"]);
    expect(exitCode).toBe(2);
    expect(text).toContain("--hosts wants a whole number from 1 to 3");
    expect(text).toContain('no fault "flood"');
  });
});

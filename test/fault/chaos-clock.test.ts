/** A short run of the fault harness: the hosts' wall clock is set, and set right again. */
import { expect, it } from "vitest";
import { brokenPromises, chaosRun } from "../support/chaos.ts";

const TIMEOUT_MS = 240_000;

it("[CHX5] every promise is kept while the wall clock of a loaded host is set", {
  timeout: TIMEOUT_MS,
}, async () => {
  const outcome = await chaosRun("[CHX5]", { faults: ["clock-step"], hosts: 1 });
  expect(brokenPromises(outcome), outcome.text).toEqual([]);
  expect(outcome.exitCode).toBe(0);
  expect(outcome.history.faults).toMatchObject([{ fault: "clock-step" }]);
});

/**
 * [SDK98] After any sequence of drops the SDK shows what the server has of reactions, threads,
 * preferences, drafts, streamed messages and an application's actors, too.
 *
 * As sdk.test.ts: the real SDK, core and shell, against the real edges and actors of a simulated
 * cluster. A seed that fails is printed; it becomes a line of FAILED_ONCE. TEST_SEED=… runs one.
 */
import { describe, test } from "vitest";
import { chanceFrom, seedFor } from "../support/random.ts";
import { SdkPartsHistory } from "./sdk-parts-history.ts";

/** TEST_RUNS=… for a long night. */
const RUNS = Number(process.env["TEST_RUNS"] ?? 5);
const STEPS = 250;

async function holds(seed: number, workersDie: boolean): Promise<void> {
  const history = new SdkPartsHistory(seed, STEPS, workersDie);
  try {
    await history.run();
    await history.check();
    await history.close();
  } catch (error) {
    throw new Error(`TEST_SEED=${seed}`, { cause: error });
  }
}

describe("what the SDK shows of its parts", () => {
  test.each([
    ["any sequence of drops, with its parts", false],
    ["drops and deaths of workers, with its parts", true],
  ] as const)(
    "[SDK98] is the server's after %s",
    async (title, workersDie) => {
      const seed = seedFor(title);
      if (process.env["TEST_SEED"] !== undefined) return holds(seed, workersDie);
      const chance = chanceFrom(seed);
      for (let run = 0; run < RUNS; run++) await holds(chance(2 ** 32), workersDie);
    },
    120_000,
  );
});

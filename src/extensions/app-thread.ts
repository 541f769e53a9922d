/**
 * A thread that runs the application's actors: takes batches of turns, and answers them. It holds
 * no state between two batches, so it can be ended at any moment. Started by app-host.ts.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { KindOfActor } from "../actor/turns.ts";
import { stopwatch } from "../base/clock.ts";
import {
  type AppThreadData,
  type AskedBatch,
  type DoneBatch,
  PROGRESS,
} from "./app-thread-data.ts";
import { load } from "./load.ts";

const SLOW_MS = 10;

const { dir, bundles, progress } = workerData as AppThreadData;
const loaded = await load(dir, bundles);
if ("problems" in loaded) throw new Error(loaded.problems.join("\n"));
const kinds = new Map<string, KindOfActor>(loaded.actors.map((actor) => [actor.kind, actor]));

parentPort?.on("message", ({ ask, batch }: AskedBatch) => {
  const kind = kinds.get(batch.kind);
  if (kind === undefined) throw new Error(`no kind ${batch.kind}`);
  const slow: DoneBatch["slow"] = [];
  let [turn, elapsedMs] = [-1, stopwatch()];
  const began = (next: number) => {
    const ms = elapsedMs();
    if (turn >= 0 && ms > SLOW_MS) slow.push({ turn, ms });
    [turn, elapsedMs] = [next, stopwatch()];
    Atomics.store(progress, PROGRESS.ask, ask);
    Atomics.store(progress, PROGRESS.turn, next);
    Atomics.add(progress, PROGRESS.count, 1);
  };
  const wholeMs = stopwatch();
  const faults: DoneBatch["faults"] = [];
  const done = kind.run(batch, began, (of, why) => {
    if (!faults.some((one) => one.of === of)) faults.push({ of, why });
  });
  began(-1);
  parentPort?.postMessage({ ask, done, ms: wholeMs(), slow, faults } satisfies DoneBatch);
});
parentPort?.postMessage("ready");

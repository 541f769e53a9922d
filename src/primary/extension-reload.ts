/**
 * A reload of the application's files in all workers of a host. All load them first; if one cannot, all
 * go on as they are. Then all take them over.
 *
 * [XRL1] A worker that does not take over what it has loaded is replaced by one that begins with the new
 *        files, before this host announces their kinds. Where that one does not come up either, all go
 *        back to the former files, and the reload has failed with the reason.
 */
import type { Log } from "../base/log.ts";
import type { Extensions, RenewalOrder } from "../config/extensions.ts";

/** One worker of the host. */
export interface ReloadedWorker {
  readonly name: string;
  /** Null: done. A text: why not, or that it did not answer in time. */
  order(order: RenewalOrder): Promise<string | null>;
  isGone(): boolean;
}

export interface ReloadOptions {
  /** What runs now; null: nothing of the application does. */
  former: Extensions | null;
  workers(): ReloadedWorker[];
  /** Workers that are started from now on have the new files. */
  startWith(extensions: Extensions): void;
  /** Resolves when nothing is asked of it any more; false: no other comes up in its place. */
  replace(worker: ReloadedWorker): Promise<boolean>;
  log: Log;
}

/** Null: done. A text: why not; then all are as they were. */
export async function reloadWorkers(
  extensions: Extensions,
  { former, workers, startWith, replace, log }: ReloadOptions,
): Promise<string | null> {
  const ask = (step: RenewalOrder["step"], of = extensions) =>
    Promise.all(
      workers().map(async (worker) => ({
        worker,
        problem: await worker.order({ step, extensions: of }),
      })),
    );
  for (const { worker, problem } of await ask("prepare")) {
    // One that has died meanwhile is replaced.
    if (problem === null || worker.isGone()) continue;
    await ask("abandon");
    return problem;
  }
  startWith(extensions);
  const adopted = await ask("adopt");
  const problems = await Promise.all(
    adopted.map(async ({ worker, problem }) => {
      if (problem === null || worker.isGone()) return null;
      log.error({ event: "reload_not_taken", worker: worker.name, why: problem });
      return (await replace(worker)) ? null : problem;
    }),
  );
  const problem = problems.find((one) => one !== null) ?? null;
  if (problem === null || former === null) return problem;
  startWith(former);
  // A worker that has not prepared them does so first.
  for (const { worker, problem: why } of await ask("adopt", former)) {
    if (why !== null) log.error({ event: "reload_not_undone", worker: worker.name, why });
  }
  return problem;
}

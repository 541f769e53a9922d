/**
 * A reload of the application's files in all workers of a host. All load them first; if one cannot, all
 * go on as they are. Then all take them over.
 *
 * [XRL1] A worker that does not take over what it has loaded is replaced by one that begins with the new
 *        files, before this host announces their kinds.
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
  workers(): ReloadedWorker[];
  /** Workers that are started from now on have the new files. */
  startWith(extensions: Extensions): void;
  /** Resolves when nothing is asked of it any more. */
  replace(worker: ReloadedWorker): Promise<void>;
  log: Log;
}

/** Null: done. A text: why not; then nothing has changed. */
export async function reloadWorkers(
  extensions: Extensions,
  { workers, startWith, replace, log }: ReloadOptions,
): Promise<string | null> {
  const ask = (step: RenewalOrder["step"]) =>
    Promise.all(
      workers().map(async (worker) => ({
        worker,
        problem: await worker.order({ step, extensions }),
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
  await Promise.all(
    adopted.map(async ({ worker, problem }) => {
      if (problem === null || worker.isGone()) return;
      log.error({ event: "reload_not_taken", worker: worker.name, why: problem });
      await replace(worker);
    }),
  );
  return null;
}

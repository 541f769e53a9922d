/**
 * The jobs of one host: the runner with every handler that there is, and what `/metrics` says of
 * the queue. Started by the first worker of each host. To add a kind of job, add its handler here.
 */
import { Gauge, type Registry } from "prom-client";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { JobCounts, JobStore } from "../ports/jobs.ts";
import { type JobHandlers, JobRunner } from "./runner.ts";

const AT_ONCE_MAX = 20;

export interface JobsOptions {
  config: { jobs: boolean };
  store: JobStore;
  registry: Registry;
  clock: Clock;
  log: Log;
}

/** With JOBS=off it runs none, and says how the queue is all the same. */
export function startJobs({ config, store, registry, clock, log }: JobsOptions): {
  close(): Promise<void>;
} {
  addMetrics(registry, store);
  const handlers: JobHandlers = {};
  const runner = new JobRunner({ store, handlers, atOnceMax: AT_ONCE_MAX, clock, log });
  if (config.jobs) runner.start();
  return { close: () => runner.close() };
}

/** The queue is the cluster's: every host says the same. */
function addMetrics(registry: Registry, store: JobStore): void {
  const registers = [registry];
  const figures: Record<keyof JobCounts, string> = {
    waiting: "Jobs that wait for their time or for a host.",
    running: "Jobs that a host runs.",
    failed: "Jobs that have failed within the last 7 days.",
    oldest_ms: "Milliseconds that the oldest job that is due has waited.",
  };
  let counts: Promise<JobCounts | null> | null = null;
  const read = () => {
    counts ??= store.counts().catch(() => null);
    const mine = counts;
    setImmediate(() => {
      if (counts === mine) counts = null;
    });
    return mine;
  };
  for (const [figure, help] of Object.entries(figures) as [keyof JobCounts, string][]) {
    new Gauge({
      name: `troupe_jobs_${figure}`,
      help,
      registers,
      async collect() {
        const found = await read();
        if (found !== null) this.set(found[figure]);
      },
    });
  }
}

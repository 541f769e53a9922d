/** The job that pushes; see pusher.ts. It is added with each device, and at the start of a host. */
import { Counter, Gauge, type Registry } from "prom-client";
import type { PushCounts, PushQueue } from "../../ports/push.ts";
import { forAMoment } from "../one-read.ts";
import type { JobHandlers } from "../runner.ts";
import { Pusher, type PusherOptions } from "./pusher.ts";

export const PUSH = "push";
/** One over all hosts. */
export const PUSH_JOB = { kind: PUSH, key: PUSH };

/** After PostgreSQL did not answer, or another job pushed. */
const TROUBLE_MS = 1_000;

export function pushJobs({
  registry,
  ...options
}: Omit<PusherOptions, "count"> & { registry: Registry }): JobHandlers {
  const count = addMetrics(registry, options.queue);
  return {
    async [PUSH](_job, { signal }) {
      try {
        await new Pusher({ ...options, count }).run(signal);
      } catch (err) {
        options.log.warn({ event: "push_waits", err });
        return { is: "again", inMs: TROUBLE_MS };
      }
      return signal.aborted ? { is: "again", inMs: 0 } : { is: "done" };
    },
  };
}

/** The queue is the cluster's: every host says the same. The outcomes are this host's. */
function addMetrics(registry: Registry, queue: PushQueue): PusherOptions["count"] {
  const registers = [registry];
  const figures: Record<keyof PushCounts, string> = {
    waiting: "Pushes on which it is not decided yet.",
    sending: "Pushes to devices that are not delivered yet.",
    oldest_ms: "Milliseconds that the oldest push that is due waits.",
  };
  const read = forAMoment(() => queue.counts().catch(() => null));
  for (const [figure, help] of Object.entries(figures) as [keyof PushCounts, string][]) {
    new Gauge({
      name: `troupe_push_${figure}`,
      help,
      registers,
      async collect() {
        const found = await read();
        if (found !== null) this.set(found[figure]);
      },
    });
  }
  const ended = new Counter({
    name: "troupe_pushes_total",
    help: "Pushes that were handed to a provider, by what came of it.",
    labelNames: ["provider", "outcome"],
    registers,
  });
  return (provider, outcome) => ended.inc({ provider, outcome });
}

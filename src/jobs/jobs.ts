/**
 * The jobs of one host: the runner with every handler that there is, and what `/metrics` says of
 * the queue. Started by the first worker of each host. To add a kind of job, hand its handler in.
 */
import { Gauge, type Registry } from "prom-client";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { EventsConfig } from "../config/event-keys.ts";
import type { Post } from "../outbound/request.ts";
import type { EventLog } from "../ports/events.ts";
import type { JobCounts, JobStore } from "../ports/jobs.ts";
import type { WebhookQueue, WebhookStore } from "../ports/webhooks.ts";
import { forAMoment } from "./one-read.ts";
import { type JobHandlers, JobRunner } from "./runner.ts";
import { TELL_UNREAD } from "./unread.ts";
import { Deliverer } from "./webhooks/deliverer.ts";

/** There may be 20 webhooks, each with a job that runs for as long as it is there. */
const AT_ONCE_MAX = 40;
const UPKEEP_MS = 60_000;
const TROUBLE_MS = 1_000;

export interface JobsOptions {
  config: Pick<EventsConfig, "jobs" | "events" | "eventsRetentionDays">;
  storage: { jobs: JobStore; events: EventLog; webhooks: WebhookStore & WebhookQueue };
  post: Post;
  /** Writes the addresses of files into what leaves. */
  links(text: string): string;
  handlers: JobHandlers;
  /** Jobs of a kind at once; kinds without one share another bound. */
  bounds: Readonly<Record<string, number>>;
  /** Kinds that are always in the queue: each run asks for the next. */
  standing: readonly string[];
  registry: Registry;
  clock: Clock;
  log: Log;
}

/** With JOBS=off it runs none, and says how the queue is all the same. */
export function startJobs({
  config,
  storage,
  post,
  links,
  handlers: more,
  bounds,
  standing,
  registry,
  clock,
  log,
}: JobsOptions): {
  /** The log is as the configuration wants it. */
  ready: Promise<void>;
  close(): Promise<void>;
} {
  const { jobs: store, events, webhooks } = storage;
  addMetrics(registry, store);
  const handlers: JobHandlers = {
    ...more,
    /** Runs for as long as the webhook is enabled. */
    async webhook({ key }, { signal }) {
      const deliverer = new Deliverer({ id: key ?? "", queue: webhooks, post, links, clock, log });
      try {
        await deliverer.run(signal);
      } catch (err) {
        // It never gives up: PostgreSQL was out of reach for a while.
        log.warn({ event: "webhook_waits", webhook: key, err });
        return { is: "again", inMs: TROUBLE_MS };
      }
      return signal.aborted ? { is: "again", inMs: 0 } : { is: "done" };
    },
    async events_upkeep() {
      const mayEnd = config.events === "auto";
      const isKept = await events
        .upkeep(config.eventsRetentionDays, mayEnd)
        .catch((err: unknown) => {
          log.warn({ event: "events_upkeep_waits", err });
          return true;
        });
      return isKept ? { is: "again", inMs: UPKEEP_MS } : { is: "done" };
    },
  };
  const runner = new JobRunner({ store, handlers, atOnceMax: AT_ONCE_MAX, bounds, clock, log });
  if (config.jobs) {
    for (const kind of standing) {
      store
        .add({ kind, key: kind })
        .catch((err: unknown) => log.warn({ event: "job_not_added", kind, err }));
    }
    runner.start();
  }
  const begun = beginEvents().catch((err: unknown) => log.warn({ event: "events_unready", err }));
  return {
    ready: begun,
    async close() {
      await begun;
      await runner.close();
    },
  };

  /** The log as the configuration wants it, and a job for each webhook. */
  async function beginEvents(): Promise<void> {
    const { isOn } = await events.state();
    if (config.events === "off") {
      if (isOn) await events.end();
      return;
    }
    if (config.events === "on" && !isOn) await events.begin();
    else if (isOn) await events.renew();
    if (!isOn && config.events === "auto") return;
    await store.add({ kind: "events_upkeep", key: "all", inMs: UPKEEP_MS });
    await store.add({ kind: TELL_UNREAD, key: "all" });
    for (const { id, enabled } of await webhooks.list()) {
      if (enabled) await store.add({ kind: "webhook", key: id, args: { id } });
    }
  }
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
  const read = forAMoment(() => store.counts().catch(() => null));
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

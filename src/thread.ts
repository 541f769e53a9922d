/**
 * The actor thread: one ActorRuntime with its storage, reached by its edge through comlink, which
 * also hands it its end of the line for frames. One of the three boxes; it alone constructs what
 * actors need.
 */
import { parentPort } from "node:worker_threads";
import * as Comlink from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { behaviours } from "../actors/index.ts";
import { systemClock } from "./base/clock.ts";
import { Drops } from "./base/drops.ts";
import { HookFailures } from "./base/hook-failures.ts";
import { createLogger, type Log } from "./base/log.ts";
import { createMetrics, type Metrics } from "./base/metrics.ts";
import type { WorkerConfig } from "./config/config.ts";
import { StreamedTexts } from "./edge/moderation/streamed-texts.ts";
import { AppHost } from "./extensions/app-host.ts";
import { hooksInOrder } from "./extensions/hooks-in-order.ts";
import { OwnHooks } from "./extensions/own-hooks.ts";
import { AppFigures } from "./ops/app-figures.ts";
import { RecentFaults } from "./ops/recent-faults.ts";
import { createThreadVitals, stampNow } from "./ops/vitals.ts";
import { Addresses } from "./outbound/addresses.ts";
import { createAppFetch } from "./outbound/app-requests.ts";
import { createHooks } from "./outbound/hook-client.ts";
import { Outbound } from "./outbound/request.ts";
import type { ThreadReport } from "./ports/ops.ts";
import { AppKinds } from "./protocol/app-kinds.ts";
import { later } from "./protocol/time.ts";
import { ActorRuntime } from "./runtime/actor-runtime.ts";
import { BatchLink } from "./runtime/batch-link.ts";
import type { PrimaryOrders, WorkerReports } from "./runtime/control.ts";
import { decodeAt, eachFrameSafely, FRAME, type Frame, frame } from "./runtime/frames.ts";
import type { ThreadApi, ThreadStart } from "./runtime/thread-api.ts";
import type { View } from "./runtime/view.ts";
import { type ActorStorage, createActorPorts } from "./storage/postgres/actor-ports.ts";
import { STORAGE_REASONS } from "./storage/postgres/fault.ts";
import { FaultLog } from "./storage/postgres/fault-log.ts";

const IDLE_POLL_MS = 10;
const DAY_S = 86_400;

interface Running {
  host: ActorRuntime;
  link: BatchLink;
  storage: ActorStorage;
  metrics: Metrics;
  faultLog: FaultLog;
  apps: AppHost | null;
  hooks: OwnHooks | null;
  kinds: AppKinds;
  report(): ThreadReport;
}

let running: Running | null = null;

function start({ config, incarnation, slot, line }: ThreadStart): Running {
  const faults = new RecentFaults(systemClock, incarnation);
  const log = faults.tap(
    createLogger({ level: config.logLevel, bindings: { box: "thread", worker: incarnation } }),
  );
  const vitals = createThreadVitals();
  const metrics = createMetrics({ part: "thread", worker: slot });
  const drops = new Drops({ tally: metrics.dropped, clock: systemClock, log });
  const faultLog = new FaultLog({ tally: metrics.storageFaults, clock: systemClock, log });
  let isWritable = true;
  metrics.gauges.isWritable = () => isWritable;
  const storage = createActorPorts(config.databaseUrl, {
    pooling: config.databasePooling,
    onFault: (fault, refusals) => faultLog.note(fault, refusals),
    onWritable(reason) {
      const trouble = reason === null ? null : { reason, why: STORAGE_REASONS[reason] };
      if (isWritable !== (trouble === null)) {
        if (trouble === null) log.info({ event: "writable_again" });
        else log.error({ event: "not_writable", ...trouble });
      }
      isWritable = trouble === null;
      const body = JSON.stringify({ trouble } satisfies WorkerReports["writable"]);
      link.send(frame(FRAME.control, { name: "writable", body }));
      link.flush();
    },
    onCommit(rows, seconds) {
      metrics.commit(rows, seconds);
      vitals.commitRows.observe(rows);
      vitals.commitMs.observe(seconds * 1000);
    },
  });
  const link = new BatchLink(line, {
    frames(bytes) {
      eachFrameSafely(
        bytes,
        (at) => take(decodeAt(bytes, at)),
        (reason, fault) => drops.note("thread", reason, fault),
      );
      link.flush();
    },
    // The edge is behind: no turn is begun, and nothing more is taken from the edge.
    pressure(isFull) {
      host.setHeld(isFull);
      if (isFull) {
        metrics.pressure.add("thread_to_edge", "full");
        link.hold();
        // The frames that waited may have filled the line again.
      } else if (!link.isFull) link.release();
    },
    stuck(err) {
      log.fatal({ event: "edge_stuck", err });
      process.exit(1);
    },
  });
  const figures = new AppFigures();
  const apps = openApps(config, figures, log);
  const kinds = new AppKinds(config.extensions?.actors ?? [], (kind, action) =>
    host.gateway.placement.announces(kind, action),
  );
  const outbound = new Outbound(new Addresses(config.webhookAllowPrivate));
  const { extensions } = config;
  const hookFailures = new HookFailures({ tally: metrics.hookFailures, clock: systemClock, log });
  const ownHooks =
    extensions === undefined
      ? null
      : new OwnHooks(config, extensions, HOOKED, hookFailures, systemClock, log);
  const hooks = hooksInOrder(
    ownHooks,
    createHooks({ config, post: outbound.post, failures: hookFailures, clock: systemClock }),
  );
  const host = new ActorRuntime({
    clock: systemClock,
    self: incarnation,
    behaviours: behaviours(storage.ports, {
      apps: apps && {
        kinds,
        run: (batch) => apps.run(batch),
        fetch: createAppFetch(outbound.post, log),
      },
      graceMs: config.presenceGraceMs,
      sessionsMax: config.sessionsPerUserMax,
      changes: config.rateLimits ? config.limits.conversation_change : null,
      hooks,
      retentionCapS: config.retentionDays && config.retentionDays * DAY_S,
      judge: new StreamedTexts(storage.moderation, systemClock, log),
    }),
    send(f) {
      // Every committed message is published once, by its actor.
      if (f.type === FRAME.event && f.name === "message") {
        metrics.counts.sends++;
        // An event wants no answer: its `corr` is free for the moment of the commit.
        f.corr = stampNow();
      }
      link.send(f);
    },
    onBug: (actor, bug) => log.error({ event: "actor_failed", actor, err: bug }),
    onMalformed: (_actor, fault) => drops.note("thread", "malformed", fault),
  });
  const take = (f: Frame) => {
    if (f.type === FRAME.view) host.setView(JSON.parse(f.body) as View);
    else if (f.type === FRAME.control) {
      if (f.name === "spare_connections") storage.spare();
      else host.onGap(gapOf(f));
    } else host.deliver(f);
  };
  metrics.gauges.actors = () => host.stats.actors;
  metrics.gauges.activated = () => host.stats.activated;
  metrics.gauges.mailboxDepth = () => host.stats.mailboxDepth;
  const report = (): ThreadReport => {
    const { actors, mailboxDepth: waiting, mailboxDeepest: deepest } = host.stats;
    return {
      vitals: {
        sends: metrics.counts.sends,
        actors,
        mailbox: { waiting, deepest },
        thread_lag_ms: metrics.lagMs(),
        commit_rows: vitals.commitRows.read(),
        commit_ms: vitals.commitMs.read(),
        ...(apps !== null &&
          kinds.list.length > 0 && {
            application: figures.read(kinds.list, host.idsOf("app"), apps.unavailable()),
          }),
      },
      faults: faults.list(),
    };
  };
  return { host, link, storage, metrics, faultLog, apps, hooks: ownHooks, kinds, report };
}

/** Null where no ACTORS_DIR is set. */
function openApps(
  { extensions, actorsMemoryMb }: WorkerConfig,
  figures: AppFigures,
  log: Log,
): AppHost | null {
  if (extensions === undefined) return null;
  return new AppHost({ extensions, memoryMb: actorsMemoryMb, figures, clock: systemClock, log });
}

/** The questions about messages; those about conversations and members are asked by edges. */
const HOOKED = ["message.send", "message.edit", "message.append"] as const;

/** The order that concerns actors. */
function gapOf(order: Frame): string {
  return (JSON.parse(order.body) as PrimaryOrders["gap"]).host;
}

const api: ThreadApi = {
  async start(options) {
    running = start(options);
    await running.storage.open();
    // Messages must not wait for the application's files.
    await running.hooks?.ready();
  },

  async metrics() {
    return (await running?.metrics.toJson()) ?? [];
  },

  async report() {
    return running?.report() ?? null;
  },

  async prepare(extensions) {
    const isLoaded = await Promise.all([
      running?.apps?.prepare(extensions),
      running?.hooks?.prepare(extensions),
    ]);
    return !isLoaded.includes(false);
  },

  async adopt({ actors }) {
    // In one turn of the event loop, so that no batch is of both.
    running?.kinds.adopt(actors);
    running?.apps?.adopt();
    running?.hooks?.adopt();
  },

  async abandon() {
    running?.apps?.abandon();
    running?.hooks?.abandon();
  },

  async stop(deadlineMs) {
    if (running === null) return;
    const { host, link, storage, faultLog, apps, hooks } = running;
    const untilMs = later(systemClock.monotonicMs(), deadlineMs);
    while (host.hasUnfinishedWork && systemClock.monotonicMs() < untilMs) {
      await new Promise<void>((resolve) => systemClock.after(IDLE_POLL_MS, resolve));
    }
    host.close();
    link.flush();
    await apps?.close();
    await hooks?.close();
    await storage.close();
    faultLog.close();
  },
};

if (parentPort === null) throw new Error("src/thread.ts runs as a worker thread");
Comlink.expose(api, nodeEndpoint(parentPort));

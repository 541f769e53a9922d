/**
 * The worker: an edge (Socket.IO and HTTP, on this thread) and its actor thread. One of the
 * three boxes; it constructs the edge's adapters and wires the frames' crossing.
 *
 * Forked by the primary, which sends `configure` first. Leaves at once when the primary is
 * gone, so that nothing lingers on the port.
 */
import type { IncomingMessage } from "node:http";
import { Socket as TcpSocket } from "node:net";
import { join } from "node:path";
import { Worker as Thread } from "node:worker_threads";
import * as Comlink from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { systemClock } from "./base/clock.ts";
import { Drops } from "./base/drops.ts";
import { FileLinks } from "./base/file-links.ts";
import { HookFailures } from "./base/hook-failures.ts";
import { createLogger, type Log } from "./base/log.ts";
import { addMetrics, createMetrics } from "./base/metrics.ts";
import type { WorkerConfig } from "./config/config.ts";
import type { Extensions, RenewalOrder } from "./config/extensions.ts";
import { Edge } from "./edge/edge.ts";
import { createApi } from "./edge/http/api.ts";
import { importReaders } from "./edge/import-readers.ts";
import { createOpsAnswers } from "./edge/ops/answers.ts";
import { createOps } from "./edge/ops/ops.ts";
import { ClosedConnections } from "./edge/transport/closed-connections.ts";
import { createMisroutedPolls } from "./edge/transport/misrouted-polls.ts";
import { createTlsDoor } from "./edge/transport/tls-door.ts";
import { hooksInOrder } from "./extensions/hooks-in-order.ts";
import { OwnHooks } from "./extensions/own-hooks.ts";
import { loadedOr, Renewal } from "./extensions/renewal.ts";
import { ImagePool } from "./images/pool.ts";
import { createRefresh, createRetirement } from "./jobs/files.ts";
import { hostJobs, IMAGES_AT_ONCE } from "./jobs/host-jobs.ts";
import { startJobs } from "./jobs/jobs.ts";
import { openPushes } from "./jobs/push/open.ts";
import { RecentFaults } from "./ops/recent-faults.ts";
import { Addresses } from "./outbound/addresses.ts";
import { createFileScanner } from "./outbound/file-scanner.ts";
import { createHooks } from "./outbound/hook-client.ts";
import { createProbe } from "./outbound/probe.ts";
import { Outbound } from "./outbound/request.ts";
import type { Files } from "./ports/files.ts";
import { AppKinds } from "./protocol/app-kinds.ts";
import type { Result } from "./protocol/errors.ts";
import { BatchLink, createLine } from "./runtime/batch-link.ts";
import type {
  HostHealth,
  HostMetrics,
  IssuerKeySet,
  PrimaryOrders,
  TlsMaterial,
} from "./runtime/control.ts";
import { isForTroupe, isSocketHandover, readOpsQuestion } from "./runtime/control.ts";
import { Exchange } from "./runtime/exchange.ts";
import { decodeAt, FRAME, type Frame } from "./runtime/frames.ts";
import { PIPE_FD, Pipe } from "./runtime/pipe.ts";
import type { ThreadApi } from "./runtime/thread-api.ts";
import { openFileStores } from "./storage/files/open.ts";
import { createEdgePorts } from "./storage/postgres/edge-ports.ts";
import { FaultLog } from "./storage/postgres/fault-log.ts";

/** What an edge asks the application's hooks about; actor threads ask about messages. */
const HOOKED = ["conversation.create", "member.add"] as const;

/** The part of the drain's time that actors may use to finish once the sessions are gone. */
const FLUSH_MS = 2_000;

type Configuration = PrimaryOrders["configure"];

/** The receiver of the primary's frames; at first only `configure` is understood. */
let onFrames: (bytes: Buffer) => void = (bytes) => {
  const first = decodeAt(bytes, 0);
  if (first.type !== FRAME.control || first.name !== "configure") {
    throw new Error(`worker: ${first.name} before configure`);
  }
  const early: Buffer[] = [Buffer.from(bytes.subarray(bytes.readUInt32BE(0)))];
  onFrames = (more) => early.push(Buffer.from(more));
  start(JSON.parse(first.body) as Configuration).then(
    (exchange) => {
      onFrames = (more) => exchange.fromPrimary(more);
      for (const batch of early) if (batch.length > 0) exchange.fromPrimary(batch);
      exchange.report("online", {});
    },
    (error: unknown) => {
      createLogger({ level: "info" }).fatal({ event: "worker_failed", err: error });
      process.exit(1);
    },
  );
};

let onPipePressure: (isFull: boolean) => void = () => undefined;

const pipe = new Pipe(new TcpSocket({ fd: PIPE_FD }), {
  frames: (bytes) => onFrames(bytes),
  pressure: (isFull) => onPipePressure(isFull),
  closed: () => process.exit(0),
});
process.on("disconnect", () => process.exit(0));
// The primary says when to stop; a terminal's signals reach the whole process group.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
process.on("SIGHUP", () => undefined);
process.on("SIGUSR2", () => undefined);

async function start({ config, incarnation, slot, tls }: Configuration): Promise<Exchange> {
  const faults = new RecentFaults(systemClock, incarnation);
  const log = faults.tap(
    createLogger({ level: config.logLevel, bindings: { box: "worker", worker: incarnation } }),
  );
  const clock = systemClock;
  const metrics = createMetrics({ part: "edge", worker: slot });
  const drops = new Drops({ tally: metrics.dropped, clock, log });
  const faultLog = new FaultLog({ tally: metrics.storageFaults, clock, log });
  const storage = createEdgePorts(config.databaseUrl, {
    pooling: config.databasePooling,
    directUrl: config.databaseDirectUrl ?? config.databaseUrl,
    onFault: (fault, refusals) => faultLog.note(fault, refusals),
  });
  const addresses = new Addresses(config.webhookAllowPrivate, undefined, config.pushAllowPrivate);
  const outbound = new Outbound(addresses);
  const remote = startThread(log);
  const [line, farEnd] = createLine();

  const exchange = new Exchange({
    incarnation,
    isCluster: config.redisUrl !== null,
    clock,
    pipe,
    pressure: metrics.pressure,
    drops,
    thread: new BatchLink(line, {
      frames: (bytes) => exchange.fromThread(bytes),
      pressure: (isFull) => exchange.onThreadPressure(isFull),
      stuck(err) {
        log.fatal({ event: "thread_stuck", err });
        process.exit(1);
      },
    }),
    onEvent: (event) => edge.onEvent(event),
    onView: (now, before) => edge.onView(now, before),
    onControl(order, reply) {
      onControl(order, reply).catch((fault: unknown) => drops.note("pipe", "failed", fault));
    },
    onBatchEnd: () => edge.turn.flush(),
  });
  onPipePressure = (isFull) => exchange.onPipePressure(isFull);
  const { extensions } = config;
  const appKinds = new AppKinds(extensions?.actors ?? [], (kind, action) =>
    exchange.placement.announces(kind, action),
  );
  const links = new FileLinks({
    key: await storage.files.key(),
    ttlS: config.fileUrlTtlS,
    basePath: config.basePath,
    clock,
  });
  const adapter = await openNamespaceAdapter(config, log);
  const edge = await Edge.create({
    config,
    ...(adapter && { namespaceAdapter: adapter.factory }),
    incarnation,
    exchange,
    accounts: storage.accounts,
    services: storage.services,
    scheduled: storage.scheduled,
    moderation: storage.moderation,
    apps: storage.apps,
    appKinds,
    queries: storage.queries,
    links,
    metrics,
    clock,
    random: Math.random,
    askIssuerKeys: async (newer) =>
      taken(await exchange.askPrimary<IssuerKeySet | null>("issuer_keys", { newer })),
    log,
  });
  const namespaces =
    extensions === undefined
      ? null
      : await import("./extensions/open-namespaces.ts").then(({ openNamespaces }) =>
          openNamespaces(edge, extensions, log),
        );
  const answerOps = createOpsAnswers({
    metrics,
    vitals: edge.vitals,
    faults,
    sessionsOf: (user) => edge.sessionsOf(user),
    deliveries: () => edge.turn.deliveries,
    async thread() {
      const report = await remote.report();
      if (report === null) throw new Error("the actor thread has not started");
      return report;
    },
  });
  const stores = openFileStores({
    s3: config.fileStore,
    dataDir: config.dataDir,
    hasOtherHosts: config.redisUrl !== null,
    clock,
  });
  const { store } = stores;
  const table = storage.files;
  const refresh = createRefresh({ table, gateway: exchange.gateway });
  const uploads = { table: storage.uploads, store: stores.uploads };
  const retire = createRetirement({ table, store, uploads: uploads.store, refresh, log });
  const files: Files = { table, store, uploads, links, retire };
  const push = openPushes({ config, storage, exchange, metrics, outbound, addresses, clock, log });
  const misrouted = createMisroutedPolls(edge.sockets.io, tls === null);
  const hookFailures = new HookFailures({ tally: metrics.hookFailures, clock, log });
  const ownHooks =
    extensions === undefined
      ? null
      : new OwnHooks(config, extensions, HOOKED, hookFailures, clock, log);
  await ownHooks?.ready();
  const api = await createApi({
    config,
    accounts: storage.accounts,
    services: storage.services,
    scheduled: storage.scheduled,
    moderation: storage.moderation,
    wordRules: edge.wordRules,
    apps: storage.apps,
    appKinds,
    queries: storage.queries,
    files,
    search: config.messageSearch ? storage.search : null,
    clientPackages: storage.clientPackages,
    erasures: storage.erasures,
    exports: storage.exports,
    outside: {
      events: storage.events,
      webhooks: storage.webhooks,
      jobs: storage.jobs,
      probe: createProbe(addresses, outbound.post, clock),
    },
    push: push.asked,
    hooks: hooksInOrder(
      ownHooks,
      createHooks({ config, post: outbound.post, failures: hookFailures, clock }),
    ),
    gateway: exchange.gateway,
    presence: edge.presence,
    revocations: edge.revocations,
    host: {
      health: async () => taken(await exchange.askPrimary<HostHealth>("host_health")),
      metrics: async () => taken(await exchange.askPrimary<HostMetrics>("gather_metrics")),
    },
    ops: createOps({
      queries: storage.ops,
      gateway: exchange.gateway,
      ask: (question) => exchange.askPrimary("ops", question),
      clock,
    }),
    ready: () => (exchange.placement.view.workers.length > 0 ? [] : ["no view of the cluster yet"]),
    clock,
    log,
    auth: edge.auth,
    limits: edge.limits,
    metrics,
    engine: misrouted.onRequest,
  });
  api.server.on("upgrade", misrouted.onUpgrade);
  const tlsDoor =
    tls === null
      ? null
      : createTlsDoor({
          material: tls,
          serve: (socket) => void api.server.emit("connection", socket),
          settled: (tickets) => exchange.report("settled", { tickets }),
          registry: metrics.registry,
        });
  if (tlsDoor !== null) {
    const requested = (request: IncomingMessage) => tlsDoor.requested(request.socket);
    api.server.on("request", requested).on("upgrade", requested);
  }

  await remote.start(Comlink.transfer({ config, incarnation, slot, line: farEnd }, [farEnd.port]));
  // The writer has its connection now, ahead of the edge's reads. Nobody is served before it is known who is shut out.
  await edge.revocations.load();

  const connections = new ClosedConnections((counts) =>
    exchange.report("connections_ended", counts),
  );
  // Those that sticky hands over itself come here only.
  edge.sockets.httpServer.on("connection", (socket: TcpSocket) => connections.watch(socket));
  process.on("message", (message: unknown, socket: TcpSocket | undefined) => {
    // Socket.IO's adapters use the same channel.
    if (!isForTroupe(message)) return;
    socket?.on("error", () => socket.destroy());
    if (!isSocketHandover(message)) {
      drops.note("ipc", "malformed");
      socket?.destroy();
      return;
    }
    if (socket === undefined) {
      connections.ended(message.address);
      return;
    }
    connections.watch(socket, message.address);
    if (message.kind === "tls") {
      if (tlsDoor === null) socket.destroy();
      else tlsDoor.take(socket, message.head, message.ticket);
      return;
    }
    const server = message.kind === "api" ? api.server : edge.sockets.httpServer;
    server.emit("connection", socket);
    if (message.head.length > 0) socket.unshift(message.head);
    socket.resume();
  });
  // From here on other edges' frames are read as well; the primary confirms when it reads.
  void edge.start().catch((err: unknown) => {
    log.fatal({ event: "worker_failed", err });
    process.exit(1);
  });

  // One worker of the host runs jobs, beside what it serves.
  const images = new ImagePool({
    folder: join(config.dataDir, "images"),
    atOnceMax: IMAGES_AT_ONCE,
    clock,
    log,
  });
  const scan = createFileScanner({
    config,
    post: outbound.post,
    links: (text) => links.in(text),
    clock,
  });
  const jobs = slot.endsWith("/0")
    ? startJobs({
        ...hostJobs({
          config,
          storage,
          store,
          retire,
          prepare: { links, images, scan, refresh },
          gateway: exchange.gateway,
          readers: importReaders(),
          push: push.handlers(),
          clock,
          log,
        }),
        config,
        storage,
        post: outbound.post,
        links: (text) => links.in(text),
        registry: metrics.registry,
        clock,
        log,
      })
    : null;
  // Nothing happens before the log that is to hold it.
  if (config.events === "on") await jobs?.ready;

  const renewal = new Renewal([
    ...(namespaces === null ? [] : [namespaces]),
    ...(ownHooks === null
      ? []
      : [
          {
            prepare: async (next: Extensions) => loadedOr(await ownHooks.prepare(next)),
            adopt: () => ownHooks.adopt(),
            abandon: () => ownHooks.abandon(),
          },
        ]),
    {
      prepare: async (next) => loadedOr(await remote.prepare(next)),
      async adopt(next) {
        await remote.adopt(next);
        appKinds.adopt(next.actors);
        api.renewDocuments();
      },
      abandon: () => void remote.abandon(),
    },
  ]);

  async function onControl(order: Frame, reply: (body: string) => void): Promise<void> {
    switch (order.name as keyof PrimaryOrders) {
      case "metrics": {
        metrics.counts.deliveries = edge.turn.deliveries;
        reply(JSON.stringify(await addMetrics([await metrics.toJson(), await remote.metrics()])));
        return;
      }
      case "ops": {
        reply(JSON.stringify(await answerOps(readOpsQuestion(order.body))));
        return;
      }
      case "drain": {
        const { deadline_ms } = JSON.parse(order.body) as PrimaryOrders["drain"];
        log.info({ event: "draining", sessions: metrics.gauges.sessions() });
        const { told, gone } = edge.drain();
        const worked = jobs?.close();
        await told;
        // The primary may close the port now.
        reply("null");
        await gone;
        await worked;
        images.close();
        await api.close(Math.min(FLUSH_MS, deadline_ms));
        await remote.stop(FLUSH_MS);
        edge.close();
        await ownHooks?.close();
        adapter?.close();
        outbound.close();
        push.close();
        stores.close();
        await storage.close();
        faultLog.close();
        exchange.report("drained", {});
        return;
      }
      case "tls":
        reply(renewed(JSON.parse(order.body) as TlsMaterial));
        return;
      case "extensions": {
        const problem = await renewal.order(JSON.parse(order.body) as RenewalOrder);
        reply(JSON.stringify(problem));
        return;
      }
      case "gap":
        edge.onGap((JSON.parse(order.body) as PrimaryOrders["gap"]).host);
        return;
      case "doubt":
        edge.onDoubt(JSON.parse(order.body) as PrimaryOrders["doubt"]);
        return;
      case "issuer_keys":
        edge.auth.onIssuerKeys(JSON.parse(order.body) as PrimaryOrders["issuer_keys"]);
        return;
      case "spare_connections":
        storage.spare();
        return;
      case "configure":
        return;
    }
  }

  function renewed(material: TlsMaterial): string {
    try {
      tlsDoor?.renew(material);
      return "null";
    } catch (error) {
      // The primary has tried the pair; this process' OpenSSL is the same.
      return JSON.stringify(error instanceof Error ? error.message : String(error));
    }
  }

  return exchange;
}

/** Null where a namespace's rooms end at this host. */
async function openNamespaceAdapter({ redisUrl, extensions }: WorkerConfig, log: Log) {
  if (extensions?.redisPrefix == null || redisUrl === null) return null;
  const { openRedisAdapter } = await import("./extensions/redis-adapter.ts");
  return openRedisAdapter(redisUrl, extensions.redisPrefix, systemClock, log);
}

function startThread(log: Log) {
  const thread = new Thread(new URL("./thread.js", import.meta.url));
  // Nothing that the thread owns outlives it: the whole worker is replaced.
  thread.on("error", (error) => log.fatal({ event: "thread_failed", err: error }));
  thread.on("exit", () => process.exit(1));
  return Comlink.wrap<ThreadApi>(nodeEndpoint(thread));
}

function taken<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

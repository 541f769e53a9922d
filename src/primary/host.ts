/**
 * One running host: connects front door, supervisor, switchboard, membership and
 * relay. Made by src/main.ts once the database is available; it does not know the database itself.
 *
 *   worker pipe ─▶ switchboard ─▶ other pipes, uplink
 *                      └ control ─▶ supervisor (online, drained) · host report (metrics, health)
 *   supervisor ─ changed ─▶ membership ─ view ─▶ switchboard ─▶ all pipes
 */
import { Counter, Gauge } from "prom-client";
import { systemClock } from "../base/clock.ts";
import { Drops } from "../base/drops.ts";
import type { Log } from "../base/log.ts";
import { createMetrics, type Metrics, Tally } from "../base/metrics.ts";
import type { WorkerConfig } from "../config/config.ts";
import type { Extensions } from "../config/extensions.ts";
import { RecentFaults } from "../ops/recent-faults.ts";
import type { Relay } from "../ports/relay.ts";
import { announcedKinds } from "../protocol/app-kinds.ts";
import { type PrimaryOrders, readOpsQuestion, type WorkerReports } from "../runtime/control.ts";
import { encode, FLAG, FRAME, type Frame, frame } from "../runtime/frames.ts";
import type { Certificate } from "./certificate.ts";
import { DoorGuard, type DoorLimits } from "./door-guard.ts";
import { reloadWorkers } from "./extension-reload.ts";
import { FrontDoor } from "./front-door.ts";
import { HEAD_LIMITS, type HeadLimits } from "./head-reader.ts";
import { defaultHostName, hostId } from "./host-id.ts";
import { HostReport } from "./host-report.ts";
import { HostTalk } from "./host-talk.ts";
import { IssuerKeys } from "./issuer-keys.ts";
import { type Member, Membership } from "./membership.ts";
import { MetricsDoor } from "./metrics-door.ts";
import { HostOps, OPS_TALK } from "./ops.ts";
import { Supervisor, type SupervisorLimits } from "./supervisor.ts";
import { NO_UPLINK, Switchboard } from "./switchboard.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** A worker that is starting answers once it is up. */
const CERTIFICATE_DEADLINE_MS = 10_000;
const RENEWAL_DEADLINE_MS = 40_000;
const LATE_RELOAD = "A worker did not answer in time.";

export interface HostOptions {
  config: WorkerConfig;
  /** Absolute path of the built worker. */
  workerPath: string;
  log: Log;
  /** The id of this run of the host; see host-id.ts. */
  host?: string;
  relay?: Relay;
  /** Present when TLS is on. */
  certificate?: Certificate;
  /** The recent faults shown to operators; see recent-faults.ts. */
  faults?: RecentFaults;
  /** Counts what the relay and the pipes drop. */
  drops?: Drops;
  version?: string;
  limits?: { supervisor?: Partial<SupervisorLimits>; head?: Partial<HeadLimits> };
}

export class Host {
  readonly supervisor: Supervisor;
  readonly frontDoor: FrontDoor;
  readonly #config: WorkerConfig;
  readonly #log: Log;
  readonly #switchboard: Switchboard;
  readonly #membership: Membership;
  readonly #relay: Relay | null;
  readonly #report: HostReport;
  readonly #certificate: Certificate | null;
  readonly #faults: RecentFaults;
  readonly #talk: HostTalk;
  readonly #ops: HostOps;
  readonly #issuerKeys: IssuerKeys | null;
  readonly #drops: Drops;
  readonly #metrics: Metrics;
  readonly #metricsDoor: MetricsDoor | null;
  /** Ends the wait before a drain; see DRAIN_DELAY_MS. */
  #endDelay: (() => void) | null = null;

  constructor(options: HostOptions) {
    const { config, log, workerPath, host = newHostId(options.config.port) } = options;
    this.#relay = options.relay ?? null;
    this.#certificate = options.certificate ?? null;
    this.#config = config;
    this.#log = log;
    this.#drops = options.drops ?? new Drops({ tally: new Tally(), clock: systemClock, log });
    const dropped = this.#drops.tally;
    this.#metrics = createMetrics({ part: "primary", worker: "primary", dropped });
    this.#switchboard = new Switchboard(
      options.relay ?? NO_UPLINK,
      { tally: this.#metrics.frames, drops: this.#drops },
      (incarnation, heard) => this.#heard(incarnation, heard),
    );
    this.#membership = new Membership(
      (view) => {
        const body = JSON.stringify(view);
        this.#switchboard.announce(frame(FRAME.view, { view: view.number, body }));
      },
      host,
      this.#relay,
      config.workers,
    );
    this.#membership.updateKinds(announcedKinds(config.extensions?.actors ?? []));
    this.supervisor = new Supervisor(
      {
        host,
        workerPath,
        config,
        tls: () => options.certificate?.material ?? null,
        log,
        limits: options.limits?.supervisor ?? {},
      },
      {
        forked: (incarnation) =>
          this.#switchboard.attach(incarnation.ref.incarnation, incarnation.pipe),
        frames: (incarnation, bytes) =>
          this.#switchboard.fromWorker(incarnation.ref.incarnation, bytes),
        pressure: (incarnation, isFull) => {
          if (isFull) this.#metrics.pressure.add("primary_to_worker", "full");
          else this.#switchboard.relieved(incarnation.ref.incarnation);
        },
        changed: () => this.#membership.update(this.#members(), this.supervisor.stopping),
        lost: (incarnation) => this.#switchboard.detach(incarnation.ref.incarnation),
      },
    );
    this.frontDoor = new FrontDoor({
      tls: options.certificate !== undefined,
      basePath: config.basePath,
      guard: new DoorGuard({
        limits: doorLimits(config),
        connectionsMax: config.connectionsPerAddressMax,
        trust: config.trustProxy,
        log,
        registry: this.#metrics.registry,
      }),
      serving: () => this.supervisor.serving,
      log,
      registry: this.#metrics.registry,
      limits: { ...HEAD_LIMITS, ...options.limits?.head },
    });
    this.#report = new HostReport(this.supervisor, this.#metrics, this.#relay, log);
    this.#faults = options.faults ?? new RecentFaults(systemClock);
    this.#talk = new HostTalk({
      self: host,
      send: (to, said) => this.#relay?.send(to, encode(said)) ?? false,
      answer: (name, body) =>
        name === OPS_TALK
          ? this.#ops.own(readOpsQuestion(body)).then((value) => JSON.stringify(value))
          : null,
      onFault: (err) => log.error({ event: "host_answer_failed", err }),
    });
    this.#ops = new HostOps({
      host,
      version: options.version ?? "",
      supervisor: this.supervisor,
      metrics: this.#metrics,
      relay: this.#relay,
      talk: this.#talk,
      faults: this.#faults,
      view: () => this.#membership.view,
      sockets: () => this.frontDoor.heldSockets,
      topics: () => this.#switchboard.topics,
      health: () => this.#report.health(),
    });
    this.#issuerKeys =
      config.jwtJwksUrl === null
        ? null
        : new IssuerKeys({
            url: config.jwtJwksUrl,
            clock: systemClock,
            onChange: (set) => {
              log.info({ event: "issuer_keys_changed", version: set.version });
              this.#switchboard.announce(order("issuer_keys", set));
            },
            onFault: (fault) => log.warn({ event: "issuer_keys_unread", err: fault }),
          });
    this.#metricsDoor =
      config.metricsPort === null
        ? null
        : new MetricsDoor({
            host: config.host,
            port: config.metricsPort,
            token: config.metricsToken,
            metrics: () => this.#report.metrics(),
            log,
          });
    this.#addGauges();
    if (this.#relay !== null) this.#addRelayMetrics(this.#relay);
  }

  /**
   * Starts the workers and then listens; resolves with the port. If it rejects, with a StartRefusal,
   * nothing is left running.
   */
  async start(): Promise<number> {
    this.#issuerKeys?.start();
    try {
      await this.#relay?.start({
        frames: (bytes) => this.#switchboard.fromUplink(bytes),
        cluster: (cluster) => this.#membership.onCluster(cluster),
        away: () => this.#membership.onAway(),
        gap: (from) => {
          this.#faults.note("warn", { event: "relay_gap", host: from });
          this.#switchboard.announce(order("gap", { host: from }));
        },
        doubt: (doubt) => {
          const topics = doubt.topics?.length ?? "every";
          this.#faults.note("warn", { event: "events_doubted", topics });
          this.#switchboard.announce(order("doubt", doubt));
        },
      });
      await this.supervisor.start();
      await this.#metricsDoor?.listen();
      return await this.frontDoor.listen(this.#config.port, this.#config.host);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** The primary's own metrics, in the form that `hostMetricsText` takes. */
  ownMetrics(): Promise<unknown> {
    return this.#metrics.toJson();
  }

  /**
   * SIGHUP: if the certificate's files have changed, gives the new one to the running workers,
   * whose sessions continue; else replaces the workers one by one. An unusable certificate changes
   * nothing.
   */
  async renew(): Promise<void> {
    const read = this.#certificate?.renew() ?? "same";
    if (read === "refused") return;
    if (read === "same") {
      await this.supervisor.roll();
      return;
    }
    const tls = this.#certificate?.material;
    if (tls === undefined) return;
    // A worker that is starting has the old certificate in its pipe, with this order after it.
    await Promise.all(
      this.supervisor.incarnations.map(async (incarnation) => {
        const answer = await incarnation.ask("tls", tls, CERTIFICATE_DEADLINE_MS);
        if (answer?.body === "null") return;
        const worker = incarnation.ref.incarnation;
        this.#log.error({ event: "certificate_not_taken", worker, why: answer?.body ?? "late" });
      }),
    );
  }

  /**
   * Lets all workers load the application's files again, and then use them. Null: done. A text: why
   * not.
   */
  async renewExtensions(extensions: Extensions): Promise<string | null> {
    const problem = await reloadWorkers(extensions, {
      former: this.supervisor.extensions,
      workers: () =>
        this.supervisor.incarnations
          .filter(({ state }) => state.phase === "online" || state.phase === "starting")
          .map((incarnation) => ({
            name: incarnation.ref.incarnation,
            async order(order) {
              const answer = await incarnation.ask("extensions", order, RENEWAL_DEADLINE_MS);
              if (answer === null) return LATE_RELOAD;
              const problem: unknown = JSON.parse(answer.body);
              return typeof problem === "string" ? problem : null;
            },
            isGone: () => this.supervisor.incarnationOf(incarnation.ref.incarnation) === undefined,
          })),
      startWith: (renewed) => this.supervisor.renewExtensions(renewed),
      replace: ({ name }) => this.supervisor.renewWorker(name),
      log: this.#log,
    });
    if (problem !== null) return problem;
    this.#membership.updateKinds(announcedKinds(extensions.actors));
    return null;
  }

  /**
   * Answers `readyz` with 503 for DRAIN_DELAY_MS, while the port stays open; then announces the
   * drain to sessions, closes the port, flushes actors and ends the workers.
   */
  async stop(): Promise<void> {
    this.#report.isLeaving = true;
    const { drainDelayMs } = this.#config;
    if (drainDelayMs > 0) {
      await new Promise<void>((resolve) => {
        this.#endDelay = systemClock.after(drainDelayMs, resolve);
      });
    }
    await this.supervisor.stop(() => this.frontDoor.stopAccepting());
    await this.#relay?.close();
    this.#close();
  }

  /** Ends everything at once. */
  async kill(): Promise<void> {
    this.frontDoor.close();
    await this.supervisor.killAll();
    await this.#relay?.close();
    this.#close();
  }

  #close(): void {
    this.#endDelay?.();
    this.frontDoor.close();
    this.#metricsDoor?.close();
    this.#talk.close();
    this.#drops.close();
    this.#issuerKeys?.close();
    this.#metrics.close();
  }

  #members(): Member[] {
    return this.supervisor.incarnations.flatMap((incarnation) => {
      const { phase } = incarnation.state;
      return phase === "online" || phase === "draining" ? [{ ref: incarnation.ref, phase }] : [];
    });
  }

  #heard(from: string, heard: Frame): void {
    if (from === "") this.#talk.heard(heard);
    const incarnation = this.supervisor.incarnationOf(from);
    if (incarnation === undefined) return;
    if (heard.type === FRAME.answer) {
      incarnation.answered(heard);
      return;
    }
    switch (heard.name as keyof WorkerReports) {
      case "online":
      case "drained":
        this.supervisor.reported(incarnation, heard.name as "online" | "drained");
        return;
      case "writable": {
        const { trouble } = JSON.parse(heard.body) as WorkerReports["writable"];
        incarnation.writeTrouble = trouble?.why ?? null;
        if (trouble?.reason === "no_connections") {
          this.#switchboard.announce(order("spare_connections", {}));
        }
        return;
      }
      case "settled":
        this.frontDoor.settled((JSON.parse(heard.body) as WorkerReports["settled"]).tickets);
        return;
      case "connections_ended":
        this.frontDoor.connectionsEnded(
          incarnation.worker,
          JSON.parse(heard.body) as WorkerReports["connections_ended"],
        );
        return;
      case "host_health":
        this.#answer(incarnation, heard, this.#report.health());
        return;
      case "gather_metrics":
        this.#report.metrics().then(
          (metrics) => this.#answer(incarnation, heard, metrics),
          (error: unknown) => this.#log.error({ event: "metrics_failed", error }),
        );
        return;
      case "ops":
        this.#ops.cluster(readOpsQuestion(heard.body)).then(
          (answer) => this.#answer(incarnation, heard, answer),
          (err: unknown) => this.#log.error({ event: "ops_failed", err }),
        );
        return;
      case "issuer_keys": {
        const { newer } = JSON.parse(heard.body) as WorkerReports["issuer_keys"];
        void this.#issuerKeys?.ask(newer).then((set) => this.#answer(incarnation, heard, set));
        return;
      }
      default:
        this.#log.warn({ event: "report_unknown", worker: from, name: heard.name });
    }
  }

  #answer(incarnation: WorkerProcess, asked: Frame, value: unknown): void {
    if (asked.corr === 0) return;
    const { incarnation: to } = incarnation.ref;
    const body = JSON.stringify(value);
    incarnation.pipe.send(frame(FRAME.answer, { flags: FLAG.ok, to, corr: asked.corr, body }));
  }

  #addRelayMetrics(relay: Relay): void {
    const registers = [this.#metrics.registry];
    new Counter({
      name: "troupe_relay_messages_total",
      help: "Messages between this host and others; each carries what one turn had to say.",
      labelNames: ["direction"],
      registers,
      collect() {
        this.reset();
        this.inc({ direction: "in" }, relay.counts.in);
        this.inc({ direction: "out" }, relay.counts.out);
      },
    });
    new Counter({
      name: "troupe_relay_gaps_total",
      help: "Times that what hosts said to each other may have been lost, and was looked for.",
      registers,
      collect() {
        this.reset();
        this.inc(relay.counts.gaps);
      },
    });
    new Gauge({
      name: "troupe_relay_state",
      help: "1: the other hosts can be heard. 0: Redis is away.",
      registers,
      collect() {
        this.set(relay.state === "connected" ? 1 : 0);
      },
    });
  }

  #addGauges(): void {
    const registers = [this.#metrics.registry];
    const add = (name: string, help: string, value: () => number) => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    };
    add("troupe_workers_online", "Workers that serve.", () => this.supervisor.serving.length);
    add(
      "troupe_topics",
      "Topics that somebody on this host hears.",
      () => this.#switchboard.topics,
    );
    add("troupe_front_door_sockets", "Sockets that the primary holds.", () => {
      return this.frontDoor.heldSockets;
    });
    add("troupe_pipe_queue_bytes", "Bytes that workers have not taken from the primary.", () =>
      this.supervisor.incarnations.reduce(
        (sum, incarnation) => sum + incarnation.pipe.queuedBytes,
        0,
      ),
    );
  }
}

/** Where nothing outside has to know it before. */
function newHostId(port: number): string {
  return hostId(defaultHostName(port), systemClock.wallMs());
}

function doorLimits(config: WorkerConfig): DoorLimits | null {
  if (!config.rateLimits) return null;
  const { connectionRatePerS: perS, connectionBurst: burst, pendingConnectionsMax } = config;
  return { rate: { perS, burst }, pendingMax: pendingConnectionsMax };
}

function order<N extends "gap" | "doubt" | "issuer_keys" | "spare_connections">(
  name: N,
  body: PrimaryOrders[N],
): Frame {
  return frame(FRAME.control, { name, body: JSON.stringify(body) });
}

/**
 * The metrics of one worker, thread or primary: one registry each, added up for the host by
 * `hostMetricsText`. Counters on hot paths are plain numbers here and reach
 * prom-client when somebody scrapes.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from "prom-client";
import { stopwatch } from "./clock.ts";

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** A counter with two labels that allocates nothing for a pair of labels it knows. */
export class Tally {
  readonly #counts = new Map<string, Map<string | number, { n: number }>>();

  add(first: string, second: string | number = "", by = 1): void {
    let row = this.#counts.get(first);
    if (row === undefined) {
      row = new Map();
      this.#counts.set(first, row);
    }
    const cell = row.get(second);
    if (cell === undefined) row.set(second, { n: by });
    else cell.n += by;
  }

  each(visit: (first: string, second: string, count: number) => void): void {
    for (const [first, row] of this.#counts) {
      for (const [second, cell] of row) visit(first, String(second), cell.n);
    }
  }
}

export interface MetricsOptions {
  /** Which part of a worker this registry belongs to; a thread shares its worker's process. */
  part: "edge" | "thread" | "primary";
  /** The worker's slot, or "primary": the label of per-process metrics. */
  worker: string;
  /** Where this part's Drops count; see drops.ts. */
  dropped?: Tally;
}

export interface Metrics {
  readonly registry: Registry;
  /** Plain numbers that callers add to. */
  readonly counts: { sends: number; deliveries: number };
  /** Frame type, direction ("in", "out"). */
  readonly frames: Tally;
  /** Client event. */
  readonly events: Tally;
  /** Client event, refusal code. */
  readonly refusals: Tally;
  /** Route path, status. */
  readonly httpRequests: Tally;
  /** Kind of rate limit, verdict. */
  readonly limits: Tally;
  /** Why the server ended a session. */
  readonly ended: Tally;
  /** Line between threads or processes, what happened ("full", "refused"). */
  readonly pressure: Tally;
  /** Source, reason. */
  readonly dropped: Tally;
  /** What sessions that read too slowly did not receive: "change", "delta", "signal". */
  readonly leftOut: Tally;
  /** Where the hook is ("file", "url"), kind of failure; see hook-failures.ts. */
  readonly hookFailures: Tally;
  /** Reason (see StorageReason). */
  readonly storageFaults: Tally;
  /** Called at each scrape; a part sets the gauges that it knows. */
  readonly gauges: {
    sessions: () => number;
    /** How many actors are active, by kind. */
    actors: () => Readonly<Record<string, number>>;
    /** How many activations there were since the start, by kind. */
    activated: () => Readonly<Record<string, number>>;
    mailboxDepth: () => number;
    /** Whether the thread's writer can commit. */
    isWritable: () => boolean;
  };
  /** The event loop's recent delay: 99th percentile, milliseconds. */
  lagMs(): number;
  /** Records one answer: the route's path, and the seconds from the request's head to its end. */
  httpAnswered(route: string, seconds: number): void;
  /** Records one group commit. */
  commit(rows: number, seconds: number): void;
  /** This registry as JSON, the input of `hostMetricsText`. */
  toJson(): Promise<unknown>;
  close(): void;
}

/** A finer resolution costs timers; a coarser one hides short stalls. */
const LAG_RESOLUTION_MS = 50;
/** Lag quantiles are over the last ten seconds or more, however often somebody scrapes. */
const LAG_WINDOW_MS = 10_000;

const ROWS_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const SECONDS_BUCKETS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];

/** Each route has a row of them. */
const HTTP_SECONDS_BUCKETS = [0.005, 0.025, 0.1, 0.5, 2.5, 10];

export function createMetrics({ part, worker, dropped = new Tally() }: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counts = { sends: 0, deliveries: 0 };
  const frames = new Tally();
  const events = new Tally();
  const refusals = new Tally();
  const httpRequests = new Tally();
  const limits = new Tally();
  const ended = new Tally();
  const pressure = new Tally();
  const leftOut = new Tally();
  const hookFailures = new Tally();
  const storageFaults = new Tally();
  const gauges: Metrics["gauges"] = {
    sessions: () => 0,
    actors: () => ({}),
    activated: () => ({}),
    mailboxDepth: () => 0,
    isWritable: () => true,
  };

  counter("troupe_sends_total", "Messages committed.", () => counts.sends);
  counter("troupe_deliveries_total", "Events written to sockets.", () => counts.deliveries);
  tally("troupe_frames_total", "Frames between threads, workers and hosts.", frames, [
    "type",
    "direction",
  ]);
  tally("troupe_events_total", "Events received from clients.", events, ["event"]);
  tally("troupe_refusals_total", "Client events refused.", refusals, ["event", "code"]);
  tally("troupe_limits_total", "Asked of rate limits, by kind and verdict.", limits, [
    "kind",
    "verdict",
  ]);
  tally("troupe_sessions_ended_total", "Sessions ended by the server.", ended, ["code"]);
  tally(
    "troupe_line_pressure_total",
    "Times that a line between threads or processes was full, and asks refused meanwhile.",
    pressure,
    ["line", "what"],
  );
  tally(
    "troupe_dropped_messages_total",
    "Messages from other processes and hosts that could not be used, by source and reason.",
    dropped,
    ["source", "reason"],
  );
  tally(
    "troupe_channel_left_out_total",
    "What sessions that read a channel too slowly did not receive, by what it was.",
    leftOut,
    ["what"],
  );
  tally("troupe_hook_failures_total", "Hooks that failed, by place and kind.", hookFailures, [
    "hook",
    "kind",
  ]);
  tally("troupe_storage_refusals_total", "Refused because of storage, by reason.", storageFaults, [
    "reason",
  ]);
  tally("http_requests_total", "HTTP requests answered.", httpRequests, ["route", "status"]);

  gauge("troupe_sessions", "Sessions connected.", () => gauges.sessions());
  gauge("troupe_mailbox_depth", "Messages waiting for actors.", () => gauges.mailboxDepth());
  new Gauge({
    name: "troupe_actors",
    help: "Actors active.",
    labelNames: ["kind"],
    registers,
    collect() {
      this.reset();
      for (const [kind, count] of Object.entries(gauges.actors())) this.set({ kind }, count);
    },
  });

  new Counter({
    name: "troupe_activations_total",
    help: "Actors that became active.",
    labelNames: ["kind"],
    registers,
    collect() {
      this.reset();
      for (const [kind, count] of Object.entries(gauges.activated())) this.inc({ kind }, count);
    },
  });

  const httpSeconds = new Histogram({
    name: "troupe_http_request_seconds",
    help: "Seconds from a request's head to the end of its answer.",
    labelNames: ["route"],
    buckets: HTTP_SECONDS_BUCKETS,
    registers,
  });
  /** Looking up a label's values costs more than counting. */
  const httpRoutes = new Map<string, { observe(seconds: number): void }>();
  function httpAnswered(route: string, seconds: number): void {
    let child = httpRoutes.get(route);
    if (child === undefined) {
      child = httpSeconds.labels(route);
      httpRoutes.set(route, child);
    }
    child.observe(seconds);
  }

  const commitRows = new Histogram({
    name: "troupe_commit_batch_rows",
    help: "Rows of one group commit.",
    buckets: ROWS_BUCKETS,
    registers,
  });
  const commitSeconds = new Histogram({
    name: "troupe_commit_seconds",
    help: "Seconds of one group commit.",
    buckets: SECONDS_BUCKETS,
    registers,
  });

  if (part === "thread") {
    new Gauge({
      name: "troupe_commit_possible",
      help: "1: every worker of the host can commit. 0: PostgreSQL takes no writes of one of them.",
      registers,
      aggregator: "min",
      collect() {
        this.set(gauges.isWritable() ? 1 : 0);
      },
    });
  }

  const lag = watchLag(part, registers);
  if (part !== "thread") watchProcess(worker, registers);

  function counter(name: string, help: string, value: () => number): void {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  }

  function gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  }

  function tally(name: string, help: string, source: Tally, labelNames: string[]): void {
    const [first = "", second] = labelNames;
    new Counter({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        source.each((a, b, count) => {
          this.inc(second === undefined ? { [first]: a } : { [first]: a, [second]: b }, count);
        });
      },
    });
  }

  return {
    registry,
    counts,
    frames,
    events,
    refusals,
    httpRequests,
    httpAnswered,
    limits,
    ended,
    pressure,
    dropped,
    leftOut,
    hookFailures,
    storageFaults,
    gauges,
    lagMs: () => Math.round(lag.lateMs(99) * 10) / 10,
    commit(rows, seconds) {
      commitRows.observe(rows);
      commitSeconds.observe(seconds);
    },
    toJson: () => registry.getMetricsAsJSON(),
    close: () => {
      lag.close();
      registry.clear();
    },
  };
}

/** Adds registries up (a worker's edge and thread), in the form that `toJson` gives. */
export async function addMetrics(registries: readonly unknown[]): Promise<unknown> {
  return await added(registries).getMetricsAsJSON();
}

/** Prometheus text of all registries of a host: sums, or the maximum where a sum has no meaning. */
export async function hostMetricsText(registries: readonly unknown[]): Promise<string> {
  return await added(registries).metrics();
}

function added(registries: readonly unknown[]): Registry {
  return AggregatorRegistry.aggregate(registries.filter((one) => Array.isArray(one)));
}

interface Lag {
  lateMs(percent: number): number;
  close(): void;
}

function watchLag(part: string, registers: Registry[]): Lag {
  const histogram = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  histogram.enable();
  let elapsedMs = stopwatch();
  // The histogram holds the time between two rings, including the requested pause.
  const late = (percent: number) =>
    Math.max(0, histogram.percentile(percent) / 1e6 - LAG_RESOLUTION_MS);
  const renew = () => {
    if (elapsedMs() < LAG_WINDOW_MS) return;
    elapsedMs = stopwatch();
    histogram.reset();
  };
  new Gauge({
    name: "troupe_event_loop_lag_seconds",
    help: "How late the event loop was, by quantile; the worst of the workers.",
    labelNames: ["thread", "quantile"],
    registers,
    aggregator: "max",
    collect() {
      this.set({ thread: part, quantile: "0.5" }, late(50) / 1000);
      this.set({ thread: part, quantile: "0.99" }, late(99) / 1000);
      renew();
    },
  });
  return {
    lateMs(percent) {
      const lateMs = late(percent);
      renew();
      return lateMs;
    },
    close: () => histogram.disable(),
  };
}

function watchProcess(worker: string, registers: Registry[]): void {
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory by process.",
    labelNames: ["worker"],
    registers,
    collect() {
      this.set({ worker }, process.memoryUsage.rss());
    },
  });
  new Counter({
    name: "process_cpu_seconds_total",
    help: "User and system CPU seconds by process.",
    labelNames: ["worker"],
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc({ worker }, (user + system) / 1e6);
    },
  });
}

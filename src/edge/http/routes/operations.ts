/**
 * The routes for operators and load balancers: alive, ready, metrics. Anyone may call them, so each
 * is cheap.
 *
 * [OPN1] Calls at the same time share one look at the database and the host, and one collection
 *        of the host's metrics. A call for metrics is answered with values collected after it came.
 * [OPN2] The address of the caller has a limit (`operations`), of which a call for metrics takes
 *        ten units and any other one.
 */
import type { Logger } from "pino";
import { hostMetricsText, type Metrics } from "../../../base/metrics.ts";
import type { Queries } from "../../../ports/edge.ts";
import { ok } from "../../../protocol/errors.ts";
import type { HostHealth, HostMetrics } from "../../../runtime/control.ts";
import { answered, type Handlers } from "../server/call.ts";

export interface HostReader {
  health(): Promise<HostHealth>;
  metrics(): Promise<HostMetrics>;
}

export interface OperationsDeps {
  queries: Pick<Queries, "ping">;
  host: HostReader;
  metrics: Metrics;
  /** Why this worker cannot serve; empty when it can. */
  ready: () => string[];
  log: Logger;
}

interface Look {
  /** Why nothing can be served. */
  reasons: string[];
  /** Why only a part can be served. */
  degraded: string[];
}

/** A load balancer's probe usually gives up after a few seconds; this answers before. */
const LOOK_DEADLINE_MS = 1500;
/** Above the time the primary gives a stalled worker. */
const METRICS_DEADLINE_MS = 4000;

export function operationRoutes(deps: OperationsDeps): Handlers<"healthz" | "readyz" | "metrics"> {
  let looking: Promise<Look> | null = null;
  let collecting: Promise<string> | null = null;
  /** For everyone who has called since `collecting` began. */
  let nextCollection: Promise<string> | null = null;

  async function look(): Promise<Look> {
    const reasons = deps.ready();
    const [database, health] = await Promise.allSettled([
      within(LOOK_DEADLINE_MS, deps.queries.ping()),
      within(LOOK_DEADLINE_MS, deps.host.health()),
    ]);
    if (database.status === "rejected") reasons.push("the database does not answer");
    if (health.status === "rejected") reasons.push("the primary does not answer");
    else {
      if (health.value.draining) reasons.push("the host is draining");
      if (health.value.workersOnline === 0) reasons.push("no worker is online");
    }
    return { reasons, degraded: health.status === "fulfilled" ? health.value.degraded : [] };
  }

  function lookNow(): Promise<Look> {
    looking ??= look().finally(() => {
      looking = null;
    });
    return looking;
  }

  async function hostText(): Promise<string> {
    try {
      const { registries } = await within(METRICS_DEADLINE_MS, deps.host.metrics());
      return await hostMetricsText(registries);
    } catch (fault) {
      // A part of the truth is more use to an operator in trouble than none.
      deps.log.warn({ event: "host_metrics_failed", err: fault });
      return deps.metrics.registry.metrics();
    }
  }

  /** [OPN1] A collection that has begun may have counted before the call came. */
  function freshText(): Promise<string> {
    if (collecting === null) {
      collecting = hostText().finally(() => {
        collecting = null;
      });
      return collecting;
    }
    const collect = () => {
      nextCollection = null;
      return freshText();
    };
    nextCollection ??= collecting.then(collect, collect);
    return nextCollection;
  }

  return {
    healthz: () => Promise.resolve(answered(200, ok({ status: "alive" as const }))),

    async readyz() {
      const { reasons, degraded } = await lookNow();
      if (reasons.length > 0) {
        const all = [...reasons, ...degraded];
        return answered(503, ok({ status: "unavailable" as const, reasons: all }));
      }
      return degraded.length === 0
        ? answered(200, ok({ status: "ready" as const }))
        : answered(200, ok({ status: "degraded" as const, reasons: degraded }));
    },

    async metrics() {
      return answered(200, ok(await freshText()));
    },
  };
}

async function within<T>(deadlineMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

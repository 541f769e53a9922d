/** Answers workers' questions about the whole host: all metrics, and health. */
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Relay } from "../ports/relay.ts";
import type { HostHealth, HostMetrics } from "../runtime/control.ts";
import { FLAG } from "../runtime/frames.ts";
import type { Supervisor } from "./supervisor.ts";

/** A worker that stalls is left out of the scrape. */
const METRICS_DEADLINE_MS = 1000;

export class HostReport {
  readonly #supervisor: Supervisor;
  readonly #metrics: Metrics;
  readonly #relay: Relay | null;
  readonly #log: Log;
  /** Set where the host is about to drain, so that balancers send new clients elsewhere. */
  isLeaving = false;
  #gathering: Promise<HostMetrics> | null = null;

  constructor(supervisor: Supervisor, metrics: Metrics, relay: Relay | null, log: Log) {
    this.#supervisor = supervisor;
    this.#metrics = metrics;
    this.#relay = relay;
    this.#log = log;
  }

  health(): HostHealth {
    return {
      workers: this.#supervisor.slotCount,
      workersOnline: this.#supervisor.serving.length,
      relay: this.#relay?.state ?? "none",
      degraded: this.#degraded(),
      draining: this.isLeaving || this.#supervisor.stopping,
    };
  }

  #degraded(): string[] {
    const reasons: string[] = [];
    const relay = this.#relay;
    if (relay?.state === "away") reasons.push(`Redis is away: ${relay.why ?? "no connection yet"}`);
    const troubles = this.#supervisor.incarnations.map(({ writeTrouble }) => writeTrouble);
    for (const why of new Set(troubles)) {
      if (why !== null) reasons.push(`nothing can be committed: ${why}`);
    }
    return reasons;
  }

  /** Concurrent scrapes share one round. */
  metrics(): Promise<HostMetrics> {
    this.#gathering ??= this.#gather().finally(() => {
      this.#gathering = null;
    });
    return this.#gathering;
  }

  async #gather(): Promise<HostMetrics> {
    const answering = this.#supervisor.incarnations.filter(
      (incarnation) => incarnation.state.phase !== "starting",
    );
    const [own, ...answers] = await Promise.all([
      this.#metrics.toJson(),
      ...answering.map((incarnation) => incarnation.ask("metrics", {}, METRICS_DEADLINE_MS)),
    ]);
    const registries: unknown[] = [own];
    for (const answer of answers) {
      if (answer === null || (answer.flags & FLAG.ok) === 0) continue;
      try {
        registries.push(JSON.parse(answer.body));
      } catch (error) {
        // Our own code wrote it, so this is a bug; the other workers' metrics are still served.
        this.#log.error({ event: "metrics_unreadable", worker: answer.from, error });
      }
    }
    return { registries };
  }
}

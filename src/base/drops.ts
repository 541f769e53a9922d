/**
 * What arrived from another process or host and could not be used: dropped, counted for
 * `/metrics`, and logged. Every place where bytes come in has one.
 *
 * [DRP1] Of one source and reason there is at most one log line a second, with its count.
 */
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import type { Tally } from "./metrics.ts";

const LOG_EVERY_MS = 1_000;

/** Where it came from. */
export type DropSource =
  /** Another host, or anybody else who publishes in Redis. */
  | "relay"
  /** The hosts' leases in Redis. */
  | "lease"
  /** A worker and its primary, over their pipe. */
  | "pipe"
  /** An edge and its actor thread. */
  | "thread"
  /** A worker and its primary, over the cluster's IPC channel. */
  | "ipc";

/**
 * `malformed`: cannot be read. `version`: of another version of Troupe. `signature`: not of this
 * cluster. `repeat`: has arrived before. `failed`: was read, and its handler threw.
 */
export type DropReason = "malformed" | "version" | "signature" | "repeat" | "failed";

interface Unlogged {
  source: DropSource;
  reason: DropReason;
  count: number;
  fault: unknown;
}

export interface DropsOptions {
  tally: Tally;
  clock: Clock;
  log: Pick<Log, "warn" | "error">;
}

export class Drops {
  readonly tally: Tally;
  readonly #options: DropsOptions;
  readonly #unlogged = new Map<string, Unlogged>();
  #cancel: (() => void) | null = null;
  #isClosed = false;

  constructor(options: DropsOptions) {
    this.#options = options;
    this.tally = options.tally;
  }

  note(source: DropSource, reason: DropReason, fault?: unknown): void {
    this.tally.add(source, reason);
    if (this.#isClosed) return;
    const key = `${source} ${reason}`;
    const unlogged = this.#unlogged.get(key) ?? { source, reason, count: 0, fault };
    unlogged.count++;
    unlogged.fault = fault;
    this.#unlogged.set(key, unlogged);
    // The first one is logged at once, the following ones together.
    if (this.#cancel === null) this.#logAll();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
    this.#cancel = null;
  }

  #logAll(): void {
    this.#cancel = null;
    if (this.#unlogged.size === 0) return;
    const { log, clock } = this.#options;
    for (const { source, reason, count, fault } of this.#unlogged.values()) {
      const line = { event: "messages_dropped", source, reason, count, err: fault };
      // A handler that throws is a fault of this program; the rest came from outside.
      if (reason === "failed") log.error(line);
      else log.warn(line);
    }
    this.#unlogged.clear();
    this.#cancel = clock.after(LOG_EVERY_MS, () => this.#logAll());
  }
}

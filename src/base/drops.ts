/**
 * Counts and logs input from another process or host that could not be used and was dropped; the
 * counts are in `/metrics`. Every place that reads such input has one of these.
 *
 * [DRP1] Each source and reason has at most one log line a second, with the number of drops.
 */
import type { Clock } from "./clock.ts";
import { CountedLines } from "./counted-lines.ts";
import type { Log } from "./log.ts";
import type { Tally } from "./metrics.ts";

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

export interface DropsOptions {
  tally: Tally;
  clock: Clock;
  log: Pick<Log, "warn" | "error">;
}

export class Drops {
  readonly tally: Tally;
  readonly #log: DropsOptions["log"];
  readonly #lines: CountedLines;

  constructor({ tally, clock, log }: DropsOptions) {
    this.tally = tally;
    this.#log = log;
    this.#lines = new CountedLines(clock);
  }

  note(source: DropSource, reason: DropReason, fault?: unknown): void {
    this.tally.add(source, reason);
    this.#lines.note(`${source} ${reason}`, 1, fault, (count, err) => {
      const line = { event: "messages_dropped", source, reason, count, err };
      // A handler that throws is a fault of this program; the rest came from outside.
      if (reason === "failed") this.#log.error(line);
      else this.#log.warn(line);
    });
  }

  close(): void {
    this.#lines.close();
  }
}

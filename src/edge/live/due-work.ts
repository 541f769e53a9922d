/**
 * Work that PostgreSQL holds and whose time comes. Every worker looks regularly; what it finds it
 * claims in PostgreSQL for a while, so that other workers leave it alone. A worker that dies with a
 * claim costs that time and nothing else: the row stays until the work is done.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";

export interface DueWorkOptions<T> {
  clock: Clock;
  log: Log;
  /** How the log calls a look that failed. */
  event: string;
  everyMs: number;
  /** More are found in the next look, at once. */
  foundMax: number;
  claim(limit: number): Promise<T[]>;
  take(found: T[]): void;
}

export class DueWork<T> {
  readonly #options: DueWorkOptions<T>;
  #cancelNext: (() => void) | null = null;
  #isClosed = false;

  constructor(options: DueWorkOptions<T>) {
    this.#options = options;
  }

  start(): void {
    this.#lookIn(this.#options.everyMs);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelNext?.();
  }

  #lookIn(delayMs: number): void {
    if (this.#isClosed) return;
    this.#cancelNext = this.#options.clock.after(delayMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { log, event, everyMs, foundMax, claim, take } = this.#options;
    let found = 0;
    try {
      const due = await claim(foundMax);
      found = due.length;
      if (found > 0) take(due);
    } catch (err) {
      log.warn({ event, err });
    }
    this.#lookIn(found === foundMax ? 0 : everyMs);
  }
}

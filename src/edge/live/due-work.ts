/**
 * Work that PostgreSQL holds and whose time comes. Every worker looks regularly; what it finds it
 * claims in PostgreSQL for a while, so that other workers leave it alone. A worker that dies with a
 * claim costs that time and nothing else: the row stays until the work is done.
 *
 * [DUE1] While nothing is due, one statement a look asks about all kinds.
 * [DUE2] A kind whose claim takes long keeps no other one waiting.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { DueKind, Queries } from "../../ports/edge.ts";

/** Short beside the 2 s within which messages expire and scheduled ones are sent. */
const LOOK_EVERY_MS = 400;

export interface DueWorkOptions<T> {
  kind: DueKind;
  log: Log;
  /** How the log calls a look that failed. */
  event: string;
  /** More are found in the next look, at once. */
  foundMax: number;
  claim(limit: number): Promise<T[]>;
  take(found: T[]): void;
  close?(): void;
}

/** One kind of it. */
export class DueWork<T> {
  readonly kind: DueKind;
  readonly #options: DueWorkOptions<T>;
  #isLooking = false;
  #isClosed = false;

  constructor(options: DueWorkOptions<T>) {
    this.#options = options;
    this.kind = options.kind;
  }

  /** Claims and takes what is due, unless an earlier look still does. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { log, event, foundMax, claim, take } = this.#options;
    try {
      let found = foundMax;
      while (found === foundMax && !this.#isClosed) {
        const due = await claim(foundMax);
        found = due.length;
        if (found > 0) take(due);
      }
    } catch (err) {
      log.warn({ event, err });
    }
    this.#isLooking = false;
  }

  close(): void {
    this.#isClosed = true;
    this.#options.close?.();
  }
}

export interface DueLooksOptions {
  clock: Clock;
  log: Log;
  queries: Pick<Queries, "dueKinds">;
  works: readonly Pick<DueWork<never>, "kind" | "look" | "close">[];
}

/** A worker's looks for all kinds. */
export class DueLooks {
  readonly #options: DueLooksOptions;
  #cancelNext: () => void = () => undefined;
  #isClosed = false;

  constructor(options: DueLooksOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#isClosed) return;
    this.#cancelNext = this.#options.clock.after(LOOK_EVERY_MS, () => void this.#look());
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelNext();
    for (const work of this.#options.works) work.close();
  }

  async #look(): Promise<void> {
    const { log, queries, works } = this.#options;
    try {
      const due = await queries.dueKinds();
      for (const work of works) if (due.includes(work.kind)) void work.look();
    } catch (err) {
      log.warn({ event: "due_work_waits", err });
    }
    this.start();
  }
}

/**
 * Log lines for what can happen thousands of times a second: the first one is written at once, the
 * following ones are written together, a second later, with their counts.
 *
 * [CNT1] One kind of line is written at most once a second.
 */
import type { Clock } from "./clock.ts";

const LOG_EVERY_MS = 1_000;

interface Unwritten {
  count: number;
  fault: unknown;
  write(count: number, fault: unknown): void;
}

export class CountedLines {
  readonly #clock: Clock;
  readonly #unwritten = new Map<string, Unwritten>();
  #cancel: (() => void) | null = null;
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `kind` identifies the line; `write` gets the sum of `by`, and the newest fault. */
  note(kind: string, by: number, fault: unknown, write: Unwritten["write"]): void {
    if (this.#isClosed) return;
    const unwritten = this.#unwritten.get(kind) ?? { count: 0, fault, write };
    unwritten.count += by;
    unwritten.fault = fault;
    this.#unwritten.set(kind, unwritten);
    if (this.#cancel === null) this.#writeAll();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
    this.#cancel = null;
  }

  #writeAll(): void {
    this.#cancel = null;
    if (this.#unwritten.size === 0) return;
    for (const { count, fault, write } of this.#unwritten.values()) write(count, fault);
    this.#unwritten.clear();
    this.#cancel = this.#clock.after(LOG_EVERY_MS, () => this.#writeAll());
  }
}

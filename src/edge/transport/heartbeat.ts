/**
 * Engine.IO's heartbeat for many connections: the server pings, the client answers in time or
 * is given up. All have the same intervals, so both queues are in the order in which they are
 * due, and one timer looks at their heads only.
 */
import type { Clock } from "../../base/clock.ts";
import { later, type Monotonic } from "../../protocol/time.ts";

export const PING_INTERVAL_MS = 25_000;
export const PING_TIMEOUT_MS = 20_000;

const TICK_MS = 500;

export interface Beating {
  ping(): void;
  terminate(): void;
}

export class Heartbeat<T extends Beating> {
  readonly #clock: Clock;
  /** The moment of each connection's next ping; `#awaited` has the deadline of its answer. */
  readonly #due = new Map<T, Monotonic>();
  readonly #awaited = new Map<T, Monotonic>();
  #cancelTick: () => void;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#cancelTick = clock.after(TICK_MS, () => this.#tick());
  }

  add(one: T): void {
    this.#due.set(one, later(this.#clock.monotonicMs(), PING_INTERVAL_MS));
  }

  answered(one: T): void {
    if (this.#awaited.delete(one)) this.add(one);
  }

  forget(one: T): void {
    this.#due.delete(one);
    this.#awaited.delete(one);
  }

  *all(): Generator<T> {
    yield* this.#due.keys();
    yield* this.#awaited.keys();
  }

  stop(): void {
    this.#cancelTick();
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [one, untilMs] of this.#awaited) {
      if (untilMs > nowMs) break;
      this.#awaited.delete(one);
      one.terminate();
    }
    for (const [one, atMs] of this.#due) {
      if (atMs > nowMs) break;
      this.#due.delete(one);
      this.#awaited.set(one, later(nowMs, PING_TIMEOUT_MS));
      one.ping();
    }
    this.#cancelTick = this.#clock.after(TICK_MS, () => this.#tick());
  }
}

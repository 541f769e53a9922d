/**
 * The clock of a simulation: time passes only in `advance`, and timers ring in the order of their
 * times. Before time moves on, everything that a timer caused has been done: the event loop is
 * turned until `activity` stays the same.
 */
import type { Clock } from "../../src/base/clock.ts";
import { type Monotonic, monotonic, type WallTime, wallTime } from "../../src/protocol/time.ts";

interface Timer {
  atMs: number;
  order: number;
  ring: (() => void) | null;
}

const START_MS = Date.parse("2026-01-01T00:00:00.000Z");
/** Promises and immediates that wait for each other need a few turns of the event loop. */
const CALM_TURNS = 3;

export class VirtualClock implements Clock {
  /** Grows with everything that a part of the simulation sends or reads. */
  activity = 0;
  #nowMs = 0;
  #order = 0;
  /** A binary heap; the next timer is first. Cancelled timers leave it when their time comes. */
  readonly #timers: Timer[] = [];

  wallMs(): WallTime {
    return wallTime(START_MS + this.#nowMs);
  }

  monotonicMs(): Monotonic {
    return monotonic(this.#nowMs);
  }

  /** The same as a number. */
  get nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, ring: () => void): () => void {
    const timer: Timer = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#order++,
      ring,
    };
    this.#push(timer);
    return () => {
      timer.ring = null;
    };
  }

  /** Moves time on by `ms`. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await this.settled();
    for (;;) {
      const next = this.#timers[0];
      if (next === undefined || next.atMs > endMs) break;
      this.#nowMs = next.atMs;
      let rang = 0;
      while (this.#timers[0] !== undefined && this.#timers[0].atMs <= this.#nowMs) {
        const { ring } = this.#pop();
        if (ring === null) continue;
        rang++;
        ring();
      }
      if (rang > 0) await this.settled();
    }
    this.#nowMs = endMs;
  }

  /** Resolves when nothing is sent or read any more without time passing. */
  async settled(): Promise<void> {
    let before = -1;
    while (before !== this.activity) {
      before = this.activity;
      for (let turn = 0; turn < CALM_TURNS; turn++) {
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    }
  }

  #push(timer: Timer): void {
    const heap = this.#timers;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): Timer {
    const heap = this.#timers;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/**
 * A Clock that a test owns: time passes only in `advance`, bells ring in the order of their
 * times, and before it moves on everything that a bell set off (promises, immediates) is done.
 * `stepWall` sets the wall clock, as an operator or NTP would: no time passes.
 */
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { type Monotonic, monotonic, type WallTime, wallTime } from "../../src/protocol/time.ts";

interface Bell {
  atMs: number;
  order: number;
  ring: () => void;
}

/** Promises that wait on an immediate, which wait on a promise …: enough turns for all of ours. */
const TURNS_TO_SETTLE = 4;
const START_MS = Date.parse("2026-01-01T00:00:00.000Z");
/** How long the machine has been up: nothing like the wall clock. */
const UP_MS = 86_400_000;

export class FakeClock implements Clock {
  #nowMs = START_MS;
  #stepMs = 0;
  #order = 0;
  readonly #bells = new Set<Bell>();

  /** The time that has passed, as a number to reckon with; a step of the wall clock leaves it. */
  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): WallTime {
    return wallTime(this.#nowMs + this.#stepMs);
  }

  monotonicMs(): Monotonic {
    return monotonic(UP_MS + this.#nowMs - START_MS);
  }

  /** Sets the wall clock forward by `ms`, or back. */
  stepWall(ms: number): void {
    this.#stepMs += ms;
  }

  after(delayMs: number, ring: () => void): () => void {
    const bell: Bell = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, ring };
    this.#bells.add(bell);
    return () => this.#bells.delete(bell);
  }

  /** Bells that have not rung: what a test leaves behind. */
  get pending(): number {
    return this.#bells.size;
  }

  /** Moves time on by `ms`, ringing what is due on the way. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settled();
    for (;;) {
      const due = this.#nextDue(endMs);
      if (due.length === 0) break;
      this.#nowMs = due[0]!.atMs;
      for (const bell of due) if (this.#bells.delete(bell)) bell.ring();
      await settled();
    }
    this.#nowMs = endMs;
  }

  /** All bells of the earliest moment up to `endMs`, in the order in which they were set. */
  #nextDue(endMs: number): Bell[] {
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const { atMs } of this.#bells) earliestMs = Math.min(earliestMs, atMs);
    if (earliestMs > endMs) return [];
    return [...this.#bells]
      .filter((bell) => bell.atMs === earliestMs)
      .sort((a, b) => a.order - b.order);
  }
}

/** Both clocks show what `nowMs` says; bells ring in real time. */
export function clockShowing(nowMs: () => number): Clock {
  return {
    ...systemClock,
    wallMs: () => wallTime(nowMs()),
    monotonicMs: () => monotonic(nowMs()),
  };
}

/** Resolves when what the event loop holds now, and what that sets off, has run. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS_TO_SETTLE; turn++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

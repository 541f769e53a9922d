/**
 * Walks over many things a slice at a time, and lets the event loop turn in between: what came
 * meanwhile waits for one slice, and not for all.
 *
 * [SLC1] The first slice is done at once; the next ones follow without a pause but for that turn.
 */
import type { Clock } from "../base/clock.ts";

/** A few milliseconds, where each thing takes some microseconds. */
const SLICE = 1_000;

export class Slices {
  readonly #clock: Pick<Clock, "after">;
  readonly #cancels = new Set<() => void>();

  constructor(clock: Pick<Clock, "after">) {
    this.#clock = clock;
  }

  /** `done` is called after the last one, also where there is none. */
  walk<T>(things: readonly T[], step: (thing: T) => void, done?: () => void): void {
    this.#go(things, 0, step, done);
  }

  close(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }

  #go<T>(things: readonly T[], from: number, step: (thing: T) => void, done?: () => void): void {
    const end = Math.min(from + SLICE, things.length);
    for (let at = from; at < end; at++) step(things[at]!);
    if (end === things.length) {
      done?.();
      return;
    }
    const cancel = this.#clock.after(0, () => {
      this.#cancels.delete(cancel);
      this.#go(things, end, step, done);
    });
    this.#cancels.add(cancel);
  }
}

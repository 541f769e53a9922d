/**
 * What has hung too often is out for a while: three times in a minute, for the rest of that minute.
 * Names are like "poll.vote" or "beforeSend".
 */
import type { Clock } from "../base/clock.ts";
import { type Monotonic, msBetween } from "../protocol/time.ts";

const STRIKES_MAX = 3;
const STRIKES_WITHIN_MS = 60_000;

export class Strikes {
  readonly #clock: Clock;
  readonly #struck = new Map<string, Monotonic[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(name: string): void {
    this.#struck.set(name, [...this.#recent(name), this.#clock.monotonicMs()]);
  }

  isOut(name: string): boolean {
    return this.#struck.has(name) && this.#recent(name).length >= STRIKES_MAX;
  }

  unavailable(): string[] {
    return [...this.#struck.keys()].filter((name) => this.isOut(name));
  }

  #recent(name: string): Monotonic[] {
    const nowMs = this.#clock.monotonicMs();
    const recent = (this.#struck.get(name) ?? []).filter(
      (atMs) => msBetween(atMs, nowMs) < STRIKES_WITHIN_MS,
    );
    if (recent.length > 0) this.#struck.set(name, recent);
    else this.#struck.delete(name);
    return recent;
  }
}

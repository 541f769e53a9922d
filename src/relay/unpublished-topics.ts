/**
 * Topics with events that the other hosts may not have received. The relay collects them here
 * until it is connected and can name them to the others.
 *
 * [UNP1] What is named is bounded: past `DOUBTED_TOPICS_MAX` it is every topic.
 */
import type { Clock } from "../base/clock.ts";
import { DOUBTED_TOPICS_MAX, type Doubt } from "../protocol/doubt.ts";
import { earlierOf, later, type Monotonic, msBetween } from "../protocol/time.ts";

export class UnpublishedTopics {
  readonly #clock: Clock;
  /** Null: every topic. */
  #topics: Set<string> | null = new Set();
  /** When the first of them was added; null: there is none. */
  #since: Monotonic | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(topic: string): void {
    this.#since ??= this.#clock.monotonicMs();
    this.#topics?.add(topic);
    if (this.#topics !== null && this.#topics.size > DOUBTED_TOPICS_MAX) this.#topics = null;
  }

  /** A doubt that a host has not taken: all of them are told again. */
  addAgain({ topics, ageMs }: Doubt): void {
    const now = this.#clock.monotonicMs();
    this.#since = earlierOf(this.#since ?? now, later(now, -ageMs));
    if (topics === null) this.#topics = null;
    else for (const topic of topics) this.add(topic);
  }

  /** All of it, which is then the others' to look for; null: nothing is in doubt. */
  take(): Doubt | null {
    if (this.#since === null) return null;
    const topics = this.#topics === null ? null : [...this.#topics];
    const ageMs = msBetween(this.#since, this.#clock.monotonicMs());
    this.#topics = new Set();
    this.#since = null;
    return { topics, ageMs };
  }
}

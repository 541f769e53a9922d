/**
 * Topics with events that the other hosts may not have received. The relay collects them here
 * until it is connected and can name them to the others.
 *
 * [UNP1] The list is bounded: beyond `DOUBTED_TOPICS_MAX` topics it means every topic.
 */
import type { Clock } from "../base/clock.ts";
import { DOUBTED_TOPICS_MAX, type Doubt } from "../protocol/doubt.ts";
import { earlierOf, later, type Monotonic, msBetween } from "../protocol/time.ts";

export class UnpublishedTopics {
  readonly #clock: Clock;
  /** Null means every topic. */
  #topics: Set<string> | null = new Set();
  /** When the first of them was added; null when there is none. */
  #since: Monotonic | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(topic: string): void {
    this.#since ??= this.#clock.monotonicMs();
    this.#topics?.add(topic);
    if (this.#topics !== null && this.#topics.size > DOUBTED_TOPICS_MAX) this.#topics = null;
  }

  /** A doubt that a host has not taken: its topics are announced again. */
  addAgain({ topics, ageMs }: Doubt): void {
    const now = this.#clock.monotonicMs();
    this.#since = earlierOf(this.#since ?? now, later(now, -ageMs));
    if (topics === null) this.#topics = null;
    else for (const topic of topics) this.add(topic);
  }

  /** Takes all doubtful topics, to be sent to the others; null when there are none. */
  take(): Doubt | null {
    if (this.#since === null) return null;
    const topics = this.#topics === null ? null : [...this.#topics];
    const ageMs = msBetween(this.#since, this.#clock.monotonicMs());
    this.#topics = new Set();
    this.#since = null;
    return { topics, ageMs };
  }
}

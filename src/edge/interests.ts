/**
 * Which topics this edge hears: counted by who wants them here, told to the primary in
 * batches, kept a little longer than needed so that a reconnect does not drop and take them
 * again.
 *
 * Invariant: `want` resolves when nothing published from then on can be missed.
 */
import type { Clock } from "../clock.ts";
import type { Topic } from "../protocol/topics.ts";

const LINGER_MS = 10_000;

export interface InterestsOptions {
  clock: Clock;
  subscribe(topics: readonly string[]): Promise<void>;
  unsubscribe(topics: readonly string[]): void;
  /** Nobody here wants it any more; what was kept for it can go. */
  onDropped(topic: Topic): void;
}

interface Interest {
  wanted: number;
  confirmed: Promise<void>;
  unwantedSinceMs: number;
}

export class Interests {
  readonly #options: InterestsOptions;
  readonly #interests = new Map<Topic, Interest>();
  #next: { topics: Topic[]; confirmed: Promise<void> } | null = null;
  #cancelSweep: (() => void) | null = null;

  constructor(options: InterestsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#interests.size;
  }

  /** Rejects when the primary did not answer; the topic is dropped again then. */
  want(topic: Topic): Promise<void> {
    const known = this.#interests.get(topic);
    if (known !== undefined) {
      known.wanted++;
      return known.confirmed;
    }
    this.#next ??= this.#gather();
    this.#next.topics.push(topic);
    this.#interests.set(topic, {
      wanted: 1,
      confirmed: this.#next.confirmed,
      unwantedSinceMs: 0,
    });
    return this.#next.confirmed;
  }

  release(topic: Topic): void {
    const interest = this.#interests.get(topic);
    if (interest === undefined || interest.wanted === 0) return;
    interest.wanted--;
    if (interest.wanted > 0) return;
    interest.unwantedSinceMs = this.#options.clock.nowMs();
    this.#cancelSweep ??= this.#options.clock.after(LINGER_MS, () => this.#sweep());
  }

  close(): void {
    this.#cancelSweep?.();
  }

  /** Everything wanted in one turn of the event loop is one frame. */
  #gather(): { topics: Topic[]; confirmed: Promise<void> } {
    const topics: Topic[] = [];
    const confirmed = new Promise<void>((resolve, reject) => {
      setImmediate(() => {
        this.#next = null;
        this.#options.subscribe(topics).then(resolve, (error: unknown) => {
          for (const topic of topics) this.#interests.delete(topic);
          reject(error);
        });
      });
    });
    // Whoever wanted it hears of the failure; this chain alone must not count as unhandled.
    confirmed.catch(() => undefined);
    return { topics, confirmed };
  }

  #sweep(): void {
    this.#cancelSweep = null;
    const nowMs = this.#options.clock.nowMs();
    const dropped: Topic[] = [];
    let isMoreToCome = false;
    for (const [topic, { wanted, unwantedSinceMs }] of this.#interests) {
      if (wanted > 0) continue;
      if (nowMs - unwantedSinceMs >= LINGER_MS) dropped.push(topic);
      else isMoreToCome = true;
    }
    for (const topic of dropped) {
      this.#interests.delete(topic);
      this.#options.onDropped(topic);
    }
    if (dropped.length > 0) this.#options.unsubscribe(dropped);
    if (isMoreToCome) {
      this.#cancelSweep = this.#options.clock.after(LINGER_MS, () => this.#sweep());
    }
  }
}

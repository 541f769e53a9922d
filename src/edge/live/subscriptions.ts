/**
 * The topics that this edge subscribes to. It counts their users here, sends changes to the primary
 * in batches, and keeps a topic a little longer than needed, so that a reconnect does not
 * unsubscribe and subscribe again.
 *
 * [INT1] `want` resolves when no event published from then on can be missed.
 * [INT2] All topics wanted in one turn of the event loop are one frame.
 * [INT3] A topic that nobody wants any more is kept for a while, then dropped once.
 * [INT4] A topic is asked for again until the primary has taken it in. Every `want` has its
 *        `release`, also one that was rejected.
 */
import type { Clock } from "../../base/clock.ts";
import { BEFORE_ALL, type Monotonic, msBetween } from "../../protocol/time.ts";
import type { Topic } from "../../protocol/topics.ts";

const LINGER_MS = 10_000;
const RETRY_MS = 500;

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
  unwantedSinceMs: Monotonic;
}

export class TopicSubscriptions {
  readonly #options: InterestsOptions;
  readonly #interests = new Map<Topic, Interest>();
  /** Not taken in by the primary: to be asked for again. */
  readonly #unconfirmed = new Set<Topic>();
  #isClosed = false;
  #next: { topics: Topic[]; confirmed: Promise<void> } | null = null;
  #cancelSweep: (() => void) | null = null;
  #cancelRetry: (() => void) | null = null;

  constructor(options: InterestsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#interests.size;
  }

  /** Rejects when the primary did not answer; the topic stays wanted and is tried again. */
  want(topic: Topic): Promise<void> {
    const known = this.#interests.get(topic);
    if (known !== undefined) {
      known.wanted++;
      return known.confirmed;
    }
    const confirmed = this.#subscribe(topic);
    this.#interests.set(topic, { wanted: 1, confirmed, unwantedSinceMs: BEFORE_ALL });
    return confirmed;
  }

  /** As `want` resolves, without another want; at once where the topic is not wanted. */
  confirmed(topic: Topic): Promise<void> {
    return this.#interests.get(topic)?.confirmed ?? Promise.resolve();
  }

  release(topic: Topic): void {
    const interest = this.#interests.get(topic);
    if (interest === undefined || interest.wanted === 0) return;
    interest.wanted--;
    if (interest.wanted > 0) return;
    interest.unwantedSinceMs = this.#options.clock.monotonicMs();
    this.#cancelSweep ??= this.#options.clock.after(LINGER_MS, () => this.#sweep());
  }

  close(): void {
    this.#cancelSweep?.();
    this.#cancelRetry?.();
    this.#isClosed = true;
  }

  #subscribe(topic: Topic): Promise<void> {
    this.#next ??= this.#gather();
    this.#next.topics.push(topic);
    return this.#next.confirmed;
  }

  /** [INT2] */
  #gather(): { topics: Topic[]; confirmed: Promise<void> } {
    const topics: Topic[] = [];
    const confirmed = new Promise<void>((resolve, reject) => {
      setImmediate(() => {
        this.#next = null;
        this.#options.subscribe(topics).then(resolve, (error: unknown) => {
          reject(error);
          for (const topic of topics) this.#unconfirmed.add(topic);
          if (!this.#isClosed) {
            this.#cancelRetry ??= this.#options.clock.after(RETRY_MS, () => this.#retry());
          }
        });
      });
    });
    // The callers of `want` receive the failure; this chain alone must not count as unhandled.
    confirmed.catch(() => undefined);
    return { topics, confirmed };
  }

  #retry(): void {
    this.#cancelRetry = null;
    const topics = [...this.#unconfirmed];
    this.#unconfirmed.clear();
    for (const topic of topics) {
      const interest = this.#interests.get(topic);
      if (interest !== undefined) interest.confirmed = this.#subscribe(topic);
    }
  }

  #sweep(): void {
    this.#cancelSweep = null;
    const nowMs = this.#options.clock.monotonicMs();
    const dropped: Topic[] = [];
    let isMoreToCome = false;
    for (const [topic, { wanted, unwantedSinceMs }] of this.#interests) {
      if (wanted > 0) continue;
      if (msBetween(unwantedSinceMs, nowMs) >= LINGER_MS) dropped.push(topic);
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

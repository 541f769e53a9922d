/**
 * Which channels this host hears, brought to what is wanted in batches, one command at a time.
 * A connection that comes back starts from nothing: everything wanted is taken again, and only
 * then is the gap over.
 *
 * [SUB1] `want` resolves when the channel is heard; without a connection at once, for that is
 *        a gap anyway and ends with everything heard.
 * [SUB2] At most 512 channels go in one command.
 * [SUB3] A command that fails leaves nobody waiting: it is told, and the connection given up.
 */
const BATCH = 512;

export interface Subscriber {
  subscribe(channels: readonly string[]): Promise<void>;
  unsubscribe(channels: readonly string[]): Promise<void>;
}

export class Subscriptions {
  readonly #subscriber: Subscriber;
  readonly #onFailed: (error: unknown) => void;
  readonly #wanted = new Set<string>();
  /** Subscribed, and not about to be given up. */
  readonly #heard = new Set<string>();
  readonly #changed = new Set<string>();
  readonly #waiters = new Map<string, (() => void)[]>();
  /** Of one connection; null without one. What belongs to an older one ends by itself. */
  #connection: { isWorking: boolean; whenIdle: ((isHeard: boolean) => void)[] } | null = null;

  constructor(subscriber: Subscriber, onFailed: (error: unknown) => void) {
    this.#subscriber = subscriber;
    this.#onFailed = onFailed;
  }

  want(channel: string, wanted: boolean): Promise<void> {
    if (wanted) this.#wanted.add(channel);
    else this.#wanted.delete(channel);
    this.#changed.add(channel);
    if (!wanted) this.#resolve(channel);
    if (this.#connection === null || (wanted && this.#heard.has(channel))) {
      return Promise.resolve();
    }
    void this.#work();
    if (!wanted) return Promise.resolve();
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(channel);
      if (waiters !== undefined) waiters.push(resolve);
      else this.#waiters.set(channel, [resolve]);
    });
  }

  /** A fresh connection. Resolves when everything wanted is heard; false: it broke before. */
  connected(): Promise<boolean> {
    this.disconnected();
    this.#changed.clear();
    for (const channel of this.#wanted) this.#changed.add(channel);
    const whenIdle = new Promise<boolean>((resolve) => {
      this.#connection = { isWorking: false, whenIdle: [resolve] };
    });
    void this.#work();
    return whenIdle;
  }

  disconnected(): void {
    const ended = this.#connection;
    this.#connection = null;
    this.#heard.clear();
    for (const channel of [...this.#waiters.keys()]) this.#resolve(channel);
    for (const resolve of ended?.whenIdle ?? []) resolve(false);
  }

  async #work(): Promise<void> {
    const connection = this.#connection;
    if (connection === null || connection.isWorking) return;
    connection.isWorking = true;
    // A turn's wishes go together.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#changed.size > 0 && this.#connection === connection) {
      try {
        await this.#bring(this.#nextBatch());
      } catch (error) {
        if (this.#connection === connection) this.#onFailed(error);
        return;
      }
    }
    connection.isWorking = false;
    for (const resolve of connection.whenIdle.splice(0)) resolve(this.#connection === connection);
  }

  async #bring(batch: readonly string[]): Promise<void> {
    const connection = this.#connection;
    const begin = batch.filter((it) => this.#wanted.has(it) && !this.#heard.has(it));
    const end = batch.filter((it) => !this.#wanted.has(it) && this.#heard.has(it));
    if (begin.length > 0) {
      await this.#subscriber.subscribe(begin);
      if (this.#connection !== connection) return;
      for (const channel of begin) this.#heard.add(channel);
    }
    if (end.length > 0) {
      // Who wants it again meanwhile has to wait for the next batch.
      for (const channel of end) this.#heard.delete(channel);
      await this.#subscriber.unsubscribe(end);
      if (this.#connection !== connection) return;
    }
    for (const channel of batch) this.#resolve(channel);
  }

  #nextBatch(): string[] {
    const batch: string[] = [];
    for (const channel of this.#changed) {
      if (batch.length === BATCH) break;
      batch.push(channel);
      this.#changed.delete(channel);
    }
    return batch;
  }

  /** Nobody waits for what is heard, or wanted no longer. */
  #resolve(channel: string): void {
    if (this.#wanted.has(channel) && !this.#heard.has(channel) && this.#connection !== null) return;
    const waiters = this.#waiters.get(channel);
    if (waiters === undefined) return;
    this.#waiters.delete(channel);
    for (const resolve of waiters) resolve();
  }
}

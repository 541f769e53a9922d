/**
 * Keeps this host's subscriptions equal to the wanted channels, in batches, one command at a time.
 * A new connection starts without subscriptions: everything wanted is subscribed again, and only
 * then is the gap over.
 *
 * [SUB1] `want` resolves when the channel is subscribed; without a connection at once, since that
 *        is a gap anyway, which ends with everything subscribed.
 * [SUB2] At most 512 channels go in one command.
 * [SUB3] A failed command leaves no caller waiting: it is reported, and the connection is given up.
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
  /** Channels that are subscribed and not about to be unsubscribed. */
  readonly #heard = new Set<string>();
  readonly #changed = new Set<string>();
  readonly #waiters = new Map<string, (() => void)[]>();
  /**
   * The state of the current connection; null without one. Work of an older connection ends by
   * itself.
   */
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

  /**
   * A new connection. Resolves when everything wanted is subscribed, or with false when it broke
   * before that.
   */
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
    // The changes of one turn are sent together.
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
      // A caller that wants the channel again meanwhile waits for the next batch.
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

  /** Resolves the callers of a channel that is subscribed, or no longer wanted. */
  #resolve(channel: string): void {
    if (this.#wanted.has(channel) && !this.#heard.has(channel) && this.#connection !== null) return;
    const waiters = this.#waiters.get(channel);
    if (waiters === undefined) return;
    this.#waiters.delete(channel);
    for (const resolve of waiters) resolve();
  }
}

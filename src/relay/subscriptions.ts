/**
 * Which channels this host hears in Redis, brought to what is wanted in batches, one command
 * at a time. A connection that comes back starts from nothing: everything wanted is taken
 * again, and only then is the gap over.
 *
 * [SUB1] `want` resolves when the channel is heard; without a connection at once, for that is
 *        a gap anyway and ends with everything heard.
 * [SUB2] At most 512 channels go in one command.
 */
const BATCH = 512;

export interface Subscriber {
  subscribe(channels: readonly string[]): Promise<void>;
  unsubscribe(channels: readonly string[]): Promise<void>;
}

export class Subscriptions {
  readonly #subscriber: Subscriber;
  readonly #wanted = new Set<string>();
  readonly #heard = new Set<string>();
  readonly #changed = new Set<string>();
  #waiters: { channel: string; resolve: () => void }[] = [];
  #bringing: Promise<void> | null = null;
  #isConnected = false;

  constructor(subscriber: Subscriber) {
    this.#subscriber = subscriber;
  }

  want(channel: string, wanted: boolean): Promise<void> {
    if (wanted) this.#wanted.add(channel);
    else this.#wanted.delete(channel);
    this.#changed.add(channel);
    if (!this.#isConnected || (wanted && this.#heard.has(channel))) return Promise.resolve();
    const done = wanted
      ? new Promise<void>((resolve) => this.#waiters.push({ channel, resolve }))
      : Promise.resolve();
    // A connection that breaks meanwhile takes everything again when it is back.
    this.#bring().catch(() => undefined);
    return done;
  }

  /** A fresh connection. Resolves when everything wanted is heard; rejects when it broke. */
  async connected(): Promise<void> {
    this.disconnected();
    this.#isConnected = true;
    for (const channel of this.#wanted) this.#changed.add(channel);
    await this.#bring();
  }

  disconnected(): void {
    this.#isConnected = false;
    this.#heard.clear();
    this.#bringing = null;
    for (const { resolve } of this.#waiters) resolve();
    this.#waiters = [];
  }

  #bring(): Promise<void> {
    if (this.#bringing !== null) return this.#bringing;
    const bringing: Promise<void> = this.#work().finally(() => {
      if (this.#bringing === bringing) this.#bringing = null;
    });
    this.#bringing = bringing;
    return bringing;
  }

  async #work(): Promise<void> {
    // A turn's wishes go together.
    await new Promise<void>((resolve) => setImmediate(resolve));
    const mine = this.#bringing;
    while (this.#isConnected && this.#changed.size > 0) {
      const batch = [...this.#changed].slice(0, BATCH);
      for (const channel of batch) this.#changed.delete(channel);
      const isHeard = (channel: string) => this.#heard.has(channel);
      const isWanted = (channel: string) => this.#wanted.has(channel);
      const begin = batch.filter((channel) => isWanted(channel) && !isHeard(channel));
      const end = batch.filter((channel) => !isWanted(channel) && isHeard(channel));
      if (begin.length > 0) await this.#subscriber.subscribe(begin);
      if (this.#bringing !== mine) return;
      for (const channel of begin) this.#heard.add(channel);
      if (end.length > 0) await this.#subscriber.unsubscribe(end);
      if (this.#bringing !== mine) return;
      for (const channel of end) this.#heard.delete(channel);
      this.#waiters = this.#waiters.filter(({ channel, resolve }) => {
        if (!isHeard(channel) && isWanted(channel)) return true;
        resolve();
        return false;
      });
    }
  }
}

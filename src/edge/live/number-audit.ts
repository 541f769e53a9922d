/**
 * Compares the last number that this edge has delivered (the `rev` of a conversation, the `seq` of
 * a user's notifications) with the one in storage: after a gap between hosts, and when the actor
 * that would have published a change has died.
 *
 * [AUD1] One statement runs at a time, for a bounded number of ids: a host that comes back compares
 *        everything, and its users' own reads must not wait for that.
 * [AUD2] A failed statement is tried again, each time a little later, until storage answers. Ids
 *        that are answered already are not asked for again.
 */
import type { Clock } from "../../base/clock.ts";

const IDS_IN_STATEMENT = 1_000;
const RETRY_MS = 500;
const RETRY_MS_MAX = 8_000;

export interface NumberAuditOptions<Id, Found> {
  clock: Clock;
  /** The newest number of each id that has one. Rejects when storage is out of reach. */
  read(ids: Id[]): Promise<Iterable<[Id, Found]>>;
  found(id: Id, newest: Found): void;
}

export class NumberAudit<Id, Found = number> {
  readonly #options: NumberAuditOptions<Id, Found>;
  readonly #waiting = new Set<Id>();
  #isReading = false;
  #isClosed = false;

  constructor(options: NumberAuditOptions<Id, Found>) {
    this.#options = options;
  }

  /** One that waits already is read once: its statement is still to be sent. */
  look(ids: Iterable<Id>): void {
    for (const id of ids) this.#waiting.add(id);
    if (!this.#isReading) void this.#readAll();
  }

  close(): void {
    this.#isClosed = true;
  }

  async #readAll(): Promise<void> {
    const { clock, read, found } = this.#options;
    this.#isReading = true;
    let retryMs = RETRY_MS;
    while (this.#waiting.size > 0 && !this.#isClosed) {
      const ids = this.#take();
      try {
        for (const [id, newest] of await read(ids)) found(id, newest);
        retryMs = RETRY_MS;
      } catch {
        // [AUD2] Storage is away, which is when this matters most.
        for (const id of ids) this.#waiting.add(id);
        const delayMs = retryMs;
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
        await new Promise<void>((resolve) => clock.after(delayMs, resolve));
      }
    }
    this.#isReading = false;
  }

  #take(): Id[] {
    const ids: Id[] = [];
    for (const id of this.#waiting) {
      this.#waiting.delete(id);
      ids.push(id);
      if (ids.length === IDS_IN_STATEMENT) break;
    }
    return ids;
  }
}

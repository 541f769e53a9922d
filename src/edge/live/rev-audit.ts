/**
 * Compares the streams of this edge with the revs that storage has of their conversations:
 * after a gap between hosts, and when the owner of a conversation has died. Called by `Streams`.
 *
 * [AUD1] One statement is under way at a time, for a bounded number of conversations: a host that
 *        comes back compares all its streams, and its users' own reads must not wait for that.
 * [AUD2] What a statement has answered is kept. One that fails is tried again, each time a little
 *        later, until storage answers.
 */
import type { Clock } from "../../base/clock.ts";
import type { Queries } from "../../ports/edge.ts";
import type { ConversationId } from "../../protocol/ids.ts";

const IDS_IN_STATEMENT = 1_000;
const RETRY_MS = 500;
const RETRY_MS_MAX = 8_000;

export interface RevAuditOptions {
  clock: Clock;
  queries: Pick<Queries, "revs">;
  /** The conversation stands at `rev`. */
  found(id: ConversationId, rev: number): void;
}

export class RevAudit {
  readonly #options: RevAuditOptions;
  readonly #waiting = new Set<ConversationId>();
  #isReading = false;
  #isClosed = false;

  constructor(options: RevAuditOptions) {
    this.#options = options;
  }

  /** One that waits already is read once: its statement is still to be sent. */
  look(ids: Iterable<ConversationId>): void {
    for (const id of ids) this.#waiting.add(id);
    if (!this.#isReading) void this.#read();
  }

  close(): void {
    this.#isClosed = true;
  }

  async #read(): Promise<void> {
    const { clock, queries, found } = this.#options;
    this.#isReading = true;
    let retryMs = RETRY_MS;
    while (this.#waiting.size > 0 && !this.#isClosed) {
      const ids = this.#take();
      try {
        for (const [id, rev] of await queries.revs(ids)) found(id, rev);
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

  #take(): ConversationId[] {
    const ids: ConversationId[] = [];
    for (const id of this.#waiting) {
      this.#waiting.delete(id);
      ids.push(id);
      if (ids.length === IDS_IN_STATEMENT) break;
    }
    return ids;
  }
}

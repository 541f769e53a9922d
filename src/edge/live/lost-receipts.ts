/**
 * Receipts have no `rev`, so a stream does not see that one is missing. Where events may have been
 * lost, the cursors of those who read since then are read again.
 *
 * [LRC1] The sessions receive them as receipts, where the stream has not delivered them already.
 */
import type { Clock } from "../../base/clock.ts";
import type { MovedCursors, Queries } from "../../ports/edge.ts";
import type { ConversationId } from "../../protocol/ids.ts";
import { receiptNote } from "../../protocol/receipt-notes.ts";
import { earlierOf, later, type Monotonic, msBetween } from "../../protocol/time.ts";
import { NumberAudit } from "./number-audit.ts";
import type { PassingReceipt } from "./stream.ts";

/** A mark that was committed before its event was lost. */
const BEFORE_LOSS_MS = 5_000;

/** The owner of a conversation's actor is dead to this host at most so long after its last event. */
export const OWNER_DIED_MS = 12_000;

export interface LostReceiptsOptions {
  clock: Clock;
  queries: Pick<Queries, "movedCursors">;
  deliver(id: ConversationId, user: string, receipt: PassingReceipt): void;
}

export class LostReceipts {
  readonly #options: LostReceiptsOptions;
  readonly #audit: NumberAudit<ConversationId, MovedCursors>;
  readonly #since = new Map<ConversationId, Monotonic>();

  constructor(options: LostReceiptsOptions) {
    const { clock, deliver } = options;
    this.#options = options;
    this.#audit = new NumberAudit({
      clock,
      read: (ids: ConversationId[]) => this.#read(ids),
      found: (id, cursors) => deliver(id, cursors.receipt.user_id, receiptOf(cursors)),
    });
  }

  /** The first event may have been lost `ageMs` ago. */
  look(ids: readonly ConversationId[], ageMs: number): void {
    const since = later(this.#options.clock.monotonicMs(), -ageMs - BEFORE_LOSS_MS);
    for (const id of ids) this.#since.set(id, earlierOf(since, this.#since.get(id) ?? since));
    this.#audit.look(ids);
  }

  close(): void {
    this.#audit.close();
  }

  async #read(ids: ConversationId[]): Promise<[ConversationId, MovedCursors][]> {
    const now = this.#options.clock.monotonicMs();
    const asked = new Map(ids.map((id) => [id, this.#since.get(id) ?? now]));
    const withinMs = Math.max(...[...asked.values()].map((since) => msBetween(since, now)));
    const found = await this.#options.queries.movedCursors(ids, withinMs);
    for (const [id, since] of asked) if (this.#since.get(id) === since) this.#since.delete(id);
    return found.map((cursors) => [cursors.receipt.conversation_id as ConversationId, cursors]);
  }
}

function receiptOf({ receipt, own, isMasked }: MovedCursors): PassingReceipt {
  const note = receiptNote(isMasked ? "own" : "all", receipt.user_id, JSON.stringify(own));
  return { body: JSON.stringify(receipt), except: "", note };
}

/**
 * Finds messages whose time has come and has their conversation's actor delete them. Every worker
 * looks twice a second; what it finds it claims in PostgreSQL for `LEASE_MS`, so that other workers
 * leave it alone. A worker that dies with a claim costs that time and nothing else: the row stays
 * until its message is deleted, and a deletion that is asked for twice happens once.
 *
 * [EXM1] A message is deleted within 2 s of `expires_at`, whichever worker or host dies.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Queries } from "../../ports/edge.ts";
import type { ConversationId } from "../../protocol/ids.ts";
import type { Gateway } from "../../runtime/gateway.ts";

const LOOK_EVERY_MS = 500;
const LEASE_MS = 5_000;
/** More are found in the next look, at once. */
const FOUND_MAX = 500;

export interface DueExpiriesOptions {
  clock: Clock;
  log: Log;
  queries: Pick<Queries, "claimExpired">;
  gateway: Pick<Gateway, "tell">;
}

export class DueExpiries {
  readonly #options: DueExpiriesOptions;
  #cancelNext: (() => void) | null = null;
  #isClosed = false;

  constructor(options: DueExpiriesOptions) {
    this.#options = options;
  }

  start(): void {
    this.#lookIn(LOOK_EVERY_MS);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelNext?.();
  }

  #lookIn(delayMs: number): void {
    if (this.#isClosed) return;
    this.#cancelNext = this.#options.clock.after(delayMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { log, queries } = this.#options;
    let found = 0;
    try {
      const due = await queries.claimExpired(FOUND_MAX, LEASE_MS);
      found = due.length;
      this.#expire(due);
    } catch (err) {
      log.warn({ event: "expiry_waits", err });
    }
    this.#lookIn(found === FOUND_MAX ? 0 : LOOK_EVERY_MS);
  }

  #expire(due: readonly { id: ConversationId; seq: number }[]): void {
    const seqs = new Map<ConversationId, number[]>();
    for (const { id, seq } of due) {
      const known = seqs.get(id);
      if (known === undefined) seqs.set(id, [seq]);
      else known.push(seq);
    }
    for (const [id, of] of seqs) {
      this.#options.gateway.tell("conversation", id, "expire", { seqs: of });
    }
  }
}

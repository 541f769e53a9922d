/**
 * Windows of conversations' messages, as the JSON text that the client gets. PostgreSQL writes
 * it: 50 messages cost 0.15 ms of node's time so and 0.5 ms as rows and objects, for 0.06 ms
 * more of PostgreSQL's (figures in bench/RESULTS.md).
 *
 * [HIS1] A kept window is answered again as long as its conversation still has the `rev` at which
 *        it was read: each change of anything in a window takes the next rev.
 * [HIS2] The reader's permission and the rev are read after each call has come, so an answer has
 *        every change that was acknowledged before its call. Calls that come together share the read.
 */

import type { HistoryPage, HistoryWindow } from "../../ports/edge.ts";
import { ANSWER_BYTES_MAX } from "../../protocol/answer-bytes.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { JsonText } from "../../protocol/json-text.ts";
import { Batcher } from "../batching/shared-reads.ts";
import type { Database } from "./pool.ts";
import { readOwnReactions } from "./reactions.ts";
import { readable, readableBy, SHOWN_FROM } from "./rows.ts";

// [HIS3] A window holds at most about 256 KiB.
// One row for a member, also of an empty window; none for others. A message more than the limit
// is looked for and left out: it says whether there are more.
// A reader who may not see everything shares no window with others.
const READ_ANEW = -1;
const SHARED_REV = `CASE WHEN ${SHOWN_FROM} = 1 THEN c.rev ELSE ${READ_ANEW} END`;
export const historyIn = (name: string, order: "ASC" | "DESC") => ({
  name,
  text: `SELECT x.items, x.kept, x.found,
      ${SHARED_REV} AS rev
    FROM ${readable("$1")}
    CROSS JOIN LATERAL (
      SELECT string_agg(r.item, ',' ORDER BY r.seq) FILTER (WHERE r.is_kept) AS items,
        count(*) FILTER (WHERE r.is_kept)::int AS kept, count(*)::int AS found
      FROM (
        SELECT m.seq, m.item, row_number() OVER read <= $5
          AND (row_number() OVER read = 1
            OR sum(octet_length(m.item)) OVER read <= ${ANSWER_BYTES_MAX}) AS is_kept
        FROM (
          SELECT y.seq, message_text(y) AS item FROM messages y
          WHERE y.conversation_id = $2 AND y.seq < $4
            -- Nothing from before the reader may see, or has cleared.
            AND y.seq > $3::bigint AND y.seq >= ${SHOWN_FROM}
          ORDER BY y.seq ${order} LIMIT $5 + 1
        ) m
        WINDOW read AS (ORDER BY m.seq ${order} ROWS UNBOUNDED PRECEDING)
      ) r
    ) x
    WHERE c.id = $2`,
});
const HISTORY_DOWN = historyIn("history_down", "DESC");
const HISTORY_UP = historyIn("history_up", "ASC");

const REVS_FOR = {
  name: "revs_for",
  text: `SELECT a.place::int,
      ${SHARED_REV} AS rev
    FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS a(reader, id, place)
    JOIN conversations c ON c.id = a.id
    ${readableBy("a.reader")}`,
};

/** Of texts, in characters: a page of 50 short messages has 12,000. */
const KEPT_CHARS_MAX = 16_000_000;
const PAGE_CHARS_MAX = 250_000;

interface Read {
  reader: UserId;
  id: ConversationId;
}

interface Kept {
  rev: number;
  page: JsonText<HistoryPage>;
  /** Messages that have reactions: beside them each reader receives their own. */
  reactedSeqs: number[];
}

export class History {
  readonly #database: Database;
  /** The rev of a conversation for one reader; null where this user may not read it. */
  readonly #revs: Batcher<Read, number | null>;
  /** In the order of their last use. */
  readonly #kept = new Map<string, Kept>();
  #keptChars = 0;

  constructor(database: Database) {
    this.#database = database;
    this.#revs = new Batcher((reads) => readRevs(database, reads), {
      batchMax: 256,
      inFlightMax: 1,
    });
  }

  /** Null where there is no such conversation or `reader` is no member. */
  async read(
    reader: UserId,
    id: ConversationId,
    window: HistoryWindow,
  ): Promise<JsonText<HistoryPage> | null> {
    const key = `${id} ${window.afterSeq ?? ""} ${window.beforeSeq ?? ""} ${window.limit}`;
    if (this.#kept.has(key)) {
      const rev = await this.#revs.ask({ reader, id });
      if (rev === null) return null;
      const kept = this.#kept.get(key);
      if (kept?.rev === rev) {
        this.#keep(key, kept);
        return this.#withOwnReactions(reader, id, kept);
      }
    }
    const read = await readWindow(this.#database, reader, id, window);
    if (read === null) return null;
    if (read.rev !== READ_ANEW) this.#keep(key, read);
    return this.#withOwnReactions(reader, id, read);
  }

  /** Read after the messages, so that no reaction is in these and not in one's own. */
  async #withOwnReactions(
    reader: UserId,
    id: ConversationId,
    { page, reactedSeqs }: Kept,
  ): Promise<JsonText<HistoryPage>> {
    if (reactedSeqs.length === 0) return page;
    const [own] = await readOwnReactions(this.#database, reader, [{ id, seqs: reactedSeqs }]);
    if (own === undefined || own.length === 0) return page;
    return new JsonText(`${page.text.slice(0, -1)},"own_reactions":${JSON.stringify(own)}}`);
  }

  #keep(key: string, kept: Kept): void {
    const before = this.#kept.get(key);
    // Two readings may end in either order.
    if (before !== undefined && before.rev > kept.rev) return;
    this.#forget(key);
    if (kept.page.text.length > PAGE_CHARS_MAX) return;
    this.#kept.set(key, kept);
    this.#keptChars += kept.page.text.length;
    for (const oldest of this.#kept.keys()) {
      if (this.#keptChars <= KEPT_CHARS_MAX) return;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#keptChars -= this.#kept.get(key)?.page.text.length ?? 0;
    this.#kept.delete(key);
  }
}

async function readRevs(database: Database, reads: Read[]): Promise<(number | null)[]> {
  const rows = await database.read<{ place: number; rev: string }>(REVS_FOR, [
    reads.map(({ reader }) => reader),
    reads.map(({ id }) => id),
  ]);
  const revs: (number | null)[] = new Array(reads.length).fill(null);
  for (const { place, rev } of rows) revs[place - 1] = Number(rev);
  return revs;
}

async function readWindow(
  database: Database,
  reader: UserId,
  id: ConversationId,
  { beforeSeq, afterSeq, limit }: HistoryWindow,
): Promise<Kept | null> {
  const isUp = afterSeq !== null && beforeSeq === null;
  const [row] = await database.read<{
    rev: string;
    items: string | null;
    kept: number;
    found: number;
  }>(isUp ? HISTORY_UP : HISTORY_DOWN, [
    reader,
    id,
    afterSeq ?? 0,
    beforeSeq ?? Number.MAX_SAFE_INTEGER,
    limit,
  ]);
  if (row === undefined) return null;
  const text = `{"items":[${row.items ?? ""}],"has_more":${row.found > row.kept}}`;
  const page = new JsonText<HistoryPage>(text);
  return { rev: Number(row.rev), page, reactedSeqs: reactedSeqsOf(page) };
}

/** Parsed only where some message has reactions: text of a body would have its quotes escaped. */
function reactedSeqsOf(page: JsonText<HistoryPage>): number[] {
  if (!page.text.includes('"reactions":[')) return [];
  return page.value().items.flatMap(({ seq, reactions }) => (reactions === undefined ? [] : seq));
}

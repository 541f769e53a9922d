/** ThreadQueries on PostgreSQL, each one statement. */
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Conversation } from "../../protocol/schemas.ts";
import { decodePlace, encodePlace } from "./cursor.ts";
import type { Database } from "./pool.ts";
import {
  type ConversationRow,
  conversationOf,
  listedMembers,
  messageOf,
  type OwnRow,
  ownOf,
  PARENT_COLUMNS,
  PART_COLUMNS,
  readable,
  readerExtra,
  shownFrom,
} from "./rows.ts";

const THREAD = {
  name: "thread_of_reader",
  text: `SELECT ${PART_COLUMNS}, ${PARENT_COLUMNS}, ${readerExtra("$1")}
    FROM ${readable("$1")}
    CROSS JOIN LATERAL (${listedMembers("c", "$1")}) v
    WHERE c.id = $2 AND c.parent_id IS NOT NULL AND c.deleted_at IS NULL`,
};
const THREADS = {
  name: "threads_of_reader",
  text: `SELECT ${PART_COLUMNS}, ${PARENT_COLUMNS}, ${readerExtra("$1")},
      c.read_seq, c.read_n, c.cleared_n, c.unread_from_n, c.unread_count,
      c.last_activity_at, message_text(m) AS message
    FROM (
      SELECT c.*, ${shownFrom("k")} AS shown_from, k.read_seq, k.read_n, k.cleared_n,
        k.unread_from_n, unread_count(c, k) AS unread_count
      FROM conversation_members k JOIN conversations c ON c.id = k.conversation_id
      WHERE k.user_id = $1 AND k.thread_of IS NOT NULL AND c.deleted_at IS NULL
        AND ($3::timestamptz IS NULL OR (c.last_activity_at, c.id) < ($3, $4::bigint))
        AND (NOT $5 OR unread_count(c, k) > 0)
      ORDER BY c.last_activity_at DESC, c.id DESC LIMIT $2
    ) c
    CROSS JOIN LATERAL (${listedMembers("c", "$1")}) v
    LEFT JOIN messages m ON m.conversation_id = c.id AND m.seq = c.last_seq
      AND m.seq >= c.shown_from
    ORDER BY c.last_activity_at DESC, c.id DESC`,
};
// Everybody who knows a thread may read its deletion.
const READERS = {
  name: "thread_readers",
  text: `SELECT u.id::text AS id FROM conversations c
    CROSS JOIN unnest($2::bigint[]) u (id)
    LEFT JOIN conversation_members k ON k.conversation_id = c.parent_id AND k.user_id = u.id
    WHERE c.id = $1
      AND (c.deleted_at IS NOT NULL
        OR k.user_id IS NOT NULL AND coalesce(k.visible_from_seq, 1) <= c.parent_seq)`,
};
const READABLE = {
  name: "readable_threads",
  text: `SELECT c.id FROM ${readable("$1")}
    WHERE c.id = ANY ($2::bigint[]) AND c.deleted_at IS NULL`,
};
const CLAIM_SUMMARIES = {
  name: "claim_summaries",
  text: `UPDATE thread_summaries t
    SET due_at = clock_timestamp() + $2 * interval '1 millisecond'
    FROM (
      SELECT x.conversation_id FROM thread_summaries x
      WHERE x.due_at <= statement_timestamp()
      ORDER BY x.due_at LIMIT $1 FOR UPDATE SKIP LOCKED
    ) d
    JOIN conversations c ON c.id = d.conversation_id
    WHERE t.conversation_id = d.conversation_id
    RETURNING c.parent_id AS parent, c.parent_seq AS seq`,
};

/** A thread, whether the reader follows it or not; null where there is none to read. */
export async function readThread(
  database: Database,
  reader: UserId,
  id: ConversationId,
): Promise<Conversation | null> {
  const [row] = await database.read<ConversationRow>(THREAD, [reader, id]);
  return row === undefined ? null : conversationOf(row);
}

/** See ThreadQueries. */
export async function readThreads(
  database: Database,
  reader: UserId,
  isUnread: boolean,
  limit: number,
  cursor: string | null,
) {
  const place = cursor === null ? null : decodePlace(cursor);
  if (place === undefined) return undefined;
  const after = place === null ? [null, null] : [new Date(place.atMs).toISOString(), place.id];
  const rows = await database.read<
    ConversationRow & OwnRow & { last_activity_at: string; message: string | null }
  >(THREADS, [reader, limit + 1, ...after, isUnread]);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const isMore = rows.length > limit && last !== undefined;
  return {
    items: page.map((row) => ({
      ...conversationOf(row),
      last_message: row.message === null ? null : messageOf(row.message),
      ...ownOf(row),
    })),
    next_cursor: isMore
      ? encodePlace({ atMs: Date.parse(last.last_activity_at), id: last.id })
      : null,
  };
}

export async function readReadable(
  database: Database,
  reader: UserId,
  ids: readonly ConversationId[],
): Promise<ConversationId[]> {
  const rows = await database.read<{ id: ConversationId }>(READABLE, [reader, ids]);
  return rows.map(({ id }) => id);
}

export async function claimSummaries(database: Database, limit: number, leaseMs: number) {
  const rows = await database.write<{ parent: ConversationId; seq: string }>(CLAIM_SUMMARIES, [
    limit,
    leaseMs,
  ]);
  return rows.map(({ parent, seq }) => ({ parent, seq: Number(seq) }));
}

/** See ThreadQueries.threadReaders. */
export async function readThreadReaders(
  database: Database,
  id: ConversationId,
  users: readonly UserId[],
): Promise<UserId[]> {
  const rows = await database.read<{ id: UserId }>(READERS, [id, users]);
  return rows.map((row) => row.id);
}

/**
 * `sync` on PostgreSQL, in one statement, so that messages and rev are of one moment. Clients
 * that ask at once share it: of a storm nearly all do. The statement reads no more messages than
 * can be in the answers: a conversation has at most as many changed messages as its rev is ahead
 * of the client's.
 */
import type { SyncAnswer, SyncRequest } from "../../ports/edge.ts";
import { asConversationId, type Message, type Receipt } from "../../protocol/schemas.ts";
import type { Database } from "./pool.ts";
import { readOwnReactions } from "./reactions.ts";
import {
  type ConversationRow,
  conversationOf,
  listedMembers,
  messagesOf,
  type OwnRow,
  ownOf,
  PARENT_COLUMNS,
  readerExtra,
  shownFrom,
  shownRead,
} from "./rows.ts";
import { readStreaming } from "./streams.ts";
import {
  answerSync,
  CHANGED_MAX,
  CONVERSATIONS_MAX,
  MESSAGES_MAX,
  NEWEST_MAX,
  type SyncCandidate,
} from "./sync-answer.ts";

const OWN =
  "kept_of(c) AS kept_from, first_n_of(c) AS kept_n, k.read_seq, k.read_n, k.cleared_n, k.unread_from_n, unread_count(c, k) AS unread_count";

// For each request its conversations, the most recently active first.
export const SYNC = {
  name: "sync",
  text: `SELECT q.n::int, s.*
    FROM ROWS FROM (
      json_to_recordset($1) AS (
        reader bigint, ids bigint[], revs bigint[], complete boolean, threads boolean
      )
    ) WITH ORDINALITY AS q (reader, ids, revs, complete, threads, n)
    CROSS JOIN LATERAL (
      WITH known AS (
        SELECT c.*, a.after_rev, c.rev <> a.after_rev AS differs,
          c.rev < a.after_rev
            OR (k.in_channel AND c.rev - a.after_rev > ${CHANGED_MAX}) IS TRUE AS fresh,
          ${shownFrom("k")} AS shown_from, ${OWN}
        FROM unnest(q.ids, q.revs) AS a (id, after_rev)
        JOIN conversation_members k ON k.conversation_id = a.id AND k.user_id = q.reader
        JOIN conversations c ON c.id = a.id AND c.deleted_at IS NULL
        WHERE q.threads OR (k.thread_of IS NULL AND k.in_channel IS NULL)
      ), unfollowed AS (
        -- Threads that are listed, may be read and are not followed: nothing of them is one's own.
        SELECT c.*, a.after_rev, c.rev <> a.after_rev AS differs, c.rev < a.after_rev AS fresh,
          kept_of(c) AS shown_from,
          kept_of(c) AS kept_from, first_n_of(c) AS kept_n, 0::bigint AS read_seq, NULL::bigint AS read_n,
          NULL::bigint AS cleared_n, NULL::bigint AS unread_from_n, 0::bigint AS unread_count
        FROM unnest(q.ids, q.revs) AS a (id, after_rev)
        JOIN conversations c ON c.id = a.id AND c.parent_id IS NOT NULL AND c.deleted_at IS NULL
        JOIN conversation_members k ON k.conversation_id = c.parent_id AND k.user_id = q.reader
          AND coalesce(k.visible_from_seq, 1) <= c.parent_seq
        WHERE q.threads AND NOT EXISTS (
          SELECT 1 FROM conversation_members f
          WHERE f.conversation_id = a.id AND f.user_id = q.reader)
      ), open AS (
        -- Channels that are listed and open to anyone, where the reader is no member.
        SELECT c.*, a.after_rev, c.rev <> a.after_rev AS differs,
          c.rev < a.after_rev OR c.rev - a.after_rev > ${CHANGED_MAX} AS fresh,
          kept_of(c) AS shown_from,
          kept_of(c) AS kept_from, first_n_of(c) AS kept_n, 0::bigint AS read_seq, NULL::bigint AS read_n,
          NULL::bigint AS cleared_n, NULL::bigint AS unread_from_n, 0::bigint AS unread_count
        FROM unnest(q.ids, q.revs) AS a (id, after_rev)
        JOIN conversations c ON c.id = a.id AND c.kind = 'channel'
        CROSS JOIN LATERAL open_reader(c, q.reader) o
        WHERE q.threads
      ), unknown AS (
        SELECT c.*, NULL::bigint AS after_rev, true AS differs, true AS fresh,
          ${shownFrom("k")} AS shown_from, ${OWN}
        FROM conversation_members k JOIN conversations c ON c.id = k.conversation_id
        WHERE q.complete AND k.user_id = q.reader AND c.deleted_at IS NULL AND k.conversation_id <> ALL (q.ids)
          AND (q.threads OR (k.thread_of IS NULL AND k.in_channel IS NULL))
        ORDER BY c.last_activity_at DESC, c.id DESC LIMIT ${CONVERSATIONS_MAX + 1}
      ), weighed AS (
        SELECT e.*, CASE
            WHEN NOT e.differs OR (e.kind = 'channel' AND e.after_rev IS NULL) THEN 0
            WHEN e.fresh THEN least(e.last_seq, ${NEWEST_MAX})
            ELSE least(e.rev - e.after_rev, ${CHANGED_MAX})
          END AS weight
        FROM (
          SELECT * FROM known UNION ALL SELECT * FROM unfollowed UNION ALL SELECT * FROM open
          UNION ALL SELECT * FROM unknown
        ) e
      ), chosen AS (
        SELECT w.*, w.differs
            AND sum(w.weight) OVER places <= ${MESSAGES_MAX}
            AND count(*) FILTER (WHERE w.differs) OVER places <= ${CONVERSATIONS_MAX} AS fits
        FROM weighed w
        WINDOW places AS (ORDER BY w.last_activity_at DESC, w.id DESC)
      )
      SELECT e.id, e.kind, e.title, e.owner_id, e.last_seq, e.rev, e.created_at,
        e.last_n, e.first_seq, e.kept_n AS first_n, e.kept_from, e.read_seq, e.read_n, e.cleared_n, e.unread_from_n,
        e.unread_count, e.last_activity_at, e.after_rev, e.differs, e.fresh, e.fits,
        e.fresh OR e.meta_rev > e.after_rev AS whole,
        e.member_count, v.member_ids, v.member_delivered, v.member_read,
        e.external_id, e.extra, v.member_extras, x.messages,
        e.parent_id, e.parent_seq, r.parent_rules, r.reader_extra,
        EXISTS (SELECT 1 FROM open_streams) AS streams,
        p.user_id AS peer_id, p.delivered_seq AS peer_delivered,
        ${shownRead("p", "q.reader")} AS peer_read
      FROM chosen e
      LEFT JOIN conversation_members p
        ON p.conversation_id = e.id AND e.kind = 'direct' AND e.after_rev IS NOT NULL
          AND p.user_id = coalesce(nullif(e.direct_lo, q.reader), e.direct_hi)
      CROSS JOIN LATERAL (
        ${listedMembers("e", "q.reader", "e.fits AND (e.fresh OR e.meta_rev > e.after_rev)")}
      ) v
      CROSS JOIN LATERAL (
        SELECT ${PARENT_COLUMNS}, ${readerExtra("q.reader")} FROM (SELECT e.parent_id, e.parent_seq) c
      ) r
      CROSS JOIN LATERAL (
        SELECT string_agg(m.item, ',' ORDER BY m.place) AS messages
        FROM (
          (SELECT y.seq AS place, message_text(y) AS item FROM messages y
            WHERE y.conversation_id = e.id AND e.fits AND e.fresh
              AND (e.kind <> 'channel' OR e.after_rev IS NOT NULL)
              AND y.seq >= e.shown_from
            ORDER BY y.seq DESC LIMIT ${NEWEST_MAX})
          UNION ALL
          (SELECT y.rev AS place, message_text(y) AS item FROM messages y
            WHERE y.conversation_id = e.id AND e.fits AND NOT e.fresh AND y.rev > e.after_rev
              AND y.seq >= e.shown_from
            ORDER BY y.rev FETCH FIRST ${CHANGED_MAX + 1} ROWS WITH TIES)
        ) m
      ) x
    ) s
    ORDER BY q.n, s.last_activity_at DESC, s.id DESC`,
};

interface SyncRow extends ConversationRow, OwnRow {
  /** The number of the request, from 1. */
  n: number;
  /** Null where the client did not list it. */
  after_rev: string | null;
  differs: boolean;
  fresh: boolean;
  fits: boolean;
  /** The first seq that retention has left. */
  kept_from: string;
  /** Members or title are news to the client. */
  whole: boolean;
  messages: string | null;
  /** Anywhere streams are open. */
  streams: boolean;
  peer_id: string | null;
  peer_delivered: string | null;
  peer_read: string | null;
}

/** Answers several requests with one statement, in their order. */
export async function readSyncs(
  database: Database,
  requests: readonly SyncRequest[],
): Promise<SyncAnswer[]> {
  const asked = requests.map(({ userId, after, complete, withoutThreads }) => ({
    reader: userId,
    ids: [...after.keys()],
    revs: [...after.values()],
    complete,
    threads: withoutThreads !== true,
  }));
  const rows = await database.read<SyncRow>(SYNC, [JSON.stringify(asked)]);
  const rowsOf: SyncRow[][] = requests.map(() => []);
  for (const row of rows) rowsOf[row.n - 1]!.push(row);
  const answers = rowsOf.map((own, i) => answerOf(own, asked[i]!.ids));
  if (rows[0]?.streams === true) {
    const streaming = await readStreaming(database, [...new Set(rows.map(({ id }) => id))]);
    for (const [i, own] of rowsOf.entries()) {
      const open = own.filter(({ id }) => streaming.has(id)).map(({ id }) => asConversationId(id));
      if (open.length > 0) answers[i]!.streaming = open;
    }
  }
  await Promise.all(answers.map((answer, i) => addOwnReactions(database, answer, requests[i]!)));
  return answers;
}

/** Read after the messages, so that no reaction is in these and not in one's own. */
async function addOwnReactions(
  database: Database,
  { conversations }: SyncAnswer,
  { userId }: SyncRequest,
): Promise<void> {
  const reacted = conversations.filter(({ messages }) => messages.some(isReacted));
  if (reacted.length === 0) return;
  const asked = reacted.map(({ conversation_id, messages }) => ({
    id: conversation_id,
    seqs: messages.filter(isReacted).map(({ seq }) => seq),
  }));
  const own = await readOwnReactions(database, userId, asked);
  for (const [i, conversation] of reacted.entries()) {
    if (own[i]!.length > 0) conversation.own_reactions = own[i]!;
  }
}

const isReacted = ({ reactions }: Message) => reactions !== undefined;

function answerOf(rows: readonly SyncRow[], listed: readonly string[]): SyncAnswer {
  const candidates: SyncCandidate[] = [];
  const receipts: Receipt[] = [];
  const removed = new Set(listed);
  let hasMore = false;
  for (const row of rows) {
    removed.delete(row.id);
    if (row.peer_id !== null) receipts.push(receiptOf(row, row.peer_id));
    if (row.fits) candidates.push(candidateOf(row));
    else if (row.differs) hasMore = true;
  }
  return answerSync(candidates, receipts, [...removed], hasMore);
}

function candidateOf(row: SyncRow): SyncCandidate {
  return {
    id: row.id,
    rev: Number(row.rev),
    fresh: row.fresh,
    reset: row.fresh && row.after_rev !== null,
    conversation: row.whole ? conversationOf(row) : null,
    messages: messagesOf(row.messages),
    ...(row.kept_from !== "1" && { truncatedBeforeSeq: Number(row.kept_from) }),
    own: ownOf(row),
  };
}

function receiptOf(row: SyncRow, peerId: string): Receipt {
  return {
    conversation_id: row.id,
    user_id: peerId,
    delivered_seq: Number(row.peer_delivered),
    read_seq: Number(row.peer_read),
  };
}

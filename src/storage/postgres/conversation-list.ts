/**
 * The list of a user's conversations, page by page, and what is unread in all of them.
 *
 * [LST1] Pinned conversations come first, then those of the newest activity. While the order
 *        changes a conversation may come twice in a pass, and none is missed: a pass first goes
 *        down the order as it finds it, then up through those of newer activity than it began
 *        with, then through those whose preferences have changed since it began. What moves
 *        during these two moves ahead of them.
 * [LST2] Which activity is newer follows from the first page's snapshot of the database, because a
 *        statement may commit later than the time that it wrote.
 *
 * Every page looks at all memberships of the user, by index; figures in test/contract/lists.test.ts.
 */
import type { ConversationsPage, ListAsked } from "../../ports/edge.ts";
import { FEW_MEMBERS_MAX, type Totals } from "../../protocol/conversation-list.ts";
import { isId, type UserId } from "../../protocol/ids.ts";
import type { Prefs } from "../../protocol/prefs.ts";
import type { Conversation } from "../../protocol/schemas.ts";
import { NOW_MS } from "./activity.ts";
import type { Database } from "./pool.ts";
import {
  type ConversationRow,
  conversationOf,
  fewMembers,
  listedMembers,
  messageOf,
  type OwnRow,
  ownColumns,
  ownOf,
  PART_COLUMNS,
  shownFrom,
} from "./rows.ts";

/** A statement may commit this long after the time that it writes; see storage's deadline. */
const COMMIT_LAG_MS = 5_000;
const SNAPSHOT_CHARS_MAX = 60;

/** Parts of a pass: pinned and other conversations downwards, then what changed meanwhile. */
export const PART = { pinned: 0, others: 1, moved: 2, set: 3 } as const;

/** Where a pass has come to, and what it began with. */
export interface ListPlace {
  part: number;
  /** The number by which the part is ordered, rising. */
  at: number;
  id: string;
  beganMs: number;
  /** The user's newest `prefs_rev` at the beginning. */
  prefsRev: number;
  snapshot: string;
}

const CURSOR = /^l([0-3])\.(-?\d{1,16})\.(\d{1,19})\.(\d{1,16})\.(\d{1,16})\.(\d+:\d+:[\d,]*)$/;

export function encodeListPlace(place: ListPlace): string {
  const { part, at, id, beganMs, prefsRev, snapshot } = place;
  const text = `l${part}.${at}.${id}.${beganMs}.${prefsRev}.${snapshot}`;
  return Buffer.from(text, "latin1").toString("base64url");
}

/** Undefined: not a cursor of this list. */
export function decodeListPlace(cursor: string): ListPlace | undefined {
  const match = CURSOR.exec(Buffer.from(cursor, "base64url").toString("latin1"));
  if (match === null) return undefined;
  const [, part, at, id, beganMs, prefsRev, snapshot] = match;
  const place = {
    part: Number(part),
    at: Number(at),
    id: id!,
    beganMs: Number(beganMs),
    prefsRev: Number(prefsRev),
    snapshot: snapshot!,
  };
  const { xmin, xmax } = boundsOf(place.snapshot);
  const isWhole = isId(place.id) && xmin > 0n && xmin <= xmax && xmax < 2n ** 63n;
  return isWhole && encodeListPlace(place) === cursor ? place : undefined;
}

function boundsOf(snapshot: string): { xmin: bigint; xmax: bigint } {
  const [xmin = "0", xmax = "0"] = snapshot.split(":");
  return { xmin: BigInt(xmin), xmax: BigInt(xmax) };
}

/** One with many transactions under way is cut to those before all of them. */
function shortSnapshot(snapshot: string): string {
  if (snapshot.length <= SNAPSHOT_CHARS_MAX) return snapshot;
  const { xmin } = boundsOf(snapshot);
  return `${xmin}:${xmin}:`;
}

const MENTIONS = `(SELECT count(*) FROM message_mentions x
  WHERE c.last_seq > k.read_seq AND x.user_id = k.user_id AND x.conversation_id = c.id
    AND x.seq > greatest(k.read_seq, ${shownFrom("k")} - 1))`;
const OWN_PREFS = `LEFT JOIN conversation_prefs p
  ON p.user_id = k.user_id AND p.conversation_id = k.conversation_id AND NOT p.is_removed`;

const listOf = (name: string, members: string) => ({
  name,
  text: `WITH own AS (
      SELECT c.id, floor(extract(epoch FROM c.last_activity_at) * 1000)::bigint AS at,
        p.pinned_at IS NOT NULL AS pinned, coalesce(p.prefs_rev, 0) AS prefs_rev,
        CASE WHEN c.last_activity_at > to_timestamp(($9::bigint - ${COMMIT_LAG_MS}) / 1000.0)
          THEN NOT pg_visible_in_snapshot(xid_of(c.xmin), $11::pg_snapshot)
        END AS moved
      FROM conversation_members k
      JOIN conversations c ON c.id = k.conversation_id
      ${OWN_PREFS}
      WHERE k.user_id = $1 AND c.deleted_at IS NULL
        AND CASE $3
          WHEN 'all' THEN true
          WHEN 'unread' THEN unread_count(c, k) > 0
          WHEN 'archived' THEN is_archived(c, p, statement_timestamp())
          WHEN 'pinned' THEN p.pinned_at IS NOT NULL
          ELSE NOT is_archived(c, p, statement_timestamp()) AND NOT is_hidden(c, p)
        END
        AND k.thread_of IS NULL AND ($4::text IS NULL OR c.kind = $4)
        AND ($5::text IS NULL OR NOT EXISTS (
          SELECT 1
          FROM unnest(name_words($5)) asked,
            LATERAL (SELECT name_words(CASE
              WHEN c.kind = 'direct' THEN (
                SELECT u.display_name || ' ' || u.username FROM users u
                WHERE u.id = coalesce(nullif(c.direct_lo, k.user_id), c.direct_hi))
              ELSE c.title
            END) AS words) n
          WHERE NOT EXISTS (
            SELECT 1 FROM unnest(n.words) word WHERE starts_with(word, asked))))
    ), places AS (
      SELECT v.* FROM own o CROSS JOIN LATERAL (VALUES
        (CASE WHEN o.pinned THEN ${PART.pinned} ELSE ${PART.others} END, -o.at, -o.id, true),
        (${PART.moved}, o.at, o.id, o.moved),
        (${PART.set}, o.prefs_rev, o.id, o.prefs_rev > $10::bigint)
      ) v (part, at, place, holds)
      WHERE v.holds AND ($6::int IS NULL OR (v.part, v.at, v.place) > ($6, $7::bigint,
        CASE WHEN $6 > ${PART.others} THEN $8::bigint ELSE -$8::bigint END))
      ORDER BY v.part, v.at, v.place LIMIT $2
    )
    SELECT l.part, l.at, ${PART_COLUMNS}, ${ownColumns("c", "k")}, message_text(m) AS message,
      CASE WHEN p.user_id IS NOT NULL THEN prefs_text(p, k) END AS prefs, ${MENTIONS} AS mentions,
      ${NOW_MS} AS now_ms, pg_current_snapshot()::text AS snapshot,
      coalesce((SELECT r.last_rev FROM prefs_counters r WHERE r.user_id = $1), 0) AS last_prefs_rev
    FROM places l
    JOIN conversations c ON c.id = abs(l.place)
    JOIN conversation_members k ON k.conversation_id = c.id AND k.user_id = $1
    ${OWN_PREFS}
    CROSS JOIN LATERAL (${members}) v
    LEFT JOIN messages m ON m.conversation_id = c.id AND m.seq = c.last_seq
      AND m.seq >= ${shownFrom("k")}
    ORDER BY l.part, l.at, l.place`,
});

const LIST = listOf("conversations_of_reader", listedMembers("c", "$1"));
const LIST_FEW = listOf("conversations_with_few", fewMembers("c", "$1", FEW_MEMBERS_MAX));

const TOTALS = {
  name: "totals_of_reader",
  text: `SELECT coalesce(sum(u.unread) FILTER (WHERE NOT u.is_thread), 0) AS messages,
      coalesce(sum(u.mentions) FILTER (WHERE NOT u.is_thread), 0) AS mentions,
      count(*) FILTER (WHERE u.unread > 0 AND NOT u.is_thread) AS conversations,
      count(*) FILTER (WHERE u.unread > 0 AND u.is_thread) AS threads,
      (SELECT count(*) FROM notifications o WHERE o.user_id = $1 AND o.read_at IS NULL)
        AS notifications
    FROM (
      SELECT unread_count(c, k) AS unread, ${MENTIONS} AS mentions, k.thread_of IS NOT NULL AS is_thread
      FROM conversation_members k
      JOIN conversations c ON c.id = k.conversation_id
      ${OWN_PREFS}
      WHERE k.user_id = $1 AND c.deleted_at IS NULL
        AND NOT coalesce(p.muted_until > statement_timestamp(), false)
        AND NOT is_archived(c, p, statement_timestamp())
    ) u`,
};

interface ListRow extends ConversationRow, OwnRow {
  part: number;
  at: string;
  message: string | null;
  prefs: string | null;
  mentions: string;
  now_ms: string;
  snapshot: string;
  last_prefs_rev: string;
}

/** Undefined: the cursor is none of this list. */
export async function readConversations(
  database: Database,
  reader: UserId,
  limit: number,
  cursor: string | null,
  { filter, kind, q, members }: ListAsked,
): Promise<ConversationsPage | undefined> {
  const place = cursor === null ? null : decodeListPlace(cursor);
  if (place === undefined) return undefined;
  const isFew = members === "few";
  const rows = await database.read<ListRow>(isFew ? LIST_FEW : LIST, [
    reader,
    limit + 1,
    filter ?? "",
    kind ?? null,
    q ?? null,
    place?.part ?? null,
    place?.at ?? null,
    place?.id ?? null,
    place?.beganMs ?? null,
    place?.prefsRev ?? null,
    place?.snapshot ?? null,
  ]);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    items: page.map((row) => ({
      ...(isFew ? withFew(row) : conversationOf(row)),
      last_message: row.message === null ? null : messageOf(row.message),
      ...ownOf(row),
      ...(row.prefs !== null && { prefs: JSON.parse(row.prefs) as Prefs }),
      ...(row.mentions !== "0" && { mention_count: Number(row.mentions) }),
    })),
    next_cursor: rows.length > limit && last !== undefined ? cursorAfter(last, place) : null,
  };
}

/** With its number of members, however few they are. */
function withFew({ member_count = 0, ...row }: ListRow): Conversation {
  const conversation = conversationOf(row);
  const isPart = member_count > conversation.members.length;
  return { ...conversation, member_count, ...(isPart && { members_partial: true as const }) };
}

function cursorAfter(last: ListRow, began: ListPlace | null): string {
  return encodeListPlace({
    part: last.part,
    at: Number(last.at),
    id: last.id,
    beganMs: began?.beganMs ?? Number(last.now_ms),
    prefsRev: began?.prefsRev ?? Number(last.last_prefs_rev),
    snapshot: began?.snapshot ?? shortSnapshot(last.snapshot),
  });
}

export async function readTotals(database: Database, reader: UserId): Promise<Totals> {
  const [row] = await database.read<Record<keyof Totals, string>>(TOTALS, [reader]);
  const { messages, mentions, conversations, notifications, threads } = row!;
  return {
    messages: Number(messages),
    mentions: Number(mentions),
    conversations: Number(conversations),
    notifications: Number(notifications),
    threads: Number(threads),
  };
}

/**
 * What sessions need to begin, many users in one statement: after a deploy every client of a
 * host connects within seconds, and each of them asks this.
 */
import type { SessionOpening } from "../../ports/edge.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import {
  AUTOMATIC_WATCHES_MAX,
  CHANNELS_MAX,
  LIVE_CONVERSATIONS_MAX,
  LIVE_THREADS_MAX,
  UNREAD_CONVERSATIONS_MAX,
} from "../../protocol/session-bounds.ts";
import { NOW_MS, OWN_ACTIVITY } from "./activity.ts";
import type { Database } from "./pool.ts";
import { IS_RESERVED } from "./privacy.ts";
import { ownColumns, ownOf, USER_COLUMNS, type UserRow, userOf } from "./rows.ts";

const IS_LIVE = `k.place <= ${LIVE_CONVERSATIONS_MAX}`;
const IS_UNREAD = `k.unread_count > 0 AND k.unread_place <= ${UNREAD_CONVERSATIONS_MAX + 1}`;

// One walk over the user's memberships yields both lists, in the order that SessionOpening tells.
// In a direct conversation every message is the user's own or written to them, so that the
// conversation's own time serves and no send has to write to the other's membership.
// peers: 0 where not direct. One unread conversation beyond the limit says that there are more.
const OPEN_SESSIONS = {
  name: "open_sessions",
  text: `SELECT ${USER_COLUMNS}, is_suspended(u) AS suspended, l.*, h.*, z.*,
      ${IS_RESERVED} AS is_reserved,
      ${NOW_MS} AS read_at_ms,
      (
        SELECT array_agg(x.followee_id ORDER BY x.created_at DESC, x.followee_id) FROM (
          SELECT f.followee_id, f.created_at FROM follows f WHERE f.follower_id = u.id
          ORDER BY f.created_at DESC, f.followee_id LIMIT ${AUTOMATIC_WATCHES_MAX}
        ) x
      ) AS followees,
      (
        SELECT array_agg(x.id) FROM (
          SELECT b.blocked_id AS id FROM blocks b WHERE b.blocker_id = u.id
          UNION SELECT b.blocker_id FROM blocks b WHERE b.blocked_id = u.id
        ) x
      ) AS blocked,
      (
        SELECT count(*) FROM notifications o WHERE o.user_id = u.id AND o.read_at IS NULL
      ) AS unread_notifications,
      coalesce(
        (SELECT n.last_seq FROM notification_counters n WHERE n.user_id = u.id), 0
      ) AS last_notification_seq,
      coalesce((SELECT n.last_rev FROM prefs_counters n WHERE n.user_id = u.id), 0) AS last_prefs_rev
    FROM users u
    CROSS JOIN LATERAL (
      SELECT
        count(*) > ${LIVE_CONVERSATIONS_MAX} AS has_more,
        array_agg(k.id ORDER BY k.place) FILTER (WHERE ${IS_LIVE}) AS live_ids,
        array_agg(k.rev ORDER BY k.place) FILTER (WHERE ${IS_LIVE}) AS live_revs,
        array_agg(k.peer ORDER BY k.place) FILTER (WHERE ${IS_LIVE}) AS live_peers,
        array_agg(k.id ORDER BY k.place) FILTER (WHERE ${IS_UNREAD}) AS unread_ids,
        json_agg(json_build_array(
          k.last_seq, k.last_n, k.first_n, k.read_seq, k.read_n, k.cleared_n, k.unread_from_n,
          k.unread_count
        ) ORDER BY k.place) FILTER (WHERE ${IS_UNREAD}) AS unread
      FROM (
        SELECT c.id, c.rev, ${ownColumns("c", "m")},
          coalesce(nullif(c.direct_lo, u.id), c.direct_hi, 0) AS peer,
          row_number() OVER ranked AS place,
          count(*) FILTER (WHERE unread_count(c, m) > 0)
            OVER (ranked ROWS UNBOUNDED PRECEDING) AS unread_place
        FROM conversation_members m JOIN conversations c ON c.id = m.conversation_id
        WHERE m.user_id = u.id AND m.thread_of IS NULL AND m.in_channel IS NULL
          AND c.deleted_at IS NULL
        WINDOW ranked AS (
          ORDER BY ${OWN_ACTIVITY} DESC NULLS LAST, (m.read_seq > 0) DESC,
            c.last_activity_at DESC, c.id DESC
        )
      ) k
    ) l
    CROSS JOIN LATERAL (
      SELECT count(*) > ${LIVE_THREADS_MAX} AS has_more_threads,
        json_agg(json_build_array(t.id::text, t.rev, t.thread_of::text) ORDER BY t.place)
          FILTER (WHERE t.place <= ${LIVE_THREADS_MAX}) AS threads,
        json_agg(json_build_array(
          t.id::text, t.last_seq, t.last_n, t.first_n, t.read_seq, t.read_n, t.cleared_n,
          t.unread_from_n, t.unread_count
        ) ORDER BY t.place) FILTER (
          WHERE t.unread_count > 0 AND t.place <= ${UNREAD_CONVERSATIONS_MAX}) AS unread_threads
      FROM (
        SELECT c.id, c.rev, m.thread_of, ${ownColumns("c", "m")},
          row_number() OVER (
            ORDER BY m.own_activity_at DESC NULLS LAST, c.last_activity_at DESC, c.id DESC
          ) AS place
        FROM conversation_members m JOIN conversations c ON c.id = m.conversation_id
        WHERE m.user_id = u.id AND m.thread_of IS NOT NULL AND c.deleted_at IS NULL
      ) t
    ) h
    CROSS JOIN LATERAL (
      SELECT json_agg(json_build_array(
          t.id::text, t.rev, t.last_seq, t.last_n, t.first_n, t.read_seq, t.read_n, t.cleared_n,
          t.unread_from_n, t.unread_count
        ) ORDER BY t.active_at DESC, t.id DESC) AS channels
      FROM (
        SELECT c.id, c.rev, ${ownColumns("c", "m")},
          coalesce(m.own_activity_at, m.joined_at) AS active_at
        FROM conversation_members m JOIN conversations c ON c.id = m.conversation_id
        WHERE m.user_id = u.id AND m.in_channel AND c.deleted_at IS NULL
        ORDER BY active_at DESC, c.id DESC LIMIT ${CHANNELS_MAX}
      ) t
    ) z
    WHERE u.id = ANY ($1::bigint[])`,
};

interface OpeningRow extends UserRow {
  suspended: boolean;
  read_at_ms: string;
  has_more: boolean;
  live_ids: ConversationId[] | null;
  live_revs: string[] | null;
  live_peers: UserId[] | null;
  unread_ids: string[] | null;
  /** In the order of the columns of an OwnRow. */
  unread: (number | null)[][] | null;
  has_more_threads: boolean;
  threads: [ConversationId, number, ConversationId][] | null;
  /** The thread's id, then the same columns. */
  unread_threads: [ConversationId, ...(number | null)[]][] | null;
  /** The channel's id and rev, then the same columns. */
  channels: [ConversationId, number, ...(number | null)[]][] | null;
  followees: UserId[] | null;
  blocked: UserId[] | null;
  unread_notifications: string;
  last_notification_seq: string;
  last_prefs_rev: string;
  is_reserved: boolean;
}

/** One answer a user, in order; null where there is no such user. */
export async function openSessions(
  database: Database,
  ids: UserId[],
): Promise<(SessionOpening | null)[]> {
  const rows = await database.read<OpeningRow>(OPEN_SESSIONS, [ids]);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => {
    const row = byId.get(id);
    return row ? openingOf(row) : null;
  });
}

function openingOf(row: OpeningRow): SessionOpening {
  const peers = row.live_peers ?? [];
  const unreadIds = row.unread_ids ?? [];
  return {
    user: userOf(row),
    suspended: row.suspended,
    conversations: (row.live_ids ?? []).map((id, i) => ({
      id,
      rev: Number(row.live_revs?.[i]),
      peer: peers[i] === "0" ? null : (peers[i] ?? null),
    })),
    hasMoreConversations: row.has_more,
    threads: (row.threads ?? []).map(([id, rev, parent]) => ({ id, rev, parent })),
    hasMoreThreads: row.has_more_threads,
    unreadThreads: (row.unread_threads ?? []).map(([conversation_id, ...values]) => ({
      conversation_id,
      ...unreadOf(values),
    })),
    channels: (row.channels ?? []).map(([conversation_id, rev, ...values]) => ({
      conversation_id,
      rev,
      ...unreadOf(values),
    })),
    hasMoreUnread: unreadIds.length > UNREAD_CONVERSATIONS_MAX,
    readAtMs: Number(row.read_at_ms),
    unread: unreadIds.slice(0, UNREAD_CONVERSATIONS_MAX).map((conversation_id, i) => ({
      conversation_id,
      ...unreadOf(row.unread?.[i] ?? []),
    })),
    followees: row.followees ?? [],
    blocked: row.blocked ?? [],
    unreadNotifications: Number(row.unread_notifications),
    lastNotificationSeq: Number(row.last_notification_seq),
    lastPrefsRev: Number(row.last_prefs_rev),
    isReserved: row.is_reserved,
  };
}

function unreadOf(values: readonly (number | null)[]) {
  const [last_seq = 0, last_n, first_n, read_seq, read_n, cleared_n, unread_from_n, count] = values;
  const text = (value: number | null | undefined) => (value == null ? null : String(value));
  const own = ownOf({
    last_n: text(last_n),
    first_n: text(first_n),
    read_seq: String(read_seq),
    read_n: text(read_n),
    cleared_n: text(cleared_n),
    unread_from_n: text(unread_from_n),
    unread_count: String(count),
  });
  return { last_seq: Number(last_seq), ...own };
}

/**
 * What sessions need to begin, many users in one statement: after a deploy every client of a
 * host connects within seconds, and each of them asks this.
 */
import type { SessionOpening } from "../../ports/edge.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Database } from "./pool.ts";
import { USER_COLUMNS, type UserRow, userOf } from "./rows.ts";

export const LIVE_CONVERSATIONS_MAX = 500;

// One walk over the user's memberships yields both lists. peers: 0 where not direct.
const OPEN_SESSIONS = {
  name: "open_sessions",
  text: `SELECT ${USER_COLUMNS}, u.suspended_at IS NOT NULL AS suspended, l.*,
      (
        SELECT array_agg(f.followee_id) FROM follows f WHERE f.follower_id = u.id
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
      ) AS last_notification_seq
    FROM users u
    CROSS JOIN LATERAL (
      SELECT
        array_agg(k.id ORDER BY k.place) FILTER (WHERE k.place <= ${LIVE_CONVERSATIONS_MAX}) AS live_ids,
        array_agg(k.rev ORDER BY k.place) FILTER (WHERE k.place <= ${LIVE_CONVERSATIONS_MAX}) AS live_revs,
        array_agg(k.peer ORDER BY k.place) FILTER (WHERE k.place <= ${LIVE_CONVERSATIONS_MAX}) AS live_peers,
        array_agg(k.id ORDER BY k.place) FILTER (WHERE k.last_seq > k.read_seq) AS unread_ids,
        array_agg(k.last_seq ORDER BY k.place) FILTER (WHERE k.last_seq > k.read_seq) AS unread_last,
        array_agg(k.read_seq ORDER BY k.place) FILTER (WHERE k.last_seq > k.read_seq) AS unread_read
      FROM (
        SELECT c.id, c.rev, c.last_seq, m.read_seq,
          coalesce(nullif(c.direct_lo, u.id), c.direct_hi, 0) AS peer,
          row_number() OVER (ORDER BY c.last_activity_at DESC, c.id DESC) AS place
        FROM conversation_members m JOIN conversations c ON c.id = m.conversation_id
        WHERE m.user_id = u.id
      ) k
    ) l
    WHERE u.id = ANY ($1::bigint[])`,
};

interface OpeningRow extends UserRow {
  suspended: boolean;
  live_ids: ConversationId[] | null;
  live_revs: string[] | null;
  live_peers: UserId[] | null;
  unread_ids: string[] | null;
  unread_last: string[] | null;
  unread_read: string[] | null;
  followees: UserId[] | null;
  blocked: UserId[] | null;
  unread_notifications: string;
  last_notification_seq: string;
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
  return {
    user: userOf(row),
    suspended: row.suspended,
    conversations: (row.live_ids ?? []).map((id, i) => ({
      id,
      rev: Number(row.live_revs?.[i]),
      peer: peers[i] === "0" ? null : (peers[i] ?? null),
    })),
    unread: (row.unread_ids ?? []).map((conversation_id, i) => ({
      conversation_id,
      last_seq: Number(row.unread_last?.[i]),
      read_seq: Number(row.unread_read?.[i]),
    })),
    followees: row.followees ?? [],
    blocked: row.blocked ?? [],
    unreadNotifications: Number(row.unread_notifications),
    lastNotificationSeq: Number(row.last_notification_seq),
  };
}

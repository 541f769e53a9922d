/**
 * What changed lately in all conversations of some users: asked every few seconds for users with
 * more conversations than one session receives (see edge/socket/activity.ts).
 */
import type { ActivityAnswer, ActivityRequest, MovedCursors, Queries } from "../../ports/edge.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Activity } from "../../protocol/schemas.ts";
import type { Database } from "./pool.ts";
import { type OwnRow, ownColumns, ownOf } from "./rows.ts";

/** The database's clock at the beginning of the statement, milliseconds since the epoch. */
export const NOW_MS = "floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint";

/**
 * When the member `m` of the conversation `c` was last active by their own doing, or was written
 * to directly; null: never.
 */
export const OWN_ACTIVITY = `greatest(m.own_activity_at,
  CASE WHEN c.kind = 'direct' AND c.last_seq > 0 THEN c.last_activity_at END)`;

// The first part finds messages, and own activity; no index leads to them, for it would cost
// every send, so that all conversations of these users are looked at. The second part finds
// edits, deletions and changes of members and title, by what they replaced, and reactions.
const ACTIVITY = {
  name: "activity",
  text: `WITH asked AS MATERIALIZED (
      SELECT a.user_id, to_timestamp(a.since_ms / 1000.0) AS since
      FROM unnest($1::bigint[], $2::bigint[]) AS a (user_id, since_ms)
    ), changed AS MATERIALIZED (
      SELECT g.conversation_id, max(g.at) AS at
      FROM (
        SELECT g.conversation_id, g.changed_at AS at FROM conversation_changes g
        WHERE g.changed_at > (SELECT min(since) FROM asked)
        UNION ALL
        SELECT r.conversation_id, r.replaced_at FROM message_versions r
        WHERE r.replaced_at > (SELECT min(since) FROM asked)
        UNION ALL
        SELECT f.conversation_id, f.changed_at FROM reaction_changes f
        WHERE f.changed_at > (SELECT min(since) FROM asked)
      ) g
      GROUP BY g.conversation_id
    ), found AS (
      SELECT m.user_id, c.id, c.rev, m.thread_of, ${ownColumns("c", "m")},
        coalesce(${OWN_ACTIVITY} > a.since, false) AS is_own
      FROM asked a
      JOIN conversation_members m ON m.user_id = a.user_id
      JOIN conversations c ON c.id = m.conversation_id
      WHERE m.in_channel IS NULL AND c.deleted_at IS NULL AND (c.last_activity_at > a.since OR m.own_activity_at > a.since)
      UNION ALL
      SELECT m.user_id, c.id, c.rev, m.thread_of, ${ownColumns("c", "m")}, false
      FROM changed g
      JOIN asked a ON g.at > a.since
      JOIN conversation_members m ON m.conversation_id = g.conversation_id
        AND m.user_id = a.user_id AND m.in_channel IS NULL
      JOIN conversations c ON c.id = g.conversation_id AND c.deleted_at IS NULL
    )
    SELECT ${NOW_MS} AS read_at_ms, f.*
    FROM (SELECT) one LEFT JOIN found f ON true`,
};

const STANDING = {
  name: "standing_of_reader",
  text: `SELECT c.id, c.rev, m.thread_of, m.in_channel, ${ownColumns("c", "m")}
    FROM conversation_members m JOIN conversations c ON c.id = m.conversation_id
    WHERE m.conversation_id = $2 AND m.user_id = $1 AND c.deleted_at IS NULL`,
};

const MOVED_CURSORS = {
  name: "moved_cursors",
  text: `SELECT c.id, m.user_id, m.delivered_seq, m.read_mask IS NOT NULL AS is_masked,
      ${ownColumns("c", "m")}
    FROM conversation_members m JOIN conversations c ON c.id = m.conversation_id
    WHERE m.conversation_id = ANY ($1::bigint[]) AND c.kind <> 'channel'
      AND m.own_activity_at > clock_timestamp() - $2 * interval '1 millisecond'
      AND m.read_seq > 0 AND NOT EXISTS (
        SELECT 1 FROM messages y
        WHERE y.conversation_id = m.conversation_id AND y.seq = m.read_seq
          AND y.sender_id = m.user_id)`,
};

interface StandingRow extends OwnRow {
  id: string;
  thread_of: ConversationId | null;
  rev: string;
}

/** Where nothing was found, one row of nulls says when it was read. */
type ActivityRow = { read_at_ms: string } & (
  | ({ user_id: UserId; is_own: boolean } & StandingRow)
  | { user_id: null }
);

export async function readActivity(
  database: Database,
  requests: readonly ActivityRequest[],
): Promise<ActivityAnswer> {
  const users = requests.map(({ user }) => user);
  const times = requests.map(({ sinceMs }) => Math.floor(sinceMs));
  const rows = await database.read<ActivityRow>(ACTIVITY, [users, times]);
  return {
    readAtMs: Number(rows[0]!.read_at_ms),
    found: rows.flatMap((row) =>
      row.user_id === null
        ? []
        : [
            {
              user: row.user_id,
              isOwn: row.is_own,
              ...threadIn(row),
              ...standingOf(row),
            },
          ],
    ),
  };
}

/** How a conversation stands for one of its members; null where the user is none. */
export async function readStanding(
  database: Database,
  reader: UserId,
  id: ConversationId,
): ReturnType<Queries["standing"]> {
  const [row] = await database.read<StandingRow & { in_channel: true | null }>(STANDING, [
    reader,
    id,
  ]);
  if (row === undefined) return null;
  const inChannel = row.in_channel === true && { inChannel: true as const };
  return { ...standingOf(row), ...threadIn(row), ...inChannel };
}

const threadIn = ({ thread_of }: StandingRow) =>
  thread_of === null ? {} : { threadOf: thread_of };

function standingOf(row: StandingRow): Activity {
  const last_seq = Number(row.last_seq);
  return { conversation_id: row.id, last_seq, rev: Number(row.rev), ...ownOf(row) };
}

/** Of members who have read within that time. */
export async function readMovedCursors(
  database: Database,
  ids: readonly ConversationId[],
  withinMs: number,
): Promise<MovedCursors[]> {
  type Row = OwnRow & { id: string; user_id: string; delivered_seq: string; is_masked: boolean };
  const rows = await database.read<Row>(MOVED_CURSORS, [ids, Math.ceil(withinMs)]);
  return rows.map((row) => {
    const { last_n: _, ...own } = ownOf(row);
    return {
      receipt: {
        conversation_id: row.id,
        user_id: row.user_id,
        delivered_seq: Number(row.delivered_seq),
        read_seq: row.is_masked ? 0 : own.read_seq,
      },
      own,
      isMasked: row.is_masked,
    };
  });
}

/** All members of a conversation, a page at a time. */
import type { MembersFilter, MembersPage } from "../../ports/edge.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { decodeMemberPlace } from "./cursor.ts";
import { membersPageOf, type PlacedMember } from "./members-page.ts";
import type { Database } from "./pool.ts";
import { type MemberExtra, readable, shownRead } from "./rows.ts";

// No row where the reader is no member; one of nulls where nobody comes after the place.
const MEMBERS = {
  name: "members_of_conversation",
  text: `SELECT m.user_id, m.delivered_seq, ${shownRead("m", "k.user_id")} AS read_seq,
      m.joined_at, m.extra, (
        SELECT role_rank(role_in(p.owner_id, k.user_id, k.extra))
          >= role_rank(least_role(p.kind, p.extra, 'list_members'))
        FROM conversations p WHERE p.id = k.conversation_id
      ) AS allowed
    FROM ${readable("$1")}
    LEFT JOIN LATERAL (
      SELECT y.* FROM conversation_members y
      WHERE y.conversation_id = c.id
        AND ($3::timestamptz IS NULL OR (y.joined_at, y.user_id) > ($3, $4::bigint))
        AND ($6::text IS NULL OR role_in(c.owner_id, y.user_id, y.extra) = $6)
        AND ($7::text IS NULL OR EXISTS (
          SELECT 1 FROM users u WHERE u.id = y.user_id AND (
            starts_with(u.username, lower($7))
            OR strpos(' ' || lower(u.display_name), ' ' || lower($7)) > 0)
        ))
      ORDER BY y.joined_at, y.user_id LIMIT $5
    ) m ON true
    WHERE c.id = $2
    ORDER BY m.joined_at, m.user_id`,
};

interface MemberRow {
  user_id: string | null;
  delivered_seq: string;
  read_seq: string;
  joined_at: string;
  extra: MemberExtra | null;
  /** The reader may list members. */
  allowed: boolean;
}

function placedMemberOf(row: MemberRow): PlacedMember[] {
  if (row.user_id === null) return [];
  return [
    {
      user_id: row.user_id,
      delivered_seq: Number(row.delivered_seq),
      read_seq: Number(row.read_seq),
      ...row.extra,
      joinedMs: Date.parse(row.joined_at),
    },
  ];
}

/** See Queries.members. */
export async function readMembers(
  database: Database,
  reader: UserId,
  id: ConversationId,
  limit: number,
  cursor: string | null,
  { role, q }: MembersFilter = {},
): Promise<MembersPage> {
  const place = cursor === null ? null : decodeMemberPlace(cursor);
  if (place === undefined) return { is: "bad_cursor" };
  const after =
    place === null ? [null, null] : [new Date(place.joinedMs).toISOString(), place.userId];
  const values = [reader, id, ...after, limit + 1, role ?? null, q ?? null];
  const rows = await database.read<MemberRow>(MEMBERS, values);
  const [first] = rows;
  if (first === undefined) return { is: "not_found" };
  if (!first.allowed) return { is: "forbidden" };
  return membersPageOf(rows.flatMap(placedMemberOf), limit);
}

/**
 * All members of a conversation, a page at a time, in the order in which they joined.
 *
 * [MPG1] A page reads as many rows of a channel as it shows, of all members and of those of a role.
 * [MPG2] A search by name reads the users who have it, where these are few, and else
 *        LOOKED_AT_MAX members: then a page may have less than its limit, and a next one.
 */
import type { MembersFilter, MembersPage } from "../../ports/edge.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Role } from "../../protocol/permissions.ts";
import { decodeMemberPlace, encodeMemberPlace } from "./cursor.ts";
import { membersPageOf, type PlacedMember } from "./members-page.ts";
import type { Database } from "./pool.ts";
import { type MemberExtra, readable, shownRead } from "./rows.ts";

/** Users with a name of which the membership is looked up one by one. */
const NAMED_MAX = 2_000;
/** Members of whom a page looks at the names; some 30 ms. */
const LOOKED_AT_MAX = 5_000;

type Filtered = "all" | "owner" | "member" | "other";

const ROLE = "coalesce(y.extra->>'role', 'member')";
/** Each is a condition that the index of roles has. */
const OF_ROLE: Record<Filtered, (role: string) => string> = {
  all: () => "true",
  owner: () => "y.user_id = c.owner_id",
  member: () => `${ROLE} = 'member' AND y.user_id IS DISTINCT FROM c.owner_id`,
  other: (role) => `${ROLE} = ${role} AND y.user_id IS DISTINCT FROM c.owner_id`,
};
const AFTER_PLACE =
  "(y.joined_at, y.user_id) > (coalesce($3, '-infinity'::timestamptz), coalesce($4, 0::bigint))";
const JOINED = "ORDER BY y.joined_at, y.user_id";

const membersOf = (condition: string, ofRole: string) =>
  `SELECT y.user_id, y.delivered_seq, y.read_seq, y.read_mask, y.joined_at, y.extra
    FROM conversation_members y
    WHERE y.conversation_id = c.id AND ${condition} AND ${AFTER_PLACE} AND ${ofRole}`;

const IN_CHANNEL = "y.in_channel AND c.kind = 'channel'";
const IN_OTHERS = "c.kind <> 'channel'";
/** The next members, at most `most`; those of a channel by its indexes. */
const next = (where: string, ofRole: string, most: string | number) =>
  `(${membersOf(where, ofRole)} ${JOINED} LIMIT ${most})`;

const COLUMNS = `m.user_id, m.delivered_seq, ${shownRead("m", "k.user_id")} AS read_seq,
    m.joined_at, m.extra, (
      SELECT role_rank(role_in(p.owner_id, k.user_id, k.extra))
        >= role_rank(least_role(p.kind, p.extra, 'list_members'))
      FROM conversations p WHERE p.id = k.conversation_id
    ) AS allowed`;

// No row where the reader is no member; one of nulls where nobody comes after the place.
const page = (which: Filtered) => ({
  name: `members_${which}`,
  text: `SELECT ${COLUMNS}, NULL::timestamptz AS looked_at, NULL::bigint AS looked_id
    FROM ${readable("$1")}
    LEFT JOIN LATERAL (
      SELECT y.* FROM (
        ${next(IN_CHANNEL, OF_ROLE[which]("$6"), "$5")}
        UNION ALL ${next(IN_OTHERS, OF_ROLE[which]("$6"), "$5")}
      ) y ${JOINED} LIMIT $5
    ) m ON true
    WHERE c.id = $2
    ORDER BY m.joined_at, m.user_id`,
});

/** Those of them who have the name, in their order. */
const named = (members: string, where: string) =>
  `(SELECT y.* FROM ${members} y JOIN users u ON u.id = y.user_id
    WHERE ${where} AND NOT EXISTS (
      SELECT 1 FROM unnest(q.words) AS x (word)
      WHERE NOT starts_with(u.username, x.word) AND NOT EXISTS (
        SELECT 1 FROM user_words w WHERE w.user_id = u.id AND starts_with(w.word, x.word)
      )
    )
    ${JOINED} LIMIT $5)`;

const PAST = "q.words[1] || chr(1114111)";

// The same by the beginning of a name. `looked_at`: the place of the last one whose name was looked
// at, where there may be more; null: everybody was.
const namedPage = (which: Filtered) => ({
  name: `members_named_${which}`,
  text: `SELECT ${COLUMNS}, l.joined_at AS looked_at, l.user_id AS looked_id
    FROM ${readable("$1")}
    CROSS JOIN LATERAL (
      SELECT regexp_split_to_array(btrim(fold_name($6)), '\\s+') AS words
    ) q
    CROSS JOIN LATERAL (
      SELECT count(*) > ${NAMED_MAX} AS are_many, array_agg(n.id) AS ids FROM (
        (SELECT v.id FROM users v
          WHERE c.kind = 'channel' AND v.username >= q.words[1] AND v.username < ${PAST}
          ORDER BY v.username LIMIT ${NAMED_MAX + 1})
        UNION (SELECT w.user_id FROM user_words w
          WHERE c.kind = 'channel' AND w.word >= q.words[1] AND w.word < ${PAST}
          ORDER BY w.word LIMIT ${NAMED_MAX + 1})
      ) n
    ) f
    LEFT JOIN LATERAL (
      SELECT y.joined_at, y.user_id FROM ${next(IN_CHANNEL, OF_ROLE[which]("$7"), LOOKED_AT_MAX)} y
      WHERE f.are_many ${JOINED} OFFSET ${LOOKED_AT_MAX - 1}
    ) l ON true
    LEFT JOIN LATERAL (
      SELECT y.* FROM (
        ${named(`(${membersOf("y.user_id = ANY (f.ids)", OF_ROLE[which]("$7"))})`, "NOT f.are_many")}
        UNION ALL
        ${named(next(IN_CHANNEL, OF_ROLE[which]("$7"), LOOKED_AT_MAX), "f.are_many")}
        UNION ALL
        ${named(next(IN_OTHERS, OF_ROLE[which]("$7"), LOOKED_AT_MAX), IN_OTHERS)}
      ) y ${JOINED} LIMIT $5
    ) m ON true
    WHERE c.id = $2
    ORDER BY m.joined_at, m.user_id`,
});

const each = <T>(make: (which: Filtered) => T): Record<Filtered, T> => ({
  all: make("all"),
  owner: make("owner"),
  member: make("member"),
  other: make("other"),
});
/** By the filter; the tests look at their plans. */
export const MEMBERS = each(page);
export const NAMED_MEMBERS = each(namedPage);

function filteredBy(role: Role | undefined): Filtered {
  if (role === undefined) return "all";
  return role === "owner" || role === "member" ? role : "other";
}

interface MemberRow {
  user_id: string | null;
  delivered_seq: string;
  read_seq: string;
  joined_at: string;
  extra: MemberExtra | null;
  /** The reader may list members. */
  allowed: boolean;
  looked_at: string | null;
  looked_id: string | null;
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
  const which = filteredBy(role);
  const statement = q === undefined ? MEMBERS[which] : NAMED_MEMBERS[which];
  const values = [reader, id, ...after, limit + 1];
  if (q !== undefined) values.push(q);
  if (which === "other" && role !== undefined) values.push(role);
  const rows = await database.read<MemberRow>(statement, values);
  const [first] = rows;
  if (first === undefined) return { is: "not_found" };
  if (!first.allowed) return { is: "forbidden" };
  const found = membersPageOf(rows.flatMap(placedMemberOf), limit);
  const { looked_at, looked_id } = first;
  if (found.is !== "page" || found.next_cursor !== null || looked_at === null) return found;
  const looked = { joinedMs: Date.parse(looked_at), userId: looked_id ?? "" };
  return { ...found, next_cursor: encodeMemberPlace(looked) };
}

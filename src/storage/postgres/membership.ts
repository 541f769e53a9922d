/** MembershipQueries on PostgreSQL, each one statement. */
import type { FoundInvite, MembershipPage, MembershipQueries } from "../../ports/membership.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Role } from "../../protocol/permissions.ts";
import type { Ban, Conversation, Invite } from "../../protocol/schemas.ts";
import { BOTTOM, decodeListCursor, encodeListCursor, TOP } from "./list-cursor.ts";
import type { Database } from "./pool.ts";
import { USER_COLUMNS, type UserRow, userOf } from "./rows.ts";

const LASTS = "(b.until IS NULL OR b.until > clock_timestamp())";
const BAN_COLUMNS = "b.user_id, b.until, b.reason, b.banned_by, b.created_at";
const INVITE_COLUMNS =
  "i.id, i.conversation_id, i.inviter_id, i.role, i.max_uses, i.uses, i.expires_at, i.created_at";

// No row where the reader is no member; one of nulls where the list is at its end. A thread's members are
// its parent's.
const BANS = {
  name: "bans_of_conversation",
  text: `SELECT b.*, role_rank(role_in(c.owner_id, k.user_id, k.extra))
        >= role_rank(least_role(c.kind, c.extra, 'ban')) AS allowed, c.parent_id IS NOT NULL AS is_thread
    FROM conversations c
    JOIN conversation_members k
      ON k.conversation_id = coalesce(c.parent_id, c.id) AND k.user_id = $1
      AND NOT coalesce(k.visible_from_seq > c.parent_seq, false)
    LEFT JOIN LATERAL (
      SELECT ${BAN_COLUMNS} FROM conversation_bans b
      WHERE b.conversation_id = c.id AND b.user_id > $3 AND ${LASTS}
      ORDER BY b.user_id LIMIT $4
    ) b ON true
    WHERE c.id = $2 AND c.deleted_at IS NULL
    ORDER BY b.user_id`,
};
const BAN = {
  name: "ban_of_user",
  text: `SELECT ${BAN_COLUMNS} FROM conversation_bans b
    WHERE b.conversation_id = $1 AND b.user_id = $2 AND ${LASTS}`,
};
const INVITES = {
  name: "invites_of_conversation",
  text: `SELECT i.*, c.parent_id IS NOT NULL AS is_thread FROM conversations c
    JOIN conversation_members k
      ON k.conversation_id = coalesce(c.parent_id, c.id) AND k.user_id = $1
      AND NOT coalesce(k.visible_from_seq > c.parent_seq, false)
    LEFT JOIN LATERAL (
      SELECT ${INVITE_COLUMNS} FROM conversation_invites i
      WHERE i.conversation_id = c.id AND i.id < $3
        AND i.expires_at > clock_timestamp()
        AND (i.inviter_id = k.user_id
          OR role_rank(role_in(c.owner_id, k.user_id, k.extra)) >= role_rank('moderator'))
      ORDER BY i.id DESC LIMIT $4
    ) i ON true
    WHERE c.id = $2 AND c.deleted_at IS NULL
    ORDER BY i.id DESC`,
};
const INVITATION = {
  name: "invitation_of_token",
  text: `SELECT i.id AS invite_id, i.conversation_id, c.title, c.extra, c.kind, c.member_count,
      i.expires_at > clock_timestamp() AND (i.max_uses IS NULL OR i.uses < i.max_uses) AS open,
      k.user_id IS NOT NULL AS is_member, ${USER_COLUMNS}
    FROM conversation_invites i
    JOIN conversations c ON c.id = i.conversation_id AND c.deleted_at IS NULL
    JOIN users u ON u.id = i.inviter_id
    LEFT JOIN conversation_members k ON k.conversation_id = c.id AND k.user_id = $1
    WHERE i.token_hash = $2 AND NOT is_apart(i.inviter_id, $1)
      AND NOT EXISTS (
        SELECT 1 FROM conversation_bans b
        WHERE b.conversation_id = c.id AND b.user_id = $1 AND ${LASTS}
      )`,
};

interface BanRow {
  user_id: string | null;
  until: string | null;
  reason: string | null;
  banned_by: string | null;
  created_at: string;
}

export interface InviteRow {
  id: string;
  conversation_id: string;
  inviter_id: string;
  role: Role | null;
  max_uses: number | null;
  uses: number;
  expires_at: string;
  created_at: string;
}

interface InvitationRow extends UserRow {
  invite_id: string;
  conversation_id: ConversationId;
  title: string | null;
  extra: Pick<Conversation, "image_url"> | null;
  kind: Conversation["kind"];
  member_count: number;
  open: boolean;
  is_member: boolean;
}

export class PostgresMembership implements MembershipQueries {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async bans(
    reader: UserId,
    id: ConversationId,
    limit: number,
    cursor: string | null,
  ): Promise<MembershipPage<Ban>> {
    const after = cursor === null ? BOTTOM : decodeListCursor("bans", cursor);
    if (after === undefined) return { is: "bad_cursor" };
    const values = [reader, id, after, limit + 1];
    const rows = await this.#database.read<BanRow & { allowed: boolean; is_thread: boolean }>(
      BANS,
      values,
    );
    const [first] = rows;
    if (first === undefined) return { is: "not_found" };
    if (first.is_thread) return { is: "thread" };
    if (!first.allowed) return { is: "forbidden" };
    const found = rows.flatMap((row) => (row.user_id === null ? [] : [banOf(row, row.user_id)]));
    return pageOf(found, limit, (ban) => encodeListCursor("bans", ban.user_id));
  }

  async ban(id: ConversationId, userId: UserId): Promise<Ban | null> {
    const [row] = await this.#database.read<BanRow>(BAN, [id, userId]);
    return row === undefined ? null : banOf(row, userId);
  }

  async invites(
    reader: UserId,
    id: ConversationId,
    limit: number,
    cursor: string | null,
  ): Promise<MembershipPage<Invite>> {
    const before = cursor === null ? TOP : decodeListCursor("invites", cursor);
    if (before === undefined) return { is: "bad_cursor" };
    const values = [reader, id, before, limit + 1];
    const rows = await this.#database.read<
      Omit<InviteRow, "id"> & { id: string | null; is_thread: boolean }
    >(INVITES, values);
    if (rows.length === 0) return { is: "not_found" };
    if (rows[0]!.is_thread) return { is: "thread" };
    const found = rows.flatMap((row) =>
      row.id === null ? [] : [inviteOf({ ...row, id: row.id })],
    );
    return pageOf(found, limit, (invite) => encodeListCursor("invites", invite.id));
  }

  async invitation(reader: UserId, tokenHash: string): Promise<FoundInvite | null> {
    const [row] = await this.#database.read<InvitationRow>(INVITATION, [reader, tokenHash]);
    if (row === undefined) return null;
    return {
      conversationId: row.conversation_id,
      inviteId: row.invite_id,
      shown: {
        title: row.title,
        image_url: row.extra?.image_url ?? null,
        member_count: row.member_count,
        kind: row.kind,
        inviter: userOf(row),
      },
      isOpen: row.open,
      isMember: row.is_member,
    };
  }
}

/** `found`: one more than the page holds, if there is one. */
export function pageOf<T>(
  found: readonly T[],
  limit: number,
  cursorOf: (last: T) => string,
): MembershipPage<T> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  const next_cursor = found.length > limit && last !== undefined ? cursorOf(last) : null;
  return { is: "page", items, next_cursor };
}

function banOf({ until, reason, banned_by, created_at }: BanRow, user_id: string): Ban {
  return {
    user_id,
    ...(until !== null && { until }),
    ...(reason !== null && { reason }),
    ...(banned_by !== null && { banned_by }),
    created_at,
  };
}

export function inviteOf(row: InviteRow): Invite {
  const { id, conversation_id, inviter_id, role, max_uses, uses, expires_at, created_at } = row;
  return {
    id,
    conversation_id,
    inviter_id,
    ...(role !== null && { role }),
    ...(max_uses !== null && { max_uses }),
    uses,
    expires_at,
    created_at,
  };
}

/** MembershipQueries in memory; the twin of ../postgres/membership.ts, held to the same suite. */
import type { FoundInvite, MembershipPage, MembershipQueries } from "../../ports/membership.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { isAtLeast, leastRoleFor } from "../../protocol/permissions.ts";
import { asConversationId, type Ban, type Invite } from "../../protocol/schemas.ts";
import { BOTTOM, decodeListCursor, encodeListCursor, TOP } from "../postgres/list-cursor.ts";
import { inviteOf, pageOf } from "../postgres/membership.ts";
import { roleOf, ruledOf } from "./conversation-calls.ts";
import { compareIds, type MemoryTables, type StoredInvite } from "./tables.ts";

export class MemoryMembership implements MembershipQueries {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async bans(
    reader: UserId,
    id: ConversationId,
    limit: number,
    cursor: string | null,
  ): Promise<MembershipPage<Ban>> {
    const after = cursor === null ? BOTTOM : decodeListCursor("bans", cursor);
    if (after === undefined) return { is: "bad_cursor" };
    const stored = this.#tables.preferredOf(reader, id);
    if (!stored) return { is: "not_found" };
    if (stored.parent !== null) return { is: "thread" };
    if (!isAtLeast(roleOf(stored, reader), leastRoleFor(ruledOf(stored), "ban"))) {
      return { is: "forbidden" };
    }
    const found = [...stored.bans.keys()]
      .filter((userId) => compareIds(userId, after) > 0 && this.#tables.isBanned(stored, userId))
      .sort(compareIds)
      .map((userId) => this.#banOf(id, userId)!);
    return pageOf(found.slice(0, limit + 1), limit, (ban) => encodeListCursor("bans", ban.user_id));
  }

  async ban(id: ConversationId, userId: UserId): Promise<Ban | null> {
    return this.#banOf(id, userId);
  }

  async invites(
    reader: UserId,
    id: ConversationId,
    limit: number,
    cursor: string | null,
  ): Promise<MembershipPage<Invite>> {
    const before = cursor === null ? TOP : decodeListCursor("invites", cursor);
    if (before === undefined) return { is: "bad_cursor" };
    const stored = this.#tables.preferredOf(reader, id);
    if (!stored) return { is: "not_found" };
    if (stored.parent !== null) return { is: "thread" };
    const seesAll = isAtLeast(roleOf(stored, reader), "moderator");
    const found = [...this.#tables.invites.values()]
      .filter(
        ({ conversationId, inviterId, ...invite }) =>
          conversationId === id &&
          (seesAll || inviterId === reader) &&
          compareIds(invite.id, before) < 0 &&
          Date.parse(invite.expiresAt) > this.#tables.nowMs(),
      )
      .sort((a, b) => compareIds(b.id, a.id))
      .map(shownInvite);
    return pageOf(found.slice(0, limit + 1), limit, ({ id: last }) =>
      encodeListCursor("invites", last),
    );
  }

  async invitation(reader: UserId, tokenHash: string): Promise<FoundInvite | null> {
    const invite = [...this.#tables.invites.values()].find((one) => one.tokenHash === tokenHash);
    const stored = invite && this.#tables.conversations.get(invite.conversationId);
    if (!invite || !stored || this.#tables.isBanned(stored, reader)) return null;
    if (this.#tables.social.isBlocked(invite.inviterId, reader)) return null;
    return {
      conversationId: asConversationId(stored.id),
      inviteId: invite.id,
      shown: {
        title: stored.title,
        image_url: stored.extra.image_url ?? null,
        member_count: stored.members.size,
        kind: stored.kind,
        inviter: { ...this.#tables.users.get(invite.inviterId)!.user },
      },
      isOpen: this.#tables.isOpen(invite),
      isMember: stored.members.has(reader),
    };
  }

  #banOf(id: string, userId: string): Ban | null {
    const stored = this.#tables.conversations.get(id);
    const ban = stored?.bans.get(userId);
    if (!stored || !ban || !this.#tables.isBanned(stored, userId)) return null;
    const { until, reason, by, createdAt } = ban;
    return {
      user_id: userId,
      ...(until !== null && { until }),
      ...(reason !== null && { reason }),
      ...(by !== null && { banned_by: by }),
      created_at: createdAt,
    };
  }
}

export function shownInvite(invite: StoredInvite): Invite {
  return inviteOf({
    id: invite.id,
    conversation_id: invite.conversationId,
    inviter_id: invite.inviterId,
    role: invite.role,
    max_uses: invite.maxUses,
    uses: invite.uses,
    expires_at: invite.expiresAt,
    created_at: invite.createdAt,
  });
}

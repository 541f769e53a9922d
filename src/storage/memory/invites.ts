/** Invitations in memory, as members make and end them. */
import type { InviteWish } from "../../protocol/actor-ops.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { isAtLeast, leastRoleFor, mayInviteAs } from "../../protocol/permissions.ts";
import type { Invite } from "../../protocol/schemas.ts";
import { INVITES_MAX, STORAGE_REFUSALS } from "../postgres/refusals.ts";
import { roleOf, ruledOf } from "./conversation-calls.ts";
import { shownInvite } from "./membership.ts";
import type { MemoryTables, StoredInvite } from "./tables.ts";

export function createInvite(
  tables: MemoryTables,
  id: ConversationId,
  by: UserId,
  { token_hash, role, max_uses, expires_in_s }: InviteWish,
): Result<Invite> {
  const stored = tables.conversationOf(by, id);
  const own = stored && roleOf(stored, by);
  if (!stored || !own) return REFUSALS.conversationNotFound;
  if (stored.kind === "direct") return STORAGE_REFUSALS.directFixed;
  const mayInvite = isAtLeast(own, leastRoleFor(ruledOf(stored), "invite"));
  if (!mayInvite || (role !== null && !mayInviteAs(own, role))) return STORAGE_REFUSALS.role;
  const nowMs = tables.nowMs();
  const others = [...tables.invites.values()].filter(
    ({ conversationId, inviterId, expiresAt }) =>
      conversationId === id && inviterId === by && Date.parse(expiresAt) > nowMs,
  );
  if (others.length >= INVITES_MAX) return STORAGE_REFUSALS.invitesMax;
  const invite: StoredInvite = {
    id: tables.nextId(),
    conversationId: id,
    inviterId: by,
    tokenHash: token_hash,
    role,
    maxUses: max_uses,
    uses: 0,
    expiresAt: new Date(nowMs + expires_in_s * 1000).toISOString(),
    createdAt: tables.nowIso(),
  };
  tables.invites.set(invite.id, invite);
  return ok(shownInvite(invite));
}

export function endInvite(
  tables: MemoryTables,
  id: ConversationId,
  by: UserId,
  inviteId: string,
): Result<null> {
  const stored = tables.conversationOf(by, id);
  const invite = tables.invites.get(inviteId);
  if (!stored || invite?.conversationId !== id) return STORAGE_REFUSALS.noInvite;
  const isTheirs = invite.inviterId === by || isAtLeast(roleOf(stored, by), "moderator");
  if (!isTheirs) return STORAGE_REFUSALS.noInvite;
  tables.invites.delete(inviteId);
  return ok(null);
}

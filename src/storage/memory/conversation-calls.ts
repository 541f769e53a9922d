/** The calls of a gathered change, in memory; the twin of sql/functions/change_conversation.sql. */
import type { ConversationCall } from "../../../actors/ports.ts";
import { utf8Bytes } from "../../protocol/app-data.ts";
import { CHANNEL_MEMBERS_MAX } from "../../protocol/channels.ts";
import {
  type ConversationPatch,
  DATA_BYTES_MAX,
  MEMBER_DATA_BYTES_MAX,
} from "../../protocol/conversation-patch.ts";
import { normalPatch } from "../../protocol/conversation-settings.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import { mergedKeys } from "../../protocol/merged-keys.ts";
import {
  type Action,
  defaultRoleFor,
  forbiddenMoves,
  invitedRole,
  isAbove,
  isAtLeast,
  leastRoleFor,
  type Permissions,
  type Role,
  type Ruled,
  rankOf,
} from "../../protocol/permissions.ts";
import type { Conversation } from "../../protocol/schemas.ts";
import { MEMBERS_MAX, type Refusal, refusalOf, STORAGE_REFUSALS } from "../postgres/refusals.ts";
import type { ConversationExtra, MemberExtra } from "../postgres/rows.ts";
import { maskReads, wantsContacts } from "./privacy.ts";
import { trimOld } from "./retention.ts";
import {
  compareIds,
  type MemoryTables,
  type StoredConversation,
  type StoredMember,
} from "./tables.ts";

type Done = Result<{ changed: boolean }>;

/** What the calls of one change share. */
export interface Batch {
  tables: MemoryTables;
  stored: StoredConversation;
  /** The user leaves the threads, too. */
  endFollowing(userId: string): void;
  isInformed: boolean;
  isDeleted: boolean;
  /** Extras of members as they were before the change. */
  touched: Map<string, MemberExtra>;
  /** What the system messages about it say. */
  notices: { by: string | null; data: NoticeData }[];
}

type NoticeData = { event: `troupe.${string}`; user_ids?: string[]; title?: string };

/** Where the settings want it, a system message tells of what a call did. */
function tell({ stored, notices }: Batch, by: string | null, data: NoticeData): void {
  const wanted = stored.extra.settings?.system_messages ?? "none";
  const isWanted =
    (wanted === "all" || (wanted === "members" && data.title === undefined)) &&
    // Nobody receives that somebody has come to a channel, or gone.
    (stored.kind !== "channel" || data.title !== undefined);
  if (isWanted) notices.push({ by, data });
}

const same = (one: unknown, other: unknown) => canonical(one) === canonical(other);

/** JSON text that does not depend on the order of keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

const tooLarge = (data: unknown, most: number) =>
  data !== undefined && utf8Bytes(JSON.stringify(data)) > most;

export const ruledOf = ({ kind, ownerId, extra }: StoredConversation): Ruled => ({
  kind,
  owner_id: ownerId,
  ...(extra as Pick<Conversation, "settings" | "permissions">),
});

export function roleOf(
  { ownerId, members }: StoredConversation,
  userId: string | null,
): Role | null {
  if (userId === null) return null;
  const member = members.get(userId);
  if (member === undefined) return null;
  return ownerId === userId ? "owner" : (member.extra.role ?? "member");
}

/** As the function revised_extra does it. */
export function revisedExtra(
  kind: string,
  before: ConversationExtra,
  asked: Omit<ConversationPatch, "title" | "if_rev">,
): ConversationExtra {
  const patch = normalPatch(asked);
  const { meta_rev, audience } = before;
  const image_url = patch.image_url === undefined ? before.image_url : patch.image_url;
  const part = <K extends "data" | "settings" | "permissions">(key: K) =>
    patch[key] === undefined
      ? before[key]
      : patch[key] === null
        ? undefined
        : (mergedKeys(before[key] as object | undefined, patch[key] as object) as Conversation[K]);
  const data = part("data");
  const settings = part("settings");
  const ruled: Ruled = { kind, owner_id: null, ...(settings !== undefined && { settings }) };
  const permissions = mergedKeys<Permissions>(
    undefined,
    Object.fromEntries(
      Object.entries(part("permissions") ?? {}).filter(
        ([action, role]) => role !== defaultRoleFor(ruled, action as Action),
      ),
    ),
  );
  return {
    ...(data !== undefined && { data }),
    ...(image_url !== undefined && image_url !== null && { image_url }),
    ...(settings !== undefined && { settings }),
    ...(permissions !== undefined && { permissions }),
    ...(meta_rev !== undefined && { meta_rev }),
    ...(audience !== undefined && { audience }),
  };
}

/** Does one call. A refused one leaves everything as it is. */
export function doCall(batch: Batch, call: ConversationCall): Done {
  const { stored, isDeleted } = batch;
  const { kind } = stored;
  const role: Role | "service" | null = call.by === null ? "service" : roleOf(stored, call.by);
  if (isDeleted) return REFUSALS.conversationNotFound;
  if (call.does === "join" || call.does === "accept") return comeIn(batch, call);
  if (role === null) return REFUSALS.conversationNotFound;
  if (call.does === "trim") return ok({ changed: trimOld(batch.tables, stored) });
  if (kind === "direct" && call.does !== "update" && call.does !== "member") {
    return STORAGE_REFUSALS.directFixed;
  }
  const may = (action: Action) =>
    role === "service" || isAtLeast(role, leastRoleFor(ruledOf(stored), action));
  const mayTo = (action: Action, userId: string) =>
    may(action) && (role === "service" || isAbove(role, roleOf(stored, userId)));
  switch (call.does) {
    case "update":
      return update(batch, call, role, may);
    case "add":
      return may("add_members") ? add(batch, call) : STORAGE_REFUSALS.role;
    case "remove": {
      const { by, userId } = call;
      if (by !== userId && !mayTo("remove_members", userId)) return STORAGE_REFUSALS.role;
      if (!stored.members.has(userId)) return STORAGE_REFUSALS.noMember;
      if (by === userId) stored.leavers.add(userId);
      takeOut(batch, userId);
      const event = by === userId ? "troupe.member_left" : "troupe.member_removed";
      tell(batch, by, { event, user_ids: [userId] });
      return ok({ changed: true });
    }
    case "member":
      return changeMember(batch, call, role, mayTo);
    case "ban": {
      const { userId, until, reason } = call;
      if (!mayTo("ban", userId)) return STORAGE_REFUSALS.role;
      if (!batch.tables.users.has(userId)) return REFUSALS.userNotFound;
      const createdAt = stored.bans.get(userId)?.createdAt ?? batch.tables.nowIso();
      stored.bans.set(userId, { by: call.by, until, reason, createdAt });
      const changed = stored.members.has(userId);
      if (changed) {
        takeOut(batch, userId);
        tell(batch, call.by, { event: "troupe.member_removed", user_ids: [userId] });
      }
      return ok({ changed });
    }
    case "unban":
      if (!may("ban")) return STORAGE_REFUSALS.role;
      stored.bans.delete(call.userId);
      return ok({ changed: false });
    case "delete":
      if (role !== "service" && role !== "owner") return STORAGE_REFUSALS.role;
      batch.isDeleted = true;
      stored.isDeleted = true;
      for (const userId of stored.members.keys()) batch.tables.prefs.forget(userId, stored.id);
      stored.members.clear();
      stored.bans.clear();
      stored.leavers.clear();
      stored.title = null;
      stored.extra = {};
      stored.externalId = null;
      batch.isInformed = false;
      batch.notices = [];
      batch.tables.endInvites(stored.id, null);
      return ok({ changed: true });
  }
}

function update(
  batch: Batch,
  call: ConversationCall & { does: "update" },
  role: Role | "service",
  may: (action: Action) => boolean,
): Done {
  const { stored } = batch;
  const { title, data, image_url, settings, permissions, if_rev } = call;
  const revised = revisedExtra(stored.kind, stored.extra, call);
  if (
    stored.kind === "direct" &&
    (title !== undefined ||
      permissions !== undefined ||
      settings?.join !== undefined ||
      settings?.history !== undefined)
  ) {
    return STORAGE_REFUSALS.directFixed;
  }
  const isInfo = title !== undefined || data !== undefined || image_url !== undefined;
  const isRules = settings !== undefined || permissions !== undefined;
  if ((isInfo && !may("edit_info")) || (isRules && !may("edit_settings"))) {
    return STORAGE_REFUSALS.role;
  }
  if (role !== "service" && permissions !== undefined) {
    const after = { ...ruledOf(stored), permissions: {}, settings: {}, ...revised } as Ruled;
    const moved = forbiddenMoves(role, ruledOf(stored), after);
    if (moved.some((action) => Object.hasOwn(permissions, action))) return STORAGE_REFUSALS.role;
  }
  const metaRev = batch.isInformed ? stored.rev + 1 : (stored.extra.meta_rev ?? 1);
  if (if_rev !== undefined && if_rev !== metaRev) return refusalOf("stale", metaRev);
  if (tooLarge(revised.data, DATA_BYTES_MAX)) return STORAGE_REFUSALS.dataSize;
  const changed = !same(revised, stored.extra) || (title !== undefined && title !== stored.title);
  batch.isInformed ||= changed;
  stored.extra = revised;
  if (title !== undefined && title !== stored.title) {
    stored.title = title;
    tell(batch, call.by, { event: "troupe.title_changed", title });
  }
  return ok({ changed });
}

function changeMember(
  batch: Batch,
  call: ConversationCall & { does: "member" },
  role: Role | "service",
  mayTo: (action: Action, userId: string) => boolean,
): Done {
  const { stored, tables } = batch;
  const { userId, data, silenced_until } = call;
  if (stored.kind === "direct" && (call.role !== undefined || silenced_until !== undefined)) {
    return STORAGE_REFUSALS.directFixed;
  }
  const isGiven = (given: Role) =>
    given === "owner"
      ? role === "service" || role === "owner"
      : mayTo("edit_roles", userId) && (role === "service" || isAbove(role, given));
  if (call.role !== undefined && !isGiven(call.role)) return STORAGE_REFUSALS.role;
  if (silenced_until !== undefined && !mayTo("silence", userId)) return STORAGE_REFUSALS.role;
  if (data !== undefined && call.by !== null && call.by !== userId) return STORAGE_REFUSALS.role;
  const member = stored.members.get(userId);
  if (member === undefined) return STORAGE_REFUSALS.noMember;
  const isOwner = stored.ownerId === userId;
  if (isOwner && call.role !== undefined && call.role !== "owner") return STORAGE_REFUSALS.role;
  let revised = member.extra;
  const patch = (part: object) => {
    revised = mergedKeys(revised, part) ?? {};
  };
  if (call.role !== undefined) {
    patch({ role: call.role === "owner" || call.role === "member" ? null : call.role });
  }
  if (silenced_until !== undefined) {
    const isAhead = silenced_until !== null && Date.parse(silenced_until) > tables.nowMs();
    patch({ silenced_until: isAhead ? silenced_until : null });
  }
  if (data !== undefined) {
    patch({ data: data === null ? null : (mergedKeys(revised.data, data) ?? null) });
  }
  if (tooLarge(revised.data, MEMBER_DATA_BYTES_MAX)) return STORAGE_REFUSALS.dataSize;
  const isNewOwner = call.role === "owner" && !isOwner;
  const changed = !same(revised, member.extra) || isNewOwner;
  if (changed) touch(batch, member);
  member.extra = revised;
  if (isNewOwner) {
    const former = stored.members.get(stored.ownerId ?? "");
    if (former !== undefined) {
      touch(batch, former);
      former.extra = { ...former.extra, role: "admin" };
    }
    stored.ownerId = userId;
  }
  return ok({ changed });
}

function touch(batch: Batch, member: StoredMember): void {
  if (!batch.touched.has(member.userId)) batch.touched.set(member.userId, member.extra);
}

function add(batch: Batch, call: ConversationCall & { does: "add" }): Done {
  const { stored, tables } = batch;
  const { members } = stored;
  const newIds = [...new Set(call.userIds)].filter((userId) => !members.has(userId));
  if (newIds.some((userId) => !tables.users.has(userId))) return REFUSALS.userNotFound;
  if (newIds.length > 0 && members.size + newIds.length > mostIn(stored)) {
    return STORAGE_REFUSALS.membersMax;
  }
  const { by } = call;
  if (by !== null && newIds.some((userId) => tables.social.isBlocked(by, userId))) {
    return STORAGE_REFUSALS.apart;
  }
  if (newIds.some((userId) => tables.isBanned(stored, userId))) return STORAGE_REFUSALS.banned;
  if (by !== null && newIds.some((userId) => stored.leavers.has(userId))) {
    return STORAGE_REFUSALS.hasLeft;
  }
  if (by !== null && wantsContacts(tables, "add_consent", by, newIds)) {
    return STORAGE_REFUSALS.contactsOnly;
  }
  for (const userId of newIds.sort(compareIds)) takeIn(batch, userId, null);
  if (newIds.length > 0) tell(batch, by, { event: "troupe.member_added", user_ids: newIds });
  return ok({ changed: newIds.length > 0 });
}

function comeIn(batch: Batch, call: ConversationCall & { does: "join" | "accept" }): Done {
  const { stored, tables } = batch;
  const { by } = call;
  if (by === null) return REFUSALS.conversationNotFound;
  if (stored.members.has(by)) return ok({ changed: false });
  const missing: Refusal =
    call.does === "join" ? REFUSALS.conversationNotFound : STORAGE_REFUSALS.noInvite;
  if (stored.kind === "direct" || tables.isBanned(stored, by)) return missing;
  if (call.does === "join") {
    if (stored.extra.settings?.join !== "open") return missing;
    if (stored.members.size >= mostIn(stored)) return STORAGE_REFUSALS.full;
    takeIn(batch, by, null);
    tell(batch, by, { event: "troupe.member_joined", user_ids: [by] });
    return ok({ changed: true });
  }
  const invite = tables.invites.get(call.inviteId);
  if (invite === undefined || !tables.isOpen(invite)) return missing;
  const inviter = roleOf(stored, invite.inviterId);
  if (inviter === null || tables.social.isBlocked(invite.inviterId, by)) return missing;
  if (stored.members.size >= mostIn(stored)) return STORAGE_REFUSALS.full;
  invite.uses++;
  takeIn(batch, by, invitedRole(inviter, invite.role));
  tell(batch, by, { event: "troupe.member_joined", user_ids: [by] });
  return ok({ changed: true });
}

const mostIn = ({ kind }: StoredConversation): number =>
  kind === "channel" ? CHANNEL_MEMBERS_MAX : MEMBERS_MAX;

function takeIn({ tables, stored }: Batch, userId: string, role: Role | null): void {
  stored.leavers.delete(userId);
  const member = tables.newMember(userId, stored.members);
  if (role !== null && role !== "member") member.extra = { role };
  if (stored.extra.settings?.history === "joined" && stored.messages.length > 0) {
    const seq = stored.messages.length;
    member.deliveredSeq = seq;
    member.readSeq = seq;
    member.extra = { ...member.extra, visible_from_seq: seq + 1 };
  }
  stored.members.set(userId, member);
  if (stored.kind === "channel") tables.prefs.begin(userId, stored.id);
  maskReads(tables, stored);
}

function takeOut(batch: Batch, userId: string): void {
  const { stored, tables } = batch;
  stored.members.delete(userId);
  tables.prefs.forget(userId, stored.id);
  batch.endFollowing(userId);
  tables.endInvites(stored.id, userId);
  if (stored.ownerId !== userId) return;
  const [heir] = [...stored.members.values()].sort(
    (a, b) => rankOf(b.extra.role ?? "member") - rankOf(a.extra.role ?? "member"),
  );
  stored.ownerId = heir?.userId ?? null;
  if (heir === undefined) return;
  touch(batch, heir);
  const { role: _, ...rest } = heir.extra;
  heir.extra = rest;
}

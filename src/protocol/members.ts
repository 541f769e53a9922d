/**
 * How a conversation's members are shown. A group of at most `WHOLE_MEMBERS_MAX` members is always
 * shown whole. For a larger group, lists and `sync` hold the caller, `conversation_updated` holds those
 * whom the change concerns, and a single conversation holds its first members; `member_count`
 * tells how many there are, and `GET /api/conversations/:id/members` pages through all of them.
 * No form holds the members of a channel: it has the reader's own entry, or those whom a change
 * concerns.
 *
 * Used by actors and storage, which write these forms, and by edges and clients, which read them.
 */
import { withTranslation } from "./contract.ts";
import type { UserId } from "./ids.ts";
import type { Conversation, Member } from "./schemas.ts";

/** Also how many members of a larger group are its first ones. */
export const WHOLE_MEMBERS_MAX = 100;

/** The members that one change added and removed. */
export interface MembershipChange {
  addedIds: readonly string[];
  removedIds: readonly string[];
  /** Members who stayed and whose role, data or silence changed. */
  changedIds?: readonly string[];
}

/** The membership after a `conversation_updated`: all members, or only the difference. */
export type MembershipNews =
  | { is: "whole"; memberIds: ReadonlySet<string> }
  | ({ is: "delta" } & MembershipChange);

/** `members` are some of the `memberCount` members of a large group. */
export function partOf(
  conversation: Conversation,
  members: Member[],
  memberCount: number,
): Conversation {
  return { ...conversation, members, members_partial: true, member_count: memberCount };
}

/** `conversation` holds all members, of a channel those that its actor knows: here and below. */
const isShownWhole = ({ kind, members }: Conversation): boolean =>
  kind !== "channel" && members.length <= WHOLE_MEMBERS_MAX;

const countOf = ({ member_count, members }: Conversation): number => member_count ?? members.length;

/** As a single conversation is answered; a channel without anybody's entry. */
export function withFirstMembers(conversation: Conversation): Conversation {
  const { kind, members } = conversation;
  if (isShownWhole(conversation)) return conversation;
  const most = kind === "channel" ? 0 : WHOLE_MEMBERS_MAX;
  return partOf(conversation, members.slice(0, most), countOf(conversation));
}

/** As lists and `sync` show it to one of its members. */
export function withOwnMember(conversation: Conversation, userId: string): Conversation {
  if (isShownWhole(conversation)) return conversation;
  const own = conversation.members.filter(({ user_id }) => user_id === userId);
  return partOf(conversation, own, countOf(conversation));
}

/** As `conversation_updated` tells a change. */
export function withChangedMembers(
  conversation: Conversation,
  { addedIds, removedIds, changedIds = [] }: MembershipChange,
): Conversation {
  if (isShownWhole(conversation)) return conversation;
  const named = new Set([...addedIds, ...changedIds]);
  const news = conversation.members.filter(({ user_id }) => named.has(user_id));
  const changed = partOf(conversation, news, countOf(conversation));
  return removedIds.length === 0 ? changed : { ...changed, removed_user_ids: [...removedIds] };
}

/**
 * The event of a deletion, with what stands for it in version 1: the conversation without members.
 * `conversation` is what is left of it.
 */
export function deletionOf(conversation: Conversation): {
  name: "conversation_deleted";
  rev: number;
  body: string;
} {
  const { id, rev } = conversation;
  const body = JSON.stringify({ conversation_id: id, rev });
  const former = JSON.stringify({ ...conversation, members: [] });
  return {
    name: "conversation_deleted",
    rev,
    body: withTranslation(body, { name: "conversation_updated", body: former }),
  };
}

/**
 * The event of messages that were emptied together, and its translation for version 1: the
 * conversation at that `rev`. `conversation` holds all members.
 */
export function erasureOf(
  conversation: Conversation,
  rev: number,
  seqs: readonly number[],
): { name: "messages_erased"; rev: number; body: string } {
  const body = JSON.stringify({ conversation_id: conversation.id, rev, seqs });
  const unchanged = { addedIds: [], removedIds: [] };
  const former = JSON.stringify(withChangedMembers({ ...conversation, rev }, unchanged));
  return {
    name: "messages_erased",
    rev,
    body: withTranslation(body, { name: "conversation_updated", body: former }),
  };
}

/** The conversation as it is announced to a new member: its part of the members includes them. */
export function withNewcomer(conversation: Conversation, userId: string): Conversation {
  const { members, members_partial } = conversation;
  if (!members_partial || members.some(({ user_id }) => user_id === userId)) return conversation;
  const newcomer = { user_id: userId, delivered_seq: 0, read_seq: 0 };
  return { ...conversation, members: [...members, newcomer] };
}

/** The membership in a `conversation_updated`. */
export function membershipNewsOf(conversation: Conversation): MembershipNews {
  const ids = conversation.members.map(({ user_id }) => user_id);
  if (!conversation.members_partial) return { is: "whole", memberIds: new Set(ids) };
  return { is: "delta", addedIds: ids, removedIds: conversation.removed_user_ids ?? [] };
}

/** Whether the user is a member after the news. Removed and added by one change, they are. */
export function isMemberAfter(news: MembershipNews, userId: string, wasMember: boolean): boolean {
  if (news.is === "whole") return news.memberIds.has(userId);
  if (news.addedIds.includes(userId)) return true;
  return wasMember && !news.removedIds.includes(userId);
}

/** The other of a direct conversation; nobody for a group. */
export function peersIn({ kind, members }: Conversation, user: UserId): UserId[] {
  if (kind !== "direct") return [];
  return members.map(({ user_id }) => user_id as UserId).filter((id) => id !== user);
}

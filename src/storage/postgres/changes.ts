/**
 * What an edge missed of one conversation, from its rows; shared by both adapters. Members and
 * title as of an earlier rev are rebuilt backwards from the present, a change undone at a time.
 */
import type { Change, Changes } from "../../ports/edge.ts";
import { withTranslation } from "../../protocol/contract.ts";
import type { ServerPayload } from "../../protocol/events.ts";
import type { UserId } from "../../protocol/ids.ts";
import { deletionOf, erasureOf, withChangedMembers } from "../../protocol/members.ts";
import type { Conversation, Member, Message } from "../../protocol/schemas.ts";
import type { ConversationExtra, MemberExtra } from "./rows.ts";

/** A change of a group of 100 members names all of them: about 6 kB each. */
const CONVERSATION_CHANGES_MAX = 20;

type ReactionEvent = ServerPayload<"reaction">;

/** The changes of a conversation that does not exist. */
export const NO_CHANGES: Changes = { changes: [], hasMore: false, forgotten: null };

/** What one change of members or title did, so that it can be undone. */
export interface ConversationUndo {
  rev: number;
  /** rev of the change before it. */
  beforeRev: number;
  /** As of this change. */
  lastSeq: number;
  /** Left out or null where it was `lastSeq`. */
  lastN?: number | null;
  titleBefore: string | null;
  ownerBefore: string | null;
  extraBefore: ConversationExtra | null;
  addedIds: string[];
  /** `place`: how many members stood before this one when the change came. */
  removed: { member: Member; extra?: MemberExtra | null; place: number }[];
  /** By user id, of members whose extra changed; null: none changed. */
  membersBefore: Readonly<Record<string, MemberExtra | null>> | null;
}

/** What a conversation has in storage after a rev. */
export interface StoredChanges {
  /** With all members; may be null where `metaRev` is not after the rev and no message was erased. */
  conversation: Conversation | null;
  metaRev: number;
  /** The present and the replaced versions; the first `limit` by rising rev. */
  messages: MessageVersion[];
  /** The undos of all changes that are still kept. */
  undos: ConversationUndo[];
  /** The first `limit` by rising rev. */
  reactions: StoredReaction[];
  /** The last change deleted the conversation. */
  isDeleted: boolean;
}

/** A message as it was from some rev on. */
export interface MessageVersion {
  message: Message;
  /** Whether it was sent so. */
  isFirst: boolean;
}

/** A flush of reactions that is still kept: its event, and the message as it is now. */
export type StoredReaction = [event: ReactionEvent, message: Message];

/** The history of a conversation's members, from the one by which somebody came in. */
export interface JoiningHistory {
  conversation: Conversation;
  metaRev: number;
  undos: ConversationUndo[];
}

/** The events that bring an edge from `afterRev` on, by rising rev, at most `limit`. */
export function changesOf(stored: StoredChanges, afterRev: number, limit: number): Changes {
  const reactions = stored.reactions.map(reactionChange);
  const flushes = new Set(reactions.map(({ rev }) => rev));
  const messages: Change[] = stored.messages
    .filter(({ message }) => !flushes.has(message.rev) && !isErased(message))
    .map(({ message, isFirst }) => ({
      name: isFirst ? "message" : "message_updated",
      rev: message.rev,
      body: JSON.stringify(message),
    }));
  const isMore = stored.messages.length >= limit;
  const end = isMore ? (stored.messages.at(-1)?.message.rev ?? Infinity) : Infinity;
  const { shown, isCut, forgotten } = conversationChanges(stored, afterRev);
  const last = shown.at(-1)?.rev ?? 0;
  const changes = messages
    .concat(reactions, erasures(stored))
    .filter(({ rev }) => !isCut || rev < last)
    .concat(shown)
    // Beyond the last message that was read there may be others.
    .filter(({ rev }) => rev <= end)
    .sort((a, b) => a.rev - b.rev)
    .slice(0, limit);
  return { changes, hasMore: isCut || isMore || changes.length === limit, forgotten };
}

/** See the function erase_messages. */
function isErased({ deleted_at, client_id, sender_id, type }: Message): boolean {
  return deleted_at !== null && client_id === null && sender_id !== null && type !== "system";
}

/** Messages that were emptied together, by their rev. */
function erasures({ conversation, messages }: StoredChanges): Change[] {
  const seqsOf = new Map<number, number[]>();
  for (const { message } of messages) {
    if (!isErased(message)) continue;
    const { rev, seq } = message;
    seqsOf.set(rev, [...(seqsOf.get(rev) ?? []), seq]);
  }
  if (conversation === null) return [];
  return [...seqsOf].map(([rev, seqs]) =>
    erasureOf(
      conversation,
      rev,
      seqs.sort((a, b) => a - b),
    ),
  );
}

/** As a session of version 1 receives it, the message is the one of now, at the flush's rev. */
function reactionChange([event, message]: StoredReaction): Change {
  const { rev } = event;
  const body = JSON.stringify({ ...message, rev });
  const both = withTranslation(JSON.stringify(event), { name: "message_updated", body });
  return { name: "reaction", rev, body: both };
}

/**
 * The change by which `member` came in for the last time. Where it is forgotten, the oldest that
 * is known: they were in it by then.
 */
export function joiningChangeOf(
  { conversation, metaRev, undos }: JoiningHistory,
  member: UserId,
): Change {
  const byRev = new Map(undos.map((undo) => [undo.rev, undo]));
  let rev = metaRev;
  let now = conversation;
  for (;;) {
    const undo = byRev.get(rev);
    const last = lastAt(rev, undo, now);
    if (undo === undefined || undo.addedIds.includes(member)) {
      return changeAt(rev, last, now, undo);
    }
    now = withLast(undone(now, undo), last);
    rev = undo.beforeRev;
  }
}

/** Where the messages stood. Before any change there was the creation, and no message. */
function lastAt(rev: number, undo: ConversationUndo | undefined, after: Conversation): Last {
  if (undo !== undefined) return lastOf(undo.lastSeq, undo.lastN ?? undefined);
  return rev === 1 ? { last_seq: 0 } : lastOf(after.last_seq, after.last_n);
}

function withLast({ last_n: _, ...conversation }: Conversation, last: Last): Conversation {
  return { ...conversation, ...last };
}

const lastOf = (last_seq: number, last_n: number | undefined): Last => ({
  last_seq,
  ...(last_n !== undefined && { last_n }),
});

type Last = Pick<Conversation, "last_seq" | "last_n">;

function conversationChanges(
  { conversation, metaRev, undos, isDeleted }: StoredChanges,
  afterRev: number,
): { shown: Change[]; isCut: boolean; forgotten: Change | null } {
  if (conversation === null || metaRev <= afterRev) {
    return { shown: [], isCut: false, forgotten: null };
  }
  const byRev = new Map(undos.map((undo) => [undo.rev, undo]));
  /** By falling rev; the oldest may be one that is known only by its outcome. */
  const chain: { rev: number; undo: ConversationUndo | undefined }[] = [];
  for (let rev = metaRev; rev > afterRev; ) {
    const undo = byRev.get(rev);
    chain.push({ rev, undo });
    if (undo === undefined) break;
    rev = undo.beforeRev;
  }
  const shown: Change[] = [];
  let now = conversation;
  chain.forEach(({ rev, undo }, n) => {
    const last = lastAt(rev, undo, now);
    if (chain.length - n <= CONVERSATION_CHANGES_MAX) {
      const change = changeAt(rev, last, now, undo);
      shown.unshift(isDeleted && n === 0 ? deletedBy(change, now) : change);
    }
    if (undo !== undefined) now = withLast(undone(now, undo), last);
  });
  const oldest = chain.at(-1);
  const isForgotten = oldest !== undefined && oldest.undo === undefined && oldest.rev > 1;
  return {
    shown,
    isCut: chain.length > CONVERSATION_CHANGES_MAX,
    forgotten: isForgotten ? shown[0]! : null,
  };
}

function deletedBy({ rev, memberIds }: Change, conversation: Conversation): Change {
  const deletion = deletionOf({ ...conversation, rev });
  return memberIds === undefined ? deletion : { ...deletion, memberIds };
}

/** Cursors are those of the present, as far as there were messages. */
function changeAt(
  rev: number,
  last: Last,
  conversation: Conversation,
  undo: ConversationUndo | undefined,
): Change {
  const members = conversation.members.map(({ delivered_seq, read_seq, ...member }) => ({
    ...member,
    delivered_seq: Math.min(delivered_seq, last.last_seq),
    read_seq: Math.min(read_seq, last.last_seq),
  }));
  // Not the conversation's own rev: a client that took that as its cursor would never ask for
  // the messages in between.
  const then = { ...withLast(conversation, last), members, rev };
  const membership = {
    addedIds: undo?.addedIds ?? [],
    removedIds: undo?.removed.map(({ member }) => member.user_id) ?? [],
    changedIds: Object.keys(undo?.membersBefore ?? {}),
  };
  const body = JSON.stringify(withChangedMembers(then, membership));
  const change: Change = { name: "conversation_updated", rev, body };
  // The difference that it made is forgotten, so a reader that follows the members needs them all.
  if (undo === undefined) change.memberIds = members.map(({ user_id }) => user_id);
  return change;
}

function undone(conversation: Conversation, undo: ConversationUndo): Conversation {
  const added = new Set(undo.addedIds);
  const members = conversation.members
    .filter(({ user_id }) => !added.has(user_id))
    .map((member) => memberBefore(member, undo.membersBefore));
  const byPlace = undo.removed.toSorted((a, b) => a.place - b.place);
  for (const { member, extra, place } of byPlace) {
    members.splice(place, 0, { ...member, ...extra });
  }
  return {
    ...baseOf(conversation),
    members,
    title: undo.titleBefore,
    owner_id: undo.ownerBefore,
    ...undo.extraBefore,
  };
}

function memberBefore(member: Member, before: ConversationUndo["membersBefore"]): Member {
  const extra = before?.[member.user_id];
  if (extra === undefined) return member;
  const { user_id, delivered_seq, read_seq } = member;
  return { user_id, delivered_seq, read_seq, ...extra };
}

/** Without what an undo brings as a whole. */
function baseOf({
  data: _data,
  image_url: _image,
  settings: _settings,
  permissions: _permissions,
  meta_rev: _metaRev,
  ...base
}: Conversation): Conversation {
  return base;
}

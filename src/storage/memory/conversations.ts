/** ConversationStore in memory; the twin of ../conversations.ts, held to the same suite. */
import type {
  Appended,
  ConversationChange,
  ConversationStore,
  CursorMark,
  Marked,
  NewMessage,
} from "../../../actors/ports.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Conversation, Message } from "../../protocol/schemas.ts";
import { MEMBERS_MAX, type Refusal, STORAGE_REFUSALS } from "../postgres/refusals.ts";
import { storedMessage } from "../postgres/rows.ts";
import {
  changedMessages,
  compareIds,
  type MemoryTables,
  newestMessages,
  type StoredConversation,
  shownConversation,
} from "./tables.ts";

export class MemoryConversations implements ConversationStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async load(id: ConversationId): Promise<Conversation | null> {
    const stored = this.#tables.conversations.get(id);
    return stored ? shownConversation(stored) : null;
  }

  async apart(id: ConversationId): Promise<boolean> {
    const stored = this.#tables.conversations.get(id);
    return stored !== undefined && this.#tables.isApart(stored);
  }

  async newest(id: ConversationId, limit: number): Promise<Message[]> {
    const stored = this.#tables.conversations.get(id);
    return stored ? newestMessages(stored, limit) : [];
  }

  async changedAfter(id: ConversationId, rev: number, limit: number): Promise<Message[]> {
    const stored = this.#tables.conversations.get(id);
    return stored ? changedMessages(stored, rev, limit) : [];
  }

  async append(asked: NewMessage): Promise<Result<Appended>> {
    const stored = this.#tables.conversationOf(asked.senderId, asked.conversationId);
    if (!stored) return REFUSALS.conversationNotFound;
    const key = `${asked.senderId} ${asked.clientId}`;
    const seen = stored.seqs.get(key);
    if (seen !== undefined) {
      return ok({ message: { ...stored.messages[seen - 1]! }, duplicate: true });
    }
    if (this.#tables.isApart(stored)) return STORAGE_REFUSALS.apart;
    if (asked.replyToSeq !== null && asked.replyToSeq > stored.messages.length) {
      return STORAGE_REFUSALS.noReply;
    }
    const seq = stored.messages.length + 1;
    stored.rev++;
    const message = storedMessage(asked, {
      id: this.#tables.nextId(),
      seq,
      rev: stored.rev,
      createdAt: this.#tables.nowIso(),
    });
    stored.messages.push(message);
    stored.seqs.set(key, seq);
    stored.lastActivityMs = this.#tables.nowMs();
    const sender = stored.members.get(asked.senderId)!;
    sender.deliveredSeq = seq;
    sender.readSeq = seq;
    return ok({ message: { ...message }, duplicate: false });
  }

  async mark({ conversationId, userId, seq, read }: CursorMark): Promise<Result<Marked>> {
    const stored = this.#tables.conversationOf(userId, conversationId);
    const member = stored?.members.get(userId);
    if (!stored || !member) return REFUSALS.conversationNotFound;
    if (this.#tables.isApart(stored)) return STORAGE_REFUSALS.apart;
    const changed = seq > member.deliveredSeq || (read && seq > member.readSeq);
    member.deliveredSeq = Math.max(member.deliveredSeq, seq);
    if (read) member.readSeq = Math.max(member.readSeq, seq);
    return ok({ delivered_seq: member.deliveredSeq, read_seq: member.readSeq, changed });
  }

  async edit(id: ConversationId, seq: number, by: UserId, body: string): Promise<Result<Message>> {
    const found = this.#ownMessage(id, seq, by);
    if (!found.ok) return found;
    const { stored, message } = found.value;
    if (this.#tables.isApart(stored)) return STORAGE_REFUSALS.apart;
    if (message.deleted_at !== null) return STORAGE_REFUSALS.messageDeleted;
    this.#keep(stored, message);
    message.rev = ++stored.rev;
    message.body = body;
    message.edited_at = this.#tables.nowIso();
    return ok({ ...message });
  }

  async remove(
    id: ConversationId,
    seq: number,
    by: UserId,
  ): Promise<Result<{ message: Message; changed: boolean }>> {
    const found = this.#ownMessage(id, seq, by);
    if (!found.ok) return found;
    const { stored, message } = found.value;
    const changed = message.deleted_at === null;
    if (changed) {
      this.#keep(stored, message);
      message.rev = ++stored.rev;
      message.body = "";
      message.deleted_at = this.#tables.nowIso();
    }
    return ok({ message: { ...message }, changed });
  }

  async create(
    kind: "direct" | "group",
    ownerId: UserId,
    memberIds: UserId[],
    title: string | null,
  ): Promise<Result<{ created: boolean; conversation: Conversation }>> {
    const ids = [...new Set(memberIds)].sort(compareIds);
    if (ids.some((id) => !this.#tables.users.has(id))) return REFUSALS.userNotFound;
    const known = kind === "direct" ? this.#tables.directOf(ids) : undefined;
    if (known) return ok({ created: false, conversation: shownConversation(known) });
    if (kind === "direct" && this.#tables.social.isApart(ids[0]!, ids[1]!)) {
      return STORAGE_REFUSALS.apart;
    }
    const stored: StoredConversation = {
      id: this.#tables.nextId(),
      kind,
      title: kind === "direct" ? null : title,
      ownerId: kind === "direct" ? null : ownerId,
      members: new Map(),
      rev: 1,
      metaRev: 1,
      lastActivityMs: this.#tables.nowMs(),
      createdAt: this.#tables.nowIso(),
      messages: [],
      seqs: new Map(),
      versions: [],
      undos: [],
    };
    for (const userId of ids) stored.members.set(userId, { userId, deliveredSeq: 0, readSeq: 0 });
    this.#tables.conversations.set(stored.id, stored);
    this.#tables.noteChanged(ids);
    return ok({ created: true, conversation: shownConversation(stored) });
  }

  async retitle(
    id: ConversationId,
    by: UserId,
    title: string,
  ): Promise<Result<ConversationChange>> {
    const found = this.#group(id, by);
    if (!found.ok) return found;
    const stored = found.value;
    const undo = this.#undoOf(stored);
    if (stored.title === title) return unchanged(stored);
    stored.title = title;
    return changedTo(stored, undo);
  }

  async addMembers(
    id: ConversationId,
    by: UserId,
    userIds: UserId[],
  ): Promise<Result<ConversationChange>> {
    const found = this.#group(id, by);
    if (!found.ok) return found;
    const { members } = found.value;
    const newIds = [...new Set(userIds)].filter((userId) => !members.has(userId)).sort(compareIds);
    if (newIds.some((userId) => !this.#tables.users.has(userId))) return REFUSALS.userNotFound;
    if (newIds.length > 0 && members.size + newIds.length > MEMBERS_MAX) {
      return STORAGE_REFUSALS.membersMax;
    }
    if (newIds.length === 0) return unchanged(found.value);
    const undo = { ...this.#undoOf(found.value), addedIds: newIds };
    for (const userId of newIds) members.set(userId, { userId, deliveredSeq: 0, readSeq: 0 });
    this.#tables.noteChanged(newIds);
    return changedTo(found.value, undo);
  }

  async removeMember(
    id: ConversationId,
    by: UserId,
    userId: UserId,
  ): Promise<Result<ConversationChange>> {
    const found = this.#group(id, by);
    if (!found.ok) return found;
    const stored = found.value;
    if (by !== userId && stored.ownerId !== by) return STORAGE_REFUSALS.notOwner;
    const place = [...stored.members.keys()].indexOf(userId);
    if (place < 0) return REFUSALS.userNotFound;
    const member = shownConversation(stored).members[place]!;
    const undo = { ...this.#undoOf(stored), removed: { member, place } };
    stored.members.delete(userId);
    if (stored.ownerId === userId) stored.ownerId = stored.members.keys().next().value ?? null;
    return changedTo(stored, undo);
  }

  /** Keeps what is about to be replaced. */
  #keep(stored: StoredConversation, message: Message): void {
    stored.versions.push({ ...message, replacedAtMs: this.#tables.nowMs() });
  }

  /** Of the change that is about to be made. */
  #undoOf(stored: StoredConversation): StoredConversation["undos"][number] {
    return {
      rev: stored.rev + 1,
      beforeRev: stored.metaRev,
      lastSeq: stored.messages.length,
      titleBefore: stored.title,
      ownerBefore: stored.ownerId,
      addedIds: [],
      removed: null,
      changedAtMs: this.#tables.nowMs(),
    };
  }

  #group(id: ConversationId, by: UserId): { ok: true; value: StoredConversation } | Refusal {
    const stored = this.#tables.conversationOf(by, id);
    if (!stored) return REFUSALS.conversationNotFound;
    return stored.kind === "direct" ? STORAGE_REFUSALS.directFixed : ok(stored);
  }

  #ownMessage(
    id: ConversationId,
    seq: number,
    by: UserId,
  ): { ok: true; value: { stored: StoredConversation; message: Message } } | Refusal {
    const stored = this.#tables.conversationOf(by, id);
    if (!stored) return REFUSALS.conversationNotFound;
    const message = stored.messages[seq - 1];
    if (!message) return REFUSALS.messageNotFound;
    return message.sender_id === by ? ok({ stored, message }) : STORAGE_REFUSALS.notSender;
  }
}

function changedTo(
  stored: StoredConversation,
  undo: StoredConversation["undos"][number],
): Result<ConversationChange> {
  stored.metaRev = ++stored.rev;
  stored.undos.push(undo);
  return ok({ conversation: shownConversation(stored), changed: true });
}

function unchanged(stored: StoredConversation): Result<ConversationChange> {
  return ok({ conversation: shownConversation(stored), changed: false });
}

/** ConversationStore in memory; the twin of ../conversations.ts, held to the same suite. */
import type {
  Appended,
  ConversationCall,
  ConversationChange,
  ConversationStore,
  CursorMark,
  Marked,
  NewMessage,
} from "../../../actors/ports.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { asUserId, type Conversation, type Message } from "../../protocol/schemas.ts";
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
    return stored !== undefined && this.#tables.isBlocked(stored);
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
    if (this.#tables.isBlocked(stored)) return STORAGE_REFUSALS.apart;
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
    sender.ownActivityMs = this.#tables.nowMs();
    return ok({ message: { ...message }, duplicate: false });
  }

  async mark({ conversationId, userId, seq, read }: CursorMark): Promise<Result<Marked>> {
    const stored = this.#tables.conversationOf(userId, conversationId);
    const member = stored?.members.get(userId);
    if (!stored || !member) return REFUSALS.conversationNotFound;
    if (this.#tables.isBlocked(stored)) return STORAGE_REFUSALS.apart;
    const changed = seq > member.deliveredSeq || (read && seq > member.readSeq);
    member.deliveredSeq = Math.max(member.deliveredSeq, seq);
    if (read && seq > member.readSeq) member.ownActivityMs = this.#tables.nowMs();
    if (read) member.readSeq = Math.max(member.readSeq, seq);
    return ok({ delivered_seq: member.deliveredSeq, read_seq: member.readSeq, changed });
  }

  async opened(id: ConversationId, userId: UserId): Promise<void> {
    const member = this.#tables.conversationOf(userId, id)?.members.get(userId);
    if (member !== undefined) member.ownActivityMs = this.#tables.nowMs();
  }

  async edit(id: ConversationId, seq: number, by: UserId, body: string): Promise<Result<Message>> {
    const found = this.#ownMessage(id, seq, by);
    if (!found.ok) return found;
    const { stored, message } = found.value;
    if (this.#tables.isBlocked(stored)) return STORAGE_REFUSALS.apart;
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
    if (ids.some((userId) => this.#tables.social.isBlocked(ownerId, userId))) {
      return STORAGE_REFUSALS.apart;
    }
    const stored: StoredConversation = {
      id: this.#tables.nextId(),
      kind,
      title: kind === "direct" ? null : title,
      ownerId: kind === "direct" ? null : ownerId,
      members: new Map(),
      leavers: new Set(),
      rev: 1,
      metaRev: 1,
      lastActivityMs: this.#tables.nowMs(),
      createdAt: this.#tables.nowIso(),
      messages: [],
      seqs: new Map(),
      versions: [],
      undos: [],
    };
    const { members } = stored;
    for (const userId of ids) members.set(userId, this.#tables.newMember(userId, members));
    members.get(ownerId)!.ownActivityMs = this.#tables.nowMs();
    this.#tables.conversations.set(stored.id, stored);
    this.#tables.noteChanged(ids);
    return ok({ created: true, conversation: shownConversation(stored) });
  }

  async change(
    id: ConversationId,
    calls: readonly ConversationCall[],
  ): Promise<ConversationChange> {
    const stored = this.#tables.conversations.get(id);
    if (!stored) {
      const outcomes = calls.map(() => REFUSALS.conversationNotFound);
      return { outcomes, conversation: null, changed: false, addedIds: [], removedIds: [] };
    }
    const before = shownConversation(stored);
    const undo = this.#undoOf(stored);
    const beforeIds = before.members.map(({ user_id }) => user_id);
    /** Members of before who stay, without being removed and added again meanwhile. */
    const staying = new Set(beforeIds);
    const outcomes = calls.map((call) => {
      const outcome = this.#do(stored, call);
      if (outcome.ok && call.does === "remove") staying.delete(call.userId);
      return outcome;
    });
    const changed = outcomes.some((outcome) => outcome.ok && outcome.value.changed);
    const addedIds = [...stored.members.keys()].filter((userId) => !staying.has(userId));
    const removedIds = beforeIds.filter((userId) => !staying.has(userId));
    if (changed) {
      stored.metaRev = ++stored.rev;
      const removed = before.members.flatMap((member, place) =>
        staying.has(member.user_id) ? [] : [{ member, place }],
      );
      stored.undos.push({ ...undo, addedIds, removed });
      if (addedIds.length > 0) this.#tables.noteChanged(addedIds);
    }
    return {
      outcomes,
      conversation: shownConversation(stored),
      changed,
      addedIds: addedIds.map(asUserId),
      removedIds: removedIds.map(asUserId),
    };
  }

  #do(stored: StoredConversation, call: ConversationCall): Result<{ changed: boolean }> {
    const { members } = stored;
    if (!members.has(call.by)) return REFUSALS.conversationNotFound;
    if (stored.kind === "direct") return STORAGE_REFUSALS.directFixed;
    switch (call.does) {
      case "retitle": {
        const changed = stored.title !== call.title;
        stored.title = call.title;
        return ok({ changed });
      }
      case "add": {
        const newIds = [...new Set(call.userIds)].filter((userId) => !members.has(userId));
        if (newIds.some((userId) => !this.#tables.users.has(userId))) return REFUSALS.userNotFound;
        if (newIds.length > 0 && members.size + newIds.length > MEMBERS_MAX) {
          return STORAGE_REFUSALS.membersMax;
        }
        if (newIds.some((userId) => this.#tables.social.isBlocked(call.by, userId))) {
          return STORAGE_REFUSALS.apart;
        }
        if (newIds.some((userId) => stored.leavers.has(userId))) return STORAGE_REFUSALS.hasLeft;
        for (const userId of newIds.sort(compareIds)) {
          members.set(userId, this.#tables.newMember(userId, members));
        }
        return ok({ changed: newIds.length > 0 });
      }
      case "remove": {
        const { by, userId } = call;
        if (by !== userId && stored.ownerId !== by) return STORAGE_REFUSALS.notOwner;
        if (!members.delete(userId)) return REFUSALS.userNotFound;
        if (by === userId) stored.leavers.add(userId);
        if (stored.ownerId === userId) stored.ownerId = members.keys().next().value ?? null;
        return ok({ changed: true });
      }
    }
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
      removed: [],
      changedAtMs: this.#tables.nowMs(),
    };
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

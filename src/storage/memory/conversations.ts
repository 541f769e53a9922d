/** ConversationStore in memory; the twin of ../conversations.ts, held to the same suite. */
import type {
  Appended,
  ConversationCall,
  ConversationChange,
  ConversationStore,
  CursorMark,
  Marked,
  NewConversation,
  NewMessage,
} from "../../../actors/ports.ts";
import type { InviteWish } from "../../protocol/actor-ops.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { isAtLeast, leastRoleFor, mayInviteAs } from "../../protocol/permissions.ts";
import {
  asUserId,
  type Conversation,
  type Invite,
  type Member,
  type Message,
} from "../../protocol/schemas.ts";
import { INVITES_MAX, nothingDone, type Refusal, STORAGE_REFUSALS } from "../postgres/refusals.ts";
import { storedMessage } from "../postgres/rows.ts";
import { type Batch, doCall, revisedExtra, roleOf, ruledOf } from "./conversation-calls.ts";
import { shownInvite } from "./membership.ts";
import {
  changedMessages,
  compareIds,
  type MemoryTables,
  newestMessages,
  type StoredConversation,
  type StoredInvite,
  shownConversation,
  visibleIn,
} from "./tables.ts";

export class MemoryConversations implements ConversationStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async load(id: ConversationId): Promise<Conversation | null> {
    const stored = this.#tables.conversations.get(id);
    return stored && !stored.isDeleted ? shownConversation(stored) : null;
  }

  async apart(id: ConversationId): Promise<boolean> {
    const stored = this.#tables.conversations.get(id);
    return stored !== undefined && this.#tables.isBlocked(stored);
  }

  async newest(id: ConversationId, limit: number): Promise<Message[]> {
    const stored = this.#tables.conversations.get(id);
    return stored ? newestMessages(stored, limit) : [];
  }

  async changedAfter(
    id: ConversationId,
    rev: number,
    limit: number,
    fromSeq = 1,
  ): Promise<Message[]> {
    const stored = this.#tables.conversations.get(id);
    return stored ? changedMessages(visibleIn(stored, fromSeq), rev, limit) : [];
  }

  async lastSends(id: ConversationId, withinMs: number): Promise<Map<UserId, number>> {
    const ages = new Map<UserId, number>();
    for (const message of this.#tables.conversations.get(id)?.messages ?? []) {
      const ageMs = this.#tables.nowMs() - Date.parse(message.created_at);
      if (ageMs < withinMs) ages.set(asUserId(message.sender_id), ageMs);
    }
    return ages;
  }

  async sent(id: ConversationId, senderId: UserId, clientId: string): Promise<Message | null> {
    const stored = this.#tables.conversations.get(id);
    const seq = stored?.seqs.get(`${senderId} ${clientId}`);
    return seq === undefined ? null : { ...stored!.messages[seq - 1]! };
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
    stored.sentRevs.push(message.rev);
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
      delete message.reactions;
      stored.reactions = stored.reactions.filter((row) => row.seq !== seq);
      message.deleted_at = this.#tables.nowIso();
    }
    return ok({ message: { ...message }, changed });
  }

  async create(
    kind: "direct" | "group",
    ownerId: UserId,
    memberIds: UserId[],
    title: string | null,
    { by = ownerId, extras = {}, externalId }: NewConversation = {},
  ): Promise<Result<{ created: boolean; conversation: Conversation }>> {
    const ids = [...new Set(memberIds)].sort(compareIds);
    if (ids.some((id) => !this.#tables.users.has(id))) return REFUSALS.userNotFound;
    const named = this.#tables.namedBy(externalId);
    const pair = kind === "direct" ? this.#tables.directOf(ids) : undefined;
    if (named !== undefined && (named.kind !== kind || (pair ?? named) !== named)) {
      return STORAGE_REFUSALS.externalTaken;
    }
    if (named !== undefined && kind === "direct" && pair === undefined) {
      return STORAGE_REFUSALS.externalTaken;
    }
    if (pair !== undefined && externalId !== undefined) {
      if (pair.externalId !== null && pair.externalId !== externalId) {
        return STORAGE_REFUSALS.externalTaken;
      }
      pair.externalId = externalId;
    }
    const known = named ?? pair;
    if (known) return ok({ created: false, conversation: shownConversation(known) });
    if (by !== null && ids.some((userId) => this.#tables.social.isBlocked(by, userId))) {
      return STORAGE_REFUSALS.apart;
    }
    const stored: StoredConversation = {
      id: this.#tables.nextId(),
      kind,
      title: kind === "direct" ? null : title,
      ownerId: kind === "direct" ? null : ownerId,
      members: new Map(),
      leavers: new Set(),
      bans: new Map(),
      extra: revisedExtra(kind, {}, extras),
      externalId: externalId ?? null,
      isDeleted: false,
      rev: 1,
      metaRev: 1,
      lastActivityMs: this.#tables.nowMs(),
      createdAt: this.#tables.nowIso(),
      messages: [],
      sentRevs: [],
      seqs: new Map(),
      versions: [],
      undos: [],
      reactions: [],
      reactionChanges: [],
    };
    const { members } = stored;
    for (const userId of ids) members.set(userId, this.#tables.newMember(userId, members));
    const maker = members.get(by ?? "");
    if (maker !== undefined) maker.ownActivityMs = this.#tables.nowMs();
    this.#tables.conversations.set(stored.id, stored);
    this.#tables.noteChanged(ids);
    return ok({ created: true, conversation: shownConversation(stored) });
  }

  async createInvite(
    id: ConversationId,
    by: UserId,
    { token_hash, role, max_uses, expires_in_s }: InviteWish,
  ): Promise<Result<Invite>> {
    const stored = this.#tables.conversationOf(by, id);
    const own = stored && roleOf(stored, by);
    if (!stored || !own) return REFUSALS.conversationNotFound;
    if (stored.kind === "direct") return STORAGE_REFUSALS.directFixed;
    const mayInvite = isAtLeast(own, leastRoleFor(ruledOf(stored), "invite"));
    if (!mayInvite || (role !== null && !mayInviteAs(own, role))) return STORAGE_REFUSALS.role;
    const nowMs = this.#tables.nowMs();
    const others = [...this.#tables.invites.values()].filter(
      ({ conversationId, inviterId, expiresAt }) =>
        conversationId === id && inviterId === by && Date.parse(expiresAt) > nowMs,
    );
    if (others.length >= INVITES_MAX) return STORAGE_REFUSALS.invitesMax;
    const invite: StoredInvite = {
      id: this.#tables.nextId(),
      conversationId: id,
      inviterId: by,
      tokenHash: token_hash,
      role,
      maxUses: max_uses,
      uses: 0,
      expiresAt: new Date(nowMs + expires_in_s * 1000).toISOString(),
      createdAt: this.#tables.nowIso(),
    };
    this.#tables.invites.set(invite.id, invite);
    return ok(shownInvite(invite));
  }

  async endInvite(id: ConversationId, by: UserId, inviteId: string): Promise<Result<null>> {
    const stored = this.#tables.conversationOf(by, id);
    const invite = this.#tables.invites.get(inviteId);
    if (!stored || invite?.conversationId !== id) return STORAGE_REFUSALS.noInvite;
    const isTheirs = invite.inviterId === by || isAtLeast(roleOf(stored, by), "moderator");
    if (!isTheirs) return STORAGE_REFUSALS.noInvite;
    this.#tables.invites.delete(inviteId);
    return ok(null);
  }

  async change(
    id: ConversationId,
    calls: readonly ConversationCall[],
  ): Promise<ConversationChange> {
    const stored = this.#tables.conversations.get(id);
    if (!stored || stored.isDeleted) {
      return nothingDone(calls.map(() => REFUSALS.conversationNotFound));
    }
    const before = shownConversation(stored);
    const undo = this.#undoOf(stored);
    const extras = new Map([...stored.members].map(([userId, { extra }]) => [userId, extra]));
    const beforeIds = before.members.map(({ user_id }) => user_id);
    /** Members of before who stay, without being removed and added again meanwhile. */
    const staying = new Set(beforeIds);
    const batch: Batch = {
      tables: this.#tables,
      stored,
      isInformed: false,
      isDeleted: false,
      touched: new Map(),
    };
    const outcomes = calls.map((call) => {
      const outcome = doCall(batch, call);
      for (const userId of staying) if (!stored.members.has(userId)) staying.delete(userId);
      return outcome;
    });
    const changed = outcomes.some((outcome) => outcome.ok && outcome.value.changed);
    const addedIds = [...stored.members.keys()].filter((userId) => !staying.has(userId));
    const removedIds = beforeIds.filter((userId) => !staying.has(userId));
    const changedIds = [...batch.touched.keys()].filter((userId) => staying.has(userId));
    if (changed) {
      stored.metaRev = ++stored.rev;
      if (batch.isInformed) stored.extra = { ...stored.extra, meta_rev: stored.rev };
      const removed = before.members.flatMap((member, place) =>
        staying.has(member.user_id)
          ? []
          : [{ member: cursorsOf(member), extra: extras.get(member.user_id) ?? null, place }],
      );
      const membersBefore = Object.fromEntries(
        changedIds.map((userId) => [userId, batch.touched.get(userId) ?? null]),
      );
      stored.undos.push({ ...undo, addedIds, removed, membersBefore });
      if (addedIds.length > 0) this.#tables.noteChanged(addedIds);
    }
    return {
      outcomes,
      conversation: shownConversation(stored),
      changed,
      addedIds: addedIds.map(asUserId),
      removedIds: removedIds.map(asUserId),
      changedIds: changedIds.map(asUserId),
      deleted: batch.isDeleted,
    };
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
      extraBefore: stored.extra,
      membersBefore: null,
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

function cursorsOf({ user_id, delivered_seq, read_seq }: Member): Member {
  return { user_id, delivered_seq, read_seq };
}

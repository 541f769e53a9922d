/** ConversationStore in memory; the twin of ../conversations.ts, held to the same suite. */
import type {
  Appended,
  ConversationCall,
  ConversationChange,
  ConversationStore,
  CursorMark,
  Erased,
  Marked,
  MessageChange,
  NewConversation,
  NewMessage,
  QuietChange,
  Revised,
  ServiceMessage,
} from "../../../actors/ports.ts";
import { isStaff } from "../../protocol/channels.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { CONTENT_BYTES_MAX } from "../../protocol/message-content.ts";
import type { Role } from "../../protocol/permissions.ts";
import {
  asUserId,
  type Conversation,
  type MadeKind,
  type Member,
  type Message,
} from "../../protocol/schemas.ts";
import { countsAsUnread } from "../../protocol/unread.ts";
import { nothingDone, PINS_MAX, type Refusal, STORAGE_REFUSALS } from "../postgres/refusals.ts";
import { storedMessage } from "../postgres/rows.ts";
import { type Batch, doCall, revisedExtra, roleOf } from "./conversation-calls.ts";
import { MemoryConversationReads } from "./conversation-reads.ts";
import { createInvite, endInvite } from "./invites.ts";
import { extraOf, filesRefusal, mentionedIn, showFiles } from "./message-extras.ts";
import { maskedIn, maskReads, wantsContacts } from "./privacy.ts";
import { trimOld } from "./retention.ts";
import { addSystemMessage, appendForService } from "./system-messages.ts";
import {
  compareIds,
  countAt,
  emptyConversation,
  type MemoryTables,
  type StoredConversation,
  shownConversation,
  standingIn,
} from "./tables.ts";
import { endFollowing, followByReply, replyDeleted, threadsOf } from "./threads.ts";

const GONE_WITH_DELETION = [
  "reactions",
  "data",
  "attachments",
  "mentions",
  "mention_all",
  "pinned_at",
  "pinned_by",
  "expires_at",
] as const;

export class MemoryConversations extends MemoryConversationReads implements ConversationStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    super(tables);
    this.#tables = tables;
  }

  async append(asked: NewMessage): Promise<Result<Appended>> {
    const stored = this.#tables.readableOf(asked.senderId, asked.conversationId);
    if (!stored) return REFUSALS.conversationNotFound;
    const key = `${asked.senderId} ${asked.clientId}`;
    const seen = stored.seqs.get(key);
    if (seen !== undefined) {
      return ok({ message: { ...stored.messages[seen - 1]! }, duplicate: true });
    }
    if (this.#tables.isBlocked(stored)) return STORAGE_REFUSALS.apart;
    const cleared = stored.members.get(asked.senderId)?.clearedBeforeSeq ?? 0;
    const clearedBefore = Math.max(cleared, stored.firstSeq ?? 0);
    const replyTo = asked.replyToSeq ?? Infinity;
    const isBeyond = asked.replyToSeq !== null && replyTo > stored.messages.length;
    if (isBeyond || replyTo < clearedBefore) return STORAGE_REFUSALS.noReply;
    const noFile = filesRefusal(this.#tables, asked.senderId, asked.content?.attachments);
    if (noFile !== null) return noFile;
    const seq = stored.messages.length + 1;
    stored.rev++;
    const nowMs = this.#tables.nowMs();
    const extra = extraOf(this.#tables, stored, asked, nowMs);
    const message = storedMessage(asked, {
      id: this.#tables.nextId(),
      seq,
      rev: stored.rev,
      createdAt: new Date(nowMs).toISOString(),
      n: countAt(stored, seq - 1) + (countsAsUnread(asked.content ?? {}) ? 1 : 0),
      ...(extra && { extra }),
    });
    stored.messages.push(message);
    stored.sentRevs.push(message.rev);
    stored.seqs.set(key, seq);
    stored.lastActivityMs = this.#tables.nowMs();
    stored.activity = ++this.#tables.activities;
    const followed = followByReply(this.#tables, stored, message);
    const sender = stored.members.get(asked.senderId);
    const ownActivityMs = this.#tables.nowMs();
    if (sender) Object.assign(sender, { deliveredSeq: seq, readSeq: seq, ownActivityMs });
    const unmarked = sender && this.#tables.liftUnread(sender, stored.id);
    return ok({
      message: { ...message },
      duplicate: false,
      ...(unmarked && { unmarked }),
      ...(followed.length > 0 && { followed }),
    });
  }

  async mark({ conversationId, userId, seq, read }: CursorMark): Promise<Result<Marked>> {
    const stored = this.#tables.conversationOf(userId, conversationId);
    const member = stored?.members.get(userId);
    if (!stored || !member) return REFUSALS.conversationNotFound;
    if (this.#tables.isBlocked(stored)) return STORAGE_REFUSALS.apart;
    const { readMask } = member;
    const isDelivery = seq > member.deliveredSeq && !(read && readMask === 1);
    const changed = isDelivery || (read && seq > member.readSeq);
    if (isDelivery) member.deliveredSeq = seq;
    if (read && seq > member.readSeq) member.ownActivityMs = this.#tables.nowMs();
    if (read) member.readSeq = Math.max(member.readSeq, seq);
    const isLifted = read && seq >= (member.unreadFromSeq ?? Infinity);
    const unmarked = isLifted ? this.#tables.liftUnread(member, stored.id) : undefined;
    const { own } = standingIn(stored, userId);
    const mask = readMask === undefined ? null : { mask: readMask, isDelivery };
    const cursors = { delivered_seq: member.deliveredSeq, read_seq: member.readSeq };
    return ok({ ...cursors, changed, own, ...(unmarked && { unmarked }), ...mask });
  }

  async opened(id: ConversationId, userId: UserId): Promise<void> {
    const member = this.#tables.conversationOf(userId, id)?.members.get(userId);
    if (member !== undefined) member.ownActivityMs = this.#tables.nowMs();
  }

  async revise(
    id: ConversationId,
    seq: number,
    by: UserId,
    change: MessageChange,
  ): Promise<Result<Revised>> {
    const stored = this.#tables.readableOf(by, id);
    if (!stored) return REFUSALS.conversationNotFound;
    const message = stored.messages[seq - 1];
    if (!message) return REFUSALS.messageNotFound;
    const cleared = stored.members.get(by)?.clearedBeforeSeq ?? 0;
    if (seq < Math.max(cleared, stored.firstSeq ?? 0)) return REFUSALS.messageNotFound;
    const refusal = this.#reviseRefusal(stored, message, by, change);
    return refusal ?? ok(this.#revise(stored, message, by, change));
  }

  async expire(id: ConversationId, seq: number): Promise<Revised | null> {
    const stored = this.#tables.conversations.get(id);
    const message = stored?.messages[seq - 1];
    if (!stored || !message) return null;
    const change = { does: "delete", any: true, system: true, spared: [] } as const;
    return this.#revise(stored, message, null, { ...change, spared: [] });
  }

  async refreshFiles(id: ConversationId, seq: number): Promise<Revised | null> {
    const stored = this.#tables.conversations.get(id);
    const message = stored?.messages[seq - 1];
    if (!stored || !message) return null;
    const files = this.#tables.files.all((message.attachments ?? []).map(({ id }) => id));
    const changed = JSON.stringify(files) !== JSON.stringify(message.attachments ?? []);
    if (changed) {
      this.#keep(stored, message);
      message.rev = ++stored.rev;
      showFiles(message, files);
    }
    return { message: { ...message }, changed, newlyMentioned: [] };
  }

  async eraseMessages(id: ConversationId, by: UserId, most: number): Promise<Erased> {
    const stored = this.#tables.conversations.get(id);
    const found = (stored?.messages ?? [])
      .filter(({ sender_id, client_id }) => sender_id === by && client_id !== null)
      .slice(0, most);
    if (!stored || found.length === 0) return { seqs: [], rev: stored?.rev ?? 0 };
    const rev = stored.rev + 1;
    const now = this.#tables.nowIso();
    for (const message of found) {
      Object.assign(message, { body: "", client_id: null, rev });
      message.deleted_at ??= now;
      for (const key of GONE_WITH_DELETION) delete message[key];
      if (message.stream?.state === "open") message.stream = { state: "cancelled" };
    }
    stored.rev = rev;
    const seqs = found.map(({ seq }) => seq);
    stored.reactions = stored.reactions.filter((row) => !seqs.includes(row.seq));
    return { seqs, rev };
  }

  #reviseRefusal(
    stored: StoredConversation,
    message: Message,
    by: UserId,
    change: MessageChange,
  ): Refusal | null {
    const isSystem = message.type === "system";
    const isOwn = message.sender_id === by && !isSystem;
    const isDeleted = message.deleted_at !== null;
    if (change.does === "edit" && !isOwn) return STORAGE_REFUSALS.notSender;
    if (change.does === "delete") {
      const mayOther = change.any && !change.spared.includes(message.sender_id ?? "");
      return isOwn || (isSystem ? change.system : mayOther) ? null : STORAGE_REFUSALS.notSender;
    }
    if (this.#tables.isBlocked(stored)) return STORAGE_REFUSALS.apart;
    if (isDeleted && change.does !== "unpin") return STORAGE_REFUSALS.messageDeleted;
    if (change.does === "pin" && message.pinned_at === undefined) {
      const pins = stored.messages.filter(({ pinned_at }) => pinned_at !== undefined);
      return pins.length >= PINS_MAX ? STORAGE_REFUSALS.pinsFull : null;
    }
    if (change.does !== "edit") return null;
    if (message.stream?.state === "open") return STORAGE_REFUSALS.streaming;
    const body = change.body ?? message.body;
    const data = change.data === undefined ? message.data : change.data;
    // A streamed text may be longer, and an edit of its data alone leaves it as it is.
    const isLeft = change.body === undefined && message.stream !== undefined;
    const bytes =
      (isLeft ? 0 : Buffer.byteLength(body)) + (data ? Buffer.byteLength(JSON.stringify(data)) : 0);
    if (bytes > CONTENT_BYTES_MAX) return STORAGE_REFUSALS.tooLarge;
    const files = change.attachments ?? message.attachments ?? [];
    const isEmpty = body === "" && !data && files.length === 0;
    if (isEmpty && message.type === undefined) return STORAGE_REFUSALS.emptied;
    return filesRefusal(this.#tables, by, change.attachments);
  }

  #revise(
    stored: StoredConversation,
    message: Message,
    by: UserId | null,
    change: MessageChange,
  ): Revised {
    const now = this.#tables.nowIso();
    const { does } = change;
    const isDone =
      (does === "delete" && message.deleted_at !== null) ||
      (does === "pin" && message.pinned_at !== undefined) ||
      (does === "unpin" && message.pinned_at === undefined);
    if (isDone) return { message: { ...message }, changed: false, newlyMentioned: [] };
    this.#keep(stored, message);
    const before = new Set(message.mentions);
    message.rev = ++stored.rev;
    switch (change.does) {
      case "edit": {
        message.edited_at = now;
        if (change.data === null) delete message.data;
        else if (change.data !== undefined) message.data = change.data;
        if (change.attachments !== undefined) {
          showFiles(message, this.#tables.files.all(change.attachments));
        }
        if (change.body === undefined) break;
        message.body = change.body;
        delete message.mentions;
        delete message.mention_all;
        const mentions = mentionedIn(this.#tables, stored, by, change.names);
        if (mentions.length > 0) message.mentions = mentions;
        if (change.all) message.mention_all = true;
        break;
      }
      case "delete":
        message.body = "";
        message.deleted_at = now;
        for (const key of GONE_WITH_DELETION) delete message[key];
        if (message.stream?.state === "open") message.stream = { state: "cancelled" };
        stored.reactions = stored.reactions.filter((row) => row.seq !== message.seq);
        replyDeleted(this.#tables, stored);
        break;
      case "pin":
        message.pinned_at = now;
        message.pinned_by = by!;
        break;
      case "unpin":
        delete message.pinned_at;
        delete message.pinned_by;
        break;
    }
    const newlyMentioned = (message.mentions ?? []).filter((id) => !before.has(id)).map(asUserId);
    return { message: { ...message }, changed: true, newlyMentioned };
  }

  async create(
    kind: MadeKind,
    ownerId: UserId,
    memberIds: UserId[],
    title: string | null,
    { by = ownerId, extras = {}, externalId, audience = "members" }: NewConversation = {},
  ): Promise<Result<{ created: boolean; conversation: Conversation }>> {
    const ids = [...new Set(memberIds)].sort(compareIds);
    const named = this.#tables.namedBy(externalId);
    if (named === undefined && ids.some((id) => !this.#tables.users.has(id))) {
      return REFUSALS.userNotFound;
    }
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
    const what = kind === "direct" ? "direct" : "add_consent";
    if (by !== null && wantsContacts(this.#tables, what, by, ids)) {
      return STORAGE_REFUSALS.contactsOnly;
    }
    const stored: StoredConversation = {
      ...emptyConversation(this.#tables, kind),
      title: kind === "direct" ? null : title,
      ownerId: kind === "direct" ? null : ownerId,
      extra: revisedExtra(kind, kind === "channel" ? { audience } : {}, extras),
      externalId: externalId ?? null,
    };
    const { members } = stored;
    for (const userId of ids) {
      members.set(userId, this.#tables.newMember(userId, members));
      if (kind === "channel") this.#tables.prefs.begin(userId, stored.id);
    }
    maskReads(this.#tables, stored);
    const maker = members.get(by ?? "");
    if (maker !== undefined) maker.ownActivityMs = this.#tables.nowMs();
    this.#tables.conversations.set(stored.id, stored);
    this.#tables.noteChanged(ids);
    return ok({ created: true, conversation: shownConversation(stored) });
  }

  async createInvite(...asked: Parameters<ConversationStore["createInvite"]>) {
    return createInvite(this.#tables, ...asked);
  }

  async endInvite(...asked: Parameters<ConversationStore["endInvite"]>) {
    return endInvite(this.#tables, ...asked);
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
    const beforeIds = [...stored.members.keys()];
    const roles = new Map(beforeIds.map((userId) => [userId, roleOf(stored, userId)]));
    /** Members of before who stay, without being removed and added again meanwhile. */
    const staying = new Set(beforeIds);
    const batch: Batch = {
      tables: this.#tables,
      stored,
      endFollowing: (userId) => endFollowing(this.#tables, id, userId),
      isInformed: false,
      isDeleted: false,
      touched: new Map(),
      notices: [],
    };
    const outcomes = calls.map((call) => {
      const outcome = doCall(batch, call);
      for (const userId of staying) if (!stored.members.has(userId)) staying.delete(userId);
      return outcome;
    });
    const did = outcomes.some((outcome) => outcome.ok && outcome.value.changed);
    const { loud, quiet } = told(stored, roles, {
      addedIds: [...stored.members.keys()].filter((userId) => !staying.has(userId)),
      removedIds: beforeIds.filter((userId) => !staying.has(userId)),
      changedIds: [...batch.touched.keys()].filter((userId) => staying.has(userId)),
    });
    const { addedIds, removedIds, changedIds } = loud;
    const isLoud =
      quiet === undefined ||
      batch.isInformed ||
      batch.isDeleted ||
      addedIds.length + removedIds.length + changedIds.length > 0;
    const changed = did && isLoud;
    if (quiet) this.#tables.noteChanged([...quiet.joinedIds, ...quiet.leftIds]);
    const hasThreads = removedIds.length > 0 && threadsOf(this.#tables, id).length > 0;
    if (changed) {
      trimOld(this.#tables, stored);
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
      if (hasThreads) this.#tables.noteChanged(removedIds);
      if (batch.isDeleted) endFollowing(this.#tables, id, null);
    }
    const systemMessages = batch.notices.map(({ by, data }) =>
      addSystemMessage(this.#tables, stored, { sender_id: by, client_id: null }, { data }),
    );
    return {
      outcomes,
      conversation: shownConversation(stored),
      changed,
      addedIds: addedIds.map(asUserId),
      removedIds: removedIds.map(asUserId),
      changedIds: changedIds.map(asUserId),
      deleted: batch.isDeleted,
      systemMessages,
      hasThreads,
      maskedIds: maskedIn(stored).map(asUserId),
      ...(quiet && { quiet }),
    };
  }

  async appendForService(asked: ServiceMessage): Promise<Result<Appended>> {
    return appendForService(this.#tables, asked);
  }

  /** Keeps what is about to be replaced. */
  #keep(stored: StoredConversation, message: Message): void {
    stored.versions.push({ ...message, replacedAtMs: this.#tables.nowMs() });
  }

  /** How to undo the change that is about to be made. */
  #undoOf(stored: StoredConversation): StoredConversation["undos"][number] {
    return {
      rev: stored.rev + 1,
      beforeRev: stored.metaRev,
      lastSeq: stored.messages.length,
      lastN: stored.messages.at(-1)?.n ?? null,
      titleBefore: stored.title,
      ownerBefore: stored.ownerId,
      extraBefore: stored.extra,
      membersBefore: null,
      addedIds: [],
      removed: [],
      changedAtMs: this.#tables.nowMs(),
    };
  }
}

interface Concerned {
  addedIds: string[];
  removedIds: string[];
  changedIds: string[];
}

/** What of a change concerns a channel's moderators and above, and what does not. */
function told(
  stored: StoredConversation,
  before: ReadonlyMap<string, Role | null>,
  { addedIds, removedIds, changedIds }: Concerned,
): { loud: Concerned; quiet?: QuietChange } {
  if (stored.kind !== "channel") return { loud: { addedIds, removedIds, changedIds } };
  const isLoud = (userId: string) =>
    isStaff(before.get(userId) ?? null) || isStaff(roleOf(stored, userId));
  const isQuiet = (userId: string) => !isLoud(userId);
  return {
    loud: {
      addedIds: addedIds.filter(isLoud),
      removedIds: removedIds.filter(isLoud),
      changedIds: changedIds.filter(isLoud),
    },
    quiet: {
      joinedIds: addedIds.filter(isQuiet).map(asUserId),
      leftIds: stored.isDeleted ? [] : removedIds.filter(isQuiet).map(asUserId),
      changedIds: changedIds.filter(isQuiet).map(asUserId),
      memberCount: stored.members.size,
    },
  };
}

function cursorsOf({ user_id, delivered_seq, read_seq }: Member): Member {
  return { user_id, delivered_seq, read_seq };
}

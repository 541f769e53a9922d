/**
 * The memory twin's tables: what PostgreSQL would hold, for tests. Every operation is one
 * synchronous step, so it is atomic by itself. Several ports may share one set of tables, as
 * several hosts share a database.
 */
import { systemClock } from "../../base/clock.ts";
import type { LoginOrigin } from "../../ports/edge.ts";
import type { ServerPayload } from "../../protocol/events.ts";
import type { FamilyId, UserId } from "../../protocol/ids.ts";
import type { Report, WordRule } from "../../protocol/moderation-routes.ts";
import type { Role } from "../../protocol/permissions.ts";
import type { Prefs } from "../../protocol/prefs.ts";
import type { PrivacyPatch } from "../../protocol/privacy.ts";
import type { Conversation, Member, Message, User } from "../../protocol/schemas.ts";
import type { AuditEntry, ServiceToken } from "../../protocol/service-routes.ts";
import { epochMsOf } from "../../protocol/time.ts";
import { type OwnMarks, ownUnread } from "../../protocol/unread.ts";
import type { ConversationUndo, MessageVersion } from "../postgres/changes.ts";
import type { ConversationExtra, MemberExtra } from "../postgres/rows.ts";
import type { StoredApp } from "./app-table.ts";
import { staffOf } from "./channel-staff.ts";
import { FilesTable } from "./files-table.ts";
import { PrefsTable } from "./prefs-table.ts";
import type { StoredScheduled } from "./scheduled-table.ts";
import { SocialTables } from "./social-tables.ts";

export interface StoredUser {
  user: User;
  passwordHash: string | null;
  issuer: string | null;
  subject: string | null;
  suspended: boolean;
  suspensionChangedAtMs: number | null;
  suspension?: { atMs: number; untilMs: number | null; reason: string | null } | null;
  /** Tokens that were issued until then are refused. */
  tokensCutAtMs: number | null;
  /** When the user last took another username. */
  renamedAtMs: number | null;
  lastSeenAt: string | null;
}

export interface StoredMember {
  userId: string;
  joinedMs: number;
  deliveredSeq: number;
  readSeq: number;
  /** When the user last sent, read or joined here; null: never. */
  ownActivityMs: number | null;
  /** The first seq that is shown after the user has cleared what is older. */
  clearedBeforeSeq?: number;
  /** The first seq that counts where the user has marked it unread. */
  unreadFromSeq?: number;
  extra: MemberExtra;
  /** Others do not see how far the member has read; see `Marked.mask`. */
  readMask?: 1 | 2;
}

export interface StoredBan {
  by: string | null;
  until: string | null;
  reason: string | null;
  createdAt: string;
}

export interface StoredInvite {
  id: string;
  conversationId: string;
  inviterId: string;
  tokenHash: string;
  role: Role | null;
  maxUses: number | null;
  uses: number;
  expiresAt: string;
  createdAt: string;
}

export interface StoredConversation {
  id: string;
  kind: Conversation["kind"];
  /** A thread's root, and when its summary should have been written; null: it is no thread. */
  parent: { id: string; seq: number; summaryDueMs: number | null } | null;
  title: string | null;
  ownerId: string | null;
  /** In the order in which they joined. */
  members: Map<string, StoredMember>;
  /** Users who left by themselves and have not come back. */
  leavers: Set<string>;
  bans: Map<string, StoredBan>;
  extra: ConversationExtra;
  externalId: string | null;
  /** It has no members any more, and is there for repairs only. */
  isDeleted: boolean;
  rev: number;
  metaRev: number;
  lastActivityMs: number;
  /** The number of its last activity among all; see MemoryTables.activities. */
  activity: number;
  createdAt: string;
  /** By seq: the first has seq 1. Those before `firstSeq` are not kept any longer. */
  messages: Message[];
  firstSeq?: number;
  /** At which rev each message was sent, in the same order. */
  sentRevs: number[];
  /** Sender and client_id to seq. */
  seqs: Map<string, number>;
  /** Of messages that have expired: until when a worker is about to delete them. */
  claimedUntilMs: Map<number, number>;
  /** Messages as they were before they were replaced, and what each change of members did. */
  versions: (Message & { replacedAtMs: number })[];
  undos: (ConversationUndo & { changedAtMs: number })[];
  /** In the order in which they were made. */
  reactions: StoredReactionRow[];
  /** Flushes of reactions that are still kept. */
  reactionChanges: { rev: number; seq: number; event: ReactionEvent; changedAtMs: number }[];
}

export type ReactionEvent = ServerPayload<"reaction">;

export interface StoredReactionRow {
  id: string;
  userId: string;
  seq: number;
  key: string;
  createdAt: string;
}

export interface StoredFamily {
  id: FamilyId;
  userId: UserId;
  createdAtMs: number;
  lastUsedAtMs: number;
  /** Expiry of its newest token. */
  expiresAtMs: number;
  revokedAtMs: number | null;
  origin: LoginOrigin;
}

export interface StoredToken {
  family: StoredFamily;
  expiresAtMs: number;
  spentAtMs: number | null;
}

export class MemoryTables {
  readonly users = new Map<string, StoredUser>();
  readonly conversations = new Map<string, StoredConversation>();
  readonly families = new Map<string, StoredFamily>();
  readonly tokens = new Map<string, StoredToken>();
  readonly invites = new Map<string, StoredInvite>();
  readonly social = new SocialTables();
  readonly clientPackages = new Map<string, Buffer>();
  readonly prefs = new PrefsTable();
  readonly scheduled = new Map<string, StoredScheduled>();
  /** By kind and key. */
  readonly apps = new Map<string, StoredApp>();
  /** What users have chosen themselves. */
  readonly privacy = new Map<string, PrivacyPatch>();
  readonly files = new FilesTable();
  /** By reporter or rule, and subject. */
  readonly reports = new Map<string, { report: Report; claimedUntilMs: number }>();
  wordRules: { rev: number; rules: WordRule[] } = { rev: 0, rules: [] };
  readonly serviceTokens = new Map<string, ServiceToken & { id: string }>();
  /** Usernames that nobody else may take for a while. */
  readonly reservedNames = new Map<string, { userId: string | null; untilMs: number }>();
  /** By rising id, each with what gathers it with others. */
  readonly audit: { key: string | null; entry: Required<AuditEntry> }[] = [];
  /** Users whose conversations, follows or blocks changed, by rising time. */
  userChanges: { changedAtMs: number; userIds: readonly string[] }[] = [];
  /** The database's own clock, which dates and compares its rows. */
  readonly nowMs: () => number;
  /** Activities of all conversations. */
  activities = 0;
  #ids = 0;

  constructor(nowMs: () => number = () => epochMsOf(systemClock.wallMs())) {
    this.nowMs = nowMs;
  }

  /** A member who joins `members` now; places among them only rise. */
  newMember(userId: string, members: ReadonlyMap<string, StoredMember>): StoredMember {
    const lastMs = [...members.values()].at(-1)?.joinedMs ?? 0;
    const joinedMs = Math.max(this.nowMs(), lastMs + 1);
    return { userId, joinedMs, deliveredSeq: 0, readSeq: 0, ownActivityMs: null, extra: {} };
  }

  nextId(): string {
    return String(++this.#ids);
  }

  nowIso(): string {
    return new Date(this.nowMs()).toISOString();
  }

  /** The conversation if `userId` is a member of it. */
  conversationOf(userId: string, id: string): StoredConversation | undefined {
    const found = this.conversations.get(id);
    return found?.members.has(userId) ? found : undefined;
  }

  /** The conversation of a member, or a thread that `userId` may read, followed or not. */
  preferredOf(userId: string, id: string): StoredConversation | undefined {
    const isThread = (this.conversations.get(id)?.parent ?? null) !== null;
    return isThread ? this.readableOf(userId, id) : this.conversationOf(userId, id);
  }

  /** The conversation if `userId` may read it: a member, or in a thread a member of the parent. */
  readableOf(userId: string, id: string): StoredConversation | undefined {
    const found = this.conversations.get(id);
    if (found === undefined || found.parent === null) {
      return this.conversationOf(userId, id) ?? this.#openChannel(userId, found);
    }
    const member = this.conversationOf(userId, found.parent.id)?.members.get(userId);
    if (member === undefined || found.isDeleted) return undefined;
    return (member.extra.visible_from_seq ?? 1) <= found.parent.seq ? found : undefined;
  }

  /** A channel that anyone may read. */
  #openChannel(
    userId: string,
    stored: StoredConversation | undefined,
  ): StoredConversation | undefined {
    if (stored?.extra.audience !== "anyone" || stored.isDeleted) return undefined;
    return this.isBanned(stored, userId) ? undefined : stored;
  }

  /** The one direct conversation of a pair. */
  directOf(pair: readonly string[]): StoredConversation | undefined {
    return [...this.conversations.values()].find(
      ({ kind, members }) => kind === "direct" && pair.every((id) => members.has(id)),
    );
  }

  namedBy(externalId: string | undefined): StoredConversation | undefined {
    if (externalId === undefined) return undefined;
    return [...this.conversations.values()].find((stored) => stored.externalId === externalId);
  }

  /** Whether a block stands between the two of a direct conversation. */
  isBlocked({ kind, members, parent }: StoredConversation): boolean {
    if (parent !== null) return this.isBlocked(this.conversations.get(parent.id)!);
    const [one, other] = [...members.keys()];
    if (kind !== "direct" || one === undefined || other === undefined) return false;
    return this.social.isBlocked(one, other);
  }

  isBanned({ bans }: StoredConversation, userId: string): boolean {
    const ban = bans.get(userId);
    if (ban === undefined) return false;
    return ban.until === null || Date.parse(ban.until) > this.nowMs();
  }

  /** Whether the invitation can be accepted once more. */
  isOpen({ expiresAt, uses, maxUses }: StoredInvite): boolean {
    return Date.parse(expiresAt) > this.nowMs() && (maxUses === null || uses < maxUses);
  }

  /** The member sent, or read at or past what they had marked unread. */
  liftUnread(member: StoredMember, id: string): Prefs | undefined {
    if (member.unreadFromSeq === undefined) return undefined;
    delete member.unreadFromSeq;
    return this.prefs.liftUnread(member.userId, id);
  }

  /** Ends a member's invitations to a conversation; with null: everybody's. */
  endInvites(conversationId: string, inviterId: string | null): void {
    for (const [id, invite] of this.invites) {
      if (invite.conversationId !== conversationId) continue;
      if (inviterId === null || invite.inviterId === inviterId) this.invites.delete(id);
    }
  }

  /** These users were taken into a conversation, or their follows or blocks changed. */
  noteChanged(userIds: readonly string[]): void {
    this.userChanges.push({ changedAtMs: this.nowMs(), userIds });
  }

  /** Forgets what was replaced more than `keptMs` ago, as ../pruning.ts does; the number of rows. */
  pruneReplaced(keptMs: number): number {
    const untilMs = this.nowMs() - keptMs;
    const changes = this.userChanges.length;
    this.userChanges = this.userChanges.filter(({ changedAtMs }) => changedAtMs >= untilMs);
    let pruned = changes - this.userChanges.length;
    for (const stored of this.conversations.values()) {
      const kept = () =>
        stored.versions.length + stored.undos.length + stored.reactionChanges.length;
      const before = kept();
      stored.versions = stored.versions.filter(({ replacedAtMs }) => replacedAtMs >= untilMs);
      stored.undos = stored.undos.filter(({ changedAtMs }) => changedAtMs >= untilMs);
      stored.reactionChanges = stored.reactionChanges.filter(
        ({ changedAtMs }) => changedAtMs >= untilMs,
      );
      pruned += before - kept();
    }
    return pruned;
  }

  /** A member's conversations in the order in which they become live; see SessionOpening. */
  rankedConversationsOf(userId: string): StoredConversation[] {
    const hasRead = (it: StoredConversation) => Number(it.members.get(userId)!.readSeq > 0);
    return this.conversationsOf(userId)
      .filter(({ parent, kind }) => parent === null && kind !== "channel")
      .sort(
        (a, b) =>
          ownActivityMsIn(b, userId) - ownActivityMsIn(a, userId) || hasRead(b) - hasRead(a),
      );
  }

  /** All of a member's conversations, most recently active first. */
  conversationsOf(userId: string): StoredConversation[] {
    return [...this.conversations.values()]
      .filter((conversation) => conversation.members.has(userId))
      .sort((a, b) => b.lastActivityMs - a.lastActivityMs || compareIds(b.id, a.id));
  }
}

/** One that has neither members nor messages yet. */
export function emptyConversation(
  tables: MemoryTables,
  kind: StoredConversation["kind"],
): StoredConversation {
  return {
    id: tables.nextId(),
    kind,
    parent: null,
    title: null,
    ownerId: null,
    members: new Map(),
    leavers: new Set(),
    bans: new Map(),
    extra: {},
    externalId: null,
    isDeleted: false,
    rev: 1,
    metaRev: 1,
    lastActivityMs: tables.nowMs(),
    activity: ++tables.activities,
    createdAt: tables.nowIso(),
    messages: [],
    sentRevs: [],
    seqs: new Map(),
    claimedUntilMs: new Map(),
    versions: [],
    undos: [],
    reactions: [],
    reactionChanges: [],
  };
}

/** When the member was last active by their own doing, or was written to directly; 0: never. */
export function ownActivityMsIn(stored: StoredConversation, userId: string): number {
  const isWrittenTo = stored.kind === "direct" && stored.messages.length > 0;
  const ownMs = stored.members.get(userId)?.ownActivityMs ?? 0;
  return Math.max(ownMs, isWrittenTo ? stored.lastActivityMs : 0);
}

/** Ids in the order of their numbers. */
export function compareIds(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** How many messages count as unread up to and with `seq`. */
export function countAt({ messages }: Pick<StoredConversation, "messages">, seq: number): number {
  return messages[seq - 1]?.n ?? seq;
}

/** How many messages count as unread before the one of that `seq`. */
export function countBefore(stored: Pick<StoredConversation, "messages">, seq: number): number {
  return countAt(stored, Math.max(0, seq - 1));
}

/** The first seq of which the member may read: join and clearing both hide. */
export function shownFrom(stored: StoredConversation, userId: string): number {
  const member = stored.members.get(userId);
  const { firstSeq = 1 } = stored;
  return Math.max(member?.extra.visible_from_seq ?? 1, member?.clearedBeforeSeq ?? 1, firstSeq);
}

/** Left out where nothing is gone. */
const firstIn = (stored: StoredConversation) =>
  stored.firstSeq === undefined
    ? null
    : { first_seq: stored.firstSeq, first_n: countBefore(stored, stored.firstSeq) };

/** The point of a user who reads a thread without following it. */
const NOTHING_READ: Pick<StoredMember, "readSeq" | "clearedBeforeSeq" | "unreadFromSeq"> = {
  readSeq: 0,
};

/** A member's own point, as answers for them show it. */
export function standingIn(stored: StoredConversation, userId: string) {
  const member = stored.members.get(userId) ?? NOTHING_READ;
  const { readSeq, clearedBeforeSeq, unreadFromSeq } = member;
  const last_seq = stored.messages.length;
  const last_n = countAt(stored, last_seq);
  const own: OwnMarks = {
    read_seq: readSeq,
    ...(countAt(stored, readSeq) !== readSeq && { read_n: countAt(stored, readSeq) }),
    ...(clearedBeforeSeq !== undefined && { cleared_n: countBefore(stored, clearedBeforeSeq) }),
    ...(unreadFromSeq !== undefined && { unread_from_n: countBefore(stored, unreadFromSeq) }),
  };
  const first_n = firstIn(stored)?.first_n;
  const counted = {
    last_seq,
    ...(last_n !== last_seq && { last_n }),
    ...(first_n !== undefined && { first_n }),
  };
  return { counted, own, standing: { ...counted, ...ownUnread(counted, own) } };
}

/** `reader`: who sees it; null: others. */
export function shownMember(member: StoredMember, reader: string | null = null): Member {
  const { userId, deliveredSeq, readSeq, extra, readMask } = member;
  const isShown = readMask === undefined || userId === reader;
  return {
    user_id: userId,
    delivered_seq: deliveredSeq,
    read_seq: isShown ? readSeq : 0,
    ...extra,
  };
}

/** The contract's object of a stored conversation, with all members. */
export function shownConversation(
  stored: StoredConversation,
  reader: string | null = null,
): Conversation {
  const isChannel = stored.kind === "channel";
  return {
    id: stored.id,
    kind: stored.kind,
    ...(stored.parent !== null && {
      parent: { conversation_id: stored.parent.id, seq: stored.parent.seq },
    }),
    title: stored.title,
    owner_id: stored.ownerId,
    members: (isChannel
      ? staffOf(stored.members.values(), stored.ownerId, reader)
      : [...stored.members.values()]
    ).map((member) => shownMember(member, reader)),
    ...(isChannel && { member_count: stored.members.size }),
    last_seq: stored.messages.length,
    rev: stored.rev,
    created_at: stored.createdAt,
    ...(stored.externalId !== null && { external_id: stored.externalId }),
    ...stored.extra,
    ...(countAt(stored, stored.messages.length) !== stored.messages.length && {
      last_n: countAt(stored, stored.messages.length),
    }),
    ...firstIn(stored),
  };
}

/** Its messages from `fromSeq` on. */
export function visibleIn(
  { messages }: Pick<StoredConversation, "messages">,
  fromSeq: number,
): Pick<StoredConversation, "messages"> {
  return { messages: fromSeq === 1 ? messages : messages.filter(({ seq }) => seq >= fromSeq) };
}

/** Messages changed after `rev`, by rising rev, as copies. */
export function changedMessages(
  stored: Pick<StoredConversation, "messages">,
  rev: number,
  limit: number,
): Message[] {
  const changed = stored.messages
    .filter((message) => message.rev > rev)
    .sort((a, b) => a.rev - b.rev);
  const lastRev = changed[limit - 1]?.rev ?? Infinity;
  return changed
    .filter((message, i) => i < limit || message.rev === lastRev)
    .map((message) => ({ ...message }));
}

/** Messages and what they were before they were replaced, after `rev`, by rising rev. */
export function everyVersion(
  stored: StoredConversation,
  rev: number,
  limit: number,
): MessageVersion[] {
  const before = stored.versions.map(({ replacedAtMs: _, ...message }) => message);
  const versions = changedMessages({ messages: [...stored.messages, ...before] }, rev, limit);
  return versions.map((message) => ({
    message,
    isFirst: stored.sentRevs[message.seq - 1] === message.rev,
  }));
}

/** The newest `limit` messages by rising seq, as copies. */
export function newestMessages(
  stored: Pick<StoredConversation, "messages">,
  limit: number,
): Message[] {
  return stored.messages
    .slice(Math.max(0, stored.messages.length - limit))
    .map((message) => ({ ...message }));
}

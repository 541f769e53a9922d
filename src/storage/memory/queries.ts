/** Queries in memory; the twin of ../queries.ts, held to the same suite. */

import type {
  ActivityAnswer,
  ActivityRequest,
  Change,
  Changes,
  ConversationsPage,
  HistoryPage,
  HistoryWindow,
  ListAsked,
  MembersFilter,
  MembersPage,
  MovedCursors,
  Queries,
  ReactorsPage,
  SessionOpening,
  SyncAnswer,
  SyncRequest,
} from "../../ports/edge.ts";
import { DUE_KINDS } from "../../ports/edge.ts";
import type { MembershipQueries } from "../../ports/membership.ts";
import type { PrefsQueries, StoredPrefs } from "../../ports/prefs.ts";
import type { SightPair } from "../../ports/privacy.ts";
import type { ThreadQueries } from "../../ports/threads.ts";
import { fittingMessages } from "../../protocol/answer-bytes.ts";
import type { Totals } from "../../protocol/conversation-list.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { JsonText } from "../../protocol/json-text.ts";
import { withFirstMembers, withOwnMember } from "../../protocol/members.ts";
import { isAtLeast, leastRoleFor } from "../../protocol/permissions.ts";
import type { Prefs } from "../../protocol/prefs.ts";
import type { Sight } from "../../protocol/privacy.ts";
import { foldedReactionKey } from "../../protocol/reaction-keys.ts";
import {
  type Activity,
  asConversationId,
  asUserId,
  type Conversation,
  type Message,
  type Receipt,
  type User,
} from "../../protocol/schemas.ts";
import { LIVE_CONVERSATIONS_MAX, UNREAD_CONVERSATIONS_MAX } from "../../protocol/session-bounds.ts";
import {
  changesOf,
  joiningChangeOf,
  NO_CHANGES,
  type StoredReaction,
} from "../postgres/changes.ts";
import { decodeMemberPlace } from "../postgres/cursor.ts";
import { decodeListCursor, TOP } from "../postgres/list-cursor.ts";
import { membersPageOf } from "../postgres/members-page.ts";
import { reactorsPage } from "../postgres/reactions.ts";
import { answerSync, type SyncCandidate } from "../postgres/sync-answer.ts";
import { MemoryChannelQueries, openedChannels } from "./channels.ts";
import { roleOf, ruledOf } from "./conversation-calls.ts";
import { listConversations, totalsOf } from "./conversation-list.ts";
import { isNamed } from "./folding.ts";
import { MemoryMembership } from "./membership.ts";
import { readPrefs } from "./prefs.ts";
import { hidesPresence, sightOf } from "./privacy.ts";
import { isHiddenFrom, ownReactionsIn } from "./reactions.ts";
import { socialOpening } from "./social-queries.ts";
import { hasOpenStreams } from "./streams.ts";
import { candidateOf, threadIn, visibleTo } from "./sync-candidates.ts";
import {
  compareIds,
  everyVersion,
  type MemoryTables,
  ownActivityMsIn,
  type StoredConversation,
  type StoredMember,
  shownConversation,
  shownMember,
  standingIn,
} from "./tables.ts";
import { MemoryThreadQueries, openedThreads, shownThreadTo } from "./threads.ts";

export class MemoryQueries extends MemoryChannelQueries implements Queries {
  readonly #tables: MemoryTables;
  readonly #prefs: PrefsQueries;
  readonly #membership: MembershipQueries;
  readonly #threads: ThreadQueries;

  constructor(tables: MemoryTables) {
    super(tables);
    this.#tables = tables;
    this.#prefs = readPrefs(tables);
    this.#membership = new MemoryMembership(tables);
    this.#threads = new MemoryThreadQueries(tables);
  }

  prefs(reader: UserId, id: ConversationId): Promise<Prefs | null> {
    return this.#prefs.prefs(reader, id);
  }

  prefsAfter(reader: UserId, rev: number, limit: number): Promise<StoredPrefs[]> {
    return this.#prefs.prefsAfter(reader, rev, limit);
  }

  prefsRevs(users: UserId[]): Promise<Map<UserId, number>> {
    return this.#prefs.prefsRevs(users);
  }

  async openSession(userId: UserId): Promise<SessionOpening | null> {
    const stored = this.#tables.users.get(userId);
    if (!stored) return null;
    const own = this.#tables.rankedConversationsOf(userId);
    const unread = own
      .map((conversation) => ({
        conversation_id: conversation.id,
        ...standingIn(conversation, userId).standing,
      }))
      .filter(({ unread_count }) => unread_count > 0);
    return {
      user: { ...stored.user },
      suspended: stored.suspended,
      conversations: own.slice(0, LIVE_CONVERSATIONS_MAX).map((conversation) => ({
        id: asConversationId(conversation.id),
        rev: conversation.rev,
        peer: asUserIdOrNull(peerIn(conversation, userId)?.userId),
      })),
      hasMoreConversations: own.length > LIVE_CONVERSATIONS_MAX,
      ...openedThreads(this.#tables, userId),
      ...openedChannels(this.#tables, userId),
      unread: unread.slice(0, UNREAD_CONVERSATIONS_MAX),
      hasMoreUnread: unread.length > UNREAD_CONVERSATIONS_MAX,
      readAtMs: this.#tables.nowMs(),
      lastPrefsRev: this.#tables.prefs.lastRevOf(userId),
      isReserved: hidesPresence(this.#tables, userId),
      ...socialOpening(this.#tables, userId),
    };
  }

  async changedUsers(users: UserId[], ageMs: number): Promise<UserId[]> {
    const sinceMs = this.#tables.nowMs() - ageMs;
    const recent = this.#tables.userChanges.filter(({ changedAtMs }) => changedAtMs > sinceMs);
    const changed = new Set(recent.flatMap(({ userIds }) => userIds));
    return users.filter((user) => changed.has(user));
  }

  async activity(requests: readonly ActivityRequest[]): Promise<ActivityAnswer> {
    const found = requests.flatMap(({ user, sinceMs }) =>
      this.#tables.conversationsOf(user).flatMap((stored) => {
        const isOwn = ownActivityMsIn(stored, user) > sinceMs;
        if (stored.kind === "channel") return [];
        if (!isOwn && lastChangeMsOf(stored) <= sinceMs) return [];
        return [{ user, isOwn, ...threadIn(stored), ...activityOf(stored, user) }];
      }),
    );
    return { readAtMs: this.#tables.nowMs(), found };
  }

  async standing(reader: UserId, id: ConversationId) {
    const stored = this.#tables.conversationOf(reader, id);
    if (!stored) return null;
    const inChannel = stored.kind === "channel" && { inChannel: true as const };
    return { ...activityOf(stored, reader), ...threadIn(stored), ...inChannel };
  }

  async movedCursors(ids: ConversationId[], withinMs: number): Promise<MovedCursors[]> {
    const sinceMs = this.#tables.nowMs() - withinMs;
    return ids.flatMap((id) => {
      const stored = this.#tables.conversations.get(id);
      if (stored === undefined) return [];
      return [...stored.members.values()].flatMap((member) => {
        const { userId, readSeq, ownActivityMs, readMask } = member;
        const last = stored.messages[readSeq - 1];
        if (ownActivityMs === null || ownActivityMs <= sinceMs) return [];
        if (last === undefined || last.sender_id === userId) return [];
        const { delivered_seq, read_seq } = shownMember(member);
        const { last_seq: _, last_n: __, ...own } = standingIn(stored, userId).standing;
        const receipt = { conversation_id: id, user_id: userId, delivered_seq, read_seq };
        return [{ receipt, own, isMasked: readMask !== undefined }];
      });
    });
  }

  async revs(ids: ConversationId[]): Promise<Map<ConversationId, number>> {
    const revs = new Map<ConversationId, number>();
    for (const id of ids) {
      const stored = this.#tables.conversations.get(id);
      if (stored) revs.set(id, stored.rev);
    }
    return revs;
  }

  async visibleFrom(id: ConversationId): Promise<Map<UserId, number>> {
    const visible = new Map<UserId, number>();
    for (const { userId, extra } of this.#tables.conversations.get(id)?.members.values() ?? []) {
      if (extra.visible_from_seq !== undefined) {
        visible.set(asUserId(userId), extra.visible_from_seq);
      }
    }
    return visible;
  }

  async changes(id: ConversationId, afterRev: number, limit: number): Promise<Changes> {
    const stored = this.#tables.conversations.get(id);
    if (!stored) return NO_CHANGES;
    const { metaRev, undos } = stored;
    const messages = everyVersion(stored, afterRev, limit);
    const conversation = shownConversation(stored);
    const reactions = stored.reactionChanges
      .filter(({ rev }) => rev > afterRev)
      .slice(0, limit)
      .map(({ event, seq }): StoredReaction => [event, { ...stored.messages[seq - 1]! }]);
    const { isDeleted } = stored;
    const changes = { conversation, metaRev, messages, undos, reactions, isDeleted };
    return changesOf(changes, afterRev, limit);
  }

  async joiningChange(reader: UserId, id: ConversationId): Promise<Change | null> {
    const stored = this.#tables.conversationOf(reader, id);
    if (!stored) return null;
    const { metaRev, undos } = stored;
    const conversation = shownConversation(stored);
    return joiningChangeOf({ conversation, metaRev, undos }, reader);
  }

  async sync({ userId, after, complete, withoutThreads }: SyncRequest): Promise<SyncAnswer> {
    const removed = new Set<string>(after.keys());
    const receipts: Receipt[] = [];
    const candidates: SyncCandidate[] = [];
    const streaming: ConversationId[] = [];
    const followed = this.#tables.conversationsOf(userId);
    const listed = [...after.keys()]
      .map((id) => this.#tables.readableOf(userId, id))
      .filter((stored) => stored !== undefined && !followed.includes(stored));
    for (const stored of [...followed, ...(listed as StoredConversation[])]) {
      if (withoutThreads && (stored.parent !== null || stored.kind === "channel")) continue;
      const afterRev = after.get(asConversationId(stored.id));
      if (afterRev === undefined && !complete) continue;
      removed.delete(stored.id);
      if (hasOpenStreams(stored)) streaming.push(asConversationId(stored.id));
      const peer = afterRev === undefined ? undefined : peerIn(stored, userId);
      if (peer) receipts.push(receiptOf(stored.id, peer));
      if (afterRev === stored.rev) continue;
      candidates.push(candidateOf(this.#tables, stored, afterRev, userId));
    }
    const answer = answerSync(candidates, receipts, [...removed], false);
    for (const conversation of answer.conversations) {
      const stored = this.#tables.conversations.get(conversation.conversation_id)!;
      const seqs = conversation.messages.map(({ seq }) => seq);
      const own = ownReactionsIn(stored, userId, seqs);
      if (own.length > 0) conversation.own_reactions = own;
    }
    return streaming.length === 0 ? answer : { ...answer, streaming };
  }

  async conversation(reader: UserId, id: ConversationId): Promise<Conversation | null> {
    const stored = this.#tables.readableOf(reader, id);
    if (stored === undefined) return null;
    if (stored.parent !== null) return shownThreadTo(this.#tables, stored, reader);
    const shown = shownConversation(stored, reader);
    return stored.kind === "channel" ? withOwnMember(shown, reader) : withFirstMembers(shown);
  }

  async members(
    reader: UserId,
    id: ConversationId,
    limit: number,
    cursor: string | null,
    { role, q }: MembersFilter = {},
  ): Promise<MembersPage> {
    const place = cursor === null ? null : decodeMemberPlace(cursor);
    if (place === undefined) return { is: "bad_cursor" };
    const stored = this.#tables.readableOf(reader, id);
    if (!stored) return { is: "not_found" };
    const ruling = this.#tables.conversations.get(stored.parent?.id ?? id)!;
    const least = leastRoleFor(ruledOf(ruling), "list_members");
    if (!isAtLeast(roleOf(ruling, reader), least)) return { is: "forbidden" };
    const rest = [...stored.members.values()].filter(
      ({ joinedMs, userId }) =>
        (place === null || joinedMs > place.joinedMs) &&
        (role === undefined || roleOf(stored, userId) === role) &&
        (q === undefined || isNamed(q, this.#tables.users.get(userId)!.user)),
    );
    return membersPageOf(
      rest
        .slice(0, limit + 1)
        .map((member) => ({ ...shownMember(member, reader), joinedMs: member.joinedMs })),
      limit,
    );
  }

  async conversations(
    reader: UserId,
    limit: number,
    cursor: string | null,
    asked: ListAsked = {},
  ): Promise<ConversationsPage | undefined> {
    return listConversations(this.#tables, reader, limit, cursor, asked);
  }

  async totals(reader: UserId): Promise<Totals> {
    return totalsOf(this.#tables, reader);
  }

  async dueKinds() {
    return DUE_KINDS;
  }

  async claimExpired(limit: number, leaseMs: number) {
    const nowMs = this.#tables.nowMs();
    const due: { id: ConversationId; seq: number; atMs: number }[] = [];
    for (const { id, messages, claimedUntilMs } of this.#tables.conversations.values()) {
      for (const { seq, expires_at } of messages) {
        const atMs = expires_at === undefined ? Infinity : Date.parse(expires_at);
        if (atMs > nowMs || (claimedUntilMs.get(seq) ?? 0) > nowMs) continue;
        due.push({ id: asConversationId(id), seq, atMs });
      }
    }
    const claimed = due.sort((a, b) => a.atMs - b.atMs).slice(0, limit);
    for (const { id, seq } of claimed) {
      this.#tables.conversations.get(id)!.claimedUntilMs.set(seq, nowMs + leaseMs);
    }
    return claimed.map(({ id, seq }) => ({ id, seq }));
  }

  async pins(reader: UserId, id: ConversationId): Promise<Message[] | null> {
    const stored = this.#tables.readableOf(reader, id);
    if (!stored) return null;
    const at = ({ pinned_at }: Message) => Date.parse(pinned_at ?? "");
    return visibleTo(stored, reader)
      .messages.filter(({ pinned_at }) => pinned_at !== undefined)
      .sort((a, b) => at(b) - at(a) || b.seq - a.seq)
      .map((message) => ({ ...message }));
  }

  async history(
    reader: UserId,
    id: ConversationId,
    { beforeSeq, afterSeq, limit }: HistoryWindow,
  ): Promise<JsonText<HistoryPage> | null> {
    const stored = this.#tables.readableOf(reader, id);
    if (!stored) return null;
    const inWindow = visibleTo(stored, reader).messages.filter(
      ({ seq }) => seq > (afterSeq ?? 0) && seq < (beforeSeq ?? Number.MAX_SAFE_INTEGER),
    );
    const isUp = afterSeq !== null && beforeSeq === null;
    // The first of those that are read, by the direction of reading.
    const read = isUp ? inWindow : inWindow.toReversed();
    const items = fittingMessages(read.slice(0, limit));
    if (!isUp) items.reverse();
    const own = ownReactionsIn(
      stored,
      reader,
      items.map(({ seq }) => seq),
    );
    return JsonText.of({
      items,
      has_more: inWindow.length > items.length,
      ...(own.length > 0 && { own_reactions: own }),
    });
  }

  async reactors(
    reader: UserId,
    place: { id: ConversationId; seq: number; key: string | null },
    limit: number,
    cursor: string | null,
  ): Promise<ReactorsPage> {
    const below = cursor === null ? TOP : decodeListCursor("reactions", cursor);
    if (below === undefined) return { is: "bad_cursor" };
    const stored = this.#tables.readableOf(reader, place.id);
    if (!stored) return { is: "not_found" };
    const isThere = stored.messages[place.seq - 1] !== undefined;
    if (!isThere || isHiddenFrom(stored, reader, place.seq)) return { is: "message_not_found" };
    const found = stored.reactions
      .filter(
        ({ id, seq, key }) =>
          seq === place.seq &&
          compareIds(id, below) < 0 &&
          (place.key === null || foldedReactionKey(key) === foldedReactionKey(place.key)),
      )
      .reverse()
      .map(({ id, userId, key, createdAt }) => ({
        id,
        user_id: userId,
        key,
        created_at: createdAt,
      }));
    return reactorsPage(found, limit);
  }

  threads(...asked: Parameters<ThreadQueries["threads"]>) {
    return this.#threads.threads(...asked);
  }

  readableThreads(...asked: Parameters<ThreadQueries["readableThreads"]>) {
    return this.#threads.readableThreads(...asked);
  }

  async claimStreams(limit: number, _leaseMs: number) {
    const open = [...this.#tables.conversations.values()].filter(hasOpenStreams);
    return open.map(({ id }) => asConversationId(id)).slice(0, limit);
  }

  threadReaders(...asked: Parameters<ThreadQueries["threadReaders"]>) {
    return this.#threads.threadReaders(...asked);
  }

  claimSummaries(...asked: Parameters<ThreadQueries["claimSummaries"]>) {
    return this.#threads.claimSummaries(...asked);
  }

  bans(...asked: Parameters<MembershipQueries["bans"]>) {
    return this.#membership.bans(...asked);
  }

  ban(...asked: Parameters<MembershipQueries["ban"]>) {
    return this.#membership.ban(...asked);
  }

  invites(...asked: Parameters<MembershipQueries["invites"]>) {
    return this.#membership.invites(...asked);
  }

  invitation(...asked: Parameters<MembershipQueries["invitation"]>) {
    return this.#membership.invitation(...asked);
  }

  async user(id: UserId): Promise<User | null> {
    const stored = this.#tables.users.get(id);
    return stored ? { ...stored.user } : null;
  }

  async idOfExternal(kind: "user" | "conversation", externalId: string): Promise<string | null> {
    if (kind === "conversation") return this.#tables.namedBy(externalId)?.id ?? null;
    for (const { user } of this.#tables.users.values()) {
      if (user.external_id === externalId) return user.id;
    }
    return null;
  }

  async sights(pairs: readonly SightPair[]): Promise<Sight[]> {
    return pairs.map(({ viewer, user }) => sightOf(this.#tables, viewer, user));
  }

  async userByName(username: string): Promise<User | null> {
    for (const { user } of this.#tables.users.values()) {
      if (user.username === username) return { ...user };
    }
    return null;
  }

  async lastSeen(ids: UserId[]): Promise<Map<UserId, string | null>> {
    const seen = new Map<UserId, string | null>();
    for (const id of ids) {
      const stored = this.#tables.users.get(id);
      if (stored) seen.set(id, stored.lastSeenAt);
    }
    return seen;
  }

  async ping(): Promise<void> {
    await Promise.resolve();
  }
}

/** Of messages, their edits, deletions and reactions, and changes of members or title. */
function lastChangeMsOf(stored: StoredConversation): number {
  const { lastActivityMs, versions, undos, reactionChanges } = stored;
  return Math.max(
    lastActivityMs,
    ...reactionChanges.map(({ changedAtMs }) => changedAtMs),
    ...versions.map(({ replacedAtMs }) => replacedAtMs),
    ...undos.map(({ changedAtMs }) => changedAtMs),
  );
}

function peerIn(stored: StoredConversation, userId: string): StoredMember | undefined {
  if (stored.kind !== "direct") return undefined;
  return [...stored.members.values()].find((member) => member.userId !== userId);
}

function asUserIdOrNull(id: string | undefined): UserId | null {
  return id === undefined ? null : asUserId(id);
}

function receiptOf(conversationId: string, peer: StoredMember): Receipt {
  return {
    conversation_id: conversationId,
    user_id: peer.userId,
    delivered_seq: peer.deliveredSeq,
    read_seq: peer.readMask === undefined ? peer.readSeq : 0,
  };
}

function activityOf(stored: StoredConversation, user: string): Activity {
  return { conversation_id: stored.id, rev: stored.rev, ...standingIn(stored, user).standing };
}

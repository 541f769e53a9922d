/** ThreadStore and ThreadQueries in memory; the twins of ../postgres/threads.ts and its queries. */
import type { FollowedThread, Follower, Revised, ThreadStore } from "../../../actors/ports.ts";
import type { OpenedThread, ThreadQueries } from "../../ports/threads.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import {
  asConversationId,
  asUserId,
  type Conversation,
  type Message,
  type Unread,
} from "../../protocol/schemas.ts";
import { LIVE_THREADS_MAX } from "../../protocol/session-bounds.ts";
import { shownThread } from "../../protocol/threads.ts";
import { decodePlace, encodePlace } from "../postgres/cursor.ts";
import { THREAD_OUTCOMES } from "../postgres/refusals.ts";
import { ruledOf } from "./conversation-calls.ts";
import { maskReads } from "./privacy.ts";
import {
  compareIds,
  emptyConversation,
  type MemoryTables,
  ownActivityMsIn,
  type StoredConversation,
  shownConversation,
  shownFrom,
  shownMember,
  standingIn,
  visibleIn,
} from "./tables.ts";

const SUMMARY_DUE_MS = 3_000;
const LAST_USERS_MAX = 5;

export class MemoryThreads implements ThreadStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async create(
    parentId: ConversationId,
    seq: number,
    by: UserId,
  ): Promise<Result<{ created: boolean; thread: Conversation; follower: UserId | null }>> {
    const parent = this.#tables.readableOf(by, parentId);
    if (parent === undefined) return REFUSALS.conversationNotFound;
    if (parent.parent !== null) return THREAD_OUTCOMES["thread"]!;
    const root = parent.messages[seq - 1];
    const visibleFrom = parent.members.get(by)?.extra.visible_from_seq ?? 1;
    if (root === undefined || visibleFrom > seq) return REFUSALS.messageNotFound;
    if (this.#tables.isBlocked(parent)) return THREAD_OUTCOMES["apart"]!;
    const known = threadsOf(this.#tables, parentId).find((thread) => thread.parent?.seq === seq);
    if (known !== undefined) {
      return ok({ created: false, thread: shownConversation(known), follower: null });
    }
    if (root.deleted_at !== null) return THREAD_OUTCOMES["conflict"]!;
    const thread = emptyConversation(this.#tables, "thread");
    thread.parent = { id: parentId, seq, summaryDueMs: null };
    this.#tables.conversations.set(thread.id, thread);
    const follower = this.#begins(thread, root.sender_id, 0);
    return ok({ created: true, thread: shownConversation(thread), follower });
  }

  async follow(
    id: ConversationId,
    user: UserId,
    on: boolean,
    beforeSeq: number | null,
  ): Promise<Result<FollowedThread>> {
    const thread = this.#tables.readableOf(user, id);
    if (thread === undefined || thread.parent === null) return REFUSALS.conversationNotFound;
    const { rev, last_seq, last_n } = shownConversation(thread);
    const standing = { rev, last_seq, ...(last_n !== undefined && { last_n }) };
    if (on) {
      const readSeq = beforeSeq === null ? thread.messages.length : beforeSeq - 1;
      return ok({ ...standing, changed: this.#begins(thread, user, readSeq) !== null });
    }
    const changed = thread.members.delete(user);
    if (changed) this.#tables.prefs.forget(user, id);
    return ok({ ...standing, changed });
  }

  async summarize(parentId: ConversationId, seq: number): Promise<Revised | null> {
    const parent = this.#tables.conversations.get(parentId);
    const thread = threadsOf(this.#tables, parentId).find((one) => one.parent?.seq === seq);
    const root = parent?.messages[seq - 1];
    if (parent === undefined || parent.isDeleted || root === undefined) return null;
    if (thread === undefined || thread.messages.length === 0) return null;
    thread.parent!.summaryDueMs = null;
    const summary = summaryOf(thread);
    if (JSON.stringify(root.thread) === JSON.stringify(summary)) {
      return { message: { ...root }, changed: false, newlyMentioned: [] };
    }
    parent.versions.push({ ...root, replacedAtMs: this.#tables.nowMs() });
    root.rev = ++parent.rev;
    root.thread = summary;
    return { message: { ...root }, changed: true, newlyMentioned: [] };
  }

  #begins(thread: StoredConversation, user: string | null, readSeq: number): UserId | null {
    if (user === null || this.#tables.readableOf(user, thread.id) === undefined) return null;
    return begins(this.#tables, thread, user, readSeq) ? asUserId(user) : null;
  }
}

/** A message was sent into a thread: those who follow it since then. */
export function followByReply(
  tables: MemoryTables,
  thread: StoredConversation,
  { seq, sender_id, mentions = [] }: Message,
): Follower[] {
  if (thread.parent === null) return [];
  thread.parent.summaryDueMs = tables.nowMs() + SUMMARY_DUE_MS;
  const followed: Follower[] = [];
  for (const user of new Set([sender_id ?? "", ...mentions])) {
    const readSeq = user === sender_id ? seq : seq - 1;
    if (tables.readableOf(user, thread.id) === undefined) continue;
    if (begins(tables, thread, user, readSeq)) followed.push({ userId: asUserId(user), readSeq });
  }
  return followed;
}

/** A reply was deleted. */
export function replyDeleted(tables: MemoryTables, { parent }: StoredConversation): void {
  if (parent !== null) parent.summaryDueMs = tables.nowMs() + SUMMARY_DUE_MS;
}

/** A user has left the parent and its threads. With null the parent is deleted, with its threads. */
export function endFollowing(tables: MemoryTables, parentId: string, user: string | null): void {
  for (const thread of threadsOf(tables, parentId)) {
    for (const userId of user === null ? tables.prefs.usersOf(thread.id) : [user]) {
      tables.prefs.forget(userId, thread.id);
    }
    if (user === null) thread.members.clear();
    else thread.members.delete(user);
    if (user !== null || thread.isDeleted) continue;
    thread.isDeleted = true;
    thread.metaRev = ++thread.rev;
  }
}

export function threadsOf(tables: MemoryTables, parentId: string): StoredConversation[] {
  return [...tables.conversations.values()].filter(({ parent }) => parent?.id === parentId);
}

/** The thread as `reader` sees it. */
export function shownThreadTo(
  tables: MemoryTables,
  thread: StoredConversation,
  reader: string,
): Conversation {
  const parent = tables.conversations.get(thread.parent!.id)!;
  const own = thread.members.get(reader);
  const { kind: _, ...rules } = ruledOf(parent);
  const { role, silenced_until } = parent.members.get(reader)?.extra ?? {};
  return shownThread(
    shownConversation(thread),
    rules as Pick<Conversation, "owner_id" | "settings" | "permissions">,
    own && shownMember(own, reader),
    { ...(role && { role }), ...(silenced_until && { silenced_until }) },
    thread.members.size,
  );
}

export function openedThreads(tables: MemoryTables, user: string) {
  const own = tables
    .conversationsOf(user)
    .filter(({ parent }) => parent !== null)
    .sort((a, b) => ownActivityMsIn(b, user) - ownActivityMsIn(a, user));
  const unreadThreads: Unread[] = own
    .map(({ id, ...thread }) => ({
      conversation_id: id,
      ...standingIn({ id, ...thread }, user).standing,
    }))
    .filter(({ unread_count }) => unread_count > 0);
  return {
    threads: own.slice(0, LIVE_THREADS_MAX).map(
      ({ id, rev, parent }): OpenedThread => ({
        id: asConversationId(id),
        rev,
        parent: asConversationId(parent!.id),
      }),
    ),
    hasMoreThreads: own.length > LIVE_THREADS_MAX,
    unreadThreads,
  };
}

export class MemoryThreadQueries implements ThreadQueries {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async threads(reader: UserId, isUnread: boolean, limit: number, cursor: string | null) {
    const place = cursor === null ? null : decodePlace(cursor);
    if (place === undefined) return undefined;
    const rest = this.#tables
      .conversationsOf(reader)
      .filter(({ parent }) => parent !== null)
      .filter((stored) => !isUnread || standingIn(stored, reader).standing.unread_count > 0)
      .filter(
        ({ lastActivityMs, id }) =>
          place === null ||
          lastActivityMs < place.atMs ||
          (lastActivityMs === place.atMs && compareIds(id, place.id) < 0),
      );
    const page = rest.slice(0, limit);
    const last = page.at(-1);
    const isMore = rest.length > limit && last !== undefined;
    return {
      items: page.map((thread) => ({
        ...shownThreadTo(this.#tables, thread, reader),
        last_message: visibleIn(thread, shownFrom(thread, reader)).messages.at(-1) ?? null,
        ...standingIn(thread, reader).standing,
      })),
      next_cursor: isMore ? encodePlace({ atMs: last.lastActivityMs, id: last.id }) : null,
    };
  }

  async readableThreads(reader: UserId, ids: readonly ConversationId[]) {
    return ids.filter((id) => this.#tables.readableOf(reader, id) !== undefined);
  }

  async threadReaders(id: ConversationId, users: readonly UserId[]) {
    if (this.#tables.conversations.get(id)?.isDeleted) return [...users];
    return users.filter((user) => this.#tables.readableOf(user, id) !== undefined);
  }

  async claimSummaries(limit: number, leaseMs: number) {
    const nowMs = this.#tables.nowMs();
    const due = [...this.#tables.conversations.values()]
      .flatMap(({ parent }) => (parent === null ? [] : [parent]))
      .filter(({ summaryDueMs }) => summaryDueMs !== null && summaryDueMs <= nowMs)
      .slice(0, limit);
    for (const parent of due) parent.summaryDueMs = nowMs + leaseMs;
    return due.map(({ id, seq }) => ({ parent: asConversationId(id), seq }));
  }
}

function begins(
  tables: MemoryTables,
  thread: StoredConversation,
  user: string,
  readSeq: number,
): boolean {
  if (thread.members.has(user)) return false;
  const member = tables.newMember(user, thread.members);
  member.deliveredSeq = readSeq;
  member.readSeq = readSeq;
  member.ownActivityMs = tables.nowMs();
  thread.members.set(user, member);
  maskReads(tables, thread);
  return true;
}

function summaryOf({ id, messages }: StoredConversation): NonNullable<Message["thread"]> {
  const replies = messages.filter(
    ({ deleted_at, type }) => deleted_at === null && type !== "system",
  );
  const users = replies.flatMap(({ sender_id }) => sender_id ?? []).reverse();
  return {
    conversation_id: id,
    reply_count: replies.length,
    last_reply_at: replies.at(-1)?.created_at ?? null,
    last_user_ids: [...new Set(users)].slice(0, LAST_USERS_MAX),
  };
}

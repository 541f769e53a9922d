/**
 * The followers of a thread, who are its members: what a new message does for them, and what it
 * says to the parent. Nothing here does anything in a conversation that is no thread.
 *
 * [THF1] A new follower's own sessions receive the thread before the message that made them one.
 * [THF3] A follower's sessions receive the thread as it was stored, also where another activation
 *        wrote the last changes: an older `rev` would let them receive those once more.
 */
import type { UserId } from "../src/protocol/ids.ts";
import type { Conversation, Message } from "../src/protocol/schemas.ts";
import { shownThread } from "../src/protocol/threads.ts";
import type { Context } from "./behaviour.ts";
import { type ConversationState, stepAside } from "./conversation-state.ts";
import { announceFollowing } from "./following.ts";
import type { FollowedThread, Follower, ThreadStore } from "./ports.ts";

/** The thread as `user` sees it. */
export function shownTo(state: ConversationState, user: UserId): Conversation {
  const { conversation, members, thread } = state;
  if (thread === null) return conversation;
  const standing = thread.roles[user] ?? {};
  return shownThread(conversation, thread.rules, members.get(user), standing, members.size);
}

/** [THF1] `message` is not in `state` yet. */
export function newFollowers(
  state: ConversationState,
  followed: readonly Follower[],
  message: Message,
  ctx: Context,
): void {
  for (const { userId, readSeq } of followed) {
    state.members.set(userId, {
      user_id: userId,
      delivered_seq: readSeq,
      read_seq: readSeq,
    });
  }
  for (const { userId, readSeq } of followed) {
    const before = shownTo(state, userId);
    const last_seq = message.seq - 1;
    const { last_n: _, ...base } = before;
    const { last_seq: known, last_n } = state.conversation;
    const members = before.members.map((member) => ({
      ...member,
      delivered_seq: Math.min(readSeq, last_seq),
      read_seq: Math.min(readSeq, last_seq),
    }));
    announceFollowing(
      userId,
      {
        ...base,
        members,
        rev: message.rev - 1,
        last_seq,
        ...(known === last_seq && last_n !== undefined && { last_n }),
      },
      true,
      ctx,
    );
  }
}

/** An edit named members of the parent first. Best effort, as their notification is. */
export function mentionedInThread(
  store: ThreadStore,
  state: ConversationState,
  { seq }: Message,
  users: readonly UserId[],
  ctx: Context,
): void {
  if (state.thread === null) return;
  for (const user of users) {
    if (state.members.has(user)) continue;
    ctx.run(
      store.follow(state.id, user, true, seq),
      (result) => {
        if (!result.ok || !result.value.changed) return;
        catchUp(state, result.value, ctx);
        const cursor = { delivered_seq: seq - 1, read_seq: seq - 1 };
        state.members.set(user, { user_id: user, ...cursor });
        announceFollowing(user, shownTo(state, user), true, ctx);
      },
      () => undefined,
    );
  }
}

/** [THF3] */
export function catchUp(
  state: ConversationState,
  { rev, last_seq, last_n }: FollowedThread,
  ctx: Context,
): void {
  if (rev <= state.conversation.rev) return;
  const { last_n: _, ...base } = state.conversation;
  state.conversation = { ...base, rev, last_seq, ...(last_n !== undefined && { last_n }) };
  stepAside(state, ctx);
}

/** There is another number of replies, or another last one. */
export function repliesChanged({ thread }: ConversationState, ctx: Context): void {
  if (thread === null) return;
  const parent = { kind: "conversation" as const, id: thread.parent };
  ctx.tell(parent, "thread_changed", { seq: thread.root });
}

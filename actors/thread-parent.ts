/**
 * The part of a conversation's actor that serves its threads: it makes them and judges the acts of
 * users in them. Only this actor knows membership, roles, blocks and slow mode, so that a change
 * applies to every thread from the same moment on.
 *
 * [THP1] A thread's actor asks this one before every act, with one ask and no read of storage. A user
 *        who is no member, or may not see the root, is refused as if there were no such conversation.
 * [THP2] Slow mode counts sends here and in all threads together.
 * [THP3] Where there are threads, a departure is announced to the edges: sessions of users who
 *        have left receive nothing of those threads any more.
 */
import type {
  ConversationOps,
  ThreadQuestion,
  ThreadsLeftOrder,
  ThreadVerdict,
} from "../src/protocol/actor-ops.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import type { ConversationId, UserId } from "../src/protocol/ids.ts";
import { roleIn, silencedUntil } from "../src/protocol/permissions.ts";
import type { Conversation, Member, Message } from "../src/protocol/schemas.ts";
import { shownThread, type ThreadStanding } from "../src/protocol/threads.ts";
import { epochMsOf } from "../src/protocol/time.ts";
import { topicOf } from "../src/protocol/topics.ts";
import type { Context, Reply } from "./behaviour.ts";
import type { ConversationState } from "./conversation-state.ts";
import { deletionRights } from "./deletion.ts";
import { announceFollowing } from "./following.ts";
import { announceTo } from "./joined.ts";
import type { ConversationStore, ThreadStore } from "./ports.ts";
import { type MemberAct, refusalFor } from "./rights.ts";
import { sendInPace } from "./slow-mode.ts";

export function createThread(
  state: ConversationState,
  body: ConversationOps["create_thread"]["body"],
  reply: Reply,
  store: ThreadStore,
  ctx: Context,
): void {
  ctx.run(
    store.create(state.id, body.seq, body.user),
    (result) => {
      if (!result.ok) {
        reply.refuse(result.error);
        return;
      }
      const { created, thread, follower } = result.value;
      if (follower !== null) {
        announceFollowing(follower, shownTo(state, thread, follower), true, ctx);
      }
      reply.ok({ created, conversation: shownTo(state, thread, body.user) });
    },
    () => reply.refuse(REFUSALS.unavailable.error),
  );
}

/** [THP1] */
export function judgeThread(
  state: ConversationState,
  question: ThreadQuestion,
  reply: Reply,
  store: ConversationStore,
  ctx: Context,
): void {
  const { user, thread, root, act, on, all, client_id } = question;
  const member = state.members.get(user);
  if (member === undefined || (member.visible_from_seq ?? 1) > root) {
    reply.refuse(REFUSALS.conversationNotFound.error);
    return;
  }
  const asked = { user, ...(on !== undefined && { on }), ...(all !== undefined && { all }) };
  const refusal = refusalFor(state, act as MemberAct, asked, ctx.wallMs);
  if (refusal !== null) {
    reply.refuse(refusal);
    return;
  }
  const verdict: ThreadVerdict = {
    rules: rulesOf(state.conversation),
    standing: { ...standingOf(state, member, ctx), role: roleIn(state.conversation, member) },
    departures: state.departures,
    ...(question.roles && { roles: rolesIn(state, ctx) }),
    ...(act === "delete" && { deletes: deletionRights(state.conversation, user) }),
  };
  if (act !== "send" || client_id === undefined) {
    reply.ok(verdict);
    return;
  }
  // [THP2]
  const pace = { id: thread, conversation: state.conversation, pace: state.pace };
  const paced = {
    lastSends: (_: ConversationId, withinMs: number) => store.lastSends(state.id, withinMs),
    sent: (id: ConversationId, by: UserId, clientId: string) => store.sent(id, by, clientId),
  };
  const sent: Reply = {
    ok: (answer) => {
      const { message } = answer as { message?: Message };
      reply.ok(message === undefined ? answer : { ...verdict, sent: message });
    },
    okText: (text, rev) => reply.okText(text, rev),
    refuse: (error) => reply.refuse(error),
  };
  const { role } = verdict.standing;
  sendInPace(pace, role, { user, client_id }, sent, paced, ctx, (counted) => counted.ok(verdict));
}

/** [THP2] A send that was counted was not made. */
export function replyFailed({ pace }: ConversationState, user: UserId): void {
  pace.lastAt?.delete(user);
}

/** [THP3] `users` null: the conversation is deleted. */
export function announceThreadsLeft(
  id: ConversationId,
  users: UserId[] | null,
  ctx: Context,
): void {
  const orderTo = (user_ids: UserId[] | null): ThreadsLeftOrder => ({
    user_ids,
    conversation_id: id,
  });
  if (users !== null) {
    announceTo("threads_left", users, ctx, orderTo);
    return;
  }
  ctx.publish(topicOf.memberships(), {
    name: "threads_left",
    rev: 0,
    body: JSON.stringify(orderTo(null)),
  });
}

function rulesOf({ owner_id, settings, permissions }: Conversation): ThreadVerdict["rules"] {
  return {
    owner_id,
    ...(settings !== undefined && { settings }),
    ...(permissions !== undefined && { permissions }),
  };
}

function standingOf({ conversation }: ConversationState, member: Member, ctx: Context) {
  const until = silencedUntil(member, epochMsOf(ctx.wallMs));
  return {
    role: roleIn(conversation, member),
    ...(until !== null && { silenced_until: until }),
  };
}

/** The roles and silences of members who have one of their own. */
function rolesIn(state: ConversationState, ctx: Context): { [user_id: string]: ThreadStanding } {
  const roles: { [user_id: string]: ThreadStanding } = {};
  for (const [user, member] of state.members) {
    if (member.role === undefined && member.silenced_until === undefined) continue;
    roles[user] = standingOf(state, member, ctx);
  }
  return roles;
}

function shownTo(state: ConversationState, thread: Conversation, user: UserId): Conversation {
  const member = state.members.get(user);
  const own = thread.members.find(({ user_id }) => user_id === user);
  const role = member?.role;
  const until = member?.silenced_until;
  const standing = {
    ...(role !== undefined && { role }),
    ...(until !== undefined && { silenced_until: until }),
  };
  return shownThread(thread, rulesOf(state.conversation), own, standing, thread.members.length);
}

/**
 * The conversation actor of a thread. Its members are its followers. The present members of the
 * parent may read it and speak in it: the parent's actor is asked before anything is done.
 *
 * [THR1] The parent's actor judges each act of a user at that moment (thread-parent.ts); then it is
 *        done here as in any conversation. Storage looks at the membership once more.
 * [THR2] A send with the `client_id` of one that is being judged waits for it.
 * [THR3] Marks of a user who does not follow answer zeros and keep nothing.
 * [THR4] An act that a thread cannot do is `conflict`, to every user who may read it.
 * [THR5] Where members have left the parent, and once after the activation, the followers are read
 *        again first: there is no row of a user who has left the parent.
 */
import type { ConversationOps, ThreadQuestion, ThreadVerdict } from "../src/protocol/actor-ops.ts";
import { REFUSALS, refused } from "../src/protocol/errors.ts";
import type { ConversationId, UserId } from "../src/protocol/ids.ts";
import type { Role } from "../src/protocol/permissions.ts";
import type { Conversation, Member } from "../src/protocol/schemas.ts";
import type { Context, Reply } from "./behaviour.ts";
import type { ConversationState, ThreadState } from "./conversation-state.ts";
import { announceFollowing } from "./following.ts";
import { join } from "./joins.ts";
import { SENDS_IN_FLIGHT_MAX } from "./limits.ts";
import { mark } from "./marks.ts";
import type { messageOps } from "./messages.ts";
import type { ActorPorts } from "./ports.ts";
import { announceForgotten } from "./prefs.ts";
import type { MemberAct } from "./rights.ts";
import { signal, signalAudience } from "./signals.ts";
import { writersIn } from "./stream-rights.ts";
import { catchUp, shownTo } from "./thread-followers.ts";

type Body<O extends keyof ConversationOps> = ConversationOps[O]["body"];

export interface ThreadRoom {
  ports: ActorPorts;
  messages: ReturnType<typeof messageOps>;
  typing(state: ConversationState, body: Body<"typing">, reply: Reply, ctx: Context): void;
  /** The user may not write any more. */
  endStreamsOf(state: ConversationState, user: UserId, ctx: Context): void;
  /** What concerns streams; false: the operation is another one. */
  stream(
    state: ConversationState,
    act: MemberAct,
    body: { user: UserId },
    role: Role,
    reply: Reply,
    ctx: Context,
  ): boolean;
  react(
    state: ConversationState,
    body: Body<"react">,
    settings: Conversation["settings"],
    reply: Reply,
    ctx: Context,
  ): void;
}

const FIXED = refused("conflict", "A thread has neither that nor a change of it.");
const NO_SUCH_SEQ = refused("invalid_payload", "seq is past the conversation's last message.");

/** Nobody waits for what the parent says. */
const UNHEARD: Reply = {
  ok: () => undefined,
  okText: () => undefined,
  refuse: () => undefined,
};

export function threadStateOf({ parent, owner_id }: Conversation): ThreadState | null {
  if (parent === undefined) return null;
  return {
    parent: parent.conversation_id as ConversationId,
    root: parent.seq,
    rules: { owner_id },
    roles: {},
    departures: null,
    asked: 0,
    judging: new Map(),
  };
}

/** Acts that the parent judges by their own name; it judges the others as reading. */
const JUDGED: ReadonlySet<string> = new Set([
  "send",
  "edit",
  "append",
  "end",
  "delete",
  "pin",
  "mark",
  "typing",
  "signal",
  "signal_audience",
  "react",
]);

export function receiveInThread(
  state: ConversationState,
  thread: ThreadState,
  act: MemberAct,
  body: { user: UserId },
  reply: Reply,
  room: ThreadRoom,
  ctx: Context,
): void {
  if (act === "send") {
    receiveSend(state, thread, body as Body<"send">, reply, room, ctx);
    return;
  }
  askParent(state, thread, act, body, reply, room, ctx, (verdict) =>
    perform(state, verdict, act, body, reply, room, ctx),
  );
}

function receiveSend(
  state: ConversationState,
  thread: ThreadState,
  body: Body<"send">,
  reply: Reply,
  room: ThreadRoom,
  ctx: Context,
): void {
  const { messages } = room;
  const key = `${body.user}\n${body.client_id}`;
  if (state.sending.has(key)) {
    // [CNV2] It shares the outcome of the first one, so the role does not matter.
    messages.send(state, "reader", body, reply, ctx);
    return;
  }
  const again = thread.judging.get(key);
  if (again !== undefined) {
    again.push(() => receiveSend(state, thread, body, reply, room, ctx));
    return;
  }
  thread.judging.set(key, []);
  const judged = () => {
    const waiting = thread.judging.get(key) ?? [];
    thread.judging.delete(key);
    for (const next of waiting) next();
  };
  const refusing: Reply = {
    ok: (value, rev) => reply.ok(value, rev),
    okText: (text, rev) => reply.okText(text, rev),
    refuse(error) {
      reply.refuse(error);
      judged();
    },
  };
  askParent(state, thread, "send", body, refusing, room, ctx, (verdict) => {
    const { sent, standing, rules } = verdict;
    if (sent !== undefined) reply.ok({ message: sent, duplicate: true }, sent.rev);
    else {
      const isSlow = (rules.settings?.slow_mode_s ?? 0) > 0;
      const counted = isSlow ? counting(thread, body.user, reply, ctx) : reply;
      messages.send(state, standing.role, body, counted, ctx);
    }
    judged();
  });
}

/** Where a send that the parent has counted is not made, the parent receives that. */
function counting(thread: ThreadState, user: UserId, reply: Reply, ctx: Context): Reply {
  const parent = { kind: "conversation" as const, id: thread.parent };
  const undo = () => ctx.tell(parent, "reply_failed", { user });
  return {
    ok: (value, rev) => reply.ok(value, rev),
    okText(text, rev) {
      if (text.endsWith('"duplicate":true}')) undo();
      reply.okText(text, rev);
    },
    refuse(error) {
      undo();
      reply.refuse(error);
    },
  };
}

/** [THR1] */
function askParent(
  state: ConversationState,
  thread: ThreadState,
  act: MemberAct,
  body: { user: UserId; on?: boolean; all?: true; client_id?: string; body?: string },
  reply: Reply,
  room: ThreadRoom,
  ctx: Context,
  done: (verdict: ThreadVerdict) => void,
): void {
  if (thread.asked >= SENDS_IN_FLIGHT_MAX) {
    reply.refuse(REFUSALS.unavailable.error);
    return;
  }
  const { user, on, all, client_id } = body;
  const question: ThreadQuestion = {
    user,
    thread: state.id,
    root: thread.root,
    act: JUDGED.has(act) ? act : "join",
    ...(act === "react" && { on: on === true, ...(all === true && { all }) }),
    ...(act === "send" && client_id !== undefined && { client_id }),
    // Those who are mentioned begin to follow, and see their own role.
    ...(body.body?.includes("@") && { roles: true as const }),
  };
  thread.asked++;
  const parent = { kind: "conversation" as const, id: thread.parent };
  ctx.ask(parent, "judge_thread", question, (answer) => {
    thread.asked--;
    if (!answer.ok) {
      reply.refuse(answer.error);
      const isOver = answer.error.code === "forbidden" || answer.error.code === "not_found";
      if (act === "append" && isOver) room.endStreamsOf(state, user, ctx);
      return;
    }
    const verdict = answer.value;
    thread.rules = verdict.rules;
    if (verdict.roles !== undefined) thread.roles = verdict.roles;
    thread.roles[user] = verdict.standing;
    const { settings: _settings, permissions: _permissions, ...base } = state.conversation;
    state.conversation = { ...base, ...verdict.rules };
    if (thread.departures === verdict.departures) done(verdict);
    else readFollowers(state, thread, verdict, reply, room, ctx, done);
  });
}

/** [STQ2] The parent has changed: streams end whose writers may not write here any more. */
export function judgeWriters(
  state: ConversationState,
  thread: ThreadState,
  room: ThreadRoom,
  ctx: Context,
): void {
  for (const user of writersIn(state)) {
    askParent(state, thread, "append", { user }, UNHEARD, room, ctx, () => undefined);
  }
}

/** [THR5] */
function readFollowers(
  state: ConversationState,
  thread: ThreadState,
  verdict: ThreadVerdict,
  reply: Reply,
  { ports }: ThreadRoom,
  ctx: Context,
  done: (verdict: ThreadVerdict) => void,
): void {
  thread.asked++;
  ctx.run(
    ports.conversations.load(state.id),
    (conversation) => {
      thread.asked--;
      if (conversation === null) {
        reply.refuse(REFUSALS.conversationNotFound.error);
        ctx.passivate();
        return;
      }
      thread.departures = verdict.departures;
      const members = conversation.members.map((member): [UserId, Member] => {
        const known = state.members.get(member.user_id as UserId);
        return [member.user_id as UserId, newest(member, known)];
      });
      state.members = new Map(members);
      done(verdict);
    },
    () => {
      thread.asked--;
      reply.refuse(REFUSALS.unavailable.error);
    },
  );
}

function newest(member: Member, known: Member | undefined): Member {
  return {
    ...member,
    delivered_seq: Math.max(member.delivered_seq, known?.delivered_seq ?? 0),
    read_seq: Math.max(member.read_seq, known?.read_seq ?? 0),
  };
}

function perform(
  state: ConversationState,
  verdict: ThreadVerdict,
  act: MemberAct,
  body: { user: UserId },
  reply: Reply,
  room: ThreadRoom,
  ctx: Context,
): void {
  const { ports, messages } = room;
  const { user } = body;
  if (room.stream(state, act, body, verdict.standing.role, reply, ctx)) return;
  switch (act) {
    case "edit":
      messages.edit(state, verdict.standing.role, body as Body<"edit">, reply, ctx);
      break;
    case "delete":
      messages.remove(state, body as Body<"delete">, reply, ctx, verdict.deletes);
      break;
    case "pin":
      messages.pin(state, body as Body<"pin">, reply, ctx);
      break;
    case "mark":
      markInThread(state, body as Body<"mark">, reply, room, ctx);
      break;
    case "typing":
      room.typing(state, body as Body<"typing">, reply, ctx);
      break;
    case "signal":
      signal(state, body as Body<"signal">, reply, ctx);
      break;
    case "signal_audience":
      signalAudience(state, reply);
      break;
    case "react":
      room.react(state, body as Body<"react">, verdict.rules.settings, reply, ctx);
      break;
    case "join":
      join(state, body as Body<"join">, reply, ports, ctx, () => shownTo(state, user));
      break;
    case "follow":
      setFollowing(state, body as Body<"follow">, reply, room, ctx);
      break;
    default:
      // [THR4]
      reply.refuse(FIXED.error);
  }
}

/** A moderator of the server bans a user by a message of theirs in the thread. */
export function banFromParent(
  { parent }: ThreadState,
  body: Body<"moderator_ban">,
  reply: Reply,
  ctx: Context,
): void {
  ctx.ask({ kind: "conversation" as const, id: parent }, "moderator_ban", body, (answer) => {
    if (answer.ok) reply.ok(answer.value);
    else reply.refuse(answer.error);
  });
}

/** [THR3] */
function markInThread(
  state: ConversationState,
  body: Body<"mark">,
  reply: Reply,
  { ports }: ThreadRoom,
  ctx: Context,
): void {
  const member = state.members.get(body.user);
  if (member !== undefined) {
    mark(ports.conversations, state, member, body, reply, ctx);
    return;
  }
  if (body.seq > state.conversation.last_seq) {
    reply.refuse(NO_SUCH_SEQ.error);
    return;
  }
  const zeros = { delivered_seq: 0, read_seq: 0 };
  reply.ok(body.read ? { ...zeros, unread_count: 0 } : zeros);
}

function setFollowing(
  state: ConversationState,
  { user, on }: Body<"follow">,
  reply: Reply,
  { ports }: ThreadRoom,
  ctx: Context,
): void {
  ctx.run(
    ports.threads.follow(state.id, user, on, null),
    (result) => {
      if (!result.ok) {
        reply.refuse(result.error);
        return;
      }
      catchUp(state, result.value, ctx);
      const { last_seq } = state.conversation;
      if (on && !state.members.has(user)) {
        state.members.set(user, { user_id: user, delivered_seq: last_seq, read_seq: last_seq });
      } else if (!on) state.members.delete(user);
      if (result.value.changed) {
        announceFollowing(user, shownTo(state, user), on, ctx);
        if (!on) announceForgotten(state.id, [user], ports.prefs, ctx);
      }
      reply.ok({ conversation: shownTo(state, user) });
    },
    () => reply.refuse(REFUSALS.unavailable.error),
  );
}

/**
 * What a member asks of a conversation, once it has been judged: each act by the part of the actor
 * that does it. Used for conversations whose actor knows all members, and for channels.
 */
import type { ConversationOps } from "../src/protocol/actor-ops.ts";
import { refused } from "../src/protocol/errors.ts";
import type { UserId } from "../src/protocol/ids.ts";
import { type Role, roleIn } from "../src/protocol/permissions.ts";
import type { Conversation, Member } from "../src/protocol/schemas.ts";
import type { Context, Reply } from "./behaviour.ts";
import type { ConversationState } from "./conversation-state.ts";
import { askChange, type ChangesRules, callOf } from "./gathered-changes.ts";
import { createInvite, endInvite } from "./invites.ts";
import { join } from "./joins.ts";
import { mark } from "./marks.ts";
import type { messageOps } from "./messages.ts";
import type { ActorPorts } from "./ports.ts";
import type { MemberAct } from "./rights.ts";
import { signal, signalAudience } from "./signals.ts";
import { createThread } from "./thread-parent.ts";

type Body<O extends keyof ConversationOps> = ConversationOps[O]["body"];

const NO_THREAD = refused("conflict", "Only a thread can be followed.");

export interface ActRoom {
  ports: ActorPorts;
  messages: ReturnType<typeof messageOps>;
  changes: ChangesRules<ConversationState>;
  typing(state: ConversationState, body: Body<"typing">, reply: Reply, ctx: Context): void;
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

/** `member`: of the user who asks. */
export function perform(
  state: ConversationState,
  member: Member,
  act: MemberAct,
  body: { user: UserId },
  reply: Reply,
  { ports, messages, changes, typing, stream, react }: ActRoom,
  ctx: Context,
): void {
  const store = ports.conversations;
  const role = roleIn(state.conversation, member);
  const asked: unknown = body;
  if (stream(state, act, body, role, reply, ctx)) return;
  switch (act) {
    case "send":
      messages.admitSend(state, member, asked as Body<"send">, reply, ctx);
      break;
    case "edit":
      messages.edit(state, role, asked as Body<"edit">, reply, ctx);
      break;
    case "delete":
      messages.remove(state, asked as Body<"delete">, reply, ctx);
      break;
    case "pin":
      messages.pin(state, asked as Body<"pin">, reply, ctx);
      break;
    case "mark":
      mark(store, state, member, asked as Body<"mark">, reply, ctx);
      break;
    case "typing":
      typing(state, asked as Body<"typing">, reply, ctx);
      break;
    case "signal":
      signal(state, asked as Body<"signal">, reply, ctx);
      break;
    case "signal_audience":
      signalAudience(state, reply);
      break;
    case "join":
      join(state, asked as Body<"join">, reply, ports, ctx);
      break;
    case "react":
      react(state, asked as Body<"react">, state.conversation.settings, reply, ctx);
      break;
    case "create_thread":
      createThread(state, asked as Body<"create_thread">, reply, ports.threads, ctx);
      break;
    case "follow":
      reply.refuse(NO_THREAD.error);
      break;
    case "update":
    case "update_member":
    case "add_members":
    case "remove_member":
    case "ban":
    case "unban":
    case "delete_conversation":
      askChange(state, { call: callOf(act, asked, body.user), reply }, changes, ctx);
      break;
    case "create_invite":
      createInvite(state.id, asked as Body<"create_invite">, reply, store, ctx);
      break;
    case "end_invite":
      endInvite(state.id, asked as Body<"end_invite">, reply, store, ctx);
      break;
    default:
      throw new Error(`conversation actor: unknown op ${act}`);
  }
}

/**
 * The messages of a conversation's actor: sends, edits, deletions and pins. Each is committed
 * first, then published, then answered; see conversation.ts.
 *
 * [CNV2] One `client_id` of one sender makes one message, also while the first is on its way.
 * [CNV4] A reply names a message that exists.
 * [MSG2] A system message moves nobody's cursors and notifies nobody. Roles, blocks and settings do
 *        not keep a service from sending one.
 * [MEN1] Those whom a message mentions are notified once: by its send, or by the edit that named
 *        them first. A silent message notifies nobody.
 * [MEN2] In a channel `@all` notifies nobody.
 */
import type { ConversationOps, DeletionRights } from "../src/protocol/actor-ops.ts";
import { type ErrorObject, REFUSALS, refused } from "../src/protocol/errors.ts";
import type { Hooks, HookVerdict } from "../src/protocol/hooks.ts";
import type { SessionId, UserId } from "../src/protocol/ids.ts";
import { type Role, roleIn } from "../src/protocol/permissions.ts";
import type { Member, Message } from "../src/protocol/schemas.ts";
import type { Context, Reply } from "./behaviour.ts";
import { type ConversationState, follow } from "./conversation-state.ts";
import { deletionRights } from "./deletion.ts";
import { advance } from "./delivery.ts";
import {
  afterHeld,
  askedBy,
  editQuestion,
  hold,
  replacedEdit,
  replacedSend,
  sendQuestion,
} from "./held-messages.ts";
import { SENDS_IN_FLIGHT_MAX } from "./limits.ts";
import { notifyUsers } from "./mentions.ts";
import type { ActorPorts, Revised } from "./ports.ts";
import { doubtPrefs, publishUnmarked } from "./prefs.ts";
import { remember } from "./ring.ts";
import { contentOf, mentionsBy, mentionsIn } from "./sent-content.ts";
import { serverChanges } from "./server-changes.ts";
import { sendInPace } from "./slow-mode.ts";
import type { SocialPorts } from "./social-ports.ts";
import type { TextJudge } from "./stream-ports.ts";
import { takePlace } from "./stream-state.ts";
import { asStreamed, type StreamsRules } from "./stream-writes.ts";
import { appendText, endStream, streamOpened } from "./streams.ts";
import { mentionedInThread, newFollowers, repliesChanged } from "./thread-followers.ts";
import { typingChanged } from "./typing-notices.ts";

type Body<O extends keyof ConversationOps> = ConversationOps[O]["body"];

const NO_SUCH_REPLY = refused("invalid_payload", "reply_to_seq names no message here.");

/** The count of the newest message; see protocol/unread.ts. */
function takeLast(state: ConversationState, { seq, n }: Message): void {
  const { conversation } = state;
  if (seq <= conversation.last_seq) return;
  conversation.last_seq = seq;
  if (n === undefined) delete conversation.last_n;
  else conversation.last_n = n;
}

/** Publishes a committed system message, up to whose rev the state has come. */
export function publishSystem(state: ConversationState, message: Message, ctx: Context): void {
  if (state.ring !== null) remember(state.ring, message);
  ctx.publish(state.topic, {
    name: "message",
    rev: message.rev,
    body: JSON.stringify(message),
  });
}

export function messageOps(
  ports: ActorPorts & SocialPorts,
  hooks: Hooks | null,
  judge: TextJudge | null,
) {
  const store = ports.conversations;
  const streams: StreamsRules = {
    store: ports.streams,
    judge,
    mentions: mentionsBy,
    publish: publishStreamed,
  };
  const unavailable = (reply: Reply) => () => reply.refuse(REFUSALS.unavailable.error);

  /** `role`: the sender's. The caller has judged the send. */
  function send(
    state: ConversationState,
    role: Role,
    body: Body<"send">,
    reply: Reply,
    ctx: Context,
  ): void {
    if (body.reply_to_seq !== null && body.reply_to_seq > state.conversation.last_seq) {
      reply.refuse(NO_SUCH_REPLY.error);
      return;
    }
    const key = `${body.user}\n${body.client_id}`;
    const waiting = state.sending.get(key);
    if (waiting !== undefined) {
      waiting.push(reply);
      return;
    }
    if (state.sending.size >= SENDS_IN_FLIGHT_MAX) {
      reply.refuse(REFUSALS.unavailable.error);
      return;
    }
    const others: Reply[] = [];
    state.sending.set(key, others);
    if (hooks === null || body.isService === true || !hooks.wants("message.send")) {
      append(state, role, body, key, reply, others, ctx);
      return;
    }
    const { user, client_id } = body;
    const asked = {
      type: "message.send" as const,
      caller: askedBy(body, role),
      data: sendQuestion(state.id, body),
      isDone: async () => (await store.sent(state.id, user, client_id)) !== null,
    };
    const goOn = (verdict: HookVerdict) => {
      if (verdict.is === "refuse") {
        state.sending.delete(key);
        for (const each of [reply, ...others]) each.refuse(verdict.error);
      } else append(state, role, replacedSend(body, verdict), key, reply, others, ctx);
    };
    hold(state.held, hooks, asked, goOn, ctx);
  }

  function append(
    state: ConversationState,
    role: Role,
    body: Body<"send">,
    key: string,
    reply: Reply,
    others: Reply[],
    ctx: Context,
  ): void {
    const content = contentOf(state, role, body.body, body.content ?? {});
    const place = content?.isStream ? takePlace(state, body) : undefined;
    if (typeof place === "object") {
      refuseStream(state, body, key, place, [reply, ...others], ctx);
      return;
    }
    const appended = store.append({
      conversationId: state.id,
      senderId: body.user,
      clientId: body.client_id,
      body: body.body,
      replyToSeq: body.reply_to_seq,
      ...(content && { content }),
    });
    ctx.run(
      appended,
      (result) => {
        state.sending.delete(key);
        place?.();
        if (!result.ok) {
          for (const each of [reply, ...others]) each.refuse(result.error);
          return;
        }
        const { message, duplicate, unmarked, followed } = result.value;
        const text = JSON.stringify(message);
        if (followed !== undefined) newFollowers(state, followed, message, ctx);
        if (duplicate) {
          reply.okText(`{"message":${text},"duplicate":true}`, message.rev);
        } else {
          onAppended(state, message, text, body.session, ctx);
          if (content?.isStream) streamOpened(state, message, streams, ctx);
          reply.okText(`{"message":${text}}`, message.rev);
        }
        publishUnmarked(body.user, unmarked, ctx);
        for (const each of others) {
          each.okText(`{"message":${text},"duplicate":true}`, message.rev);
        }
      },
      () => {
        state.sending.delete(key);
        place?.();
        doubtPrefs(body.user, ctx);
        for (const each of [reply, ...others]) each.refuse(REFUSALS.unavailable.error);
      },
    );
  }

  /** No further stream may be opened: only one that was sent before is answered. */
  function refuseStream(
    state: ConversationState,
    { user, client_id }: Body<"send">,
    key: string,
    refusal: ErrorObject,
    replies: Reply[],
    ctx: Context,
  ): void {
    const answer = (each: (reply: Reply) => void) => {
      state.sending.delete(key);
      for (const reply of replies) each(reply);
    };
    ctx.run(
      store.sent(state.id, user, client_id),
      (message) =>
        answer((reply) => {
          if (message === null) reply.refuse(refusal);
          else reply.ok({ message, duplicate: true }, message.rev);
        }),
      () => answer((reply) => reply.refuse(REFUSALS.unavailable.error)),
    );
  }

  /** [MSG2] */
  function serviceSend(
    state: ConversationState,
    { subject, client_id, body, reply_to_seq, content }: Body<"service_send">,
    reply: Reply,
    ctx: Context,
  ): void {
    const { expire_in_s, ...rest } = content;
    const asked = {
      conversationId: state.id,
      subject,
      clientId: client_id,
      body,
      replyToSeq: reply_to_seq,
      content: { ...rest, ...(expire_in_s && { expireInS: expire_in_s }) },
    };
    ctx.run(
      store.appendForService(asked),
      (result) => {
        if (!result.ok) {
          reply.refuse(result.error);
          return;
        }
        const { message, duplicate } = result.value;
        if (!duplicate) {
          follow(state, message.rev, ctx);
          takeLast(state, message);
          publishSystem(state, message, ctx);
        }
        reply.ok({ message, ...(duplicate && { duplicate }) }, message.rev);
      },
      unavailable(reply),
    );
  }

  /** [SLW1] A repetition of a send that is on its way is no new message. */
  function admitSend(
    state: ConversationState,
    member: Member,
    body: Body<"send">,
    reply: Reply,
    ctx: Context,
  ): void {
    const role = roleIn(state.conversation, member);
    if (state.sending.has(`${body.user}\n${body.client_id}`)) {
      send(state, role, body, reply, ctx);
      return;
    }
    sendInPace(state, role, body, reply, store, ctx, (counted) =>
      send(state, role, body, counted, ctx),
    );
  }

  function onAppended(
    state: ConversationState,
    message: Message,
    text: string,
    session: SessionId | "",
    ctx: Context,
  ): void {
    follow(state, message.rev, ctx);
    takeLast(state, message);
    const by = message.sender_id as UserId;
    const sender = state.members.get(by);
    const isRead = !state.masked.has(by);
    if (sender !== undefined) Object.assign(sender, advance(sender, message.seq, isRead));
    if (state.ring !== null) remember(state.ring, message);
    if (state.typing.size > 0) typingChanged(state, { type: "sent", user: by }, ctx);
    ctx.publish(state.topic, {
      name: "message",
      rev: message.rev,
      body: text,
      except: session,
      note: `c${message.client_id}`,
    });
    repliesChanged(state, ctx);
    if (message.mentions !== undefined || message.mention_all) {
      notify(state, message, message.mentions ?? [], message.mention_all === true, ctx);
    }
  }

  /** [MEN1] `isAll`: all members learn of it, and not only those who are named. */
  function notify(
    state: ConversationState,
    message: Message,
    named: readonly string[],
    isAll: boolean,
    ctx: Context,
  ): void {
    if (message.silent) return;
    // [MEN2]
    const all = isAll && state.channel === null ? state.members.keys() : [];
    const users = [...new Set([...(named as UserId[]), ...all])];
    const data = { conversation_id: state.id, seq: message.seq };
    const where = { post_id: null, comment_id: null, data, conversation_id: state.id };
    notifyUsers(ports, { by: message.sender_id as UserId, where }, users, ctx);
  }

  /** The message as JSON text. */
  function publishRevised(
    state: ConversationState,
    { message: stored, newlyMentioned }: Revised,
    session: SessionId | "",
    ctx: Context,
    isForAll = false,
  ): string {
    const message = state.streams === null ? stored : asStreamed(state, stored, ctx);
    follow(state, message.rev, ctx);
    if (state.ring !== null) remember(state.ring, message);
    const text = JSON.stringify(message);
    ctx.publish(state.topic, {
      name: "message_updated",
      rev: message.rev,
      body: text,
      except: session,
      note: `s${message.seq}`,
    });
    if (message.deleted_at !== null) repliesChanged(state, ctx);
    if (newlyMentioned.length > 0 || isForAll) {
      mentionedInThread(ports.threads, state, message, newlyMentioned, ctx);
      notify(state, message, newlyMentioned, isForAll, ctx);
    }
    return text;
  }

  /** [MEN1] At the end of a stream those whom it mentions are notified. */
  function publishStreamed(
    state: ConversationState,
    revised: Revised,
    session: SessionId | "",
    ctx: Context,
  ): string {
    const { message } = revised;
    const isForAll = message.mention_all === true && message.stream?.state !== "open";
    return publishRevised(state, revised, session, ctx, isForAll);
  }

  function revise(
    state: ConversationState,
    { user, seq, session }: { user: UserId; seq: number; session: SessionId | "" },
    change: Parameters<typeof store.revise>[3],
    reply: Reply,
    ctx: Context,
  ): void {
    ctx.run(
      store.revise(state.id, seq, user, change),
      (result) => {
        if (!result.ok) reply.refuse(result.error);
        else if (result.value.changed) {
          const text = publishRevised(state, result.value, session, ctx);
          reply.okText(`{"message":${text}}`, result.value.message.rev);
        } else {
          // It was so already: the answer stands for an earlier change.
          const { message } = result.value;
          reply.ok({ message }, message.rev);
        }
      },
      unavailable(reply),
    );
  }

  function edit(
    state: ConversationState,
    role: Role,
    body: Body<"edit">,
    reply: Reply,
    ctx: Context,
  ): void {
    if (hooks === null || body.isService === true || !hooks.wants("message.edit")) {
      editNow(state, role, body, reply, ctx);
      return;
    }
    const data = editQuestion(state.id, body);
    const goOn = (verdict: HookVerdict) => {
      if (verdict.is === "refuse") reply.refuse(verdict.error);
      else editNow(state, role, replacedEdit(body, verdict), reply, ctx);
    };
    const caller = askedBy(body, role);
    hold(state.held, hooks, { type: "message.edit", caller, data, isDone: null }, goOn, ctx);
  }

  /** Text for an open stream; `role` is the sender's. */
  function extend(
    state: ConversationState,
    role: Role,
    body: Body<"append">,
    reply: Reply,
    ctx: Context,
  ): void {
    const goOn = () => appendText(state, body, reply, streams, ctx);
    if (hooks === null || body.isService === true || !hooks.wants("message.append")) {
      goOn();
      return;
    }
    const { seq, offset, text } = body;
    const data = { conversation_id: state.id, seq, offset, text };
    const asked = { type: "message.append", caller: askedBy(body, role), data } as const;
    const decided = (verdict: HookVerdict) => {
      if (verdict.is === "refuse") reply.refuse(verdict.error);
      else goOn();
    };
    hold(state.held, hooks, { ...asked, isDone: null }, decided, ctx);
  }

  function end(state: ConversationState, body: Body<"end">, reply: Reply, ctx: Context): void {
    afterHeld(state.held, body.user, () => endStream(state, body, reply, streams, ctx));
  }

  function editNow(
    state: ConversationState,
    role: Role,
    body: Body<"edit">,
    reply: Reply,
    ctx: Context,
  ): void {
    const { data, attachments } = body;
    const mentions = body.body === undefined ? null : mentionsIn(state, role, body.body);
    const change = {
      does: "edit" as const,
      ...(body.body !== undefined && { body: body.body }),
      ...(data !== undefined && { data }),
      ...(attachments !== undefined && { attachments }),
      names: mentions?.names ?? [],
      all: mentions?.isAll === true,
    };
    revise(state, body, change, reply, ctx);
  }

  /** Without `rights` those of the conversation's own members. */
  function remove(
    state: ConversationState,
    body: Body<"delete">,
    reply: Reply,
    ctx: Context,
    rights: DeletionRights = deletionRights(state.conversation, body.user),
  ): void {
    revise(state, body, { does: "delete", ...rights }, reply, ctx);
  }

  function pin(state: ConversationState, body: Body<"pin">, reply: Reply, ctx: Context): void {
    revise(state, body, { does: body.on ? "pin" : "unpin" }, reply, ctx);
  }

  return {
    admitSend,
    serviceSend,
    send,
    edit,
    extend,
    end,
    remove,
    pin,
    publishRevised,
    serverChange: serverChanges(store, publishRevised),
    streams,
  };
}

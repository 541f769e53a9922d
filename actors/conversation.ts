/**
 * The conversation actor: owns one conversation's members, order, cursors and typing. Its parts:
 * conversation-state.ts (what it holds), messages.ts, marks.ts, gathered-changes.ts.
 *
 * [CNV1] Every durable change is committed first, then published, then answered, in rising rev.
 * [CNV3] `seq` and `rev` come from storage. A rev that does not follow ours means that another
 *        activation wrote in between (two views for a moment): this one publishes what it
 *        committed and passivates, so that the next message reads the truth.
 * [CNV5] Changes of title and members are gathered: see gathered-changes.ts.
 * [ISO2] A user who is not a member is answered that there is no such conversation.
 */
import type { ConversationOps } from "../src/protocol/actor-ops.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import type { Hooks } from "../src/protocol/hooks.ts";
import type { ConversationId, SessionId, UserId } from "../src/protocol/ids.ts";
import { deletionOf, withChangedMembers, withFirstMembers } from "../src/protocol/members.ts";
import type { Role } from "../src/protocol/permissions.ts";
import type { Conversation } from "../src/protocol/schemas.ts";
import { STOP_SIGNAL } from "../src/protocol/streams.ts";
import { BEFORE_ALL } from "../src/protocol/time.ts";
import { topicOf } from "../src/protocol/topics.ts";
import type { Behaviour, Context, Incoming, Reply } from "./behaviour.ts";
import { type ChangeRate, takeChange } from "./changes.ts";
import {
  type ChannelRoom,
  channelStateOf,
  judgeInChannel,
  membershipsChanged,
  receiveInChannel,
  signalledIn,
} from "./channel.ts";
import {
  announceEnd,
  askForWatchers,
  isChannelBusy,
  noteWatchers,
  retireChannel,
  tellChannel,
  watchersGone,
} from "./channel-notices.ts";
import { CHANNEL_TIMER } from "./channel-state.ts";
import { adopt, type ConversationState, follow } from "./conversation-state.ts";
import {
  askChange,
  asOfChange,
  CHANGES_TIMER,
  type ChangesRules,
  callOf,
  hasWaitingChanges,
  nothingWaits,
  retireChanges,
  writeChanges,
} from "./gathered-changes.ts";
import { announceJoined } from "./joined.ts";
import { doubtedCleared, nothingCleared, takeCleared } from "./joins.ts";
import { CONVERSATION_IDLE_MS } from "./limits.ts";
import { perform } from "./member-acts.ts";
import { messageOps, publishSystem } from "./messages.ts";
import type { ActorPorts, ConversationChange } from "./ports.ts";
import { announceForgotten } from "./prefs.ts";
import {
  askReaction,
  hasReactionsWaiting,
  nobodyReacts,
  REACTIONS_TIMER,
  type ReactionsRules,
  retireReactions,
  writeReactions,
} from "./reactions.ts";
import { dropOld } from "./retention.ts";
import { type MemberAct, refusalFor } from "./rights.ts";
import { remember } from "./ring.ts";
import { serviceSignal } from "./signals.ts";
import type { SocialPorts } from "./social-ports.ts";
import type { TextJudge } from "./stream-ports.ts";
import { tellStreamingThreads } from "./stream-rights.ts";
import { dropStreams, foundStreams, hasOpenStreams } from "./stream-state.ts";
import { askToStop } from "./stream-stops.ts";
import { proceed, STREAMS_TIMER } from "./stream-writes.ts";
import { awaitEnd, cancelStreams, retireStreams, showStreams, stopAsked } from "./streams.ts";
import {
  banFromParent,
  judgeWriters,
  receiveInThread,
  type ThreadRoom,
  threadStateOf,
} from "./thread.ts";
import { announceThreadsLeft, judgeThread, replyFailed } from "./thread-parent.ts";
import {
  hasSummariesWaiting,
  noteReply,
  SUMMARIES_TIMER,
  type SummariesRules,
  writeSummaries,
} from "./thread-summaries.ts";
import { NOBODY_TYPES, type TypingEvent } from "./typing.ts";
import { typingChanged } from "./typing-notices.ts";

type Body<O extends keyof ConversationOps> = ConversationOps[O]["body"];

/** Calls that are answered without the conversation. */
const SILENT: ReadonlySet<string> = new Set(["remove", "ban", "unban", "delete", "trim"]);

export interface ConversationRules {
  changes: ChangeRate;
  /** Asked before sends and edits are committed; absent: nobody is. */
  hooks?: Hooks | null;
  /** How long messages are kept at most, in seconds; null or absent: for ever. */
  retentionCapS?: number | null;
  /** Judges streamed texts as they are stored; absent: nobody does. */
  judge?: TextJudge | null;
}

export function conversationBehaviour(
  ports: ActorPorts & SocialPorts,
  rules: ConversationRules,
): Behaviour<ConversationState> {
  const store = ports.conversations;
  const messages = messageOps(ports, rules.hooks ?? null, rules.judge ?? null);
  const { streams } = messages;

  const changesRules: ChangesRules<ConversationState> = {
    store,
    committed: onConversationChanged,
    quiet: (state, calls, change, ctx) => membershipsChanged(state, calls, change, room, ctx),
    answerOf({ does }, change) {
      const conversation = asOfChange(change);
      if (SILENT.has(does) || conversation === null) return "{}";
      return JSON.stringify({ conversation: withFirstMembers(conversation) });
    },
  };

  function onConversationChanged(
    state: ConversationState,
    change: ConversationChange,
    ctx: Context,
  ): void {
    const conversation = asOfChange(change);
    if (conversation === null || change.conversation === null) return;
    const { addedIds, removedIds, changedIds, deleted, hasThreads, systemMessages } = change;
    follow(state, conversation.rev, ctx);
    adopt(state, change.conversation);
    if (state.ring !== null) dropOld(state.ring, change.conversation);
    if (removedIds.length > 0) state.departures++;
    if (state.thread === null) tellStreamingThreads(state.id, ports.streams, ctx);
    state.masked = new Set(change.maskedIds);
    if (deleted) {
      // [JOI3]
      state.members.clear();
      if (state.streams !== null) dropStreams(state.streams);
      typingChanged(state, { type: "let_go" }, ctx);
      ctx.publish(state.topic, deletionOf(conversation));
      announceEnd(state, conversation, ctx);
      if (hasThreads) announceThreadsLeft(state.id, null, ctx);
      ctx.passivate();
      return;
    }
    const news = withChangedMembers(conversation, { addedIds, removedIds, changedIds });
    ctx.publish(state.topic, {
      name: "conversation_updated",
      rev: conversation.rev,
      body: JSON.stringify(news),
    });
    for (const message of systemMessages) publishSystem(state, message, ctx);
    if (hasThreads) announceThreadsLeft(state.id, removedIds, ctx);
    if (state.channel !== null) return;
    if (addedIds.length > 0) announceJoined(news, addedIds, ctx);
    announceForgotten(state.id, removedIds, ports.prefs, ctx);
    // A member who comes back has cleared nothing.
    if (removedIds.length > 0) state.cleared = nothingCleared(state.cleared.doubtedUntil);
    for (const user of removedIds) typingChanged(state, { type: "left", user }, ctx);
    if (state.streams !== null)
      cancelStreams(state, (user) => mayAppend(state, user, ctx), streams, ctx);
    for (const user of state.typing.keys()) {
      const mayType = refusalFor(state, "typing", { user }, ctx.wallMs) === null;
      if (!mayType) typingChanged(state, { type: "left", user }, ctx);
    }
  }

  const mayAppend = (state: ConversationState, user: UserId, ctx: Context): boolean =>
    state.thread !== null || refusalFor(state, "append", { user }, ctx.wallMs) === null;

  const reactionsRules: ReactionsRules<ConversationState> = {
    store: ports.reactions,
    committed(state, message, ctx) {
      follow(state, message.rev, ctx);
      if (state.ring !== null) remember(state.ring, message);
    },
    reacted({ id, members, channel }, { sender_id, seq }, by, ctx) {
      if (sender_id === null) return;
      if (channel === null && !members.has(sender_id as UserId)) return;
      const to = { kind: "user" as const, id: sender_id };
      ctx.ask(to, "message_reacted", { conversation_id: id, seq, by }, () => undefined);
    },
  };

  const summariesRules: SummariesRules<ConversationState> = {
    store: ports.threads,
    committed: (state, revised, ctx) => void messages.publishRevised(state, revised, "", ctx),
  };

  const room: ThreadRoom & ChannelRoom = {
    ports,
    messages,
    changes: changesRules,
    rate: rules.changes,
    typing,
    react,
    stream,
    endStreamsOf: (state, user, ctx) => cancelStreams(state, (by) => by !== user, streams, ctx),
  };

  /** What concerns streams; false: the operation is another one. */
  function stream(
    state: ConversationState,
    act: MemberAct,
    body: { user: UserId },
    role: Role,
    reply: Reply,
    ctx: Context,
  ): boolean {
    switch (act) {
      case "append":
        messages.extend(state, role, body as Body<"append">, reply, ctx);
        return true;
      case "end":
        messages.end(state, body as Body<"end">, reply, ctx);
        return true;
      case "ended":
        awaitEnd(state, body as Body<"ended">, reply, streams, ctx);
        return true;
      case "streams":
        showStreams(state, body as Body<"streams">, reply);
        return true;
      case "signal": {
        const asked = body as Body<"signal">;
        if (asked.type !== STOP_SIGNAL) return false;
        askToStop(state, asked, role, reply, streams, ctx);
        return true;
      }
      default:
        return false;
    }
  }

  function react(
    state: ConversationState,
    body: Body<"react">,
    settings: Conversation["settings"],
    reply: Reply,
    ctx: Context,
  ): void {
    const isOnly = body.only === true || settings?.reactions === "one";
    askReaction(state, body, isOnly, reply, reactionsRules, ctx);
  }

  function typing(
    state: ConversationState,
    { user, session, worker, is_typing }: Body<"typing">,
    reply: Reply,
    ctx: Context,
  ): void {
    const by = { user, session: session as SessionId };
    const event: TypingEvent = is_typing
      ? { type: "started", ...by, worker }
      : { type: "stopped", ...by };
    typingChanged(state, event, ctx);
    reply.okText("{}");
  }

  return {
    kind: "conversation",
    idleMs: CONVERSATION_IDLE_MS,

    async activate(id) {
      const [conversation, { isApart, maskedIds, hasStreams }] = await Promise.all([
        store.load(id as ConversationId),
        store.reserves(id as ConversationId),
      ]);
      if (conversation === null) return null;
      const state: ConversationState = {
        id: id as ConversationId,
        topic: topicOf.conversation(id as ConversationId),
        conversation,
        members: new Map(),
        isBlocked: isApart,
        masked: new Set(maskedIds),
        typing: NOBODY_TYPES,
        ring: null,
        cleared: nothingCleared(),
        changes: { used: 0, atMs: BEFORE_ALL },
        sending: new Map(),
        held: new Map(),
        gathered: nothingWaits(),
        reactions: nobodyReacts(),
        pace: { lastAt: null },
        thread: threadStateOf(conversation),
        channel: channelStateOf(conversation),
        departures: conversation.rev,
        summaries: null,
        streams: hasStreams
          ? foundStreams(await ports.streams.open(conversation.id as ConversationId))
          : null,
        retentionCapS: rules.retentionCapS ?? null,
      };
      adopt(state, conversation);
      return state;
    },

    receive(state: ConversationState, { op, body, reply }: Incoming, ctx: Context): void {
      if (state.streams?.isNew) proceed(state, streams, ctx);
      if (state.channel?.isNew) askForWatchers(state, state.channel, ctx);
      if (op === "session_closed") {
        const { session } = body as Body<"session_closed">;
        typingChanged(state, { type: "session_closed", session }, ctx);
        return;
      }
      if (op === "apart_changed") {
        const { is_apart } = body as Body<"apart_changed">;
        state.isBlocked = is_apart;
        if (is_apart) {
          cancelStreams(state, () => false, streams, ctx);
          tellStreamingThreads(state.id, ports.streams, ctx);
          for (const user of state.members.keys()) {
            typingChanged(state, { type: "left", user }, ctx);
          }
        }
        reply.ok(null);
        return;
      }
      if (op === "cleared") {
        const { user, before } = body as Body<"cleared">;
        takeCleared(state.cleared, user, before);
        reply.ok(null);
        return;
      }
      if (op === "streams_due") {
        reply.ok(null);
        return;
      }
      if (op === "service_signal") {
        const { type, data } = body as Body<"service_signal">;
        if (type === STOP_SIGNAL) stopAsked(state, Number(data?.["seq"]), streams, ctx);
        serviceSignal(signalledIn(state), body as Body<"service_signal">, reply, ctx);
        return;
      }
      if (op === "watching") {
        noteWatchers(state, body as Body<"watching">, ctx);
        reply.ok(null);
        return;
      }
      if (op === "reads_masked" && state.channel !== null) {
        reply.ok(null);
        return;
      }
      if (op === "trim" && state.thread === null) {
        askChange(state, { call: { by: null, does: "trim" }, reply }, changesRules, ctx);
        return;
      }
      if (op === "reads_masked" || op === "trim") {
        // The next letter reads the members again.
        typingChanged(state, { type: "let_go" }, ctx);
        ctx.passivate();
        reply.ok(null);
        return;
      }
      if (op === "named") {
        state.conversation.external_id = (body as Body<"named">).external_id;
        reply.ok(null);
        return;
      }
      if (op === "service_send") {
        messages.serviceSend(state, body as Body<"service_send">, reply, ctx);
        return;
      }
      if (op === "moderator_ban") {
        const { user_id, until, reason } = body as Body<"moderator_ban">;
        if (state.thread !== null) {
          banFromParent(state.thread, body as Body<"moderator_ban">, reply, ctx);
          return;
        }
        const call = { by: null, does: "ban" as const, userId: user_id, until, reason };
        askChange(state, { call, reply }, changesRules, ctx);
        return;
      }
      if (messages.serverChange(state, op, body, reply, ctx)) return;
      if (op === "judge_thread") {
        if (state.channel !== null) {
          judgeInChannel(state, body as Body<"judge_thread">, reply, ports, ctx);
        } else judgeThread(state, body as Body<"judge_thread">, reply, store, ctx);
        return;
      }
      if (op === "thread_changed") {
        noteReply(state, (body as Body<"thread_changed">).seq, summariesRules, ctx);
        reply.ok(null);
        return;
      }
      if (op === "parent_changed") {
        if (state.thread !== null) judgeWriters(state, state.thread, room, ctx);
        reply.ok(null);
        return;
      }
      if (op === "reply_failed") {
        replyFailed(state, (body as Body<"reply_failed">).user);
        reply.ok(null);
        return;
      }
      const { user } = body as { user: UserId };
      const member = state.members.get(user);
      const act = op as MemberAct;
      if (state.channel !== null) {
        receiveInChannel(state, state.channel, act, body as { user: UserId }, reply, room, ctx);
        return;
      }
      if (state.thread !== null) {
        receiveInThread(state, state.thread, act, body as { user: UserId }, reply, room, ctx);
        return;
      }
      // [ISO2] [BLK1] [RGT1] Here is the truth about membership, blocks and roles.
      const refusal = refusalFor(state, act, body as { user: UserId }, ctx.wallMs);
      if (refusal !== null) {
        reply.refuse(refusal);
        return;
      }
      const limited = takeChange(state.changes, rules.changes, act, body, ctx.monotonicMs);
      if (limited !== null) {
        reply.refuse(limited);
        return;
      }
      if (act === "come_in" || act === "accept") {
        askChange(state, { call: callOf(act, body, user), reply }, changesRules, ctx);
        return;
      }
      if (member === undefined) {
        reply.refuse(REFUSALS.conversationNotFound.error);
        return;
      }
      perform(state, member, act, body as { user: UserId }, reply, room, ctx);
    },

    onTimer(state, timer, ctx) {
      if (timer === CHANGES_TIMER) writeChanges(state, changesRules, ctx);
      else if (timer === REACTIONS_TIMER) writeReactions(state, reactionsRules, ctx);
      else if (timer === STREAMS_TIMER) proceed(state, streams, ctx);
      else if (timer === CHANNEL_TIMER) tellChannel(state, ctx);
      else if (timer === SUMMARIES_TIMER) writeSummaries(state, summariesRules, ctx);
      else typingChanged(state, { type: "time_up" }, ctx);
    },

    onRetiring(state, ctx) {
      retireChanges(state, changesRules, ctx);
      retireReactions(state, reactionsRules, ctx);
      writeSummaries(state, summariesRules, ctx, true);
      retireStreams(state, streams, ctx);
      if (state.channel !== null) retireChannel(state, ctx);
    },

    onWorkersGone(state, incarnations, ctx, mayBeBack) {
      state.cleared = doubtedCleared(ctx.monotonicMs, mayBeBack);
      if (state.channel !== null && !mayBeBack) watchersGone(state, incarnations, ctx);
      if (state.typing.size > 0) typingChanged(state, { type: "workers_gone", incarnations }, ctx);
    },

    isBusy: (state) =>
      state.typing.size > 0 ||
      state.sending.size > 0 ||
      state.held.size > 0 ||
      hasWaitingChanges(state.gathered) ||
      hasReactionsWaiting(state.reactions) ||
      hasSummariesWaiting(state) ||
      hasOpenStreams(state) ||
      isChannelBusy(state) ||
      (state.thread?.asked ?? 0) > 0,
  };
}

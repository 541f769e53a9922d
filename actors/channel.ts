/**
 * The conversation actor of a channel. It knows the channel's moderators and above, and how many
 * members and watching sessions there are; every other member is a row in storage only.
 *
 * [CHN1] Before an act the user's own membership is read; acts are performed in the order in which
 *        they came. Where a member has gone or was silenced meanwhile, it is read again.
 * [CHN2] A user who comes, goes or is silenced takes no `rev`: the user's own sessions receive it,
 *        and nobody else does. Changes of moderators and above are changes of the channel.
 * [CHN3] A user who may not read the channel any more leaves it on every edge, by its own topic, so
 *        that no later event reaches them.
 * [CHN4] Marks are for the user's own sessions only.
 * [CHN5] With more than TYPING_WATCHERS_MAX watchers nobody types.
 * [CHN6] A channel that anyone may read is watched without a membership; other acts are forbidden.
 */
import type { ConversationOps, ThreadQuestion, UserOrders } from "../src/protocol/actor-ops.ts";
import type { ChannelLeft, ChannelMembership } from "../src/protocol/channels.ts";
import { type ErrorObject, REFUSALS, refused } from "../src/protocol/errors.ts";
import type { UserId } from "../src/protocol/ids.ts";
import { partOf } from "../src/protocol/members.ts";
import { RULES } from "../src/protocol/policy.ts";
import { asConversationId, type Conversation, type Member } from "../src/protocol/schemas.ts";
import { BEFORE_ALL } from "../src/protocol/time.ts";
import { topicOf } from "../src/protocol/topics.ts";
import { ownUnread } from "../src/protocol/unread.ts";
import type { Context, Reply } from "./behaviour.ts";
import { type ChangeRate, takeChange } from "./changes.ts";
import { noteOccupancy } from "./channel-notices.ts";
import type { ChannelStanding } from "./channel-ports.ts";
import type { AskedAct, ChannelState } from "./channel-state.ts";
import type { ConversationState } from "./conversation-state.ts";
import { askChange, callOf } from "./gathered-changes.ts";
import { type Joined, join } from "./joins.ts";
import { SENDS_IN_FLIGHT_MAX, TYPING_WATCHERS_MAX } from "./limits.ts";
import { type ActRoom, perform } from "./member-acts.ts";
import type { ActorPorts, ConversationCall, ConversationChange } from "./ports.ts";
import { announceBegun, announceForgotten, doubtPrefs, publishUnmarked } from "./prefs.ts";
import { type MemberAct, refusalFor } from "./rights.ts";
import { type Signalled, signal, signalAudience } from "./signals.ts";
import { tellStreamingThreads, writersIn } from "./stream-rights.ts";
import { announceThreadsLeft, judgeThread } from "./thread-parent.ts";
import { typingChanged } from "./typing-notices.ts";

type Body<O extends keyof ConversationOps> = ConversationOps[O]["body"];

export interface ChannelRoom extends ActRoom {
  /** The user may not write any more. */
  endStreamsOf(state: ConversationState, user: UserId, ctx: Context): void;
  /** How often a conversation may be changed. */
  rate: ChangeRate;
}

const NO_SUCH_SEQ = refused("invalid_payload", "seq is past the conversation's last message.");

/** Memberships are changed without anybody receiving it, so no limit on changes counts them. */
const QUIET_ACTS: ReadonlySet<string> = new Set([
  "come_in",
  "accept",
  "add_members",
  "remove_member",
  "ban",
]);

/** A channel was made: its members' sessions receive it. */
export function announceMadeChannel(
  channel: Conversation,
  members: readonly UserId[],
  ports: ActorPorts,
  ctx: Context,
): void {
  const id = asConversationId(channel.id);
  announceBegun(id, members, ports.prefs, ctx);
  for (const user of members) {
    const own: Member = channel.members.find(({ user_id }) => user_id === user) ?? {
      user_id: user,
      delivered_seq: 0,
      read_seq: 0,
    };
    const conversation = partOf(channel, [own], channel.member_count ?? 0);
    announce(user, { conversation, is: "joined", may_read: true }, ctx);
  }
}

export function channelStateOf({ kind }: Conversation): ChannelState | null {
  if (kind !== "channel") return null;
  return {
    isNew: true,
    asked: [],
    epoch: 0,
    watchers: new Map(),
    watching: 0,
    activityDue: null,
    activityAt: BEFORE_ALL,
    occupancyDue: null,
    occupancyAt: BEFORE_ALL,
    timerAt: null,
  };
}

/** [CHN1] */
export function receiveInChannel(
  state: ConversationState,
  channel: ChannelState,
  act: MemberAct,
  body: { user: UserId },
  reply: Reply,
  room: ChannelRoom,
  ctx: Context,
): void {
  if (channel.asked.length >= SENDS_IN_FLIGHT_MAX) {
    reply.refuse(REFUSALS.unavailable.error);
    return;
  }
  const asked: AskedAct = { act, body, reply, standing: null, epoch: channel.epoch };
  channel.asked.push(asked);
  readStanding(state, channel, asked, room, ctx);
}

function readStanding(
  state: ConversationState,
  channel: ChannelState,
  asked: AskedAct,
  room: ChannelRoom,
  ctx: Context,
): void {
  asked.epoch = channel.epoch;
  const read = (standing: NonNullable<AskedAct["standing"]>) => {
    asked.standing = standing;
    performNext(state, channel, room, ctx);
  };
  ctx.run(room.ports.channels.standing(state.id, asked.body.user), read, () => read("unreachable"));
}

function performNext(
  state: ConversationState,
  channel: ChannelState,
  room: ChannelRoom,
  ctx: Context,
): void {
  for (;;) {
    const [first] = channel.asked;
    if (first === undefined || first.standing === null) return;
    const { standing, reply } = first;
    if (isStale(first, channel)) {
      // All together, so that many who go do not keep back whoever waits behind them.
      for (const asked of channel.asked.filter((one) => isStale(one, channel))) {
        asked.standing = null;
        readStanding(state, channel, asked, room, ctx);
      }
      return;
    }
    channel.asked.shift();
    if (standing === "unreachable") reply.refuse(REFUSALS.unavailable.error);
    else performAs(state, channel, standing, first, room, ctx);
  }
}

const isStale = ({ standing, epoch }: AskedAct, channel: ChannelState): boolean =>
  standing !== null && standing !== "unreachable" && epoch !== channel.epoch;

function performAs(
  state: ConversationState,
  channel: ChannelState,
  standing: ChannelStanding,
  { act, body, reply }: AskedAct,
  room: ChannelRoom,
  ctx: Context,
): void {
  const { member } = standing;
  const refusal = refusalIn(state, standing, act, body, ctx);
  if (refusal !== null) {
    reply.refuse(refusal);
    return;
  }
  const isQuiet = QUIET_ACTS.has(act);
  const limited = isQuiet ? null : takeChange(state.changes, room.rate, act, body, ctx.monotonicMs);
  if (limited !== null) {
    reply.refuse(limited);
    return;
  }
  switch (act) {
    case "come_in":
    case "accept":
      askChange(state, { call: callOf(act, body, body.user), reply }, room.changes, ctx);
      return;
    case "join":
      joinChannel(state, standing, body as Body<"join">, reply, room, ctx);
      return;
    case "mark":
      markInChannel(state, body as Body<"mark">, reply, room, ctx);
      return;
    case "typing": {
      const asked = body as Body<"typing">;
      // [CHN5]
      if (asked.is_typing && channel.watching > TYPING_WATCHERS_MAX) reply.okText("{}");
      else room.typing(state, asked, reply, ctx);
      return;
    }
    case "signal":
      signal(signalledIn(state), body as Body<"signal">, reply, ctx);
      return;
    case "signal_audience":
      signalAudience(signalledIn(state), reply);
      return;
    case "send":
      if (member !== null)
        perform(state, member, act, body, readPoint(state, body, reply, ctx), room, ctx);
      return;
    default:
      if (member !== null) perform(state, member, act, body, reply, room, ctx);
      else reply.refuse(REFUSALS.conversationNotFound.error);
  }
}

/** [CHN6] */
function refusalIn(
  state: ConversationState,
  standing: ChannelStanding,
  act: MemberAct,
  body: { user: UserId },
  ctx: Context,
): ErrorObject | null {
  const { member } = standing;
  const judged = { ...state, members: withMember(state, body.user, member) };
  if (member !== null || act === "come_in" || act === "accept") {
    return refusalFor(judged, act, body, ctx.wallMs);
  }
  if (!mayReadWithout(state.conversation, standing)) return REFUSALS.conversationNotFound.error;
  return act === "join" ? null : RULES.role.error;
}

const mayReadWithout = ({ audience }: Conversation, { isBanned }: ChannelStanding): boolean =>
  audience === "anyone" && !isBanned;

/** Those whom the actor knows, and the one who asks as storage has them. */
function withMember({ members }: ConversationState, user: UserId, member: Member | null) {
  return {
    get: (of: UserId) => (of === user ? (member ?? undefined) : members.get(of)),
  };
}

/** The channel as this user sees it. */
function shownTo({ conversation }: ConversationState, member: Member | null): Conversation {
  return partOf(conversation, member === null ? [] : [member], conversation.member_count ?? 0);
}

function joinChannel(
  state: ConversationState,
  { member, clearedBefore }: ChannelStanding,
  body: Body<"join">,
  reply: Reply,
  { ports }: ChannelRoom,
  ctx: Context,
): void {
  const cleared = new Map([[body.user, clearedBefore]]);
  const seen: Joined = {
    id: state.id,
    get conversation() {
      return state.conversation;
    },
    members: withMember(state, body.user, member),
    get ring() {
      return state.ring;
    },
    set ring(ring) {
      state.ring = ring;
    },
    cleared: { before: cleared, isRead: true, doubtedUntil: BEFORE_ALL },
    typing: state.typing,
    sending: state.sending,
    masked: state.masked,
    retentionCapS: state.retentionCapS,
    streams: state.streams,
  };
  join(seen, body, reply, ports, ctx, () => shownTo(state, member));
}

/** [CHN4] */
function markInChannel(
  state: ConversationState,
  body: Body<"mark">,
  reply: Reply,
  { ports }: ChannelRoom,
  ctx: Context,
): void {
  const { user, seq, read, session } = body;
  if (seq > state.conversation.last_seq) {
    reply.refuse(NO_SUCH_SEQ.error);
    return;
  }
  ctx.run(
    ports.conversations.mark({ conversationId: state.id, userId: user, seq, read }),
    (result) => {
      if (!result.ok) {
        reply.refuse(result.error);
        return;
      }
      const { delivered_seq, read_seq, changed, own: marks, unmarked } = result.value;
      publishUnmarked(user, unmarked, ctx);
      const own = ownUnread(state.conversation, marks);
      if (changed) {
        const order: UserOrders["channel_read"] = { conversation_id: state.id, own: marks };
        ctx.publish(topicOf.user(user), {
          name: "receipt",
          rev: 0,
          body: JSON.stringify({ conversation_id: state.id, user_id: user, delivered_seq, ...own }),
          except: session,
          note: JSON.stringify(order),
        });
      }
      reply.ok(read ? { delivered_seq, ...own } : { delivered_seq, read_seq });
    },
    () => {
      if (read) doubtPrefs(user, ctx);
      reply.refuse(REFUSALS.unavailable.error);
    },
  );
}

/** The sender's own point is at the message: their edges count what is unread from there. */
function readPoint(
  state: ConversationState,
  { user }: { user: UserId },
  reply: Reply,
  ctx: Context,
): Reply {
  return {
    ok: (value, rev) => reply.ok(value, rev),
    okText(text, rev) {
      const { last_seq, last_n } = state.conversation;
      const own = { read_seq: last_seq, ...(last_n !== undefined && { read_n: last_n }) };
      const order: UserOrders["channel_read"] = { conversation_id: state.id, own };
      const note = JSON.stringify(order);
      ctx.publish(topicOf.user(user), { name: "channel_read", rev: 0, body: "{}", note });
      reply.okText(text, rev);
    },
    refuse: (error) => reply.refuse(error),
  };
}

/** To whom a signal goes: those who watch, of whom the actor knows the number. */
export function signalledIn(state: ConversationState): Signalled {
  const { channel, id, topic } = state;
  if (channel === null) return state;
  return { id, topic, thread: channel, members: { size: channel.watching, has: () => false } };
}

export function judgeInChannel(
  state: ConversationState,
  question: ThreadQuestion,
  reply: Reply,
  ports: ActorPorts,
  ctx: Context,
): void {
  ctx.run(
    ports.channels.standing(state.id, question.user),
    ({ member }) => {
      const members = new Map(state.members);
      if (member === null) members.delete(question.user);
      else members.set(question.user, member);
      judgeThread({ ...state, members }, question, reply, ports.conversations, ctx);
    },
    () => reply.refuse(REFUSALS.unavailable.error),
  );
}

/** [CHN2] Memberships have changed; what others see of that is published already. */
export function membershipsChanged(
  state: ConversationState,
  calls: readonly ConversationCall[],
  { quiet, addedIds, removedIds, changedIds, changed, deleted, hasThreads }: ConversationChange,
  room: ChannelRoom,
  ctx: Context,
): void {
  const { channel } = state;
  const { ports } = room;
  if (channel === null || quiet === undefined || deleted) return;
  const before = state.conversation.member_count ?? 0;
  state.conversation = { ...state.conversation, member_count: quiet.memberCount };
  if (before !== quiet.memberCount) noteOccupancy(channel, ctx);
  const left = [...quiet.leftIds, ...removedIds];
  const banned = calls.flatMap((call) => (call.does === "ban" ? call.userId : []));
  if (left.length + banned.length + quiet.changedIds.length + changedIds.length > 0) {
    channel.epoch++;
  }
  if (left.length > 0) {
    state.departures++;
    if (hasThreads && !changed) announceThreadsLeft(state.id, left, ctx);
  }
  // [CHN3]
  const isOpen = state.conversation.audience === "anyone";
  const out = [...new Set(isOpen ? banned : [...left, ...banned])];
  if (out.length > 0) {
    const order: ChannelLeft = { conversation_id: state.id, user_ids: out };
    ctx.publish(state.topic, {
      name: "channel_left",
      rev: 0,
      body: "{}",
      note: JSON.stringify(order),
    });
  }
  const gone = new Set([...left, ...banned]);
  if (gone.size > 0 || quiet.changedIds.length > 0 || changed) judgeWriters(state, gone, room, ctx);
  if (!changed && (gone.size > 0 || quiet.changedIds.length > 0)) {
    tellStreamingThreads(state.id, ports.streams, ctx);
  }
  for (const user of gone) {
    const may_read = isOpen && !banned.includes(user);
    const conversation = { ...shownTo(state, null), removed_user_ids: [user] };
    announce(user, { conversation, is: "left", may_read }, ctx);
    typingChanged(state, { type: "left", user }, ctx);
  }
  announceForgotten(state.id, quiet.leftIds, ports.prefs, ctx);
  const joined = [...quiet.joinedIds, ...addedIds];
  announceBegun(state.id, joined, ports.prefs, ctx);
  for (const user of joined) announceStanding(state, user, { is: "joined" }, ports, ctx);
  for (const user of quiet.changedIds) announceStanding(state, user, { is: "changed" }, ports, ctx);
  for (const user of changedIds) {
    announceStanding(state, user, { is: "changed", is_published: true }, ports, ctx);
  }
}

/** [STQ1] */
function judgeWriters(
  state: ConversationState,
  gone: ReadonlySet<UserId>,
  room: ChannelRoom,
  ctx: Context,
): void {
  for (const user of writersIn(state)) {
    if (gone.has(user)) room.endStreamsOf(state, user, ctx);
    else {
      ctx.run(
        room.ports.channels.standing(state.id, user),
        (standing) => {
          if (refusalIn(state, standing, "append", { user }, ctx) === null) return;
          room.endStreamsOf(state, user, ctx);
        },
        // The next append is judged all the same.
        () => undefined,
      );
    }
  }
}

function announceStanding(
  state: ConversationState,
  user: UserId,
  what: Pick<ChannelMembership, "is" | "is_published">,
  ports: ActorPorts,
  ctx: Context,
): void {
  const epoch = state.channel?.epoch;
  ctx.run(
    ports.channels.standing(state.id, user),
    ({ member }) => {
      if (member === null) return;
      // The user may have left meanwhile, which was announced first.
      if (state.channel?.epoch !== epoch) announceStanding(state, user, what, ports, ctx);
      else announce(user, { conversation: shownTo(state, member), ...what, may_read: true }, ctx);
    },
    // Storage is away: the edges read the user's memberships where their preferences have a gap.
    () => doubtPrefs(user, ctx),
  );
}

function announce(user: UserId, membership: ChannelMembership, ctx: Context): void {
  ctx.publish(topicOf.user(user), {
    name: "channel_membership",
    rev: 0,
    body: "{}",
    note: JSON.stringify(membership),
  });
}

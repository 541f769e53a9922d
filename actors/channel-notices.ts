/**
 * What a channel's actor publishes of the channel as a whole: `occupancy` to those who watch, and to
 * the edges of members who do not, where the channel stands.
 *
 * [OCC1] `occupancy` is published at most every 2 s, and every 10 s where more than 10,000 watch; a
 *        change is in it within 2 s, or 10 s.
 * [OCC2] The edges announce how many sessions watch on each. A new activation asks them for it.
 * [OCC3] However many messages there are, each edge receives at most one activity a second.
 */
import type { ConversationOps } from "../src/protocol/actor-ops.ts";
import type { ChannelActivity } from "../src/protocol/channels.ts";
import { deletionOf } from "../src/protocol/members.ts";
import type { Conversation } from "../src/protocol/schemas.ts";
import { later, msBetween } from "../src/protocol/time.ts";
import { topicOf } from "../src/protocol/topics.ts";
import type { Context } from "./behaviour.ts";
import { type ChannelState, laterOf, noteActivity, setChannelTimer } from "./channel-state.ts";
import type { ConversationState } from "./conversation-state.ts";
import {
  CHANNEL_GATHER_MS,
  MANY_WATCHERS,
  OCCUPANCY_EVERY_MOST_MS,
  OCCUPANCY_EVERY_MS,
  TYPING_WATCHERS_MAX,
} from "./limits.ts";
import { typingChanged } from "./typing-notices.ts";

export function noteWatchers(
  state: ConversationState,
  { worker, sessions }: ConversationOps["watching"]["body"],
  ctx: Context,
): void {
  const { channel } = state;
  if (channel === null) return;
  if (sessions === 0) channel.watchers.delete(worker);
  else channel.watchers.set(worker, sessions);
  countWatchers(state, channel, ctx);
}

export function watchersGone(
  state: ConversationState,
  workers: ReadonlySet<string>,
  ctx: Context,
): void {
  const { channel } = state;
  if (channel === null) return;
  for (const worker of workers) channel.watchers.delete(worker);
  countWatchers(state, channel, ctx);
}

function countWatchers(state: ConversationState, channel: ChannelState, ctx: Context): void {
  channel.watching = [...channel.watchers.values()].reduce((sum, count) => sum + count, 0);
  // [CHN5]
  if (channel.watching > TYPING_WATCHERS_MAX) {
    for (const user of state.typing.keys()) typingChanged(state, { type: "left", user }, ctx);
  }
  noteOccupancy(channel, ctx);
}

/** [OCC2] */
export function askForWatchers(
  { topic }: ConversationState,
  channel: ChannelState,
  ctx: Context,
): void {
  channel.isNew = false;
  ctx.publish(topic, { name: "watchers_asked", rev: 0, body: "{}" });
  // Its predecessor may have ended before it published its last change.
  noteActivity(channel, ctx);
}

/** [OCC1] */
export function noteOccupancy(channel: ChannelState, ctx: Context): void {
  if (channel.occupancyDue !== null) return;
  const everyMs = channel.watching > MANY_WATCHERS ? OCCUPANCY_EVERY_MOST_MS : OCCUPANCY_EVERY_MS;
  channel.occupancyDue = laterOf(
    later(ctx.monotonicMs, CHANNEL_GATHER_MS),
    later(channel.occupancyAt, everyMs),
  );
  setChannelTimer(channel, ctx);
}

/** Publishes what is due. */
export function tellChannel(state: ConversationState, ctx: Context): void {
  const { channel } = state;
  if (channel === null) return;
  channel.timerAt = null;
  const now = ctx.monotonicMs;
  if (channel.activityDue !== null && msBetween(channel.activityDue, now) >= 0) {
    publishActivity(state, channel, ctx);
  }
  if (channel.occupancyDue !== null && msBetween(channel.occupancyDue, now) >= 0) {
    channel.occupancyDue = null;
    if (channel.watching > 0) publishOccupancy(state, channel, ctx);
  }
  setChannelTimer(channel, ctx);
}

function publishOccupancy(state: ConversationState, channel: ChannelState, ctx: Context): void {
  channel.occupancyAt = ctx.monotonicMs;
  const { member_count = 0 } = state.conversation;
  const occupancy = { conversation_id: state.id, watching: channel.watching, member_count };
  ctx.publish(state.topic, { name: "occupancy", rev: 0, body: JSON.stringify(occupancy) });
}

function publishActivity(state: ConversationState, channel: ChannelState, ctx: Context): void {
  channel.activityDue = null;
  channel.activityAt = ctx.monotonicMs;
  const { rev, last_seq, last_n, first_n } = state.conversation;
  const activity: ChannelActivity = {
    rev,
    last_seq,
    ...(last_n !== undefined && { last_n }),
    ...(first_n !== undefined && { first_n }),
  };
  ctx.publish(topicOf.channel(state.id), {
    name: "channel_activity",
    rev: 0,
    body: JSON.stringify(activity),
  });
}

/** The activation ends, and what was due is published. */
export function retireChannel(state: ConversationState, ctx: Context): void {
  const { channel } = state;
  if (channel?.activityDue != null) publishActivity(state, channel, ctx);
}

/** The channel is deleted: members who do not watch it receive that, too. */
export function announceEnd(
  state: ConversationState,
  conversation: Conversation,
  ctx: Context,
): void {
  if (state.channel === null) return;
  ctx.publish(topicOf.channel(state.id), deletionOf(conversation));
}

export const isChannelBusy = ({ channel }: ConversationState): boolean =>
  channel !== null &&
  (channel.watching > 0 || channel.asked.length > 0 || channel.timerAt !== null);

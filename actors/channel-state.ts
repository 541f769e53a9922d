/** What the actor of a channel holds beside what every conversation's has; see channel.ts. */
import type { UserId } from "../src/protocol/ids.ts";
import { earlierOf, later, type Monotonic, msBetween } from "../src/protocol/time.ts";
import type { Context, Reply } from "./behaviour.ts";
import type { ChannelStanding } from "./channel-ports.ts";
import { CHANNEL_ACTIVITY_EVERY_MS, CHANNEL_GATHER_MS } from "./limits.ts";
import type { MemberAct } from "./rights.ts";

export const CHANNEL_TIMER = "channel";

/** An act of a user whose standing is being read. */
export interface AskedAct {
  act: MemberAct;
  body: { user: UserId };
  reply: Reply;
  /** Null: not read yet. */
  standing: ChannelStanding | "unreachable" | null;
  /** The memberships as of which it was read. */
  epoch: number;
}

export interface ChannelState {
  /** The edges have not been asked yet how many sessions watch. */
  isNew: boolean;
  /** In the order in which they are performed. */
  asked: AskedAct[];
  /** Another number: a member has gone, or another's role or silence changed. */
  epoch: number;
  /** Sessions that watch, by their worker. */
  watchers: Map<string, number>;
  watching: number;
  /** Null: there is nothing to publish. */
  activityDue: Monotonic | null;
  activityAt: Monotonic;
  occupancyDue: Monotonic | null;
  occupancyAt: Monotonic;
  /** For when the timer is set; null: it is not. */
  timerAt: Monotonic | null;
}

/** The channel has changed: what is published of it for those who do not watch is due. */
export function noteActivity(channel: ChannelState, ctx: Context): void {
  if (channel.activityDue !== null) return;
  channel.activityDue = laterOf(
    later(ctx.monotonicMs, CHANNEL_GATHER_MS),
    later(channel.activityAt, CHANNEL_ACTIVITY_EVERY_MS),
  );
  setChannelTimer(channel, ctx);
}

export function setChannelTimer(channel: ChannelState, ctx: Context): void {
  const { activityDue, occupancyDue, timerAt } = channel;
  const next =
    activityDue !== null && occupancyDue !== null
      ? earlierOf(activityDue, occupancyDue)
      : (activityDue ?? occupancyDue);
  if (next === null || (timerAt !== null && msBetween(timerAt, next) >= 0)) return;
  channel.timerAt = next;
  ctx.after(Math.max(0, msBetween(ctx.monotonicMs, next)), CHANNEL_TIMER);
}

export const laterOf = (one: Monotonic, other: Monotonic): Monotonic =>
  msBetween(one, other) > 0 ? other : one;

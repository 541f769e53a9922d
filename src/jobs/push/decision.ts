/**
 * Whether something is pushed to a reader whose sessions do not keep it back. Pure; asked when it is
 * decided, and again at the moment of sending.
 *
 * [PSH1] The level is that of the conversation, else the user's own, else all in direct
 *        conversations, groups and followed threads, and mentions in channels.
 * [PSH2] Nothing is pushed of what was read, is gone, or stands behind a block; nothing of a muted
 *        conversation, and nothing while the user is suspended, has snoozed or has quiet hours.
 * [PSH3] Of notifications, the level `none` lets none pass, and `mentions` no comments and follows.
 */
import type { PushFacts, PushSubject } from "../../ports/push.ts";
import type { PushLevel, PushReason, QuietHours } from "../../protocol/push.ts";
import { epochMsOf, type WallTime } from "../../protocol/time.ts";

/** Null: it is pushed. */
export function whyNot(subject: PushSubject, facts: PushFacts, now: WallTime): PushReason | null {
  const { conversation, notification } = facts;
  if (facts.suspended) return "suspended";
  if (conversation !== null) {
    if (conversation.deleted) return "deleted";
    if (!conversation.member) return "left";
    if (conversation.read_seq >= subject.seq) return "read_before";
    if (conversation.muted) return "muted";
    if (levelOf(facts) === "none") return "level";
  } else if (notification !== null) {
    if (!notification.there) return "deleted";
    if (notification.read) return "read_before";
    if (notification.blocked) return "blocked";
    if (!passes(facts.level, notification.type ?? "")) return "level";
  }
  if (facts.snoozed) return "snoozed";
  if (facts.quiet_hours !== null && isQuiet(facts.quiet_hours, now)) return "quiet_hours";
  if (conversation === null || conversation.newest !== null) return null;
  const { last } = conversation;
  if (last === null || last.deleted) return "deleted";
  if (last.blocked) return "blocked";
  return levelOf(facts) === "mentions" && !last.mention ? "level" : "deleted";
}

/** [PSH1] */
function levelOf({ conversation, level }: PushFacts): PushLevel {
  const own = conversation?.level ?? level;
  if (own !== null) return own;
  return conversation?.kind === "channel" ? "mentions" : "all";
}

/** [PSH3] */
function passes(level: PushLevel | null, type: string): boolean {
  if (level === "none") return false;
  return level !== "mentions" || (type !== "comment" && type !== "follow");
}

export function isQuiet({ from, to, tz }: QuietHours, now: WallTime): boolean {
  const at = clockOf(tz).format(epochMsOf(now));
  return from <= to ? from <= at && at < to : at >= from || at < to;
}

const ZONES_KEPT = 600;
const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(timeZone: string): Intl.DateTimeFormat {
  const known = clocks.get(timeZone);
  if (known !== undefined) return known;
  if (clocks.size >= ZONES_KEPT) clocks.clear();
  const clock = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  clocks.set(timeZone, clock);
  return clock;
}

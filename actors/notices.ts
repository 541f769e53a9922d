/**
 * How a burst of likes of a post, or of reactions to a message, becomes notifications, as a pure
 * rule. `post` names either: a post's id, or the key of a message.
 *
 * [NTF1] The first like of a post is a notification at once.
 * [NTF2] The rest of the window's likes are counted into it together, at the window's end.
 * [NTF3] A user is counted once in a window.
 */
import type { UserId } from "../src/protocol/ids.ts";
import { shownName } from "../src/protocol/isolated.ts";
import { earlierOf, later, type Monotonic, msBetween, NEVER } from "../src/protocol/time.ts";
import { LIKES_WINDOW_MS } from "./limits.ts";

/** Likes of one post, from the first of them for the window's time. */
export interface LikesWindow {
  endsAtMs: Monotonic;
  counted: ReadonlySet<UserId>;
  /** Users whose likes the notification does not count yet, in order. */
  waiting: readonly UserId[];
}

export type LikesWindows = ReadonlyMap<string, LikesWindow>;

export interface LikesStep {
  windows: LikesWindows;
  /** Make a notification of this like. */
  first: { post: string; liker: UserId }[];
  /** The window is over: count these into its notification. */
  rest: { post: string; likers: readonly UserId[] }[];
  /** Call again with `time_up` after this; null: no window is open. */
  wakeInMs: number | null;
}

export type LikesEvent =
  | { type: "liked"; post: string; likers: readonly UserId[] }
  | { type: "time_up" };

export const NO_LIKES: LikesWindows = new Map();

export function stepLikes(before: LikesWindows, event: LikesEvent, nowMs: Monotonic): LikesStep {
  const windows = new Map<string, LikesWindow>();
  const first: LikesStep["first"] = [];
  const rest: LikesStep["rest"] = [];
  for (const [post, window] of before) {
    if (window.endsAtMs > nowMs) windows.set(post, window);
    else if (window.waiting.length > 0) rest.push({ post, likers: window.waiting });
  }
  if (event.type === "liked") {
    const { post } = event;
    const open = windows.get(post);
    const counted = new Set(open?.counted);
    const waiting = [...(open?.waiting ?? [])];
    for (const liker of event.likers) {
      if (counted.has(liker)) continue;
      counted.add(liker);
      if (counted.size === 1) first.push({ post, liker });
      else waiting.push(liker);
    }
    const endsAtMs = open?.endsAtMs ?? later(nowMs, LIKES_WINDOW_MS);
    if (counted.size > 0) windows.set(post, { endsAtMs, counted, waiting });
  }
  let nextMs = NEVER;
  for (const { endsAtMs } of windows.values()) nextMs = earlierOf(nextMs, endsAtMs);
  return { windows, first, rest, wakeInMs: windows.size === 0 ? null : msBetween(nowMs, nextMs) };
}

/** The words of a notification of `count` people, the last of them named. */
export function crowdSentence(name: string | null, count: number, did: string): string {
  const who = shownName(name);
  if (count === 1) return `${who} ${did}`;
  const others = count - 1;
  return `${who} and ${others} ${others === 1 ? "other" : "others"} ${did}`;
}

/** The words of a notification that counts a flood without names. */
export function floodSentence(
  name: string | null,
  count: number,
  isByOne: boolean,
  did: string,
): string {
  const who = shownName(name);
  return isByOne ? `${who} ${did} ${count} times` : `${who} and others ${did}`;
}

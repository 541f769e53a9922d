/**
 * Comments, mentions and follows that come in floods, so that one user can neither ring another's
 * bell hundreds of times nor fill their list.
 *
 * [NTF4] The first FLOOD_SINGLE_MAX notices of one kind and place (a post, a conversation, one's
 *        followers) within the window are notifications of their own. Those after them are counted
 *        into the last of these together, at the window's end.
 */
import type { Notice } from "../src/protocol/actor-ops.ts";
import { ok, type Result } from "../src/protocol/errors.ts";
import type { UserId } from "../src/protocol/ids.ts";
import type { Notification } from "../src/protocol/social.ts";
import { later, type Monotonic, msBetween } from "../src/protocol/time.ts";
import type { Context } from "./behaviour.ts";
import { enqueue, type Inbox, notify } from "./inbox.ts";
import { FLOOD_SINGLE_MAX, FLOODS_MAX, LIKES_WINDOW_MS } from "./limits.ts";
import { floodSentence } from "./notices.ts";
import type { SocialPorts } from "./social-ports.ts";

export const FLOODS_TIMER = "floods";

/** The notices of one kind and place, from the first of them for the window's time. */
interface Flood {
  endsAtMs: Monotonic;
  /** How many were notifications of their own. */
  made: number;
  /** The last of these; null until it is written, or if none was made. */
  last: Notification | null;
  /** How many wait to be counted into it, and the newest of them. */
  held: number;
  newest: Notice | null;
  /** The one who acted; null: several did. */
  actor: UserId | null;
}

export type Floods = Map<string, Flood>;

const DID: Readonly<Record<string, string>> = {
  comment: "commented on your post",
  follow: "followed you",
  mention: "mentioned you",
};

/** As `notify`; `done` receives null for a notice that is only counted. */
export function notifyGathered(
  floods: Floods,
  inbox: Inbox,
  user: UserId,
  notice: Notice,
  ports: SocialPorts,
  ctx: Context,
  done: (result: Result<Notification | null>) => void,
): void {
  const actor = notice.actor_id;
  if (actor === null || DID[notice.type] === undefined) {
    notify(inbox, user, notice, ports, ctx, done);
    return;
  }
  endFloods(floods, inbox, user, ports, ctx);
  const key = `${notice.type} ${notice.post_id ?? notice.conversation_id ?? ""}`;
  const flood = floods.get(key) ?? begun(floods, key, actor, ctx);
  if (flood === null) {
    notify(inbox, user, notice, ports, ctx, done);
    return;
  }
  if (flood.actor !== actor) flood.actor = null;
  if (flood.made < FLOOD_SINGLE_MAX) {
    flood.made++;
    notify(inbox, user, notice, ports, ctx, (result) => {
      if (result.ok && result.value !== null) flood.last = result.value;
      done(result);
    });
    return;
  }
  flood.held++;
  flood.newest = notice;
  done(ok(null));
}

/** Counts what waits of the windows that are over, and sets the timer for the others. */
export function endFloods(
  floods: Floods,
  inbox: Inbox,
  user: UserId,
  ports: SocialPorts,
  ctx: Context,
): void {
  let nextMs: Monotonic | null = null;
  for (const [key, flood] of floods) {
    if (flood.endsAtMs > ctx.monotonicMs) {
      if (nextMs === null || flood.endsAtMs < nextMs) nextMs = flood.endsAtMs;
      continue;
    }
    floods.delete(key);
    if (flood.held > 0) countHeld(flood, inbox, user, ports, ctx);
  }
  if (nextMs !== null) ctx.after(msBetween(ctx.monotonicMs, nextMs), FLOODS_TIMER);
}

/** Null: as many are open as may be. */
function begun(floods: Floods, key: string, actor: UserId, ctx: Context): Flood | null {
  if (floods.size >= FLOODS_MAX) return null;
  const endsAtMs = later(ctx.monotonicMs, LIKES_WINDOW_MS);
  const flood = { endsAtMs, made: 0, last: null, held: 0, newest: null, actor };
  floods.set(key, flood);
  ctx.after(LIKES_WINDOW_MS, FLOODS_TIMER);
  return flood;
}

function countHeld(
  flood: Flood,
  inbox: Inbox,
  user: UserId,
  ports: SocialPorts,
  ctx: Context,
): void {
  const { held, newest, actor } = flood;
  if (newest === null) return;
  const write = async (): Promise<Result<Notification | null>> => {
    // Read now, when the last notification has been written or will never be.
    const { last } = flood;
    if (last === null) return ok(null);
    const name = await ports.graph.displayName(newest.actor_id as UserId);
    const count = last.count + held;
    const words = floodSentence(name, count, actor !== null, DID[newest.type] ?? "");
    const store = ports.notifications;
    const grown = await store.grow(user, last.id, held, newest.actor_id, words);
    if (grown.ok || grown.error.code !== "not_found") return grown;
    // The newest actor has been blocked meanwhile: nothing of theirs is counted.
    return ok(null);
  };
  enqueue(inbox, user, { write, done: () => undefined }, ctx);
}

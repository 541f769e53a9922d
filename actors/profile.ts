/**
 * Changes of a user's name, picture, `data` and `trusted`, as others see them.
 *
 * [PRF1] At most one `user_updated` a second a user; the last change is always published.
 * [PRF2] The user is read from storage when the event leaves, so that the newest is published
 *        whichever of two changes was announced last.
 * [PRF3] Those who watch the user do not receive the application's own name for the user.
 */
import type { UserId } from "../src/protocol/ids.ts";
import type { User } from "../src/protocol/schemas.ts";
import { later, type Monotonic, msBetween } from "../src/protocol/time.ts";
import { topicOf } from "../src/protocol/topics.ts";
import type { Context } from "./behaviour.ts";
import { PROFILE_EVERY_MS } from "./limits.ts";
import type { ActorPorts } from "./ports.ts";

export const PROFILE_TIMER = "profile";

export interface ProfileNews {
  /** When the last event left; null: none did. */
  publishedMs: Monotonic | null;
  /** The timer runs, and publishes. */
  isWaiting: boolean;
}

export const noProfileNews = (): ProfileNews => ({ publishedMs: null, isWaiting: false });

export function profileChanged(
  news: ProfileNews,
  user: UserId,
  ports: Pick<ActorPorts, "users">,
  ctx: Context,
): void {
  if (news.isWaiting) return;
  const sinceMs =
    news.publishedMs === null ? PROFILE_EVERY_MS : msBetween(news.publishedMs, ctx.monotonicMs);
  if (sinceMs >= PROFILE_EVERY_MS) {
    publishProfile(news, user, ports, ctx);
    return;
  }
  news.isWaiting = true;
  ctx.after(PROFILE_EVERY_MS - sinceMs, PROFILE_TIMER);
}

export function publishProfile(
  news: ProfileNews,
  user: UserId,
  ports: Pick<ActorPorts, "users">,
  ctx: Context,
): void {
  news.isWaiting = false;
  news.publishedMs = later(ctx.monotonicMs, 0);
  ctx.run(
    ports.users.profile(user),
    (found) => {
      if (found === null) return;
      ctx.publish(topicOf.user(user), updated(found));
      const { external_id: _hidden, ...shown } = found;
      ctx.publish(topicOf.status(user), updated(shown));
    },
    // Storage is away: the next change is published again.
    () => undefined,
  );
}

function updated(user: User) {
  return { name: "user_updated", rev: 0, body: JSON.stringify(user) };
}

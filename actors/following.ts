/** Announces to a user's own sessions alone that the user follows a thread, or no longer does. */
import type { UserOrders } from "../src/protocol/actor-ops.ts";
import type { UserId } from "../src/protocol/ids.ts";
import type { Conversation } from "../src/protocol/schemas.ts";
import { topicOf } from "../src/protocol/topics.ts";
import type { Context } from "./behaviour.ts";

/** `conversation`: as the user sees it. */
export function announceFollowing(
  user: UserId,
  conversation: Conversation,
  following: boolean,
  ctx: Context,
): void {
  const order: UserOrders["following_thread"] = { conversation, following };
  ctx.publish(topicOf.user(user), {
    name: "following_thread",
    rev: 0,
    body: "{}",
    note: JSON.stringify(order),
  });
}

/**
 * Announces to edges who has become a member of a conversation, or has left one.
 *
 * [JND1] A few users are named on their own topics, which only the edges with their sessions hear.
 *        Many are named once on `memberships`, which every edge hears.
 */
import type { JoinedOrder } from "../src/protocol/actor-ops.ts";
import type { UserId } from "../src/protocol/ids.ts";
import type { Conversation } from "../src/protocol/schemas.ts";
import { topicOf } from "../src/protocol/topics.ts";
import type { Context } from "./behaviour.ts";

/** Up to so many, an event for each user costs less than one for each host of a large cluster. */
const FEW_MAX = 16;

/** `conversation` is as JoinedOrder says. The edges with sessions of `users` act on it. */
export function announceJoined(conversation: Conversation, users: UserId[], ctx: Context): void {
  announceTo(
    "conversation_joined",
    users,
    ctx,
    (some): JoinedOrder => ({
      user_ids: some,
      conversation,
    }),
  );
}

/** As JND1; `orderTo` makes the order that names these users. */
export function announceTo(
  name: "conversation_joined" | "threads_left",
  users: UserId[],
  ctx: Context,
  orderTo: (users: UserId[]) => object,
): void {
  if (users.length > FEW_MAX) {
    ctx.publish(topicOf.memberships(), { name, rev: 0, body: JSON.stringify(orderTo(users)) });
    return;
  }
  for (const user of users) {
    ctx.publish(topicOf.user(user), { name, rev: 0, body: JSON.stringify(orderTo([user])) });
  }
}

/** Announces the new members of a conversation, once to each edge however many there are. */
import type { JoinedOrder } from "../src/protocol/actor-ops.ts";
import type { UserId } from "../src/protocol/ids.ts";
import type { Conversation } from "../src/protocol/schemas.ts";
import { topicOf } from "../src/protocol/topics.ts";
import type { Context } from "./behaviour.ts";

/** `conversation` is as JoinedOrder says. The edges with sessions of `users` act on it. */
export function announceJoined(conversation: Conversation, users: UserId[], ctx: Context): void {
  const order: JoinedOrder = { user_ids: users, conversation };
  ctx.publish(topicOf.memberships(), {
    name: "conversation_joined",
    rev: 0,
    body: JSON.stringify(order),
  });
}

/**
 * Topics: named streams of events that edges subscribe to while a local session listens.
 * The same names are the Redis channels between hosts.
 */
import type { ConversationId, PostId, UserId } from "./ids.ts";

export type Topic =
  | `conversations:${string}`
  | `notifications:${string}`
  | `user_status:${string}`
  | `like_updates:${string}`
  | `comment_updates:${string}`
  | "memberships"
  | "revocations"
  | "limits";

export const topicOf = {
  /** Messages, edits, typing, receipts and changes of one conversation. */
  conversation: (id: ConversationId): Topic => `conversations:${id}`,
  /** Events for one user's own sessions: notifications, and orders to the edges about that user. */
  user: (id: UserId): Topic => `notifications:${id}`,
  status: (id: UserId): Topic => `user_status:${id}`,
  likes: (id: PostId): Topic => `like_updates:${id}`,
  comments: (id: PostId): Topic => `comment_updates:${id}`,
  /** New members of conversations; every edge with sessions is subscribed. */
  memberships: (): Topic => "memberships",
  /** Ended logins and suspensions; every edge always listens. */
  revocations: (): Topic => "revocations",
  /** Usage of shared rate limits; every edge is always subscribed. */
  limits: (): Topic => "limits",
} as const;

/**
 * Topics: named streams of events that edges subscribe to while a local session listens.
 * The same names are the Redis channels between hosts. Only this module knows how a topic is
 * spelled: `topicOf` builds them, `idIn` takes them apart.
 */
import type { ConversationId, PostId, UserId } from "./ids.ts";

const PREFIX = {
  conversation: "conversations:",
  user: "notifications:",
  channel: "channels:",
  status: "user_status:",
  likes: "like_updates:",
  comments: "comment_updates:",
  app: "app_actors:",
} as const;

interface IdOf {
  conversation: ConversationId;
  user: UserId;
  channel: ConversationId;
  status: UserId;
  likes: PostId;
  comments: PostId;
  /** Kind and key; see app-actors.ts. */
  app: string;
}

/** The kinds of topic that there is one of for each id. */
export type TopicKind = keyof IdOf;

export type Topic =
  | `${(typeof PREFIX)[TopicKind]}${string}`
  | "memberships"
  | "revocations"
  | "limits"
  | `limits:${string}`;

export const topicOf = {
  /** Messages, edits, typing, receipts and changes of one conversation. */
  conversation: (id: ConversationId): Topic => `conversations:${id}`,
  /** Events for one user's own sessions: notifications, and orders to the edges about that user. */
  user: (id: UserId): Topic => `notifications:${id}`,
  /** Where a channel stands, for sessions of members who do not watch it. */
  channel: (id: ConversationId): Topic => `channels:${id}`,
  status: (id: UserId): Topic => `user_status:${id}`,
  likes: (id: PostId): Topic => `like_updates:${id}`,
  comments: (id: PostId): Topic => `comment_updates:${id}`,
  /** Events of one of the application's actors. */
  app: (id: string): Topic => `app_actors:${id}`,
  /** Many new members of conversations; every edge with sessions is subscribed. */
  memberships: (): Topic => "memberships",
  /** Ended logins and suspensions; every edge always listens. */
  revocations: (): Topic => "revocations",
  /** Usage of shared rate limits; every edge is always subscribed. */
  limits: (): Topic => "limits",
  /** Usage of the limits that the edge of this worker adds up; that edge alone is subscribed. */
  limitsOf: (incarnation: string): Topic => `limits:${incarnation}`,
} as const;

/** The id that a topic of this kind names; null for a topic of another kind. */
export function idIn<K extends TopicKind>(kind: K, topic: string): IdOf[K] | null {
  const prefix = PREFIX[kind];
  return topic.startsWith(prefix) ? (topic.slice(prefix.length) as IdOf[K]) : null;
}

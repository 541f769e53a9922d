/**
 * The social half of the contract: posts, likes, comments, follows, blocks and notifications,
 * as schemas. See schemas.ts for the building blocks.
 */
import type { Static } from "typebox";
import Type from "typebox";
import { ShownData } from "./app-data.ts";
import { FileObject } from "./files.ts";
import { Count, Cursor, Id, Nullable, Ordinal, Time, User } from "./schemas.ts";

export const Post = Type.Object({
  id: Id,
  author_id: Id,
  body: Type.String(),
  like_count: Count,
  comment_count: Count,
  liked: Type.Boolean({ description: "Whether the reader likes it." }),
  created_at: Time,
  data: Type.Optional(ShownData),
  edited_at: Type.Optional(
    Type.String({ format: "time", description: "Left out where the post was never edited." }),
  ),
  attachments: Type.Optional(
    Type.Array(FileObject, { description: "Left out where the post shows no file." }),
  ),
});

export const Comment = Type.Object({
  id: Id,
  post_id: Id,
  author_id: Id,
  body: Type.String(),
  created_at: Time,
  data: Type.Optional(ShownData),
});

/** A user with what others see of their place in the graph. */
export const UserProfile = Type.Object({
  ...User.properties,
  follower_count: Count,
  following_count: Count,
  post_count: Count,
  followed_by_me: Type.Optional(
    Type.Boolean({ description: "Left out where a service asks for nobody." }),
  ),
});

export const Liked = Type.Object({ post_id: Id, liked: Type.Boolean(), like_count: Count });
export const Following = Type.Object({ user_id: Id, following: Type.Boolean() });
export const Blocked = Type.Object({ user_id: Id, blocked: Type.Boolean() });

export const Suspended = Type.Object({
  user_id: Id,
  suspended: Type.Boolean(),
  until: Type.Optional(Time),
  reason: Type.Optional(Type.String()),
});

export const PostCounts = Type.Object({ post_id: Id, like_count: Count, comment_count: Count });
export const LikeUpdate = Type.Object({ post_id: Id, like_count: Count });
export const CommentUpdate = Type.Object({ post_id: Id, comment_count: Count });

/**
 * Our own are `like`, `reaction`, `comment`, `follow`, `mention` and `report_resolved`; a service names
 * its own.
 */
export const NotificationType = Type.String({
  pattern: "^[a-z][a-z0-9_.-]{0,63}$",
  description: "1–64 of a-z 0-9 _ . - , beginning with a letter.",
});

export const Notification = Type.Object({
  id: Id,
  seq: Ordinal,
  type: Type.String(),
  message: Type.String(),
  actor_id: Nullable(Id),
  post_id: Nullable(Id),
  comment_id: Nullable(Id),
  count: Ordinal,
  data: Type.Unknown({ description: "What a service sent along; null otherwise." }),
  created_at: Time,
  read_at: Nullable(Time),
});

export const NotificationsRead = Type.Object({ unread_count: Count });
export const UpToSeq = Cursor;

export type UserProfile = Static<typeof UserProfile>;
export type Post = Static<typeof Post>;
export type Comment = Static<typeof Comment>;
export type Liked = Static<typeof Liked>;
export type Following = Static<typeof Following>;
export type Blocked = Static<typeof Blocked>;
export type Suspended = Static<typeof Suspended>;
export type PostCounts = Static<typeof PostCounts>;
export type Notification = Static<typeof Notification>;

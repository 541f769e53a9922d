/**
 * The social half of the routes: posts, likes, comments, follows, blocks and notifications.
 * Part of ROUTES in routes.ts.
 */
import Type from "typebox";
import { AppData } from "./app-data.ts";
import { Attachments } from "./files.ts";
import { ById, Limit, PageCursor, type RouteSpec } from "./route-spec.ts";
import { Body, Count, Id, Nullable, Page, Request, Time } from "./schemas.ts";
import {
  Blocked,
  Comment,
  Following,
  Liked,
  Notification,
  NotificationsRead,
  NotificationType,
  Post,
  Suspended,
  UpToSeq,
} from "./social.ts";

/** Bytes of a service's `data`, as JSON text in UTF-8: notifications are small and kept. */
export const NOTIFICATION_DATA_BYTES_MAX = 16 * 1024;
export const NOTIFICATION_DATA_DEPTH_MAX = 32;

/** Of posts and comments. */
const PostData = AppData(4 * 1024);

/** Not a Type.Record, which would test the name of every key against a pattern. */
export const NotificationData = Type.Unsafe<Record<string, unknown>>(
  Type.Object(
    {},
    {
      description:
        "Any JSON object of at most 16 KiB, nested at most 32 deep; comes with the notification.",
    },
  ),
);

const NotificationMessage = Type.String({
  format: "notice",
  description: "1–500 code points, by the rules of a body.",
});

export const SOCIAL_ROUTES = {
  createPost: {
    group: "Social graph",
    method: "POST",
    path: "/api/posts",
    summary:
      "Publish a post. `@username` in it notifies that user. It shows the `attachments`, files of one's own.",
    token: true,
    body: Request({
      body: Body,
      data: Type.Optional(PostData),
      attachments: Type.Optional(Attachments),
    }),
    answers: { 201: Post },
    refusals: ["not_found", "forbidden"],
  },
  getPost: {
    group: "Social graph",
    method: "GET",
    path: "/api/posts/:id",
    summary: "A post with its counts.",
    token: true,
    params: ById,
    answers: { 200: Post },
    refusals: ["not_found"],
  },
  deletePost: {
    group: "Social graph",
    method: "DELETE",
    path: "/api/posts/:id",
    summary: "Delete one's own post, with its likes and comments.",
    token: true,
    params: ById,
    answers: { 204: null },
    refusals: ["not_found", "forbidden"],
  },
  editPost: {
    group: "Social graph",
    method: "PATCH",
    path: "/api/posts/:id",
    summary:
      "Edit one's own post. A key that is left out stays; `data` and `attachments` are replaced whole.",
    token: true,
    params: ById,
    body: Request({
      body: Type.Optional(Body),
      data: Type.Optional(Nullable(PostData)),
      attachments: Type.Optional(Attachments),
    }),
    answers: { 200: Post },
    refusals: ["not_found", "forbidden"],
  },
  listFeed: {
    group: "Social graph",
    method: "GET",
    path: "/api/feed",
    summary: "Posts of the people one follows and one's own, newest first.",
    token: true,
    query: Request({ limit: Limit, cursor: PageCursor }),
    answers: { 200: Page(Post) },
    refusals: [],
  },
  likePost: {
    group: "Social graph",
    method: "POST",
    path: "/api/posts/:id/like",
    summary: "Like a post; again changes nothing. `like_count` counts this like.",
    token: true,
    params: ById,
    answers: { 200: Liked },
    refusals: ["not_found"],
  },
  unlikePost: {
    group: "Social graph",
    method: "DELETE",
    path: "/api/posts/:id/like",
    summary: "Take one's like back; again changes nothing.",
    token: true,
    params: ById,
    answers: { 200: Liked },
    refusals: ["not_found"],
  },
  createComment: {
    group: "Social graph",
    method: "POST",
    path: "/api/posts/:id/comments",
    summary: "Comment on a post. `@username` in it notifies that user.",
    token: true,
    params: ById,
    body: Request({ body: Body, data: Type.Optional(PostData) }),
    answers: { 201: Comment },
    refusals: ["not_found"],
  },
  listComments: {
    group: "Social graph",
    method: "GET",
    path: "/api/posts/:id/comments",
    summary: "A post's comments, oldest first.",
    token: true,
    params: ById,
    query: Request({ limit: Limit, cursor: PageCursor }),
    answers: { 200: Page(Comment) },
    refusals: ["not_found"],
  },
  deleteComment: {
    group: "Social graph",
    method: "DELETE",
    path: "/api/posts/:id/comments/:comment_id",
    summary: "Delete a comment: one's own, or another's on one's own post.",
    token: true,
    params: Request({ id: Id, comment_id: Id }),
    answers: { 204: null },
    refusals: ["not_found", "forbidden"],
  },
  followUser: {
    group: "Social graph",
    method: "POST",
    path: "/api/users/:id/follow",
    summary: "Follow a user: their posts come into the feed, their presence is watched.",
    token: true,
    params: ById,
    answers: { 200: Following },
    refusals: ["not_found", "forbidden"],
  },
  unfollowUser: {
    group: "Social graph",
    method: "DELETE",
    path: "/api/users/:id/follow",
    summary: "Follow a user no longer.",
    token: true,
    params: ById,
    answers: { 200: Following },
    refusals: ["not_found"],
  },
  blockUser: {
    group: "Social graph",
    method: "POST",
    path: "/api/users/:id/block",
    summary:
      "Block a user: follows between the two end, neither sees the other's posts or presence, and nothing more is sent between them.",
    token: true,
    params: ById,
    answers: { 200: Blocked },
    refusals: ["not_found"],
  },
  unblockUser: {
    group: "Social graph",
    method: "DELETE",
    path: "/api/users/:id/block",
    summary: "Take one's block back. Follows that it ended stay ended.",
    token: true,
    params: ById,
    answers: { 200: Blocked },
    refusals: ["not_found"],
  },

  listNotifications: {
    group: "Notifications and presence",
    method: "GET",
    path: "/api/notifications",
    summary: "One's notifications, newest first, and how many are unread.",
    token: true,
    query: Request({ limit: Limit, cursor: PageCursor }),
    answers: {
      200: Type.Object({ ...Page(Notification).properties, unread_count: Count }),
    },
    refusals: [],
  },
  readNotifications: {
    group: "Notifications and presence",
    method: "PUT",
    path: "/api/notifications/read",
    summary: "Mark every notification up to `up_to_seq` as read.",
    token: true,
    body: Request({ up_to_seq: UpToSeq }),
    answers: { 200: NotificationsRead },
    refusals: [],
  },
  sendNotification: {
    group: "Notifications and presence",
    method: "POST",
    path: "/api/notifications",
    summary: "Notify a user: how an existing back end sends a notification through Troupe.",
    token: true,
    scope: "notify",
    body: Request({
      user_id: Id,
      type: NotificationType,
      message: NotificationMessage,
      data: Type.Optional(NotificationData),
    }),
    answers: { 201: Notification },
    refusals: ["not_found"],
  },
  suspendUser: {
    group: "Accounts and tokens",
    method: "POST",
    path: "/api/users/:id/suspend",
    summary:
      "Suspend a user: live sessions end everywhere, and nothing lets the user in. `until` ends it by itself.",
    token: true,
    scope: "admin",
    params: ById,
    isBodyOptional: true,
    body: Request({
      until: Type.Optional(Time),
      reason: Type.Optional(Type.String({ format: "notice", description: "1–500 characters." })),
    }),
    answers: { 200: Suspended },
    refusals: ["not_found"],
  },
  restoreUser: {
    group: "Accounts and tokens",
    method: "DELETE",
    path: "/api/users/:id/suspend",
    summary: "Lift a suspension.",
    token: true,
    scope: ["moderate", "admin"],
    params: ById,
    answers: { 200: Suspended },
    refusals: ["not_found"],
  },
} as const satisfies Record<string, RouteSpec>;

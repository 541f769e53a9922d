/**
 * Rows of posts, comments and notifications as they come from PostgreSQL, and the contract's
 * objects made of them; see rows.ts. And the one way in which statements look at blocks.
 */
import type { AppData } from "../../protocol/app-data.ts";
import type { FileObject } from "../../protocol/files.ts";
import type { Comment, Notification, Post } from "../../protocol/social.ts";
import { isoOf } from "./connection.ts";

export interface PostRow {
  id: string;
  author_id: string;
  body: string;
  like_count: string;
  comment_count: string;
  liked: boolean;
  created_at: string;
  data: AppData | null;
  edited_at: string | null;
  attachments: FileObject[] | null;
}

/** Columns of a PostRow, of table alias `p`, with the reader's like as `k`. */
export const POST_COLUMNS =
  "p.id, p.author_id, p.body, p.like_count, p.comment_count, k.user_id IS NOT NULL AS liked," +
  " p.created_at, p.data, p.edited_at, post_files(p.file_ids) AS attachments";

/** The same as the contract's JSON text. */
export const POST_TEXT =
  `'{"id":"' || p.id || '","author_id":"' || p.author_id || '","body":' ||` +
  ` to_json(p.body)::text || ',"like_count":' || p.like_count || ',"comment_count":' ||` +
  ` p.comment_count || ',"liked":' || (k.user_id IS NOT NULL) || ',"created_at":"' ||` +
  ` iso_time(p.created_at) || '"' || CASE WHEN p.data IS NULL THEN '' ELSE ',"data":' || p.data END ||` +
  ` CASE WHEN p.edited_at IS NULL THEN '' ELSE ',"edited_at":"' || iso_time(p.edited_at) || '"' END ||` +
  ` coalesce(',"attachments":' || post_files(p.file_ids)::text, '') || '}'`;

/** Joined, for a kept plan of EXISTS might read the whole table. `reader` is SQL. */
export const joinedLike = (reader: string) =>
  `LEFT JOIN likes k ON k.post_id = p.id AND k.user_id = ${reader}`;

/**
 * Joins that find a block between two users (given as SQL), either way round; with NOT_APART in
 * the WHERE only pairs without one remain.
 */
export const joinedBlocks = (one: string, other: string) =>
  `LEFT JOIN blocks ba ON ba.blocker_id = ${one} AND ba.blocked_id = ${other}
   LEFT JOIN blocks bb ON bb.blocker_id = ${other} AND bb.blocked_id = ${one}`;
export const NOT_APART = "ba.blocker_id IS NULL AND bb.blocker_id IS NULL";

export function postOf(row: PostRow): Post {
  return {
    id: row.id,
    author_id: row.author_id,
    body: row.body,
    like_count: Number(row.like_count),
    comment_count: Number(row.comment_count),
    liked: row.liked,
    created_at: row.created_at,
    ...(row.data !== null && { data: row.data }),
    ...(row.edited_at !== null && { edited_at: row.edited_at }),
    ...(row.attachments != null && { attachments: row.attachments }),
  };
}

export interface CommentRow {
  id: string;
  post_id: string;
  author_id: string;
  body: string;
  created_at: string;
  data: AppData | null;
}

/** Columns of a CommentRow, of table alias `c`. */
export const COMMENT_COLUMNS = "c.id, c.post_id, c.author_id, c.body, c.created_at, c.data";

export function commentOf(row: CommentRow): Comment {
  return {
    id: row.id,
    post_id: row.post_id,
    author_id: row.author_id,
    body: row.body,
    created_at: row.created_at,
    ...(row.data !== null && { data: row.data }),
  };
}

export interface NotificationRow {
  id: string;
  seq: string;
  type: string;
  message: string;
  actor_id: string | null;
  post_id: string | null;
  comment_id: string | null;
  count: number;
  data: unknown;
  created_at: string;
  read_at: string | null;
}

/** Columns of a NotificationRow, of table alias `o`. */
export const NOTIFICATION_COLUMNS =
  "o.id, o.seq, o.type, o.message, o.actor_id, o.post_id, o.comment_id, o.count, o.data," +
  " o.created_at, o.read_at";

export function notificationOf(row: NotificationRow): Notification {
  return {
    id: row.id,
    seq: Number(row.seq),
    type: row.type,
    message: row.message,
    actor_id: row.actor_id,
    post_id: row.post_id,
    comment_id: row.comment_id,
    count: row.count,
    data: row.data,
    created_at: row.created_at,
    read_at: row.read_at,
  };
}

/** The notification that notify_batch shows as JSON. */
export function notificationOfJson(shown: Notification & { n?: number }): Notification {
  const { n: _place, ...notification } = shown;
  notification.created_at = isoOf(notification.created_at);
  if (notification.read_at !== null) notification.read_at = isoOf(notification.read_at);
  return notification;
}

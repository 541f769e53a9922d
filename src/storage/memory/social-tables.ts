/** The memory twin's tables of posts, the social graph and notifications; see tables.ts. */
import type { AppData } from "../../protocol/app-data.ts";
import type { Comment, Notification } from "../../protocol/social.ts";

export interface StoredPost {
  id: string;
  authorId: string;
  body: string;
  /** Kept beside the likes and comments, as in PostgreSQL, so that it can be recounted. */
  likeCount: number;
  commentCount: number;
  likes: Set<string>;
  /** By rising id. */
  comments: Comment[];
  createdAt: string;
  deleted: boolean;
  data: AppData | null;
  editedAt: string | null;
  fileIds: string[];
}

export interface StoredNotifications {
  lastSeq: number;
  /** By rising seq. */
  items: Notification[];
}

export class SocialTables {
  /** By rising id, for Maps keep the order of insertion. */
  readonly posts = new Map<string, StoredPost>();
  /** Follower to followees. */
  readonly follows = new Map<string, Set<string>>();
  /** When each follow, by "follower followee", began: counted, so that there is an order. */
  readonly followedAt = new Map<string, number>();
  /** Blocker to blocked. */
  readonly blocks = new Map<string, Set<string>>();
  readonly notifications = new Map<string, StoredNotifications>();

  /** Whether a block stands between two users, either way round. */
  isBlocked(one: string, other: string): boolean {
    return Boolean(this.blocks.get(one)?.has(other) || this.blocks.get(other)?.has(one));
  }

  /** The post if `reader` may see it. */
  postOf(reader: string, id: string): StoredPost | undefined {
    const post = this.posts.get(id);
    if (!post || post.deleted || this.isBlocked(post.authorId, reader)) return undefined;
    return post;
  }

  notificationsOf(userId: string): StoredNotifications {
    const known = this.notifications.get(userId);
    if (known) return known;
    const made: StoredNotifications = { lastSeq: 0, items: [] };
    this.notifications.set(userId, made);
    return made;
  }

  unreadOf(userId: string): number {
    const items = this.notifications.get(userId)?.items ?? [];
    return items.filter((item) => item.read_at === null).length;
  }
}

/** Adds or takes an edge; whether anything changed. */
export function setEdge(
  edges: Map<string, Set<string>>,
  from: string,
  to: string,
  present: boolean,
): boolean {
  const known = edges.get(from) ?? new Set();
  edges.set(from, known);
  if (known.has(to) === present) return false;
  if (present) known.add(to);
  else known.delete(to);
  return true;
}

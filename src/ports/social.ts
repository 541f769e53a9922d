/**
 * The edge's reads of posts, the social graph and notifications, straight from storage; see
 * edge.ts. Objects that the reader may not see (deleted, or behind a block either way) are answered
 * as if they did not exist.
 */
import type { PostId, UserId } from "../protocol/ids.ts";
import type { JsonText } from "../protocol/json-text.ts";
import type { Comment, Notification, Post, PostCounts } from "../protocol/social.ts";
import type { ListPage } from "./pages.ts";
import type { PeopleQueries } from "./people.ts";

export type { ListPage } from "./pages.ts";

export interface SocialQueries {
  readonly people: PeopleQueries;
  post(reader: UserId, id: PostId): Promise<Post | null>;
  /**
   * Posts of those the reader follows and their own, newest first, from an index whatever the
   * number followed. Undefined result: bad cursor.
   */
  feed(
    reader: UserId,
    limit: number,
    cursor: string | null,
  ): Promise<JsonText<ListPage<Post>> | undefined>;
  /** Oldest first; null: no such post; undefined: bad cursor. */
  comments(
    reader: UserId,
    post: PostId,
    limit: number,
    cursor: string | null,
  ): Promise<ListPage<Comment> | null | undefined>;
  /** By its id alone. Null: none, or the reader may not see the post. */
  comment(reader: UserId, id: string): Promise<Comment | null>;
  /** Those of `ids` that the reader may see, with their author. Gathered over a turn. */
  postCounts(
    reader: UserId,
    ids: readonly PostId[],
  ): Promise<(PostCounts & { author_id: string })[]>;

  /** Newest (highest seq) first. */
  notifications(
    reader: UserId,
    limit: number,
    cursor: string | null,
  ): Promise<(ListPage<Notification> & { unread_count: number }) | undefined>;
  /** Changed after `seq`, by rising seq, at most `limit`; for sync. */
  /** The newest `seq` of each user who has had a notification. */
  notificationSeqs(users: UserId[]): Promise<Map<UserId, number>>;
  notificationsAfter(reader: UserId, seq: number, limit: number): Promise<Notification[]>;

  /** Those of `users` that stand behind a block with `reader`, either way round. */
  blockedAmong(reader: UserId, users: readonly UserId[]): Promise<UserId[]>;
}

/** The social part of what `openSession` reads (`SessionOpening` in edge.ts). */
export interface SocialOpening {
  /** The users whom this user followed last, newest first, at most AUTOMATIC_WATCHES_MAX. */
  followees: UserId[];
  /** Everyone behind a block with the user, either way round. */
  blocked: UserId[];
  unreadNotifications: number;
  /** The newest `seq`; 0 where there is no notification. */
  lastNotificationSeq: number;
}

/** A recount of what is stored against what is counted; `troupe recount`. */
export interface RecountStore {
  /** The differences found, by table and column; with `isRepairing` they are corrected. */
  recount(
    isRepairing: boolean,
  ): Promise<{ what: string; id: string; stored: number; counted: number }[]>;
}

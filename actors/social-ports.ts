/**
 * What the behaviours need of storage for posts, the social graph and notifications; see
 * ports.ts for the rules that hold for all of them. Blocks are looked at inside each
 * statement: what is blocked, either way round, is `not_found` (posts) or `forbidden`.
 */
import type { AppData } from "../src/protocol/app-data.ts";
import type { Result } from "../src/protocol/errors.ts";
import type { ConversationId, PostId, UserId } from "../src/protocol/ids.ts";
import type { Comment, Notification, Post } from "../src/protocol/social.ts";

export interface LikeChange {
  postId: PostId;
  userId: UserId;
  liked: boolean;
}

export interface LikeOutcome {
  /** After this change: counts it. */
  likeCount: number;
  /** False: it was so already. */
  changed: boolean;
}

/** What a post's actor holds. */
export interface PostRecord {
  id: PostId;
  authorId: UserId;
  likeCount: number;
  commentCount: number;
}

/** What a comment says. */
export interface CommentContent {
  body: string;
  data?: AppData;
}

export interface PostContent extends CommentContent {
  /** The ids of the files that it shows, each once. */
  attachments?: string[];
}

/** Keys that are left out stay; a `data` of null takes it away, `attachments` are replaced whole. */
export interface PostChange {
  body?: string;
  data?: AppData | null;
  attachments?: string[];
}

export interface PostStore {
  /**
   * Refuses: not_found (a file that is not there for the author), forbidden (a file that another
   * has uploaded).
   */
  create(authorId: UserId, content: PostContent): Promise<Result<Post>>;
  /** Null when there is none or it was deleted. */
  load(id: PostId): Promise<PostRecord | null>;
  /**
   * Group-committed over all posts of a thread in one statement; the count changes in the same
   * transaction. Changes of the same post and user resolve in the order of the calls.
   * Refuses: not_found (none, deleted, or blocked).
   */
  like(change: LikeChange): Promise<Result<LikeOutcome>>;
  /**
   * Group-committed; the comment's id is taken under the post's row lock, so that ids of a post
   * rise in commit order. Refuses: not_found.
   */
  comment(
    postId: PostId,
    authorId: UserId,
    content: CommentContent,
  ): Promise<Result<{ comment: Comment; commentCount: number }>>;
  /**
   * Refuses: not_found (none, deleted, or blocked), forbidden (not the author), and what create
   * refuses.
   */
  edit(id: PostId, by: UserId, change: PostChange): Promise<Result<Post>>;
  /**
   * `by` null, here and below: a moderator, who may delete what others wrote. Refuses: not_found
   * (none, deleted, or blocked), forbidden (not the author).
   */
  remove(id: PostId, by: UserId | null): Promise<Result<null>>;
  /**
   * The post's comments are counted in the same transaction. Refuses: not_found (neither such a
   * post nor such a comment), forbidden (neither the comment's author nor the post's).
   */
  removeComment(
    id: PostId,
    commentId: string,
    by: UserId | null,
  ): Promise<Result<{ commentCount: number }>>;
}

/** A notification to be made, or grown. */
export interface NewNotification {
  userId: UserId;
  type: string;
  message: string;
  actorId: UserId | null;
  postId: PostId | null;
  commentId: string | null;
  data: unknown;
  /** The conversation that it comes from: the user's preferences of it may silence it. */
  conversationId?: ConversationId;
}

export interface NotificationStore {
  /** The newest seq (0 when there is none) and how many are unread. Null: no such user. */
  load(userId: UserId): Promise<{ lastSeq: number; unreadCount: number } | null>;
  /**
   * Group-committed. Takes the user's next seq. Null: nothing was made, for the actor and the
   * user are the same or block one another, or the user has silenced the conversation. Refuses:
   * not_found (no such user).
   */
  add(notification: NewNotification): Promise<Result<Notification | null>>;
  /**
   * Counts `by` more in it: next seq, unread again, new message. Refuses: not_found (none, or
   * its user is the actor, or they block one another).
   */
  grow(
    userId: UserId,
    id: string,
    by: number,
    actorId: UserId | null,
    message: string,
  ): Promise<Result<Notification>>;
  /** Marks all with seq up to `upToSeq` read; answers how many stay unread. */
  markRead(userId: UserId, upToSeq: number): Promise<{ unreadCount: number; changed: boolean }>;
}

export interface GraphStore {
  /**
   * Idempotent. Refuses: not_found (no such user), forbidden (blocked, when following),
   * invalid_payload (oneself).
   */
  follow(by: UserId, user: UserId, following: boolean): Promise<Result<{ changed: boolean }>>;
  /**
   * Idempotent; a block ends follows both ways in the same transaction. `direct`: the pair's
   * direct conversation, if there is one. `isApart`: whether, after this, a block stands between
   * them either way round. Refuses: not_found, invalid_payload (oneself).
   */
  block(
    by: UserId,
    user: UserId,
    blocked: boolean,
  ): Promise<Result<{ changed: boolean; isBlocked: boolean; direct: ConversationId | null }>>;
  /** Users of these (folded) names that exist. */
  idsByName(names: readonly string[]): Promise<Map<string, UserId>>;
  /** Those of `users` that stand behind a block with `user`, either way round. */
  blockedAmong(user: UserId, users: readonly UserId[]): Promise<UserId[]>;
  /** For the words of a notification. */
  displayName(id: UserId): Promise<string | null>;
}

export interface SocialPorts {
  posts: PostStore;
  notifications: NotificationStore;
  graph: GraphStore;
}

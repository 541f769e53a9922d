/** PostStore in memory; the twin of ../posts.ts, held to the same suite. */
import type {
  CommentContent,
  LikeChange,
  LikeOutcome,
  PostChange,
  PostContent,
  PostRecord,
  PostStore,
} from "../../../actors/social-ports.ts";
import { ok, type Result } from "../../protocol/errors.ts";
import type { PostId, UserId } from "../../protocol/ids.ts";
import { asUserId } from "../../protocol/schemas.ts";
import type { Comment, Post } from "../../protocol/social.ts";
import { SOCIAL_REFUSALS } from "../postgres/refusals.ts";
import { filesRefusal } from "./message-extras.ts";
import type { StoredPost } from "./social-tables.ts";
import type { MemoryTables } from "./tables.ts";

export class MemoryPosts implements PostStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async create(
    authorId: UserId,
    { body, data, attachments = [] }: PostContent,
  ): Promise<Result<Post>> {
    const noFile = filesRefusal(this.#tables, authorId, attachments);
    if (noFile) return noFile;
    const stored: StoredPost = {
      id: this.#tables.nextId(),
      authorId,
      body,
      likeCount: 0,
      commentCount: 0,
      likes: new Set(),
      comments: [],
      createdAt: this.#tables.nowIso(),
      deleted: false,
      data: data ?? null,
      editedAt: null,
      fileIds: attachments,
    };
    this.#tables.social.posts.set(stored.id, stored);
    return ok(shownPost(this.#tables, stored, authorId));
  }

  async load(id: PostId): Promise<PostRecord | null> {
    const stored = this.#tables.social.posts.get(id);
    if (!stored || stored.deleted) return null;
    const { likeCount, commentCount } = stored;
    return { id, authorId: asUserId(stored.authorId), likeCount, commentCount };
  }

  async like({ postId, userId, liked }: LikeChange): Promise<Result<LikeOutcome>> {
    const stored = this.#tables.social.postOf(userId, postId);
    if (!stored) return SOCIAL_REFUSALS.postNotFound;
    const changed = stored.likes.has(userId) !== liked;
    if (changed) {
      if (liked) stored.likes.add(userId);
      else stored.likes.delete(userId);
      stored.likeCount += liked ? 1 : -1;
    }
    return ok({ likeCount: stored.likeCount, changed });
  }

  async comment(
    postId: PostId,
    authorId: UserId,
    { body, data }: CommentContent,
  ): Promise<Result<{ comment: Comment; commentCount: number }>> {
    const stored = this.#tables.social.postOf(authorId, postId);
    if (!stored) return SOCIAL_REFUSALS.postNotFound;
    const comment: Comment = {
      id: this.#tables.nextId(),
      post_id: postId,
      author_id: authorId,
      body,
      created_at: this.#tables.nowIso(),
      ...(data !== undefined && { data }),
    };
    stored.comments.push(comment);
    stored.commentCount++;
    return ok({ comment: { ...comment }, commentCount: stored.commentCount });
  }

  async edit(
    id: PostId,
    by: UserId,
    { body, data, attachments }: PostChange,
  ): Promise<Result<Post>> {
    const stored = this.#tables.social.postOf(by, id);
    if (!stored) return SOCIAL_REFUSALS.postNotFound;
    if (stored.authorId !== by) return SOCIAL_REFUSALS.notAuthor;
    const noFile = filesRefusal(this.#tables, by, attachments);
    if (noFile) return noFile;
    if (attachments !== undefined) stored.fileIds = attachments;
    if (body !== undefined) stored.body = body;
    if (data !== undefined) stored.data = data;
    stored.editedAt = this.#tables.nowIso();
    return ok(shownPost(this.#tables, stored, by));
  }

  async removeComment(
    id: PostId,
    commentId: string,
    by: UserId | null,
  ): Promise<Result<{ commentCount: number }>> {
    const stored = this.#tables.social.postOf(by ?? "", id);
    if (!stored) return SOCIAL_REFUSALS.postNotFound;
    const at = stored.comments.findIndex((comment) => comment.id === commentId);
    const comment = stored.comments[at];
    if (comment === undefined) return SOCIAL_REFUSALS.commentNotFound;
    if (by !== null && by !== stored.authorId && by !== comment.author_id) {
      return SOCIAL_REFUSALS.notCommenter;
    }
    stored.comments.splice(at, 1);
    stored.commentCount--;
    return ok({ commentCount: stored.commentCount });
  }

  async remove(id: PostId, by: UserId | null): Promise<Result<null>> {
    const stored = this.#tables.social.postOf(by ?? "", id);
    if (!stored) return SOCIAL_REFUSALS.postNotFound;
    if (by !== null && stored.authorId !== by) return SOCIAL_REFUSALS.notAuthor;
    stored.deleted = true;
    stored.body = "";
    stored.fileIds = [];
    return ok(null);
  }
}

/** The contract's object of a stored post. */
export function shownPost({ files }: MemoryTables, stored: StoredPost, reader: string): Post {
  const attachments = files.all(stored.fileIds);
  return {
    id: stored.id,
    author_id: stored.authorId,
    body: stored.body,
    like_count: stored.likeCount,
    comment_count: stored.commentCount,
    liked: stored.likes.has(reader),
    created_at: stored.createdAt,
    ...(stored.data !== null && { data: stored.data }),
    ...(stored.editedAt !== null && { edited_at: stored.editedAt }),
    ...(attachments.length > 0 && { attachments }),
  };
}

/**
 * PostStore on PostgreSQL, for the post actors of one thread. Likes and comments are group
 * commits over all of its posts (like_batch and comment_batch in sql/functions).
 */
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
import type { Comment, Post } from "../../protocol/social.ts";
import { KeyedBatches, type KeyedBatchLimits } from "../batching/keyed-batches.ts";
import { Batcher } from "../batching/shared-reads.ts";
import type { Database } from "./pool.ts";
import { type Refusal, SOCIAL_REFUSALS, STORAGE_REFUSALS } from "./refusals.ts";
import { joinedLike, POST_COLUMNS, type PostRow, postOf } from "./social-rows.ts";

const CREATE = {
  name: "create_post",
  text: `INSERT INTO posts AS p (author_id, body, data) VALUES ($1, $2, $3)
    RETURNING p.id, p.author_id, p.body, p.like_count, p.comment_count, false AS liked,
      p.created_at, p.data, p.edited_at, NULL::jsonb AS attachments`,
};
const CREATE_WITH_FILES = {
  name: "create_post_with_files",
  text: "SELECT * FROM create_post($1, $2, $3, $4)",
};
const EDIT = { name: "edit_post", text: "SELECT edit_post($1, $2, $3) AS outcome" };
const EDITED = {
  name: "edited_post",
  text: `SELECT ${POST_COLUMNS} FROM posts p ${joinedLike("p.author_id")}
    WHERE p.id = $1 AND p.deleted_at IS NULL`,
};
const DELETE_COMMENT = {
  name: "delete_comment",
  text: "SELECT * FROM delete_comment($1, $2, $3)",
};
const LOAD = {
  name: "load_posts",
  text: `SELECT p.id, p.author_id, p.like_count, p.comment_count FROM posts p
    WHERE p.id = ANY ($1::bigint[]) AND p.deleted_at IS NULL`,
};
const LIKE_BATCH = { name: "like_batch", text: "SELECT * FROM like_batch($1, $2)" };
const COMMENT_BATCH = { name: "comment_batch", text: "SELECT * FROM comment_batch($1, $2)" };
const DELETE = { name: "delete_post", text: "SELECT delete_post($1, $2) AS outcome" };

/** Outcomes of the batches, beside 0 for what was so already, or is a comment that was added. */
const CHANGED = 1;
const NOT_FOUND = 2;

const WRITTEN_REFUSALS: Record<string, Refusal> = {
  forbidden: SOCIAL_REFUSALS.notAuthor,
  no_file: STORAGE_REFUSALS.noFile,
  not_uploader: STORAGE_REFUSALS.notUploader,
};

interface NewComment {
  postId: PostId;
  authorId: UserId;
  content: CommentContent;
}
type Commented = { comment: Comment; commentCount: number };

interface LikeBatchRow {
  outcomes: number[];
  counts: string[];
}
interface CommentBatchRow extends LikeBatchRow {
  at: string;
  ids: string[];
}

export class PostgresPosts implements PostStore {
  readonly #database: Database;
  readonly #load: Batcher<PostId, PostRecord | null>;
  readonly #likes: KeyedBatches<LikeChange, LikeOutcome>;
  readonly #comments: KeyedBatches<NewComment, Commented>;

  /** `writes`: connections of their own, for a batch may wait for a post's lock. */
  constructor(database: Database, writes: Database, limits: KeyedBatchLimits) {
    this.#database = database;
    this.#load = new Batcher((ids) => loadPosts(database, ids), {
      batchMax: 256,
      inFlightMax: 1,
    });
    this.#likes = new KeyedBatches((changes) => writeLikes(writes, changes), {
      name: "likes",
      ...limits,
      keyOf: ({ postId, userId }) => `${postId} ${userId}`,
    });
    this.#comments = new KeyedBatches((added) => writeComments(writes, added), {
      name: "comments",
      ...limits,
      keyOf: () => null,
    });
  }

  async create(
    authorId: UserId,
    { body, data, attachments = [] }: PostContent,
  ): Promise<Result<Post>> {
    const values = [authorId, body, data === undefined ? null : JSON.stringify(data)];
    if (attachments.length === 0) {
      const [row] = await this.#database.write<PostRow>(CREATE, values);
      return ok(postOf(row!));
    }
    const [made] = await this.#database.write<{ outcome: string; id: string }>(CREATE_WITH_FILES, [
      ...values,
      attachments,
    ]);
    return this.#written(made!.outcome, made!.id);
  }

  async edit(id: PostId, by: UserId, change: PostChange): Promise<Result<Post>> {
    const values = [id, by, JSON.stringify(change)];
    const [done] = await this.#database.write<{ outcome: string }>(EDIT, values);
    return this.#written(done?.outcome, id);
  }

  /** A second statement, which sees what the first has changed. */
  async #written(outcome: string | undefined, id: string): Promise<Result<Post>> {
    if (outcome !== "ok") return WRITTEN_REFUSALS[outcome ?? ""] ?? SOCIAL_REFUSALS.postNotFound;
    const [row] = await this.#database.read<PostRow>(EDITED, [id]);
    return row ? ok(postOf(row)) : SOCIAL_REFUSALS.postNotFound;
  }

  load(id: PostId): Promise<PostRecord | null> {
    return this.#load.ask(id);
  }

  like(change: LikeChange): Promise<Result<LikeOutcome>> {
    return this.#likes.write(change);
  }

  comment(postId: PostId, authorId: UserId, content: CommentContent): Promise<Result<Commented>> {
    return this.#comments.write({ postId, authorId, content });
  }

  async removeComment(
    id: PostId,
    commentId: string,
    by: UserId | null,
  ): Promise<Result<{ commentCount: number }>> {
    const [row] = await this.#database.write<{ outcome: string; comment_count: string }>(
      DELETE_COMMENT,
      [id, commentId, by],
    );
    switch (row?.outcome) {
      case "ok":
        return ok({ commentCount: Number(row.comment_count) });
      case "forbidden":
        return SOCIAL_REFUSALS.notCommenter;
      case "comment_not_found":
        return SOCIAL_REFUSALS.commentNotFound;
      default:
        return SOCIAL_REFUSALS.postNotFound;
    }
  }

  async remove(id: PostId, by: UserId | null): Promise<Result<null>> {
    const [row] = await this.#database.write<{ outcome: string }>(DELETE, [id, by]);
    if (row?.outcome === "ok") return ok(null);
    return row?.outcome === "forbidden" ? SOCIAL_REFUSALS.notAuthor : SOCIAL_REFUSALS.postNotFound;
  }

  /** Writes what waits; later likes and comments are refused. */
  async close(): Promise<void> {
    await Promise.all([this.#likes.close(), this.#comments.close()]);
  }
}

async function loadPosts(database: Database, ids: PostId[]): Promise<(PostRecord | null)[]> {
  const rows = await database.read<
    Pick<PostRow, "id" | "author_id" | "like_count" | "comment_count">
  >(LOAD, [ids]);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => {
    const row = byId.get(id);
    if (!row) return null;
    return {
      id,
      authorId: row.author_id as UserId,
      likeCount: Number(row.like_count),
      commentCount: Number(row.comment_count),
    };
  });
}

/** Idempotent, and so tried again when the connection breaks; then `changed` may be missed. */
async function writeLikes(writes: Database, changes: LikeChange[]): Promise<Result<LikeOutcome>[]> {
  const posts = [...new Set(changes.map(({ postId }) => postId))];
  const rows = changes.map(({ postId, userId, liked }) => ({ p: postId, u: userId, l: liked }));
  const [row] = await writes.read<LikeBatchRow>(LIKE_BATCH, [posts, JSON.stringify(rows)]);
  return changes.map((_, i) => {
    if (row!.outcomes[i] === NOT_FOUND) return SOCIAL_REFUSALS.postNotFound;
    return ok({ likeCount: Number(row!.counts[i]), changed: row!.outcomes[i] === CHANGED });
  });
}

async function writeComments(writes: Database, added: NewComment[]): Promise<Result<Commented>[]> {
  const posts = [...new Set(added.map(({ postId }) => postId))];
  const rows = added.map(({ postId, authorId, content: { body, data } }) => ({
    p: postId,
    u: authorId,
    b: body,
    // Text in text, so that PostgreSQL does not unescape it.
    ...(data !== undefined && { d: JSON.stringify(data) }),
  }));
  const [row] = await writes.write<CommentBatchRow>(COMMENT_BATCH, [posts, JSON.stringify(rows)]);
  return added.map(({ postId, authorId, content }, i) => {
    if (row!.outcomes[i] === NOT_FOUND) return SOCIAL_REFUSALS.postNotFound;
    const comment = {
      id: row!.ids[i]!,
      post_id: postId,
      author_id: authorId,
      body: content.body,
      created_at: row!.at,
      ...(content.data !== undefined && { data: content.data }),
    };
    return ok({ comment, commentCount: Number(row!.counts[i]) });
  });
}

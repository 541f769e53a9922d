/**
 * SocialQueries on PostgreSQL: the edge's reads of posts, the social graph and notifications.
 * Each is one statement, so that what it answers is one moment of the database. PostgresQueries
 * extends it.
 */

import type { ListPage } from "../../ports/pages.ts";
import type { PeopleQueries } from "../../ports/people.ts";
import type { SocialQueries } from "../../ports/social.ts";
import type { PostId, UserId } from "../../protocol/ids.ts";
import type { JsonText } from "../../protocol/json-text.ts";
import type { Comment, Notification, Post, PostCounts } from "../../protocol/social.ts";
import { Batcher } from "../batching/shared-reads.ts";
import { readBlockedAmong } from "./blocks.ts";
import { Feeds } from "./feed.ts";
import {
  BOTTOM,
  decodeListCursor,
  encodeListCursor,
  type NumberedList,
  TOP,
} from "./list-cursor.ts";
import { PostgresPeople } from "./people.ts";
import type { Database } from "./pool.ts";
import {
  COMMENT_COLUMNS,
  type CommentRow,
  commentOf,
  joinedBlocks,
  joinedLike,
  NOT_APART,
  NOTIFICATION_COLUMNS,
  type NotificationRow,
  notificationOf,
  POST_COLUMNS,
  type PostRow,
  postOf,
} from "./social-rows.ts";

const POST = {
  name: "post_of_reader",
  text: `SELECT ${POST_COLUMNS} FROM posts p ${joinedLike("$1")} ${joinedBlocks("p.author_id", "$1")}
    WHERE p.id = $2 AND p.deleted_at IS NULL AND ${NOT_APART}`,
};

// A row of nulls where the reader may see the post and the page is empty; none for others.
const COMMENTS = {
  name: "comments",
  text: `SELECT ${COMMENT_COLUMNS} FROM posts p ${joinedBlocks("p.author_id", "$1")}
    LEFT JOIN LATERAL (
      SELECT * FROM comments y WHERE y.post_id = p.id AND y.id > $3 ORDER BY y.id LIMIT $4
    ) c ON true
    WHERE p.id = $2 AND p.deleted_at IS NULL AND ${NOT_APART}
    ORDER BY c.id`,
};

const COMMENT = {
  name: "comment_of_reader",
  text: `SELECT ${COMMENT_COLUMNS} FROM comments c JOIN posts p ON p.id = c.post_id
    ${joinedBlocks("p.author_id", "$1")}
    WHERE c.id = $2 AND p.deleted_at IS NULL AND ${NOT_APART}`,
};

const POST_COUNTS = {
  name: "post_counts",
  text: `SELECT a.n::int, p.id, p.author_id, p.like_count, p.comment_count
    FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS a (reader, id, n)
    JOIN posts p ON p.id = a.id ${joinedBlocks("p.author_id", "a.reader")}
    WHERE p.deleted_at IS NULL AND ${NOT_APART}
    ORDER BY a.n`,
};

// A row of nulls where the page is empty, for the count of the unread.
const NOTIFICATIONS = {
  name: "notifications",
  text: `SELECT u.unread, ${NOTIFICATION_COLUMNS}
    FROM (
      SELECT count(*) AS unread FROM notifications y WHERE y.user_id = $1 AND y.read_at IS NULL
    ) u
    LEFT JOIN LATERAL (
      SELECT * FROM notifications y WHERE y.user_id = $1 AND y.seq < $2 ORDER BY y.seq DESC LIMIT $3
    ) o ON true
    ORDER BY o.seq DESC`,
};
const NOTIFICATION_SEQS = {
  name: "notification_seqs",
  text: `SELECT k.user_id, k.last_seq FROM notification_counters k
    WHERE k.user_id = ANY ($1::bigint[])`,
};
const NOTIFICATIONS_AFTER = {
  name: "notifications_after",
  text: `SELECT ${NOTIFICATION_COLUMNS} FROM notifications o
    WHERE o.user_id = $1 AND o.seq > $2 ORDER BY o.seq LIMIT $3`,
};

interface CountsAsk {
  reader: UserId;
  ids: readonly PostId[];
}
type AuthoredCounts = PostCounts & { author_id: string };

export class PostgresSocialQueries implements SocialQueries {
  readonly people: PeopleQueries;
  readonly #database: Database;
  readonly #feeds: Feeds;
  readonly #counts: Batcher<CountsAsk, AuthoredCounts[]>;

  constructor(database: Database) {
    this.people = new PostgresPeople(database);
    this.#database = database;
    this.#feeds = new Feeds(database);
    this.#counts = new Batcher((asks) => readCounts(database, asks), {
      batchMax: 64,
      inFlightMax: 2,
    });
  }

  async post(reader: UserId, id: PostId): Promise<Post | null> {
    const [row] = await this.#database.read<PostRow>(POST, [reader, id]);
    return row ? postOf(row) : null;
  }

  feed(
    reader: UserId,
    limit: number,
    cursor: string | null,
  ): Promise<JsonText<ListPage<Post>> | undefined> {
    return this.#feeds.read(reader, limit, cursor);
  }

  async comments(
    reader: UserId,
    post: PostId,
    limit: number,
    cursor: string | null,
  ): Promise<ListPage<Comment> | null | undefined> {
    const above = cursor === null ? BOTTOM : decodeListCursor("comments", cursor);
    if (above === undefined) return undefined;
    const rows = await this.#database.read<CommentRow | { id: null }>(COMMENTS, [
      reader,
      post,
      above,
      limit + 1,
    ]);
    if (rows.length === 0) return null;
    const found = rows.filter((row) => row.id !== null).map(commentOf);
    return pageOf("comments", found, limit, (comment) => comment.id);
  }

  async comment(reader: UserId, id: string): Promise<Comment | null> {
    const [row] = await this.#database.read<CommentRow>(COMMENT, [reader, id]);
    return row ? commentOf(row) : null;
  }

  postCounts(reader: UserId, ids: readonly PostId[]): Promise<AuthoredCounts[]> {
    return ids.length === 0 ? Promise.resolve([]) : this.#counts.ask({ reader, ids });
  }

  async notifications(
    reader: UserId,
    limit: number,
    cursor: string | null,
  ): Promise<(ListPage<Notification> & { unread_count: number }) | undefined> {
    const below = cursor === null ? TOP : decodeListCursor("notifications", cursor);
    if (below === undefined) return undefined;
    const rows = await this.#database.read<{ unread: string } & (NotificationRow | { id: null })>(
      NOTIFICATIONS,
      [reader, below, limit + 1],
    );
    const found = rows.filter((row) => row.id !== null).map(notificationOf);
    return {
      ...pageOf("notifications", found, limit, ({ seq }) => String(seq)),
      unread_count: Number(rows[0]!.unread),
    };
  }

  async notificationSeqs(users: UserId[]): Promise<Map<UserId, number>> {
    const rows = await this.#database.read<{ user_id: UserId; last_seq: string }>(
      NOTIFICATION_SEQS,
      [users],
    );
    return new Map(rows.map((row) => [row.user_id, Number(row.last_seq)]));
  }

  async notificationsAfter(reader: UserId, seq: number, limit: number): Promise<Notification[]> {
    const rows = await this.#database.read<NotificationRow>(NOTIFICATIONS_AFTER, [
      reader,
      seq,
      limit,
    ]);
    return rows.map(notificationOf);
  }

  blockedAmong(reader: UserId, users: readonly UserId[]): Promise<UserId[]> {
    return readBlockedAmong(this.#database, reader, users);
  }
}

/** A page of what was found with one beyond the limit. Shared by both adapters. */
export function pageOf<T>(
  list: NumberedList,
  found: T[],
  limit: number,
  placeOf: (item: T) => string,
): ListPage<T> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  const isMore = found.length > limit && last !== undefined;
  return { items, next_cursor: isMore ? encodeListCursor(list, placeOf(last)) : null };
}

async function readCounts(database: Database, asks: CountsAsk[]): Promise<AuthoredCounts[][]> {
  const readers: UserId[] = [];
  const ids: PostId[] = [];
  const askOf: number[] = [];
  for (const [i, ask] of asks.entries()) {
    for (const id of ask.ids) {
      readers.push(ask.reader);
      ids.push(id);
      askOf.push(i);
    }
  }
  const rows = await database.read<
    Pick<PostRow, "id" | "author_id" | "like_count" | "comment_count"> & { n: number }
  >(POST_COUNTS, [readers, ids]);
  const answers: AuthoredCounts[][] = asks.map(() => []);
  for (const row of rows) {
    answers[askOf[row.n - 1]!]!.push({
      post_id: row.id,
      author_id: row.author_id,
      like_count: Number(row.like_count),
      comment_count: Number(row.comment_count),
    });
  }
  return answers;
}

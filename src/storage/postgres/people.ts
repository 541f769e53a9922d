/** PeopleQueries on PostgreSQL. A page of any list is one walk along an index. */

import type { ListPage } from "../../ports/pages.ts";
import type { ListOf, PeopleQueries } from "../../ports/people.ts";
import type { PostId, UserId } from "../../protocol/ids.ts";
import type { SuspendedUser } from "../../protocol/people-routes.ts";
import type { User } from "../../protocol/schemas.ts";
import type { Post, UserProfile } from "../../protocol/social.ts";
import { decodeUserPlace, encodeUserPlace, type UserList } from "./cursor.ts";
import { decodeListCursor, encodeListCursor, TOP } from "./list-cursor.ts";
import type { Database } from "./pool.ts";
import { USER_COLUMNS, type UserRow, userOf } from "./rows.ts";
import {
  joinedBlocks,
  joinedLike,
  NOT_APART,
  POST_COLUMNS,
  type PostRow,
  postOf,
} from "./social-rows.ts";
import { readUsers } from "./users.ts";

const PROFILE = {
  name: "user_profile",
  text: `SELECT ${USER_COLUMNS}, coalesce(k.follower_count, 0) AS follower_count,
      coalesce(k.following_count, 0) AS following_count, coalesce(k.post_count, 0) AS post_count,
      f.follower_id IS NOT NULL AS followed
    FROM users u LEFT JOIN user_counts k ON k.user_id = u.id
    LEFT JOIN follows f ON f.follower_id = $2 AND f.followee_id = u.id
    WHERE u.id = $1`,
};

interface UserListSql {
  name: string;
  /** Gives one row where the reader ($1) may see the list of $2; `t` and `p` are free for it. */
  subject: string;
  /** The rows of the list, and which of them. */
  from: string;
  where: string;
  /** The user of such a row, and when it began. */
  id: string;
  at: string;
}

/** No row where the reader may not see the list; one of nulls where the page is empty. */
const userList = ({ name, subject, from, where, id, at }: UserListSql) => ({
  name,
  text: `SELECT ${USER_COLUMNS}, x.at FROM (${subject}) s
    LEFT JOIN LATERAL (
      SELECT ${id} AS id, ${at} AS at FROM ${from} ${joinedBlocks(id, "$1")}
      WHERE ${where} AND ($3::timestamptz IS NULL OR (${at}, ${id}) < ($3, $4::bigint))
        AND ${NOT_APART}
      ORDER BY ${at} DESC, ${id} DESC LIMIT $5
    ) x ON true
    LEFT JOIN users u ON u.id = x.id
    ORDER BY x.at DESC, x.id DESC`,
});

const SEEN_USER = `SELECT t.id FROM users t ${joinedBlocks("t.id", "$1")}
  WHERE t.id = $2 AND ${NOT_APART}`;
const SEEN_POST = `SELECT p.id FROM posts p ${joinedBlocks("p.author_id", "$1")}
  WHERE p.id = $2 AND p.deleted_at IS NULL AND ${NOT_APART}`;

const FOLLOWERS = userList({
  name: "followers",
  subject: SEEN_USER,
  from: "follows f",
  where: "f.followee_id = s.id",
  id: "f.follower_id",
  at: "f.created_at",
});
const FOLLOWING = userList({
  name: "following",
  subject: SEEN_USER,
  from: "follows f",
  where: "f.follower_id = s.id",
  id: "f.followee_id",
  at: "f.created_at",
});
const LIKERS = userList({
  name: "likers",
  subject: SEEN_POST,
  from: "likes k",
  where: "k.post_id = s.id",
  id: "k.user_id",
  at: "k.created_at",
});
const BLOCKED = {
  name: "blocked_by_reader",
  text: `SELECT ${USER_COLUMNS}, b.created_at AS at
    FROM blocks b JOIN users u ON u.id = b.blocked_id
    WHERE b.blocker_id = $1
      AND ($2::timestamptz IS NULL OR (b.created_at, b.blocked_id) < ($2, $3::bigint))
    ORDER BY b.created_at DESC, b.blocked_id DESC LIMIT $4`,
};
const SUSPENDED = {
  name: "suspended_users",
  text: `SELECT ${USER_COLUMNS}, u.suspended_at AS at, u.suspended_until, u.suspension_reason
    FROM users u
    WHERE u.suspended_at IS NOT NULL AND is_suspended(u) AND u.erased_at IS NULL
      AND ($1::timestamptz IS NULL OR (u.suspended_at, u.id) < ($1, $2::bigint))
    ORDER BY u.suspended_at DESC, u.id DESC LIMIT $3`,
};
const EVERYBODY = {
  text: `SELECT ${USER_COLUMNS} FROM users u WHERE u.id < $1 ORDER BY u.id DESC LIMIT $2`,
};
const POSTS = {
  name: "posts_of_user",
  text: `SELECT ${POST_COLUMNS} FROM (${SEEN_USER}) s
    LEFT JOIN LATERAL (
      SELECT y.* FROM posts y
      WHERE y.author_id = s.id AND y.deleted_at IS NULL AND y.id < $3
      ORDER BY y.id DESC LIMIT $4
    ) p ON true
    ${joinedLike("$1")}
    ORDER BY p.id DESC`,
};

/** Rows of memberships that a search among one's own people looks at: some 50 ms at the most. */
const SHARED_ROWS_MAX = 50_000;
/** Users whose name begins so that a search among all looks at. */
const CANDIDATES_MAX = 2_000;
/** Greater than everything that begins with the word. */
const PAST = (word: string) => `${word} || chr(1114111)`;

/** Channels by themselves, so that a large one takes nobody's place who shares a group. */
const sharing = (which: string) => `(SELECT m.user_id FROM conversation_members k
    JOIN conversations c ON c.id = k.conversation_id AND c.deleted_at IS NULL
    JOIN conversation_members m ON m.conversation_id = k.conversation_id
    WHERE k.user_id = $1 AND ${which} AND m.user_id <> $1 LIMIT ${SHARED_ROWS_MAX})`;

const SHARED = `SELECT f.followee_id AS id FROM follows f WHERE f.follower_id = $1
  UNION SELECT m.user_id FROM (
    ${sharing("k.in_channel IS NULL")} UNION ALL ${sharing("k.in_channel")}
  ) m`;
const ALL = `(SELECT v.id FROM users v
    WHERE v.username >= q.words[1] AND v.username < ${PAST("q.words[1]")}
    ORDER BY v.username LIMIT ${CANDIDATES_MAX})
  UNION (SELECT w.user_id FROM user_words w
    WHERE w.word >= q.words[1] AND w.word < ${PAST("q.words[1]")}
    ORDER BY w.word LIMIT ${CANDIDATES_MAX})`;

// A username's dots and underscores belong to it: its words are those between white space.
const search = (name: string, candidates: string) => ({
  name,
  text: `SELECT ${USER_COLUMNS}
    FROM (SELECT regexp_split_to_array(btrim(fold_name($2)), '\\s+') AS words) q
    CROSS JOIN LATERAL (${candidates}) c
    JOIN users u ON u.id = c.id
    ${joinedBlocks("u.id", "$1")}
    WHERE ${NOT_APART} AND may_be_found(u) AND NOT EXISTS (
      SELECT 1 FROM unnest(q.words) AS x (word)
      WHERE NOT starts_with(u.username, x.word) AND NOT EXISTS (
        SELECT 1 FROM user_words w WHERE w.user_id = u.id AND starts_with(w.word, x.word)
      )
    )
    ORDER BY u.username = q.words[1] DESC, u.username LIMIT $3`,
});
const SEARCH_SHARED = search("search_shared_users", SHARED);
const SEARCH_ALL = search("search_all_users", ALL);

type PlacedUser = (UserRow & { at: string }) | { id: null };
type Nothing = { id: null };

export class PostgresPeople implements PeopleQueries {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async profile(reader: UserId | null, id: UserId): Promise<UserProfile | null> {
    const [row] = await this.#database.read<
      UserRow & {
        follower_count: string;
        following_count: string;
        post_count: string;
        followed: boolean;
      }
    >(PROFILE, [id, reader]);
    if (row === undefined) return null;
    return {
      ...userOf(row),
      follower_count: Number(row.follower_count),
      following_count: Number(row.following_count),
      post_count: Number(row.post_count),
      ...(reader !== null && { followed_by_me: row.followed }),
    };
  }

  async byIds(ids: readonly UserId[]): Promise<User[]> {
    const users = await readUsers(this.#database, [...new Set(ids)]);
    return users.filter((user) => user !== null);
  }

  followers(reader: UserId, of: UserId, limit: number, cursor: string | null): ListOf<User> {
    return this.#users("followers", FOLLOWERS, [reader, of], limit, cursor);
  }

  following(reader: UserId, of: UserId, limit: number, cursor: string | null): ListOf<User> {
    return this.#users("following", FOLLOWING, [reader, of], limit, cursor);
  }

  likers(reader: UserId, post: PostId, limit: number, cursor: string | null): ListOf<User> {
    return this.#users("likers", LIKERS, [reader, post], limit, cursor);
  }

  async blocked(reader: UserId, limit: number, cursor: string | null): ListOf<User> {
    const page = await this.#users("blocks", BLOCKED, [reader], limit, cursor);
    return page === null ? { items: [], next_cursor: null } : page;
  }

  async suspended(limit: number, cursor: string | null): ListOf<SuspendedUser> {
    const place = cursor === null ? null : decodeUserPlace("suspended", cursor);
    if (place === undefined) return undefined;
    const rows = await this.#database.read<
      UserRow & { at: string; suspended_until: string | null; suspension_reason: string | null }
    >(SUSPENDED, [place === null ? null : new Date(place.atMs), place?.id ?? null, limit + 1]);
    return pageOfUsers("suspended", rows, limit, (row) => ({
      ...userOf(row),
      suspended_at: row.at,
      until: row.suspended_until,
      reason: row.suspension_reason,
    }));
  }

  async all(limit: number, cursor: string | null): ListOf<User> {
    const below = cursor === null ? TOP : decodeListCursor("users", cursor);
    if (below === undefined) return undefined;
    const rows = await this.#database.read<UserRow>(EVERYBODY, [below, limit + 1]);
    const items = rows.slice(0, limit).map(userOf);
    const last = rows.length > limit ? items.at(-1) : undefined;
    return { items, next_cursor: last ? encodeListCursor("users", last.id) : null };
  }

  async posts(reader: UserId, author: UserId, limit: number, cursor: string | null): ListOf<Post> {
    const below = cursor === null ? TOP : decodeListCursor("user_posts", cursor);
    if (below === undefined) return undefined;
    const values = [reader, author, below, limit + 1];
    const rows = await this.#database.read<PostRow | Nothing>(POSTS, values);
    if (rows.length === 0) return null;
    const found = rows.filter((row) => row.id !== null);
    const items = found.slice(0, limit).map(postOf);
    const last = found.length > limit ? items.at(-1) : undefined;
    return { items, next_cursor: last ? encodeListCursor("user_posts", last.id) : null };
  }

  async search(reader: UserId, q: string, among: "shared" | "all", limit: number): Promise<User[]> {
    const statement = among === "shared" ? SEARCH_SHARED : SEARCH_ALL;
    const rows = await this.#database.read<UserRow>(statement, [reader, q, limit]);
    return rows.map(userOf);
  }

  async #users(
    list: UserList,
    statement: { name: string; text: string },
    values: readonly string[],
    limit: number,
    cursor: string | null,
  ): ListOf<User> {
    const place = cursor === null ? null : decodeUserPlace(list, cursor);
    if (place === undefined) return undefined;
    const rows = await this.#database.read<PlacedUser>(statement, [
      ...values,
      place === null ? null : new Date(place.atMs),
      place?.id ?? null,
      limit + 1,
    ]);
    if (rows.length === 0) return null;
    const found = rows.filter((row) => row.id !== null);
    return pageOfUsers(list, found, limit, userOf);
  }
}

/** A page of what was found with one beyond the limit. */
function pageOfUsers<R extends UserRow & { at: string }, T>(
  list: UserList,
  found: readonly R[],
  limit: number,
  shownAs: (row: R) => T,
): ListPage<T> {
  const rows = found.slice(0, limit);
  const last = found.length > limit ? rows.at(-1) : undefined;
  return {
    items: rows.map(shownAs),
    next_cursor: last ? encodeUserPlace(list, { atMs: Date.parse(last.at), id: last.id }) : null,
  };
}

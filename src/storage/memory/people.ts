/** PeopleQueries in memory; the twin of ../postgres/people.ts, held to the same suite. */
import type { ListPage } from "../../ports/pages.ts";
import type { ListOf, PeopleQueries } from "../../ports/people.ts";
import type { PostId, UserId } from "../../protocol/ids.ts";
import type { SuspendedUser } from "../../protocol/people-routes.ts";
import type { User } from "../../protocol/schemas.ts";
import type { Post, UserProfile } from "../../protocol/social.ts";
import { decodeUserPlace, encodeUserPlace, type UserList } from "../postgres/cursor.ts";
import { decodeListCursor } from "../postgres/list-cursor.ts";
import { pageOf } from "../postgres/social-queries.ts";
import { folded } from "./folding.ts";
import { shownPost } from "./posts.ts";
import { privacyOf } from "./privacy.ts";
import { compareIds, type MemoryTables, type StoredUser } from "./tables.ts";

/** A user in a list, and the place there; of places the later is the higher. */
interface Placed {
  id: string;
  at: number;
}

export class MemoryPeople implements PeopleQueries {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async profile(reader: UserId | null, id: UserId): Promise<UserProfile | null> {
    const stored = this.#tables.users.get(id);
    if (stored === undefined) return null;
    const { follows, posts } = this.#tables.social;
    const ownPosts = [...posts.values()].filter((post) => post.authorId === id && !post.deleted);
    return {
      ...stored.user,
      follower_count: [...follows.values()].filter((followed) => followed.has(id)).length,
      following_count: follows.get(id)?.size ?? 0,
      post_count: ownPosts.length,
      ...(reader !== null && { followed_by_me: follows.get(reader)?.has(id) === true }),
    };
  }

  async byIds(ids: readonly UserId[]): Promise<User[]> {
    return [...new Set(ids)].flatMap((id) => {
      const stored = this.#tables.users.get(id);
      return stored === undefined ? [] : [{ ...stored.user }];
    });
  }

  async followers(reader: UserId, of: UserId, limit: number, cursor: string | null): ListOf<User> {
    const { social } = this.#tables;
    const found = [...social.follows].flatMap(([id, followed]) =>
      followed.has(of) ? [{ id, at: social.followedAt.get(`${id} ${of}`) ?? 0 }] : [],
    );
    return this.#listOf("followers", reader, of, found, limit, cursor);
  }

  async following(reader: UserId, of: UserId, limit: number, cursor: string | null): ListOf<User> {
    const { social } = this.#tables;
    const found = [...(social.follows.get(of) ?? [])].map((id) => ({
      id,
      at: social.followedAt.get(`${of} ${id}`) ?? 0,
    }));
    return this.#listOf("following", reader, of, found, limit, cursor);
  }

  async likers(reader: UserId, post: PostId, limit: number, cursor: string | null): ListOf<User> {
    const stored = this.#tables.social.postOf(reader, post);
    const found = [...(stored?.likes ?? [])].map((id, at) => ({ id, at }));
    return this.#listOf("likers", reader, stored?.authorId ?? "", found, limit, cursor);
  }

  async posts(reader: UserId, author: UserId, limit: number, cursor: string | null): ListOf<Post> {
    const below = cursor === null ? null : decodeListCursor("user_posts", cursor);
    if (below === undefined) return undefined;
    const { social, users } = this.#tables;
    if (!users.has(author) || social.isBlocked(reader, author)) return null;
    const found = [...social.posts.values()]
      .filter((post) => post.authorId === author && !post.deleted)
      .filter(({ id }) => below === null || compareIds(id, below) < 0)
      .reverse()
      .map((post) => shownPost(this.#tables, post, reader));
    return pageOf("user_posts", found, limit, ({ id }) => id);
  }

  async blocked(reader: UserId, limit: number, cursor: string | null): ListOf<User> {
    const found = [...(this.#tables.social.blocks.get(reader) ?? [])].map((id, at) => ({ id, at }));
    return this.#pageOf("blocks", found, limit, cursor, ({ user }) => ({ ...user }));
  }

  async all(limit: number, cursor: string | null): ListOf<User> {
    const below = cursor === null ? null : decodeListCursor("users", cursor);
    if (below === undefined) return undefined;
    const found = [...this.#tables.users.values()]
      .map(({ user }) => ({ ...user }))
      .filter(({ id }) => below === null || compareIds(id, below) < 0)
      .reverse();
    return pageOf("users", found, limit, ({ id }) => id);
  }

  async suspended(limit: number, cursor: string | null): ListOf<SuspendedUser> {
    const found = [...this.#tables.users.values()]
      .filter(({ suspended }) => suspended)
      .map(({ user, suspension }) => ({ id: user.id, at: suspension?.atMs ?? 0 }));
    return this.#pageOf("suspended", found, limit, cursor, ({ user, suspension }) => ({
      ...user,
      suspended_at: new Date(suspension?.atMs ?? 0).toISOString(),
      until: suspension?.untilMs ? new Date(suspension.untilMs).toISOString() : null,
      reason: suspension?.reason ?? null,
    }));
  }

  async search(reader: UserId, q: string, among: "shared" | "all", limit: number): Promise<User[]> {
    const words = folded(q).trim().split(/\s+/);
    const fits = ({ username, display_name }: User) => {
      const own = [username, ...folded(display_name).split(/[^\p{L}\p{N}]+/u)];
      return words.every((word) => own.some((one) => one.startsWith(word)));
    };
    const { social, users } = this.#tables;
    return [...users.values()]
      .filter(({ suspended }) => !suspended)
      .map(({ user }) => ({ ...user }))
      .filter(({ id }) => privacyOf(this.#tables, id).discoverable)
      .filter(({ id }) => !social.isBlocked(reader, id))
      .filter(({ id }) => among === "all" || (id !== reader && this.#isShared(reader, id)))
      .filter(fits)
      .sort((one, other) => {
        const isFirst = (user: User) => (user.username === words[0] ? 0 : 1);
        return isFirst(one) - isFirst(other) || (one.username < other.username ? -1 : 1);
      })
      .slice(0, limit);
  }

  #isShared(reader: string, other: string): boolean {
    if (this.#tables.social.follows.get(reader)?.has(other) === true) return true;
    return [...this.#tables.conversations.values()].some(
      ({ members }) => members.has(reader) && members.has(other),
    );
  }

  /** Null where the reader may not see lists of `of`. */
  #listOf(
    list: UserList,
    reader: UserId,
    of: string,
    found: readonly Placed[],
    limit: number,
    cursor: string | null,
  ): ListPage<User> | null | undefined {
    const { social, users } = this.#tables;
    const isSeen = users.has(of) && !social.isBlocked(reader, of);
    const shown = found.filter(({ id }) => !social.isBlocked(reader, id));
    const page = this.#pageOf(list, shown, limit, cursor, ({ user }) => ({ ...user }));
    return page === undefined || isSeen ? page : null;
  }

  #pageOf<T>(
    list: UserList,
    found: readonly Placed[],
    limit: number,
    cursor: string | null,
    shownAs: (stored: StoredUser) => T,
  ): ListPage<T> | undefined {
    const place = cursor === null ? null : decodeUserPlace(list, cursor);
    if (place === undefined) return undefined;
    const rest = found
      .toSorted((one, other) => other.at - one.at || compareIds(other.id, one.id))
      .filter(
        ({ id, at }) =>
          place === null || at < place.atMs || (at === place.atMs && compareIds(id, place.id) < 0),
      );
    const shown = rest.slice(0, limit);
    const last = rest.length > limit ? shown.at(-1) : undefined;
    return {
      items: shown.map(({ id }) => shownAs(this.#tables.users.get(id)!)),
      next_cursor: last ? encodeUserPlace(list, { atMs: last.at, id: last.id }) : null,
    };
  }
}

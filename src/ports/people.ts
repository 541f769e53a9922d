/**
 * The edge's reads of users as others find and see them; see edge.ts. A user between whom
 * and the reader a block stands, either way round, is in no list, and their own lists are not found.
 */
import type { PostId, UserId } from "../protocol/ids.ts";
import type { SuspendedUser } from "../protocol/people-routes.ts";
import type { User } from "../protocol/schemas.ts";
import type { Post, UserProfile } from "../protocol/social.ts";
import type { ListPage } from "./pages.ts";

/** Null: the reader may not see whose list it is. Undefined: bad cursor. */
export type ListOf<T> = Promise<ListPage<T> | null | undefined>;

export interface PeopleQueries {
  /** `reader` null: a service, which follows nobody. */
  profile(reader: UserId | null, id: UserId): Promise<UserProfile | null>;
  /** Those of `ids` that exist, in that order, each once. */
  byIds(ids: readonly UserId[]): Promise<User[]>;
  /** Newest first, as the lists below. */
  followers(reader: UserId, of: UserId, limit: number, cursor: string | null): ListOf<User>;
  following(reader: UserId, of: UserId, limit: number, cursor: string | null): ListOf<User>;
  likers(reader: UserId, post: PostId, limit: number, cursor: string | null): ListOf<User>;
  posts(reader: UserId, author: UserId, limit: number, cursor: string | null): ListOf<Post>;
  blocked(reader: UserId, limit: number, cursor: string | null): ListOf<User>;
  /** Everybody, newest first. */
  all(limit: number, cursor: string | null): ListOf<User>;
  suspended(limit: number, cursor: string | null): ListOf<SuspendedUser>;
  /**
   * Users of whom every word of `q`, folded, begins the username or a word of the name; among those
   * with whom the reader shares a conversation or whom the reader follows, or among all. By
   * username, an exact one first.
   */
  search(reader: UserId, q: string, among: "shared" | "all", limit: number): Promise<User[]>;
}

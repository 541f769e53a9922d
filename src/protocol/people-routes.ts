/**
 * Users as others find and see them: by name, by id, by search, and in lists of the social graph.
 * Part of ROUTES in routes.ts.
 */
import type { Static } from "typebox";
import Type from "typebox";
import { ById, Limit, PageCursor, type RouteSpec } from "./route-spec.ts";
import { Id, Nullable, Page, Request, Time, User, Username } from "./schemas.ts";
import { Post, UserProfile } from "./social.ts";

export const USERS_BY_ID_MAX = 100;
const SEARCH_CHARS_MAX = 80;

/** A user in the list of those who are suspended. */
export const SuspendedUser = Type.Object({
  ...User.properties,
  suspended_at: Time,
  until: Nullable(Type.String({ format: "time", description: "null: until it is lifted." })),
  reason: Nullable(Type.String()),
});

/**
 * What the query asks for. Its type is that of a question by username, which clients of version 1
 * ask.
 */
const FoundUsers = Type.Unsafe<User>(Type.Union([User, Page(SuspendedUser), Page(User)]));

const aPageOfUsers = {
  group: "Social graph",
  method: "GET",
  token: true,
  params: ById,
  query: Request({ limit: Limit, cursor: PageCursor }),
  answers: { 200: Page(User) },
  refusals: ["not_found"],
} as const;

export const PEOPLE_ROUTES = {
  findUser: {
    group: "Accounts and tokens",
    method: "GET",
    path: "/api/users",
    summary:
      "By `username` that user; by `ids` a page of those that exist, in that order; with `suspended=true` (scope `admin`) a page of the suspended, newest first.",
    token: true,
    alsoScope: "users",
    query: Request({
      username: Type.Optional(Username),
      ids: Type.Optional(
        Type.Array(Id, {
          minItems: 1,
          maxItems: USERS_BY_ID_MAX,
          description: `1–${USERS_BY_ID_MAX} ids, separated by commas.`,
        }),
      ),
      suspended: Type.Optional(Type.Literal("true")),
      limit: Limit,
      cursor: PageCursor,
    }),
    answers: { 200: FoundUsers },
    refusals: ["not_found"],
  },
  searchUsers: {
    group: "Accounts and tokens",
    method: "GET",
    path: "/api/users/search",
    summary:
      "Users whose username, or a word of whose name, begins with `q`; several words must all fit. Case, width and accents make no difference. `DIRECTORY` says among whom.",
    token: true,
    query: Request({
      q: Type.String({ format: "title", description: `1–${SEARCH_CHARS_MAX} characters.` }),
      limit: Limit,
    }),
    answers: { 200: Page(User) },
    refusals: ["forbidden"],
  },
  getUser: {
    group: "Accounts and tokens",
    method: "GET",
    path: "/api/users/:id",
    summary: "The user of an id, with counts of followers, of followed users and of posts.",
    token: true,
    alsoScope: "users",
    params: ById,
    answers: { 200: UserProfile },
    refusals: ["not_found"],
  },
  listFollowers: {
    ...aPageOfUsers,
    path: "/api/users/:id/followers",
    summary: "Who follows a user, newest first.",
  },
  listFollowing: {
    ...aPageOfUsers,
    path: "/api/users/:id/following",
    summary: "Whom a user follows, newest first.",
  },
  listUserPosts: {
    ...aPageOfUsers,
    path: "/api/users/:id/posts",
    summary: "A user's posts, newest first.",
    answers: { 200: Page(Post) },
  },
  listLikes: {
    ...aPageOfUsers,
    path: "/api/posts/:id/likes",
    summary: "Who likes a post, newest first.",
  },
  listBlocks: {
    group: "Social graph",
    method: "GET",
    path: "/api/me/blocks",
    summary: "Whom one has blocked, newest first.",
    token: true,
    query: Request({ limit: Limit, cursor: PageCursor }),
    answers: { 200: Page(User) },
    refusals: [],
  },
} as const satisfies Record<string, RouteSpec>;

export type SuspendedUser = Static<typeof SuspendedUser>;

/** Users as others find and see them: by id, by name, by search, and in lists of the graph. */
import type { WorkerConfig } from "../../../config/config.ts";
import type { ListPage } from "../../../ports/pages.ts";
import type { SocialQueries } from "../../../ports/social.ts";
import { ok, REFUSALS, type Result, refused } from "../../../protocol/errors.ts";
import type { PostId } from "../../../protocol/ids.ts";
import { judge, RULES } from "../../../protocol/policy.ts";
import { PAGE_LIMIT_DEFAULT } from "../../../protocol/route-spec.ts";
import { asUserId, type User } from "../../../protocol/schemas.ts";
import { factsOf, type Identity, SERVICE_USER } from "../../auth/identity.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, BAD_CURSOR, badField, type Handlers } from "../server/call.ts";
import { shownTo } from "./users.ts";

type Route =
  | "findUser"
  | "searchUsers"
  | "getUser"
  | "listFollowers"
  | "listFollowing"
  | "listUserPosts"
  | "listLikes"
  | "listBlocks";

type Page<T> = ListPage<T> | null | undefined;

const NO_DIRECTORY = refused("forbidden", "This server has no directory of users.");
const ONE_WAY = badField("query", "username", "or ids or suspended is expected, one of them");
const NOT_PAGED = badField("query", "cursor", "belongs to suspended=true");
const NOTHING_SOUGHT = badField("query", "q", "must not be empty");

export function peopleRoutes(
  { directory }: Pick<WorkerConfig, "directory">,
  queries: Pick<SocialQueries, "people"> & UserByName,
): Handlers<Route> {
  const { people } = queries;

  /** The users of a page as the caller may see them; `refusal` where there is no such list. */
  function shown<T extends User>(
    caller: Identity,
    page: Page<T>,
    refusal: Refusal = REFUSALS.userNotFound,
  ): Result<{ status: 200; body: ListPage<User> }> {
    if (page === undefined) return BAD_CURSOR;
    if (page === null) return refusal;
    const items = page.items.map((user) => shownTo(caller, user));
    return answered(200, ok({ items, next_cursor: page.next_cursor }));
  }

  async function listSuspended(
    caller: Identity,
    { limit = PAGE_LIMIT_DEFAULT, cursor = null }: { limit?: number; cursor?: string | null },
  ) {
    const refusal = judge("list_suspended", factsOf(caller));
    if (refusal !== null) return { ok: false as const, error: refusal };
    const page = await orUnreachable(people.suspended(limit, cursor));
    return page === undefined || page === null ? BAD_CURSOR : answered(200, ok(page));
  }

  return {
    async findUser({ caller, query }) {
      const { username, ids, suspended, limit, cursor } = query;
      const ways = [username, ids, suspended].filter((one) => one !== undefined);
      if (ways.length !== 1) return ONE_WAY;
      if (suspended !== undefined) return pageAsFound(await listSuspended(caller, query));
      const refusal = judge("read_user", factsOf(caller));
      if (refusal !== null) return { ok: false, error: refusal };
      if (limit !== undefined || cursor !== undefined) return NOT_PAGED;
      if (ids !== undefined) {
        const items = await orUnreachable(people.byIds(ids.map(asUserId)));
        return pageAsFound(shown(caller, { items, next_cursor: null }));
      }
      const user = await orUnreachable(queries.userByName((username ?? "").toLowerCase()));
      return user === null ? REFUSALS.userNotFound : answered(200, ok(shownTo(caller, user)));
    },

    async searchUsers({ caller, query: { q, limit = PAGE_LIMIT_DEFAULT } }) {
      if (directory === "off") return NO_DIRECTORY;
      const sought = q.replace(/^\s*@/, "").trim();
      if (sought === "") return NOTHING_SOUGHT;
      const among = directory === "open" ? "all" : "shared";
      const items = await orUnreachable(people.search(caller.userId, sought, among, limit));
      return shown(caller, { items, next_cursor: null });
    },

    async getUser({ caller, params }) {
      const reader = caller.userId === SERVICE_USER ? null : caller.userId;
      const user = await orUnreachable(people.profile(reader, asUserId(params.id)));
      return user === null ? REFUSALS.userNotFound : answered(200, ok(shownTo(caller, user)));
    },

    async listFollowers({ caller, params, query: { limit = PAGE_LIMIT_DEFAULT, cursor = null } }) {
      const of = asUserId(params.id);
      return shown(caller, await orUnreachable(people.followers(caller.userId, of, limit, cursor)));
    },

    async listFollowing({ caller, params, query: { limit = PAGE_LIMIT_DEFAULT, cursor = null } }) {
      const of = asUserId(params.id);
      return shown(caller, await orUnreachable(people.following(caller.userId, of, limit, cursor)));
    },

    async listUserPosts({ caller, params, query: { limit = PAGE_LIMIT_DEFAULT, cursor = null } }) {
      const author = asUserId(params.id);
      const page = await orUnreachable(people.posts(caller.userId, author, limit, cursor));
      if (page === undefined) return BAD_CURSOR;
      return page === null ? REFUSALS.userNotFound : answered(200, ok(page));
    },

    async listLikes({ caller, params, query: { limit = PAGE_LIMIT_DEFAULT, cursor = null } }) {
      const post = params.id as PostId;
      const page = await orUnreachable(people.likers(caller.userId, post, limit, cursor));
      return shown(caller, page, RULES.visible);
    },

    async listBlocks({ caller, query: { limit = PAGE_LIMIT_DEFAULT, cursor = null } }) {
      return shown(caller, await orUnreachable(people.blocked(caller.userId, limit, cursor)));
    },
  };
}

/** The answers of one route have one type; see FoundUsers in people-routes.ts. */
function pageAsFound(page: Result<{ status: 200; body: ListPage<User> }>) {
  return page as unknown as Result<{ status: 200; body: User }>;
}

type Refusal = ReturnType<typeof refused>;
type UserByName = { userByName(username: string): Promise<User | null> };

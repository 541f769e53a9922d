/** Accounts and tokens: register, login, refresh, logout, users, and who is suspended. */
import type { AccountStore, Queries } from "../../../ports/edge.ts";
import { ok, REFUSALS, refused } from "../../../protocol/errors.ts";
import { asUserId, type User } from "../../../protocol/schemas.ts";
import { passwordProblem } from "../../auth/account-rules.ts";
import type { Auth } from "../../auth/auth.ts";
import { reached } from "../../storage-reachable.ts";
import { answered, badField, type Handlers } from "../server/call.ts";

type Route =
  | "register"
  | "login"
  | "refresh"
  | "logout"
  | "getMe"
  | "updateMe"
  | "findUser"
  | "getUser"
  | "suspendUser"
  | "restoreUser";

/** A good token of a user that the database no longer has. */
const NO_ACCOUNT = refused("unauthorized", "This token's account does not exist.");

export function accountRoutes(
  auth: Auth,
  accounts: AccountStore,
  queries: Queries,
): Handlers<Route> {
  const found = (user: User | null) =>
    user === null ? REFUSALS.userNotFound : answered(200, ok(user));
  const own = (user: User | null) => (user === null ? NO_ACCOUNT : answered(200, ok(user)));

  async function suspend(id: string, suspended: boolean) {
    const done = await auth.suspend(asUserId(id), suspended);
    return done.ok ? answered(200, ok({ user_id: id, suspended })) : done;
  }

  return {
    async register({ body, address }) {
      const { username, password, display_name: displayName } = body;
      const problem = passwordProblem(password);
      if (problem !== null) return badField("body", "password", problem);
      return answered(201, await auth.register({ username, password, displayName }, address));
    },
    async login({ body, address }) {
      return answered(200, await auth.login(body.username, body.password, address));
    },
    async refresh({ body }) {
      return answered(200, await auth.refresh(body.refresh_token));
    },
    async logout({ body }) {
      return answered(204, await auth.logout(body.refresh_token));
    },
    async getMe({ caller }) {
      return own(await reached(queries.user(caller.userId)));
    },
    async updateMe({ caller, body }) {
      if (body.display_name === undefined) return own(await reached(queries.user(caller.userId)));
      const renamed = await reached(accounts.rename(caller.userId, body.display_name));
      if (!renamed.ok && renamed.error.code === "not_found") return NO_ACCOUNT;
      return answered(200, renamed);
    },
    async findUser({ query }) {
      return found(await reached(queries.userByName(query.username.toLowerCase())));
    },
    async getUser({ params }) {
      return found(await reached(queries.user(asUserId(params.id))));
    },
    suspendUser: ({ params }) => suspend(params.id, true),
    restoreUser: ({ params }) => suspend(params.id, false),
  };
}

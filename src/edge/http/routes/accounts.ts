/** Accounts and tokens: register, login, refresh, logout, users, and who is suspended. */
import type { Clock } from "../../../base/clock.ts";
import type { AccountStore, Queries } from "../../../ports/edge.ts";
import { ok } from "../../../protocol/errors.ts";
import { isId } from "../../../protocol/ids.ts";
import { PAGE_LIMIT_DEFAULT } from "../../../protocol/route-spec.ts";
import { asFamilyId, asUserId, type User } from "../../../protocol/schemas.ts";
import { epochMsOf } from "../../../protocol/time.ts";
import { passwordProblem } from "../../auth/account-rules.ts";
import type { Auth } from "../../auth/auth.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, BAD_CURSOR, badField, type Handlers } from "../server/call.ts";
import { NO_ACCOUNT } from "./users.ts";

type Route =
  | "register"
  | "login"
  | "refresh"
  | "logout"
  | "changePassword"
  | "listLogins"
  | "endLogin"
  | "getMe"
  | "suspendUser"
  | "restoreUser";

const PAST = badField("body", "until", "must lie in the future");

/** The opaque cursor of a page that ended with that login. */
const loginCursor = (id: string) => Buffer.from(`l${id}`, "latin1").toString("base64url");

/** The login in a cursor; undefined: it is none of this list. */
function loginBefore(cursor: string): string | undefined {
  const id = Buffer.from(cursor, "base64url").toString("latin1").slice(1);
  return isId(id) && loginCursor(id) === cursor ? id : undefined;
}

export function accountRoutes(
  auth: Auth,
  accounts: AccountStore,
  queries: Queries,
  clock: Pick<Clock, "wallMs">,
): Handlers<Route> {
  const own = (user: User | null) => (user === null ? NO_ACCOUNT : answered(200, ok(user)));

  return {
    async register({ body, address, userAgent }) {
      const { username, password, display_name: displayName } = body;
      const problem = passwordProblem(password);
      if (problem !== null) return badField("body", "password", problem);
      return answered(
        201,
        await auth.register({ username, password, displayName }, { address, userAgent }),
      );
    },
    async login({ body, address, userAgent }) {
      const client = { address, userAgent };
      return answered(200, await auth.login(body.username, body.password, client));
    },
    async refresh({ body, address, userAgent }) {
      return answered(200, await auth.refresh(body.refresh_token, { address, userAgent }));
    },
    async logout({ body }) {
      return answered(204, await auth.logout(body.refresh_token));
    },
    async changePassword({ caller, body, address, userAgent }) {
      const problem = passwordProblem(body.new);
      if (problem !== null) return badField("body", "new", problem);
      return answered(204, await auth.changePassword(caller, body, { address, userAgent }));
    },
    async listLogins({ caller, query: { limit = PAGE_LIMIT_DEFAULT, cursor = null } }) {
      const before = cursor === null ? null : loginBefore(cursor);
      if (before === undefined) return BAD_CURSOR;
      const found = await orUnreachable(accounts.families(caller.userId, before, limit + 1));
      const items = found
        .slice(0, limit)
        .map((login) => ({ ...login, current: login.id === caller.family }));
      const last = found.length > limit ? items.at(-1) : undefined;
      return answered(200, ok({ items, next_cursor: last ? loginCursor(last.id) : null }));
    },
    async endLogin({ caller, params }) {
      return answered(204, await auth.endLogin(caller.userId, asFamilyId(params.id)));
    },
    async getMe({ caller }) {
      return own(await orUnreachable(queries.user(caller.userId)));
    },
    async suspendUser({ params, body: { until = null, reason = null } }) {
      if (until !== null && Date.parse(until) <= epochMsOf(clock.wallMs())) return PAST;
      const done = await auth.suspend(asUserId(params.id), { until, reason });
      if (!done.ok) return done;
      const terms = { ...(until !== null && { until }), ...(reason !== null && { reason }) };
      return answered(200, ok({ user_id: params.id, suspended: true, ...terms }));
    },
    async restoreUser({ params }) {
      const done = await auth.suspend(asUserId(params.id), null);
      return done.ok ? answered(200, ok({ user_id: params.id, suspended: false })) : done;
    },
  };
}

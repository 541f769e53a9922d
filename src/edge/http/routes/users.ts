/** Users as services make and look after them, and as a user changes the own. */
import type { AccountStore, PutUser, Queries, UserChange } from "../../../ports/edge.ts";
import { type ErrorObject, ok, type Result, refused } from "../../../protocol/errors.ts";
import { asUserId, type User } from "../../../protocol/schemas.ts";
import { BatchUser, type ExternalUser } from "../../../protocol/user-routes.ts";
import { isReservedName, passwordProblem } from "../../auth/account-rules.ts";
import type { Auth } from "../../auth/auth.ts";
import type { Identity } from "../../auth/identity.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { createReader } from "../../validation.ts";
import { answered, badField, type Handlers } from "../server/call.ts";
import type { AskActors } from "./conversations.ts";

type Route =
  | "updateMe"
  | "putExternalUser"
  | "putExternalUsers"
  | "mintToken"
  | "revokeUser"
  | "setPassword";

const MINTED_TTL_S = 900;
/** A good token of a user that the database no longer has. */
export const NO_ACCOUNT = refused("unauthorized", "This token's account does not exist.");
const RESERVED = refused("conflict", "That username is taken.");

/** The application's own name for a user is shown to services and to that user. */
export function shownTo<T extends User>({ service, userId }: Identity, user: T): T {
  if (service !== null || user.id === userId || user.external_id === undefined) return user;
  const { external_id: _hidden, ...shown } = user;
  return shown as T;
}

export function userRoutes(
  auth: Auth,
  accounts: AccountStore,
  queries: Pick<Queries, "user">,
  gateway: AskActors,
): Handlers<Route> {
  const readItem = createReader("body", BatchUser);

  /** The user's own sessions, and those who watch the user, receive the change. */
  function publish({ user, changed, created }: PutUser): void {
    if (changed && !created) void gateway.ask("user", user.id, "profile_changed", {});
  }

  /** Errors name their key, whose place in the batch the answer's order tells. */
  async function putAll(
    asked: readonly unknown[],
    { service }: Identity,
  ): Promise<{ user?: User; error?: ErrorObject }[]> {
    const read = asked.map((item) => readItem(item) as Result<BatchUser>);
    const good = read.flatMap((item) => (item.ok ? [item.value] : []));
    const users = good.map(({ external_id, ...change }) => ({
      externalId: external_id,
      change: folded(change),
    }));
    const put =
      users.length === 0 ? [] : await orUnreachable(accounts.putExternal(users, service?.subject));
    let next = 0;
    return read.map((item) => {
      const done = item.ok ? put[next++]! : item;
      if (!done.ok) return { error: done.error };
      publish(done.value);
      return { user: done.value.user };
    });
  }

  return {
    async updateMe({ caller, body }) {
      const change = folded(body);
      if (Object.keys(change).length === 0) {
        const user = await orUnreachable(queries.user(caller.userId));
        return user === null ? NO_ACCOUNT : answered(200, ok(user));
      }
      if (change.username !== undefined && isReservedName(change.username)) return RESERVED;
      const done = await orUnreachable(accounts.changeUser(caller.userId, change));
      if (!done.ok) return done.error.code === "not_found" ? NO_ACCOUNT : done;
      publish(done.value);
      return answered(200, ok(done.value.user));
    },
    async putExternalUser({ caller, params, body }) {
      const asked = { externalId: params.external_id, change: folded(body) };
      const [done] = await orUnreachable(accounts.putExternal([asked], caller.service?.subject));
      if (!done!.ok) return done!;
      publish(done!.value);
      return answered(done!.value.created ? 201 : 200, ok(done!.value.user));
    },
    async putExternalUsers({ caller, body }) {
      return answered(200, ok({ items: await putAll(body.users, caller) }));
    },
    async mintToken({ params, body }) {
      return answered(201, await auth.mint(asUserId(params.id), body.ttl_s ?? MINTED_TTL_S));
    },
    async revokeUser({ params }) {
      return answered(204, await auth.cutTokens(asUserId(params.id)));
    },
    async setPassword({ params, body, address }) {
      const problem = passwordProblem(body.password);
      if (problem !== null) return badField("body", "password", problem);
      return answered(204, await auth.setPassword(asUserId(params.id), body.password, address));
    },
  };
}

/** Usernames are kept in lower case. */
function folded(change: ExternalUser): UserChange {
  const { username } = change;
  return username === undefined ? change : { ...change, username: username.toLowerCase() };
}

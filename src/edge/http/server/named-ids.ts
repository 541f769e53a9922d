/**
 * Names of the application's own in the place of ids: `external:<id>` in a path and in the header
 * `Troupe-Act-As`, for service tokens only. The one place that resolves them.
 *
 * [XUS1] A path of a user's own token with such a name is `not_found`, whether it exists or not.
 */
import type { Queries } from "../../../ports/edge.ts";
import { ok, REFUSALS, type Result } from "../../../protocol/errors.ts";
import { isId, type UserId } from "../../../protocol/ids.ts";
import { asUserId, isExternalId } from "../../../protocol/schemas.ts";
import type { Identity } from "../../auth/identity.ts";
import { orUnreachable } from "../../storage-reachable.ts";

type Kind = "user" | "conversation";

const PREFIX = "external:";
const NOT_FOUND = { user: REFUSALS.userNotFound, conversation: REFUSALS.conversationNotFound };

/** Reads ids of the application's own. */
export type NameQueries = Pick<Queries, "user" | "idOfExternal">;

/** The kind that each parameter of a path names; a parameter that names neither kind is left out. */
export function namedKinds(path: string): ReadonlyMap<string, Kind> {
  const kinds = new Map<string, Kind>();
  const parts = path.split("/");
  for (const [i, part] of parts.entries()) {
    if (part === ":user_id") kinds.set("user_id", "user");
    else if (part === ":id" && parts[i - 1] === "users") kinds.set("id", "user");
    else if (part === ":id" && parts[i - 1] === "conversations") kinds.set("id", "conversation");
  }
  return kinds;
}

/** Whether a parameter holds such a name. */
export function hasNames(params: Readonly<Record<string, unknown>>): boolean {
  for (const name in params) {
    const value = params[name];
    if (typeof value === "string" && value.startsWith(PREFIX)) return true;
  }
  return false;
}

/** Puts ids in the place of names. Refuses: not_found. */
export async function resolveNames(
  params: Record<string, unknown>,
  kinds: ReadonlyMap<string, Kind>,
  caller: Identity,
  queries: NameQueries,
): Promise<Result<null>> {
  for (const [name, kind] of kinds) {
    const value = params[name];
    if (typeof value !== "string" || !value.startsWith(PREFIX)) continue;
    if (caller.service === null) return NOT_FOUND[kind];
    const externalId = value.slice(PREFIX.length);
    const id = isExternalId(externalId)
      ? await orUnreachable(queries.idOfExternal(kind, externalId))
      : null;
    if (id === null) return NOT_FOUND[kind];
    params[name] = id;
  }
  return ok(null);
}

/** The user whom a service names in `Troupe-Act-As`. Refuses: not_found. */
export async function actingUser(named: string, queries: NameQueries): Promise<Result<UserId>> {
  if (named.startsWith(PREFIX)) {
    const externalId = named.slice(PREFIX.length);
    if (!isExternalId(externalId)) return REFUSALS.userNotFound;
    const id = await orUnreachable(queries.idOfExternal("user", externalId));
    return id === null ? REFUSALS.userNotFound : ok(asUserId(id));
  }
  if (!isId(named)) return REFUSALS.userNotFound;
  const user = await orUnreachable(queries.user(asUserId(named)));
  return user === null ? REFUSALS.userNotFound : ok(asUserId(user.id));
}

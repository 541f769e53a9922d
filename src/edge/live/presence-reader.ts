/**
 * Reads the present statuses of users. The user's actor answers where one is active, which is the
 * case while a session lives; for other users only the time when they were last seen is read.
 *
 * A watched user without an active actor keeps the status that this edge last received: the actor
 * has just moved, or its host cannot be reached.
 */
import type { Queries } from "../../ports/edge.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { PresenceStatus, Status } from "../../protocol/schemas.ts";
import type { Gateway } from "../../runtime/gateway.ts";

export interface StatusSources {
  gateway: Gateway;
  queries: Pick<Queries, "lastSeen">;
  /** The last status that this edge received of a watched user; null where nobody watches. */
  lastHeard(user: UserId): PresenceStatus | null;
}

/** Users that do not exist are left out. Rejects when storage or an actor is out of reach. */
export async function readStatuses(
  { gateway, queries, lastHeard }: StatusSources,
  users: readonly UserId[],
): Promise<Status[]> {
  const found = new Map<UserId, Status>();
  /** The statuses of users without an active actor. */
  const others = new Map<UserId, PresenceStatus>();
  await Promise.all(
    [...new Set(users)].map(async (user) => {
      const answer = await gateway.peek("user", user, "status", {});
      if (answer.ok && answer.value !== null) {
        found.set(user, answer.value);
        return;
      }
      const status = lastHeard(user);
      if (status === null && !answer.ok) {
        throw new Error(`status of user ${user}: ${answer.error.message}`);
      }
      others.set(user, status ?? "offline");
    }),
  );
  if (others.size > 0) {
    for (const [user, last_seen_at] of await queries.lastSeen([...others.keys()])) {
      found.set(user, { user_id: user, status: others.get(user) ?? "offline", last_seen_at });
    }
  }
  return users.flatMap((user) => found.get(user) ?? []);
}

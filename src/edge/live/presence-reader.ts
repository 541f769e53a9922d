/**
 * Statuses of users as they are now: from the user's actor where one is active, which it is
 * while a session lives; of the others only the time they were last seen is read.
 *
 * Who is not found is as this edge was told last, if it watches them: their actor has just
 * moved, or this host is cut off from the one where they are.
 */
import type { Queries } from "../../ports/edge.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { PresenceStatus, Status } from "../../protocol/schemas.ts";
import type { Gateway } from "../../runtime/gateway.ts";

export interface StatusSources {
  gateway: Gateway;
  queries: Pick<Queries, "lastSeen">;
  /** What this edge was told last of somebody whom it watches. */
  lastHeard(user: UserId): PresenceStatus | null;
}

/** Users that do not exist are left out. Rejects when storage or an actor is out of reach. */
export async function readStatuses(
  { gateway, queries, lastHeard }: StatusSources,
  users: readonly UserId[],
): Promise<Status[]> {
  const found = new Map<UserId, Status>();
  /** Of those without an active actor. */
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

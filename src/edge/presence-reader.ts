/**
 * Statuses of users as they are now: from the user's actor where one is active, which it is
 * while a session lives; of the others only the time they were last seen is read.
 */
import type { Queries } from "../ports.ts";
import type { UserId } from "../protocol/ids.ts";
import type { Status } from "../protocol/schemas.ts";
import type { Gateway } from "../runtime/gateway.ts";

/** Users that do not exist are left out. Rejects when storage or an actor's place is away. */
export async function readStatuses(
  gateway: Gateway,
  queries: Pick<Queries, "lastSeen">,
  users: readonly UserId[],
): Promise<Status[]> {
  const found = new Map<UserId, Status>();
  const inactive: UserId[] = [];
  await Promise.all(
    [...new Set(users)].map(async (user) => {
      const answer = await gateway.peek("user", user, "status", {});
      if (!answer.ok) throw new Error(`status of user ${user}: ${answer.error.message}`);
      if (answer.value !== null) found.set(user, answer.value);
      else inactive.push(user);
    }),
  );
  if (inactive.length > 0) {
    for (const [user, last_seen_at] of await queries.lastSeen(inactive)) {
      found.set(user, { user_id: user, status: "offline", last_seen_at });
    }
  }
  return users.flatMap((user) => found.get(user) ?? []);
}

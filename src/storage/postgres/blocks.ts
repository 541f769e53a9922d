/** Reads blocks between users, for the actors of the graph and for edges. */
import type { UserId } from "../../protocol/ids.ts";
import type { Database } from "./pool.ts";

const BLOCKED_AMONG = {
  name: "blocked_among",
  text: `SELECT b.blocked_id AS id FROM blocks b
    WHERE b.blocker_id = $1 AND b.blocked_id = ANY ($2::bigint[])
    UNION SELECT b.blocker_id FROM blocks b
    WHERE b.blocked_id = $1 AND b.blocker_id = ANY ($2::bigint[])`,
};

/** Those of `users` that stand behind a block with `user`, either way round, in their order. */
export async function readBlockedAmong(
  database: Database,
  user: UserId,
  users: readonly UserId[],
): Promise<UserId[]> {
  if (users.length === 0) return [];
  const rows = await database.read<{ id: UserId }>(BLOCKED_AMONG, [user, users]);
  const blocked = new Set(rows.map((row) => row.id));
  return users.filter((id) => blocked.has(id));
}

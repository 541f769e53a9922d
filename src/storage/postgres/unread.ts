/** UnreadStore on PostgreSQL; the rules are the functions look_for_unread and tell_unread. */
import type { UnreadStore } from "../../ports/unread.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { Database } from "./pool.ts";

/** Rows of the log in one transaction. */
const ROWS = 200;
/** A user has at most one event in this time: the contract's 15 minutes. */
const EVERY = "interval '15 minutes'";

const LOOK = {
  text: `SELECT l.is_on, l.has_more FROM look_for_unread($1 * interval '1 second', ${ROWS}) l`,
};
const DUE = {
  text: `SELECT DISTINCT w.user_id AS id FROM unread_members w
    LEFT JOIN unread_turns t ON t.user_id = w.user_id
    WHERE w.waiting_seq IS NOT NULL AND w.user_id > $1
      AND (t.told_at IS NULL OR t.told_at <= clock_timestamp() - ${EVERY})
    ORDER BY w.user_id LIMIT $2`,
};
const TELL = { text: `SELECT tell_unread($1, ${EVERY})` };
const DROP = {
  text: `UPDATE unread_members w SET waiting_seq = NULL, is_mention = false
    WHERE w.user_id = $1 AND w.waiting_seq IS NOT NULL`,
};

export class PostgresUnread implements UnreadStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async look(afterS: number): Promise<{ isOn: boolean; hasMore: boolean }> {
    const [row] = await this.#database.write<{ is_on: boolean; has_more: boolean }>(LOOK, [afterS]);
    return { isOn: row!.is_on, hasMore: row!.has_more };
  }

  async due(after: string, most: number): Promise<UserId[]> {
    const rows = await this.#database.read<{ id: UserId }>(DUE, [after, most]);
    return rows.map(({ id }) => id);
  }

  async tell(user: UserId): Promise<void> {
    await this.#database.write(TELL, [user]);
  }

  async drop(user: UserId): Promise<void> {
    await this.#database.read(DROP, [user]);
  }
}

/** RetentionStore on PostgreSQL. Which messages are old is judged in sql/functions/kept_of.sql. */
import { Client } from "pg";
import type { RetentionStore } from "../../ports/retention.ts";
import type { ConversationId } from "../../protocol/ids.ts";
import { connectionConfig, DEADLINE_MS } from "./connection.ts";
import type { Database } from "./pool.ts";

const DAY_S = 86_400;
/** Conversations a transaction, when the cap is another. */
const APPLIED = 1_000;
/** Conversations of which one call of `forget` deletes messages. */
const FORGOTTEN_IN = 20;

const DUE = {
  name: "retention_due",
  text: `SELECT c.id, c.parent_id IS NOT NULL AS is_thread FROM conversations c
    WHERE c.kept_next_at <= statement_timestamp() - $1 * interval '1 millisecond'
      AND c.id <> ALL ($3::bigint[])
    ORDER BY c.kept_next_at LIMIT $2`,
};
// It moves to where it is now: see keep_messages.
const MOVE = {
  name: "retention_move",
  text: "UPDATE conversations c SET extra = c.extra WHERE c.id = $1",
};
const OLD = {
  name: "retention_old",
  text: `SELECT o.conversation_id AS id FROM old_messages o LIMIT ${FORGOTTEN_IN}`,
};
const FORGET = {
  name: "retention_forget",
  text: "SELECT forget_old_messages($1, $2) AS forgotten",
};

export class PostgresRetention implements RetentionStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async due(
    ageMs: number,
    limit: number,
    except: readonly ConversationId[],
  ): Promise<ConversationId[]> {
    const rows = await this.#database.read<{ id: ConversationId; is_thread: boolean }>(DUE, [
      ageMs,
      limit,
      except,
    ]);
    for (const { id, is_thread } of rows) {
      if (is_thread) await this.#database.write(MOVE, [id]);
    }
    return rows.map(({ id }) => id);
  }

  async forget(most: number): Promise<boolean> {
    const old = await this.#database.read<{ id: ConversationId }>(OLD, []);
    // One that has no more of them is taken out, so that the next call comes to others.
    for (const { id } of old) await this.#database.write(FORGET, [id, most]);
    return old.length > 0;
  }
}

/** At the start of a host, in a migrated database: the last one to start decides. */
export async function setRetentionCap(url: string, days: number | null): Promise<void> {
  const client = new Client(connectionConfig(url, DEADLINE_MS));
  await client.connect();
  try {
    const keptS = days === null ? null : days * DAY_S;
    const { rows } = await client.query<{ is_due: boolean }>(
      "SELECT set_retention_cap($1) AS is_due",
      [keptS],
    );
    // A start that is cut off here is followed by one that begins again.
    for (let after: string | null = rows[0]?.is_due ? "0" : null; after !== null; ) {
      const applied: { rows: { last: string | null }[] } = await client.query(
        `SELECT apply_retention_cap($1, ${APPLIED}) AS last`,
        [after],
      );
      after = applied.rows[0]?.last ?? null;
    }
  } finally {
    await client.end();
  }
}

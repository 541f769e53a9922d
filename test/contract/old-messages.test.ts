/** The rows of messages that conversations do not keep any longer. PostgreSQL only. */
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEdgePorts, type EdgeStorage } from "../../src/storage/postgres/edge-ports.ts";
import { migrate } from "../../src/storage/postgres/migrate.ts";
import { startPostgres, type TestDatabase } from "../support/postgres.ts";

const CONVERSATIONS = 50;
const MESSAGES = 5;

describe("old messages", () => {
  let database: TestDatabase;
  let client: Client;
  let edge: EdgeStorage;

  beforeAll(async () => {
    database = await startPostgres();
    await migrate(database.url);
    edge = createEdgePorts(database.url);
    client = new Client(database.url);
    await client.connect();
  });
  afterAll(async () => {
    await client?.end();
    await edge?.close();
    await database?.stop();
  });

  it("[RTJ2] one run forgets those of all conversations, however many there are", async () => {
    await client.query(`INSERT INTO users (username, display_name) VALUES ('ann', 'Ann')`);
    await client.query(
      `INSERT INTO conversations (kind, title, owner_id, last_seq, rev, first_seq, first_n)
       SELECT 'group', 'Room', 1, ${MESSAGES}, ${MESSAGES}, ${MESSAGES}, ${MESSAGES - 1}
       FROM generate_series(1, ${CONVERSATIONS})`,
    );
    await client.query(
      `INSERT INTO messages (conversation_id, seq, rev, sender_id, client_id, body, created_at)
       SELECT c.id, n, n, 1, 'm' || n, 'text', clock_timestamp()
       FROM conversations c, generate_series(1, ${MESSAGES}) n`,
    );
    await client.query("INSERT INTO old_messages SELECT c.id FROM conversations c");
    let calls = 0;
    while (await edge.retention.forget(2)) expect(++calls).toBeLessThan(2 * CONVERSATIONS);
    const { rows } = await client.query(
      "SELECT m.seq::int AS seq, count(*)::int AS count FROM messages m GROUP BY m.seq",
    );
    expect(rows).toEqual([{ seq: MESSAGES, count: CONVERSATIONS }]);
  });

  it("[RTN1] a cap that is new finds the first message that is kept without walking over all others", async () => {
    const many = 20_000;
    const { rows: made } = await client.query<{ id: string }>(
      `INSERT INTO conversations (kind, title, owner_id, last_seq, rev)
       VALUES ('group', 'Long', 1, ${many}, ${many}) RETURNING id`,
    );
    const id = made[0]!.id;
    await client.query(
      `INSERT INTO messages (conversation_id, seq, rev, sender_id, client_id, body, created_at)
       SELECT $1, n, n, 1, 'm' || n, 'text',
         clock_timestamp() - (${many} - n + 0.5) * interval '1 minute'
       FROM generate_series(1, ${many}) n`,
      [id],
    );
    await client.query("ANALYZE messages");
    const keptFrom = async (minutes: number, first: number | null = null) => {
      const { rows } = await client.query<{ seq: string }>(
        "SELECT kept_from($1, $2, $3, $4) AS seq",
        [id, minutes * 60, first, many],
      );
      return Number(rows[0]!.seq);
    };
    for (const minutes of [0, 1, 2, 499, 501, 7_777, many - 500, many - 499, many, 2 * many]) {
      expect(await keptFrom(minutes), `${minutes} minutes`).toBe(Math.max(1, many - minutes + 1));
      expect(await keptFrom(minutes, 101)).toBe(Math.max(101, many - minutes + 1));
    }
    const { rows } = await client.query<{ "QUERY PLAN": [{ Plan: Record<string, number> }] }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT kept_from(${id}, 60, NULL, ${many})`,
    );
    expect(rows[0]!["QUERY PLAN"][0].Plan["Shared Hit Blocks"]).toBeLessThan(300);
  });

  it("[RTN2] a send that replies to nothing does not look for the first message that is kept", async () => {
    const users = await client.query<{ id: string }>(
      "INSERT INTO users (username, display_name) VALUES ('bob', 'Bob') RETURNING id",
    );
    const bob = users.rows[0]!.id;
    const made = await client.query<{ id: string }>(
      `INSERT INTO conversations (kind, title, owner_id, last_seq, rev, extra)
       VALUES ('group', 'Kept', $1, 0, 0, '{"settings": {"retention_s": 3600}}') RETURNING id`,
      [bob],
    );
    const id = made.rows[0]!.id;
    await client.query(
      "INSERT INTO conversation_members (conversation_id, user_id) VALUES ($1, $2)",
      [id, bob],
    );
    const sends = async (reply: number | null) => {
      const send = [{ c: id, s: bob, k: `k${reply}`, b: "hello", r: reply }];
      const { rows } = await client.query("SELECT * FROM write_batch($1, $2, null)", [
        [id],
        JSON.stringify(send),
      ]);
      return rows;
    };
    await client.query("BEGIN");
    try {
      await client.query("UPDATE conversations SET kept_next_at = now() WHERE id = $1", [id]);
      await client.query(`CREATE OR REPLACE FUNCTION kept_from(
          p_id bigint, p_kept_s bigint, p_first_seq bigint, p_last_seq bigint)
        RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'looked'; END $$`);
      await sends(null);
      await expect(sends(1)).rejects.toThrow("looked");
    } finally {
      await client.query("ROLLBACK");
    }
  });
});

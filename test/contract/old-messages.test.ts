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
});

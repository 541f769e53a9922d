/** message_text, the one place in SQL that lists a message's keys. */
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asConversationId, asUserId, Message } from "../../src/protocol/schemas.ts";
import { createActorPorts } from "../../src/storage/postgres/actor-ports.ts";
import { historyIn } from "../../src/storage/postgres/history.ts";
import { migrate } from "../../src/storage/postgres/migrate.ts";
import { CHANGES } from "../../src/storage/postgres/queries.ts";
import { messageOf } from "../../src/storage/postgres/rows.ts";
import { SYNC } from "../../src/storage/postgres/sync.ts";
import { startPostgres, type TestDatabase } from "../support/postgres.ts";
import { granted, say } from "./adapters.ts";

describe("message_text", () => {
  let database: TestDatabase;
  let client: Client;
  beforeAll(async () => {
    database = await startPostgres();
    await migrate(database.url);
    client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query("SET TimeZone = 'UTC'");
  });
  afterAll(async () => {
    await client?.end();
    await database?.stop();
  });

  const textOf = async (columns: string) => {
    const { rows } = await client.query<{ text: string }>(
      `SELECT message_text(jsonb_populate_record(NULL::messages, '${columns}')) AS text`,
    );
    return rows[0]!.text;
  };

  it("[MTX1] writes the keys that every message has, and no others where there is nothing to say", async () => {
    const text = await textOf(
      `{"id": 9007199254740993, "conversation_id": 1, "seq": 2, "rev": 3, "sender_id": 4,
        "client_id": "a \\"b", "body": "\\\\ \\n \u{1f600}", "created_at": "2026-01-02T03:04:05.06Z"}`,
    );
    const message = messageOf(text);
    expect(Object.keys(message)).toEqual(Message.required);
    expect(message).toEqual({
      id: "9007199254740993",
      conversation_id: "1",
      seq: 2,
      rev: 3,
      sender_id: "4",
      client_id: 'a "b',
      body: "\\ \n \u{1f600}",
      reply_to_seq: null,
      created_at: "2026-01-02T03:04:05.060Z",
      edited_at: null,
      deleted_at: null,
    });
  });

  it("[MTX1] writes every key of the contract where every column says something", async () => {
    const time = '"2026-01-02T03:04:05Z"';
    const text = await textOf(
      `{"id": 1, "conversation_id": 1, "seq": 2, "rev": 3, "sender_id": 4, "client_id": "c",
        "body": "b", "reply_to_seq": 1, "created_at": ${time}, "edited_at": ${time},
        "deleted_at": ${time}, "reactions": "[{\\"key\\":\\"a\\"}]", "n": 1, "data": "{\\"a\\": [1e-300]}",
        "extra": {"type": "x", "silent": true, "mentions": ["5"], "mention_all": true,
          "thread": {"conversation_id": "7"}, "attachments": [{"id": "8"}],
          "stream": {"state": "done"}, "pinned_at": ${time}, "pinned_by": "4", "expires_at": ${time}}}`,
    );
    const message = messageOf(text);
    expect(Object.keys(message).toSorted()).toEqual(Object.keys(Message.properties).toSorted());
    expect(message).toMatchObject({ n: 1, data: { a: [1e-300] }, type: "x", mentions: ["5"] });
    expect(Object.values(message)).not.toContain(null);
  });

  it("[MTX2] is inlined where many messages are read: no row costs a call", async () => {
    const statements: { text: string; values: unknown[] }[] = [
      { text: historyIn("h", "DESC").text, values: [1, 1, 0, 9, 50] },
      { text: SYNC.text, values: ["[]"] },
    ];
    for (const { text, values } of statements) {
      const plan = await client.query(`EXPLAIN VERBOSE ${text}`, values);
      const lines = JSON.stringify(plan.rows);
      expect(lines).toContain("deleted_at");
      expect(lines).not.toContain("message_text(");
      expect(lines).not.toContain("iso_time(");
    }
  });

  it("[MTX2] a version that was replaced is put together once, not once a key", async () => {
    const { rows } = await client.query(`EXPLAIN VERBOSE ${CHANGES.text}`, [1, 0, 9]);
    const plan = JSON.stringify(rows);
    expect(plan).toContain("jsonb_populate_record(");
    expect(plan).toContain(".message).body");
    expect(plan).not.toContain(")).body");
  });

  it("[MTX3] a message that was just stored is what storage reads afterwards", async () => {
    await client.query("INSERT INTO users (id, username, display_name) VALUES (1, 'ann', 'Ann')");
    const storage = createActorPorts(database.url);
    const ann = asUserId("1");
    try {
      const { conversations } = storage.ports;
      const made = await granted(conversations.create("group", ann, [ann], "G"));
      const id = asConversationId(made.conversation.id);
      const sent = await granted(say(storage.ports, id, ann, "a body"));
      const [read] = await conversations.newest(id, 1);
      expect(JSON.stringify(sent.message)).toBe(JSON.stringify(read));
    } finally {
      await storage.close();
    }
  });
});

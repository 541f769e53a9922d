/** What only PostgreSQL's planner can get wrong: plans from when there was nothing. */
import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { asConversationId, asUserId } from "../../src/protocol/schemas.ts";
import { type ActorStorage, createActorPorts } from "../../src/storage/actor-ports.ts";
import { migrate } from "../../src/storage/migrate.ts";
import { eventually } from "../support/eventually.ts";
import { startPostgres, type TestDatabase } from "../support/postgres.ts";

let database: TestDatabase;
let client: Client;
let storage: ActorStorage;

beforeAll(async () => {
  database = await startPostgres();
  await migrate(database.url);
  client = new Client(database.url);
  await client.connect();
  storage = createActorPorts(database.url);
});
afterAll(async () => {
  await storage?.close();
  await client?.end();
  await database?.stop();
});

it("[GRW1] statistics are taken anew while the tables grow from nothing", async () => {
  await client.query(
    "INSERT INTO users (id, username, display_name) VALUES (1, 'ann', 'Ann'), (2, 'bob', 'Bob')",
  );
  const id = asConversationId(
    (
      await client.query<{ id: string }>(
        `WITH c AS (INSERT INTO conversations (kind, direct_lo, direct_hi) VALUES ('direct', 1, 2)
           RETURNING id)
         INSERT INTO conversation_members (conversation_id, user_id)
         SELECT c.id, u FROM c, unnest('{1,2}'::bigint[]) u RETURNING conversation_id AS id`,
      )
    ).rows[0]!.id,
  );
  const said = (n: number) =>
    storage.ports.conversations.append({
      conversationId: id,
      senderId: asUserId("1"),
      clientId: `c${n}`,
      body: "hello",
      replyToSeq: null,
    });
  const answers = await Promise.all(Array.from({ length: 600 }, (_, n) => said(n)));
  expect(answers.every(({ ok }) => ok)).toBe(true);
  let known = -1;
  await eventually("the planner knows of the messages", async () => {
    const { rows } = await client.query<{ n: number }>(
      "SELECT reltuples::int AS n FROM pg_class WHERE oid = 'messages'::regclass",
    );
    known = rows[0]!.n;
    return known > 0;
  });
  // Autovacuum looks once a minute; these were taken in between, at the first mark.
  expect(known).toBeGreaterThanOrEqual(256);
});

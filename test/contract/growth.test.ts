/** What only PostgreSQL's planner can get wrong: plans from when there was nothing, or little of each. */
import { Client } from "pg";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ConversationId } from "../../src/protocol/ids.ts";
import { asConversationId, asUserId } from "../../src/protocol/schemas.ts";
import { type ActorStorage, createActorPorts } from "../../src/storage/postgres/actor-ports.ts";
import { createEdgePorts } from "../../src/storage/postgres/edge-ports.ts";
import { migrate } from "../../src/storage/postgres/migrate.ts";
import { eventually } from "../support/eventually.ts";
import { startPostgres, type TestDatabase } from "../support/postgres.ts";

let database: TestDatabase;
let client: Client;
let storage: ActorStorage;

beforeEach(async () => {
  database = await startPostgres();
  await migrate(database.url);
  client = new Client(database.url);
  await client.connect();
  await client.query(
    "INSERT INTO users (id, username, display_name) SELECT n, 'user' || n, 'User' FROM generate_series(1, 400) n",
  );
  storage = createActorPorts(database.url);
});
afterEach(async () => {
  await storage?.close();
  await client?.end();
  await database?.stop();
});

/** A conversation of these two. */
async function talkOf(lo: number, hi: number): Promise<ConversationId> {
  const { rows } = await client.query<{ id: string }>(
    `WITH c AS (INSERT INTO conversations (kind, direct_lo, direct_hi) VALUES ('direct', $1, $2)
       RETURNING id)
     INSERT INTO conversation_members (conversation_id, user_id)
     SELECT c.id, u FROM c, unnest(ARRAY[$1, $2]::bigint[]) u RETURNING conversation_id AS id`,
    [lo, hi],
  );
  return asConversationId(rows[0]!.id);
}

function say(conversationId: ConversationId, clientId: string) {
  const senderId = asUserId("1");
  const message = { conversationId, senderId, clientId, body: "hello", replyToSeq: null };
  return storage.ports.conversations.append(message);
}

it("[GRW1] statistics are taken anew while the tables grow from nothing", async () => {
  const id = await talkOf(1, 2);
  const answers = await Promise.all(Array.from({ length: 600 }, (_, n) => say(id, `c${n}`)));
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

it("[GRW2] where conversations have one message each, a send into a long one reads no others", async () => {
  const talks: ConversationId[] = [];
  for (let n = 0; n < 300; n++) talks.push(await talkOf(1, n + 3));
  await Promise.all(talks.map((id) => say(id, `first ${id}`)));
  // What autovacuum would do about now.
  await client.query("ANALYZE messages, conversations, conversation_members");
  const id = talks[0]!;
  for (let n = 0; n < 10; n++) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => say(id, `c${n} ${i}`)));
  }
  await storage.close();
  await eventually("PostgreSQL counts the sends", async () => {
    const { rows } = await client.query<{ n: string }>(
      "SELECT n_tup_ins AS n FROM pg_stat_user_tables WHERE relname = 'messages'",
    );
    return Number(rows[0]!.n) >= 800;
  });
  // Nobody asks by rev here; a duplicate is looked for by conversation, sender and client_id.
  const { rows } = await client.query<{ n: string }>(
    "SELECT idx_tup_read AS n FROM pg_stat_user_indexes WHERE indexrelname = 'messages_rev'",
  );
  expect(Number(rows[0]!.n)).toBeLessThan(50);
});

it("[GRW3] looking for what is due reads only what is due", async () => {
  const id = await talkOf(1, 2);
  await say(id, "c1");
  await client.query(
    `INSERT INTO message_expiries (conversation_id, seq, expires_at)
       SELECT $1, n, now() + interval '1 hour' FROM generate_series(1, 20000) n`,
    [id],
  );
  await client.query(
    `INSERT INTO scheduled_messages (user_id, conversation_id, client_id, body, content, send_at, due_at)
     SELECT 1, $1, 's' || n, 'Later', '{}', now() + interval '1 hour', now() + interval '1 hour'
     FROM generate_series(1, 20000) n`,
    [id],
  );
  await client.query(
    `INSERT INTO open_streams (conversation_id, seq, due_at)
     SELECT $1, n, now() + interval '1 hour' FROM generate_series(1, 20000) n`,
    [id],
  );
  await client.query("ANALYZE message_expiries, scheduled_messages, open_streams");
  await client.query("SELECT pg_stat_reset()");
  const edge = createEdgePorts(database.url);
  try {
    expect(await edge.queries.dueKinds()).toEqual([]);
    expect(await edge.queries.claimExpired(500, 1_000)).toEqual([]);
    expect(await edge.queries.claimStreams(500, 1_000)).toEqual([]);
    expect((await edge.scheduled.claimScheduled(200, 700)).due).toEqual([]);
    await client.query("UPDATE message_expiries SET expires_at = now() WHERE seq = 7");
    expect(await edge.queries.dueKinds()).toEqual(["expiries"]);
  } finally {
    await edge.close();
  }
  // PostgreSQL counts what a session read when it ends, at the latest.
  let read = 0;
  await eventually("the reads are counted", async () => {
    const { rows } = await client.query<{ scans: string; read: string }>(
      `SELECT min(idx_scan) AS scans, sum(idx_tup_read) AS read FROM pg_stat_user_indexes
       WHERE indexrelname IN
         ('message_expiries_due', 'scheduled_messages_due', 'open_streams_due')`,
    );
    read = Number(rows[0]!.read);
    return Number(rows[0]!.scans) >= 2;
  });
  expect(read).toBeLessThan(200);
});

/** One send and one mark alone are written by functions of their own. */
import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { migrate } from "../../src/storage/postgres/migrate.ts";
import { startPostgres, type TestDatabase } from "../support/postgres.ts";

let database: TestDatabase;
let client: Client;

/** A group 1 with the members 1 and 2, five messages and a thread 2 at the third of them. */
const SCENE = `
  INSERT INTO users (id, username, display_name)
    SELECT n, 'user' || n, 'User' FROM generate_series(1, 3) n;
  INSERT INTO conversations (id, kind, title, owner_id, last_seq, rev, member_count)
    VALUES (1, 'group', 'A group', 1, 5, 6, 2);
  INSERT INTO conversation_members (conversation_id, user_id, delivered_seq, read_seq)
    VALUES (1, 1, 3, 2), (1, 2, 3, 2);
  INSERT INTO messages (conversation_id, seq, rev, sender_id, client_id, body, created_at)
    SELECT 1, n, n + 1, 1, 'c' || n, 'Hello', now() FROM generate_series(1, 5) n;
  INSERT INTO conversations (id, kind, parent_id, parent_seq, last_seq, rev)
    VALUES (2, 'thread', 1, 3, 0, 1);
  INSERT INTO conversation_prefs (conversation_id, user_id, prefs_rev) VALUES (1, 1, 1);
  INSERT INTO prefs_counters (user_id, last_rev) VALUES (1, 1);
`;
/** What else may be true of the conversation or of the member 1. */
const STATES: readonly (readonly [name: string, change: string])[] = [
  ["nothing else", "SELECT"],
  ["blocked", "UPDATE conversation_members SET apart = true"],
  ["silent messages before", "UPDATE conversations SET last_n = 3 WHERE id = 1"],
  [
    "a silent message",
    `UPDATE messages SET n = seq - 1 WHERE seq >= 3; UPDATE conversations SET last_n = 4 WHERE id = 1`,
  ],
  ["cursors with an n of their own", "UPDATE conversation_members SET read_n = 1"],
  [
    "marked unread",
    "UPDATE conversation_members SET unread_from_seq = 2, unread_from_n = 2 WHERE user_id = 1",
  ],
  ["read cursor hidden", "UPDATE conversation_members SET read_mask = 1 WHERE user_id = 1"],
  ["the other's read cursor hidden", "UPDATE conversation_members SET read_mask = 2"],
  ["cleared", "UPDATE conversation_members SET cleared_before_seq = 3, cleared_n = 2"],
  ["old messages forgotten", "UPDATE conversations SET first_seq = 3, first_n = 2 WHERE id = 1"],
  ["read to the end", "UPDATE conversation_members SET delivered_seq = 5, read_seq = 5"],
  ["no messages", "DELETE FROM messages"],
];

beforeAll(async () => {
  database = await startPostgres();
  await migrate(database.url);
  client = new Client(database.url);
  await client.connect();
  await client.query(SCENE);
});
afterAll(async () => {
  await client?.end();
  await database?.stop();
});

/** The answer, and what it left in the tables; times and the ids of messages left out. */
async function outcomeOf(change: string, statement: string, values: unknown[]) {
  await client.query(`BEGIN; ${change}`);
  try {
    const { rows } = await client.query<Record<string, unknown>>(statement, values);
    const { at, ids, dups, ...answer } = rows[0]!;
    const left = await client.query(
      `SELECT json_agg(m ORDER BY m.conversation_id, m.user_id) AS members,
         (SELECT json_agg(c ORDER BY c.id) FROM conversations c) AS conversations,
         (SELECT json_agg(p) FROM conversation_prefs p) AS prefs,
         (SELECT json_agg(to_jsonb(x) - 'id' - 'created_at' ORDER BY x.conversation_id, x.seq)
            FROM messages x) AS messages
       FROM conversation_members m`,
    );
    const isTimed = (key: string) => key.endsWith("_at");
    const text = JSON.stringify(left.rows[0], (key, value: unknown) =>
      isTimed(key) ? typeof value : value,
    );
    return { rows: rows.length, times: typeof at, ids: Array.isArray(ids), dups, answer, text };
  } finally {
    await client.query("ROLLBACK");
  }
}

it.each(STATES)(
  "[LNW1] a send alone is written and answered like one in a batch: %s",
  async (_, change) => {
    const sends: readonly (readonly [string, string, string, string, string | null])[] = [
      ["1", "1", "new", 'A text with "quotes", \\ and 日本', null],
      ["1", "1", "c4", "A repeated client_id", null],
      ["1", "1", "new", "A reply", "2"],
      ["1", "1", "new", "A reply to nothing", "9"],
      ["1", "3", "new", "By somebody else", null],
      ["2", "2", "new", "In a thread", null],
      ["7", "1", "new", "Into nothing", null],
    ];
    for (const send of sends) {
      const [c, s, k, b, r] = send;
      const alone = await outcomeOf(change, "SELECT * FROM write_send($1, $2, $3, $4, $5)", [
        ...send,
      ]);
      const rows = JSON.stringify([{ c, s, k, b, r }]);
      const together = await outcomeOf(change, "SELECT * FROM write_batch($1, $2, NULL)", [
        [c],
        rows,
      ]);
      expect(alone).toEqual(together);
    }
  },
);

it.each(STATES)(
  "[LNW2] a mark alone is written and answered like one in a batch: %s",
  async (_, change) => {
    const marks: readonly (readonly [string, string, number, number])[] = [
      ["1", "1", 4, 0],
      ["1", "1", 0, 4],
      ["1", "1", 0, 5],
      ["1", "1", 5, 0],
      ["1", "1", 0, 1],
      ["1", "1", 0, 0],
      ["1", "1", 0, 99],
      ["1", "2", 0, 3],
      ["1", "3", 0, 3],
      ["7", "1", 0, 1],
    ];
    for (const mark of marks) {
      const [c, u, d, r] = mark;
      const alone = await outcomeOf(change, "SELECT * FROM write_mark($1, $2, $3, $4)", [...mark]);
      const rows = JSON.stringify([{ c, u, d, r }]);
      const together = await outcomeOf(change, "SELECT * FROM write_batch(NULL, NULL, $1)", [rows]);
      expect(alone).toEqual(together);
    }
  },
);

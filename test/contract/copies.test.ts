/**
 * Copies of a whole database: what changed in the source while it was copied is changed in the copy.
 *
 * [CPY1] Rows that came, changed and went between two snapshots have come, changed and gone, also
 *        where one takes the unique value of another.
 * [CPY2] A copy that is not committed leaves the database as empty as it was.
 * [CPY3] Rows of a schema that is newer than this Troupe are refused.
 * [CPY5] Rows of an older schema are brought up to this Troupe's after they are written.
 * [CPY6] Rows that migrations leave do not count.
 * [CPY4] A database in which anybody has left rows is refused, and nothing in it changes.
 */
import { Readable } from "node:stream";
import { Client } from "pg";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { bringUp, oldestUnseen } from "../../src/storage/copies/changes.ts";
import { rowsOf as rowsIn, withClient } from "../../src/storage/copies/copy.ts";
import { sequencesOf, tablesOf } from "../../src/storage/copies/tables.ts";
import { Target } from "../../src/storage/copies/target.ts";
import { knownMigrations } from "../../src/storage/postgres/migrate.ts";
import { rowsOf } from "../support/dump.ts";
import { createDatabase, startPostgres, type TestDatabase } from "../support/postgres.ts";

const VERSION = "0.0.0";
/** Migrations from the first one on, on a busy machine. */
const SLOW_MS = 120_000;

vi.setConfig({ testTimeout: SLOW_MS });

let source: TestDatabase;
let copy: TestDatabase;
let writer: Client;
let schema: number;

beforeEach(async () => {
  source = await createDatabase();
  copy = await startPostgres();
  schema = (await knownMigrations()).at(-1)!.version;
  writer = new Client({ connectionString: source.url });
  await writer.connect();
});

afterEach(async () => {
  await writer.end();
  await source.stop();
  await copy.stop();
});

const writes = (...statements: string[]) => writer.query(statements.join(";"));

const user = (id: number, name: string) =>
  `INSERT INTO users (id, username, display_name, password_hash)
   VALUES (${id}, '${name}', 'Name of ${name}', 'x')`;

/** Copies one snapshot, lets `meanwhile` write, and copies what changed. */
async function copies(meanwhile: () => Promise<unknown>, isKept = true): Promise<void> {
  await withClient(source.url, "test", async (client) => {
    const tables = await tablesOf(client);
    await Target.fill({ url: copy.url, schema, version: VERSION }, async (target) => {
      await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
      const since = await oldestUnseen(client);
      for (const table of tables) {
        await target.write(table.name, table.columns, rowsIn(client, table));
      }
      await client.query("COMMIT");
      await meanwhile();
      await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
      await bringUp(client, target.client, tables, since);
      await client.query("COMMIT");
      await target.finish(await sequencesOf(client), false);
      if (isKept) await target.commit();
    });
  });
}

/** Each row of both, but for what migrations record of themselves. */
async function expectTheSame(): Promise<void> {
  const [one, other] = await Promise.all([rowsOf(source.url), rowsOf(copy.url)]);
  const data = (rows: string[]) => rows.filter((row) => !row.startsWith("schema_")).sort();
  expect(data(other)).toEqual(data(one));
}

it("[CPY1] what came, changed and went is in the copy, and unique values change hands", async () => {
  await writes(
    user(11, "ann"),
    user(12, "bob"),
    user(13, "cat"),
    "INSERT INTO follows (follower_id, followee_id) VALUES (11, 12), (12, 11), (13, 11)",
    "INSERT INTO posts (id, author_id, body) VALUES (5, 11, E'tab\\tline\\nback\\\\slash')",
  );
  await copies(() =>
    writes(
      "DELETE FROM follows WHERE follower_id = 12",
      // Two that exchange their names.
      "UPDATE users SET username = 'nobody' WHERE id = 11",
      "UPDATE users SET username = 'ann' WHERE id = 12",
      "UPDATE users SET username = 'bob' WHERE id = 11",
      // One that goes, and another one with that name.
      "DELETE FROM follows WHERE follower_id = 13",
      "DELETE FROM users WHERE id = 13",
      user(14, "cat"),
      "INSERT INTO follows (follower_id, followee_id) VALUES (14, 12)",
      "UPDATE posts SET body = 'other' WHERE id = 5",
      "UPDATE file_key SET key = '\\x00ff'",
    ),
  );
  await expectTheSame();
  // What came last is followed by the next id, and derived tables are derived again.
  const there = new Client({ connectionString: copy.url });
  await there.connect();
  try {
    await there.query("INSERT INTO posts (author_id, body) VALUES (11, 'next')");
    await there.query("DELETE FROM follows WHERE follower_id = 14");
    await expect(
      there.query("INSERT INTO follows (follower_id, followee_id) VALUES (14, 99)"),
    ).rejects.toThrow("foreign key");
  } finally {
    await there.end();
  }
});

it("[CPY2] a copy that is not committed leaves the database as it was", async () => {
  await writes(user(11, "ann"));
  await copies(async () => undefined, false);
  expect(await rowsOf(copy.url)).toEqual([]);
});

it("[CPY3] rows of a newer schema are refused", async () => {
  const filling = Target.fill(
    { url: copy.url, schema: schema + 1, version: VERSION },
    async () => 0,
  );
  await expect(filling).rejects.toThrow(`this Troupe knows versions up to ${schema}`);
});

it("[CPY5] rows of an older schema are brought up to date", async () => {
  const columns = ["id", "username", "display_name", "password_hash"];
  const rows = Readable.from([Buffer.from("11\tann\tAnn\tx\n12\tbob\tBob\tx\n")]);
  await Target.fill({ url: copy.url, schema: schema - 1, version: VERSION }, async (target) => {
    expect(await target.write("users", columns, rows)).toBe(2);
    await target.finish([], true);
    await target.commit();
  });
  const all = await rowsOf(copy.url);
  expect(all.filter((row) => row.startsWith("users: "))).toHaveLength(2);
  expect(all.some((row) => row.startsWith(`schema_migrations: (${schema},`))).toBe(true);
});

it("[CPY6] a database that was migrated, and that nobody has used, is empty", async () => {
  const options = { url: source.url, schema, version: VERSION };
  expect(await Target.fill(options, async ({ tables }) => tables.length)).toBeGreaterThan(50);
});

it("[CPY4] a database with somebody's rows is refused, and keeps them", async () => {
  await writes(user(11, "ann"));
  const before = await rowsOf(source.url);
  const filling = Target.fill({ url: source.url, schema, version: VERSION }, async () => 0);
  await expect(filling).rejects.toThrow("there are rows in its table user");
  expect(await rowsOf(source.url)).toEqual(before);
});

/**
 * The schema: as the snapshot says it is, the same from an empty database as from one that is
 * upgraded, and its functions always of the text in src/storage/sql/functions.
 */
import { readFile, writeFile } from "node:fs/promises";
import { Client } from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { asConversationId, asUserId } from "../../src/protocol/schemas.ts";
import { createActorPorts } from "../../src/storage/postgres/actor-ports.ts";
import { isOlder } from "../../src/storage/postgres/functions.ts";
import { migrate } from "../../src/storage/postgres/migrate.ts";
import { createRecount } from "../../src/storage/postgres/recount.ts";
import { edits } from "../support/message-changes.ts";
import { startPostgres, type TestDatabase } from "../support/postgres.ts";
import { schemaSnapshot } from "../support/schema-snapshot.ts";
import { granted, say } from "./adapters.ts";

const SNAPSHOT = new URL("./schema.txt", import.meta.url);
const OLD_DATABASE = new URL("../support/fixtures/storage/database-0008.sql", import.meta.url);
const HOW_TO_RENEW =
  "the schema differs from test/contract/schema.txt: where that is meant, renew it with" +
  " `RENEW_SCHEMA=1 npx vitest run --config test/vitest.config.ts test/contract/schema.test.ts`" +
  " and commit it";

describe("schema", () => {
  let database: TestDatabase;
  let client: Client;
  beforeEach(async () => {
    database = await startPostgres();
    client = new Client({ connectionString: database.url });
    await client.connect();
  });
  afterEach(async () => {
    await client?.end();
    await database?.stop();
  });

  const restoreOldDatabase = async () => {
    await client.query(await readFile(OLD_DATABASE, "utf8"));
    // The dump has emptied it.
    await client.query("RESET search_path");
  };
  const definitionOf = async (name: string) => {
    const { rows } = await client.query<{ text: string }>(
      "SELECT pg_get_functiondef(p.oid) AS text FROM pg_proc p WHERE p.proname = $1",
      [name],
    );
    return rows.map((row) => row.text);
  };

  it("[SCH1] a migrated database has the schema of the snapshot", async () => {
    await migrate(database.url);
    const found = await schemaSnapshot(database.url);
    if (process.env["RENEW_SCHEMA"]) await writeFile(SNAPSHOT, found);
    expect(found, HOW_TO_RENEW).toBe(await readFile(SNAPSHOT, "utf8"));
  });

  it("[SCH2] the body of every function is valid, whatever the order of their creation", async () => {
    await migrate(database.url);
    await client.query(
      `SELECT CASE l.lanname WHEN 'sql' THEN fmgr_sql_validator(p.oid)::text
         ELSE plpgsql_validator(p.oid)::text END
       FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
       WHERE p.pronamespace = 'public'::regnamespace`,
    );
  });

  it("[SCH3] a database of schema version 0008 is upgraded once by hosts that start at once", async () => {
    await restoreOldDatabase();
    const runs = await Promise.all([1, 2, 3].map(() => migrate(database.url)));
    const [busy, ...idle] = runs.toSorted((a, b) => b.functions.length - a.functions.length);
    expect(busy!.functions).toContain("write_batch");
    for (const run of idle) expect(run).toEqual({ applied: [], functions: [] });
    expect(await schemaSnapshot(database.url)).toBe(await readFile(SNAPSHOT, "utf8"));
    expect(await createRecount(database.url).recount(false)).toEqual([]);
  });

  it("[SCH4] what an upgraded database holds is there, and goes on", async () => {
    await restoreOldDatabase();
    await migrate(database.url);
    const storage = createActorPorts(database.url);
    const [ann, bob, carl] = ["1", "2", "3"].map(asUserId);
    const [group, direct, blocked] = ["1", "2", "3"].map(asConversationId);
    try {
      const { conversations } = storage.ports;
      expect(await conversations.load(group!)).toMatchObject({
        title: "New title",
        members: [{ user_id: "1" }, { user_id: "2" }, { user_id: "4" }],
        last_seq: 3,
        rev: 9,
      });
      const messages = await conversations.newest(group!, 10);
      expect(messages.map(({ body }) => body)).toEqual(["first, edited", "an answer", ""]);
      const again = await granted(
        say(storage.ports, direct!, bob!, "hello", { clientId: "c hello" }),
      );
      expect(again).toMatchObject({ duplicate: true, message: { seq: 1 } });
      const next = await granted(say(storage.ports, group!, ann!, "after the upgrade"));
      expect(next.message).toMatchObject({ seq: 4, rev: 10 });
      await granted(edits(conversations, group!, 4, ann!, "edited after it"));
      expect((await say(storage.ports, blocked!, carl!, "again")).ok).toBe(false);
    } finally {
      await storage.close();
    }
    expect(await createRecount(database.url).recount(false)).toEqual([]);
  });

  it("[FUN1] a host applies its functions over those of its own version or an older one only", async () => {
    await migrate(database.url, "1.2.0");
    const [own] = await definitionOf("is_apart");
    const another = own!.replace("BEGIN", "BEGIN -- another text");
    await client.query(another);
    const setVersion = (version: string) =>
      client.query("UPDATE schema_functions SET hash = 'another', version = $1 WHERE name = $2", [
        version,
        "is_apart",
      ]);
    await setVersion("1.10.0");
    expect(await migrate(database.url, "1.2.0")).toEqual({ applied: [], functions: [] });
    expect(await definitionOf("is_apart")).toEqual([another]);
    await setVersion("1.2.0");
    expect(await migrate(database.url, "1.2.0")).toMatchObject({ functions: ["is_apart"] });
    expect(await definitionOf("is_apart")).toEqual([own]);
    expect(isOlder("1.2.0", "1.10.0")).toBe(true);
    expect(isOlder("1.2.0", "1.2.0-rc.1")).toBe(false);
    expect(isOlder("2.0.0", "1.9.9")).toBe(false);
  });

  it("[FUN3] a function whose arguments or result changed is made anew, and one whose file is gone is dropped", async () => {
    await migrate(database.url);
    const [own] = await definitionOf("is_apart");
    await client.query("DROP FUNCTION is_apart(bigint, bigint), place_of_message(bigint)");
    await client.query(
      `CREATE FUNCTION is_apart(p_one text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
       CREATE FUNCTION place_of_message(bigint) RETURNS text LANGUAGE sql AS 'SELECT $1::text';
       CREATE FUNCTION left_over() RETURNS text LANGUAGE sql AS 'SELECT 1::text';
       UPDATE schema_functions SET hash = 'old' WHERE name IN ('is_apart', 'place_of_message');
       INSERT INTO schema_functions (name, hash, version) VALUES ('left_over', 'old', '0.0.0')`,
    );
    const { functions } = await migrate(database.url);
    expect(functions).toEqual(["is_apart", "place_of_message", "left_over"]);
    expect(await definitionOf("is_apart")).toEqual([own]);
    expect(await definitionOf("left_over")).toEqual([]);
    expect(await schemaSnapshot(database.url)).toBe(await readFile(SNAPSHOT, "utf8"));
    expect(await migrate(database.url)).toEqual({ applied: [], functions: [] });
  });
});

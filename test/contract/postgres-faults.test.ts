/** What only PostgreSQL can do wrong: refused rows, lost answers, a database that is away. */

import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { asConversationId, asUserId } from "../../src/protocol/schemas.ts";
import { type ActorStorage, createActorPorts } from "../../src/storage/postgres/actor-ports.ts";
import { createEdgePorts, type EdgeStorage } from "../../src/storage/postgres/edge-ports.ts";
import { StorageFault } from "../../src/storage/postgres/fault.ts";
import { ForeignDatabaseError } from "../../src/storage/postgres/foreign-database.ts";
import { migrate, NewerDatabaseError } from "../../src/storage/postgres/migrate.ts";
import { retitle } from "../support/group-changes.ts";
import { edits } from "../support/message-changes.ts";
import { startPostgres, type TestDatabase } from "../support/postgres.ts";
import { codeOf, granted, say } from "./adapters.ts";
import { WeakLink } from "./weak-link.ts";

const DEADLINE_MS = 1500;

describe("PostgreSQL storage in trouble", () => {
  let database: TestDatabase;
  let link: WeakLink;
  let storage: ActorStorage;
  let edge: EdgeStorage;
  let direct: Client;
  let alice: UserId;
  let group: ConversationId;

  beforeAll(async () => {
    database = await startPostgres();
    await migrate(database.url);
    direct = new Client({ connectionString: database.url });
    await direct.connect();
    const { rows } = await direct.query<{ id: string }>(
      "INSERT INTO users (username, display_name) VALUES ('alice', 'Alice') RETURNING id",
    );
    alice = asUserId(rows[0]!.id);
  });
  afterAll(async () => {
    await direct?.end();
    await database?.stop();
  });
  beforeEach(async () => {
    link = await WeakLink.to(database.url);
    storage = createActorPorts(link.url, { deadlineMs: DEADLINE_MS });
    edge = createEdgePorts(link.url, { deadlineMs: DEADLINE_MS });
    const made = await granted(storage.ports.conversations.create("group", alice, [alice], "G"));
    group = asConversationId(made.conversation.id);
  });
  afterEach(async () => {
    await storage.close();
    await edge.close();
    await link.stop();
  });
  const speak = (body: string) => say(storage.ports, group, alice, body);
  const stored = async () => {
    const { rows } = await direct.query<{ body: string }>(
      "SELECT body FROM messages WHERE conversation_id = $1 ORDER BY seq",
      [group],
    );
    return rows.map((row) => row.body);
  };

  it("[WRT1] a row that PostgreSQL refuses fails alone", async () => {
    const mark = storage.ports.conversations.mark({
      conversationId: group,
      userId: alice,
      seq: 0,
      read: true,
    });
    const codes = await Promise.all(
      ["a", "nul \0", "b", "lone \ud800", "c"].map(speak).map(codeOf),
    );
    expect(codes).toEqual(["", "internal", "", "internal", ""]);
    expect(await granted(mark)).toMatchObject({ changed: false });
    expect(await stored()).toEqual(["a", "b", "c"]);
    const edited = edits(storage.ports.conversations, group, 1, alice, "nul \0");
    expect(await codeOf(edited)).toBe("internal");
  });

  it("[WRT2] a send whose answer is lost is written once, and is news to its sender", async () => {
    await granted(speak("before"));
    link.loseNextAnswer();
    const [first, second] = await Promise.all([granted(speak("x")), granted(speak("y"))]);
    expect([first!.duplicate, second!.duplicate]).toEqual([false, false]);
    expect([first!.message.seq, second!.message.seq]).toEqual([2, 3]);
    expect((await granted(speak("before"))).duplicate).toBe(true);
    expect(await stored()).toEqual(["before", "x", "y"]);
  });

  it("[WRT3] a single change whose answer is lost is not made twice", async () => {
    await granted(speak("a"));
    link.loseNextAnswer();
    const edit = edits(storage.ports.conversations, group, 1, alice, "b");
    await expect(edit).rejects.toBeInstanceOf(StorageFault);
    expect(await storage.ports.conversations.load(group)).toMatchObject({ rev: 3 });
  });

  it("[WRT4] a broken connection is made anew, unseen by callers", async () => {
    await granted(speak("a"));
    expect(await edge.queries.user(alice)).toMatchObject({ username: "alice" });
    await storage.ports.conversations.newest(group, 1);
    link.cut();
    expect((await granted(speak("b"))).message.seq).toBe(2);
    expect(await edge.queries.user(alice)).toMatchObject({ username: "alice" });
    expect(await storage.ports.conversations.newest(group, 5)).toHaveLength(2);
  });

  it("[WRT5] with the database away everything fails within the deadline, and works after", async () => {
    await granted(speak("a"));
    link.close();
    const startedMs = performance.now();
    const asked = await Promise.allSettled([
      speak("b"),
      retitle(storage.ports.conversations, group, alice, "T"),
      storage.ports.conversations.load(group),
      storage.ports.users.saveLastSeen(alice, "2026-01-01T00:00:00.000Z"),
      edge.queries.ping(),
      edge.accounts.byUsername("alice", "10.0.0.1"),
    ]);
    expect(performance.now() - startedMs).toBeLessThan(2 * DEADLINE_MS + 500);
    for (const each of asked) {
      expect(each.status === "rejected" && each.reason).toBeInstanceOf(StorageFault);
    }
    link.open();
    expect((await granted(speak("c"))).message.seq).toBe(2);
    await edge.queries.ping();
  });

  it("[WRT6] a database that hangs is given up at the deadline", async () => {
    await granted(speak("a"));
    await edge.queries.ping();
    link.freeze();
    const startedMs = performance.now();
    const asked = await Promise.allSettled([speak("b"), edge.queries.ping()]);
    expect(performance.now() - startedMs).toBeLessThan(2 * DEADLINE_MS + 500);
    for (const each of asked) {
      expect(each.status === "rejected" && each.reason).toBeInstanceOf(StorageFault);
    }
    link.open();
    await granted(speak("c"));
    await edge.queries.ping();
  });

  it("[WRT7] a database that comes back within the deadline costs a send only time", async () => {
    await granted(speak("a"));
    link.close();
    const late = granted(speak("b"));
    // The first try to connect has failed once the server has closed on it.
    await expect(edge.queries.ping()).rejects.toBeInstanceOf(StorageFault);
    link.open();
    expect((await late).message.seq).toBe(2);
  });

  it("[WRT8] past the queue's bound a send is refused as unavailable", async () => {
    const small = createActorPorts(database.url, { queueMax: 3 });
    const codes = await Promise.all(
      ["1", "2", "3", "4", "5"].map((body) => codeOf(say(small.ports, group, alice, body))),
    );
    expect(codes).toEqual(["", "", "", "unavailable", "unavailable"]);
    await small.close();
  });

  it("[WRT9] closing writes what waits, and refuses what comes after", async () => {
    const sends = ["1", "2", "3"].map((body) => codeOf(speak(body)));
    await storage.close();
    expect(await Promise.all(sends)).toEqual(["", "", ""]);
    expect(await codeOf(speak("4"))).toBe("unavailable");
    await expect(storage.ports.conversations.load(group)).rejects.toBeInstanceOf(StorageFault);
  });

  it("[IDS1] ids past 2^53 stay exact", async () => {
    await direct.query("ALTER TABLE messages ALTER id RESTART WITH 9007199254740993");
    await direct.query("ALTER TABLE conversations ALTER id RESTART WITH 9007199254740993");
    const { ports } = storage;
    const made = await granted(ports.conversations.create("group", alice, [alice], null));
    const id = asConversationId(made.conversation.id);
    expect(id).toBe("9007199254740993");
    await granted(say(ports, id, alice, "first"));
    const { message } = await granted(say(ports, id, alice, "second"));
    expect(message.conversation_id).toBe(id);
    const again = await granted(say(ports, id, alice, "second"));
    expect(again).toEqual({ message, duplicate: true });
    const synced = await edge.queries.sync({
      userId: alice,
      after: new Map([[id, 2]]),
      complete: false,
    });
    expect(synced.conversations[0]?.messages).toEqual([message]);
    const { changes } = await edge.queries.changes(id, 2, 1);
    expect(JSON.parse(changes[0]!.body)).toEqual(message);
  });
});

describe("migrations", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await startPostgres();
  });
  afterAll(() => database?.stop());

  it("[MIG1] several hosts may start at once; the second start finds nothing to do", async () => {
    const runs = await Promise.all([1, 2, 3].map(() => migrate(database.url)));
    const applied = runs.flatMap((run) => run.applied);
    expect(new Set(applied).size).toBe(applied.length);
    expect(applied[0]).toBe("0001-core");
    expect(await migrate(database.url)).toEqual({ applied: [], functions: [] });
  });

  it("[MIG2] a database that is newer than the code is refused", async () => {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query("INSERT INTO schema_migrations (version, name) VALUES (9999, '9999-later')");
    await client.end();
    await expect(migrate(database.url)).rejects.toBeInstanceOf(NewerDatabaseError);
  });

  it.each([
    ["a table `schema_migrations`", "CREATE TABLE schema_migrations (version varchar PRIMARY KEY)"],
    ["a table `users`", "CREATE TABLE users (id int PRIMARY KEY, email text)"],
  ])("[MIG6] a database that has %s of another application is left alone", async (found, sql) => {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    // Its own schema stands for a database of its own.
    await client.query(`CREATE SCHEMA elsewhere; SET search_path = elsewhere; ${sql}`);
    const url = new URL(database.url);
    url.searchParams.set("options", "-c search_path=elsewhere");
    const refusal: unknown = await migrate(url.href).catch((error: unknown) => error);
    const { rows } = await client.query(
      "SELECT tablename FROM pg_tables WHERE schemaname = 'elsewhere'",
    );
    await client.query("DROP SCHEMA elsewhere CASCADE");
    await client.end();
    expect(refusal).toBeInstanceOf(ForeignDatabaseError);
    expect(String(refusal)).toContain(found);
    expect(rows).toHaveLength(1);
  });

  it("[MIG3] a database out of reach is a StorageFault", async () => {
    const url = new URL(database.url);
    url.port = "1";
    await expect(migrate(url.href)).rejects.toBeInstanceOf(StorageFault);
  });
});

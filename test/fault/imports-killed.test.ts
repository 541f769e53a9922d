/**
 * Imports whose worker is killed.
 *
 * [IMX8] Killed between any two steps, an import is continued: what is there in the end is what the
 *        file says, once, and so is the result of the job.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "pg";
import { afterEach, describe, expect, it } from "vitest";
import { createRecount } from "../../src/storage/postgres/recount.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { upTo } from "../support/expectations.ts";
import { beginsImport, importEnds, linesOf } from "../support/imports.ts";
import { Service } from "../support/service.ts";
import { noSocketsLeft } from "../support/suite.ts";

/** A job's lease, and a worker's start. */
const WITHIN_MS = 60_000;
const ROOMS = 200;
const MESSAGES = 20;
const COMMENTS = 3;

let troupe: Troupe | undefined;
const clients: Client[] = [];

afterEach(async (context) => {
  if (context.task.result?.state === "fail") console.error(troupe?.logTail());
  await Promise.all(clients.splice(0).map((client) => client.end()));
  await troupe?.stop();
  troupe = undefined;
  await noSocketsLeft();
});

const USERS = ["k:ann", "k:bob"];
const nameOf = (room: number) => `k:${String(room).padStart(3, "0")}`;
const textOf = (room: number, n: number) => `message ${n} of ${room}`;

/** Without names and times of their own, messages and comments are known by their places. */
function lines(): object[] {
  const rooms = upTo(ROOMS).map((_, room) => nameOf(room));
  return [
    ...USERS.map((external_id) => ({ type: "user", external_id })),
    ...rooms.map((external_id) => ({
      type: "conversation",
      external_id,
      kind: "group",
      title: external_id,
      members: USERS,
    })),
    ...rooms.flatMap((conversation, room) =>
      upTo(MESSAGES).map((_, n) => ({
        type: "message",
        conversation,
        sender: USERS[(n + room) % 2],
        body: textOf(room, n + 1),
      })),
    ),
    ...rooms.map((conversation) => ({
      type: "reaction",
      conversation,
      seq: MESSAGES,
      user: "k:bob",
      key: "👍",
    })),
    { type: "post", external_id: "k:post", author: "k:ann", body: "a post" },
    ...upTo(COMMENTS).map(() => ({
      type: "comment",
      post_id: "k:post",
      author: "k:bob",
      body: "the same words",
    })),
  ];
}

async function connected(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  clients.push(client);
  return client;
}

async function countOf(client: Client, query: string): Promise<number> {
  const { rows } = await client.query<{ count: string }>(`SELECT count(*) AS count ${query}`);
  return Number(rows[0]!.count);
}

async function expectTheFile(client: Client): Promise<void> {
  const messages = await client.query<{ room: string; sender: string; body: string }>(
    `SELECT c.external_id AS room, u.external_id AS sender, m.body
     FROM messages m JOIN conversations c ON c.id = m.conversation_id JOIN users u ON u.id = m.sender_id
     ORDER BY c.external_id COLLATE "C", m.seq`,
  );
  expect(messages.rows).toEqual(
    upTo(ROOMS).flatMap((_, room) =>
      upTo(MESSAGES).map((_, n) => ({
        room: nameOf(room),
        sender: USERS[(n + room) % 2],
        body: textOf(room, n + 1),
      })),
    ),
  );
  expect(await countOf(client, `FROM message_reactions WHERE seq = ${MESSAGES}`)).toBe(ROOMS);
  expect(await countOf(client, "FROM message_reactions")).toBe(ROOMS);
  expect(await countOf(client, "FROM comments")).toBe(COMMENTS);
  expect(await countOf(client, "FROM posts")).toBe(1);
}

describe("an import whose worker is killed", () => {
  it("[IMX8] is what its file says, killed between two conversations and before its lines went", {
    timeout: 240_000,
  }, async () => {
    troupe = await startTroupe({ workers: 1, env: { RATE_LIMITS: "off" } });
    const url = troupe.databaseUrl!;
    const [look, between, atEnd] = [
      await connected(url),
      await connected(url),
      await connected(url),
    ];
    await between.query("BEGIN");
    await between.query(
      `SELECT pg_advisory_xact_lock(hashtextextended('conversation ${nameOf(ROOMS / 2)}', 0))`,
    );
    const service = await Service.of(troupe, "import");
    const id = await beginsImport(service, linesOf(lines()));
    const waitsFor = (statement: string) =>
      eventually(
        `${statement} waits`,
        async () =>
          (await countOf(
            look,
            `FROM pg_stat_activity a WHERE a.datname = current_database()
             AND a.wait_event_type = 'Lock' AND a.query LIKE '%${statement}%'
             AND a.pid <> pg_backend_pid()`,
          )) > 0,
        WITHIN_MS,
      );
    await waitsFor("import_conversation");
    expect(await countOf(look, "FROM messages")).toBe((ROOMS / 2) * MESSAGES);
    await atEnd.query("BEGIN");
    await atEnd.query("SELECT 1 FROM import_lines WHERE n = 1 FOR UPDATE");
    await troupe.killWorker(0);
    await between.query("COMMIT");
    // Everything is written now, and the job has not ended.
    await waitsFor("DELETE FROM import_lines");
    await expectTheFile(look);
    await troupe.killWorker(0);
    await atEnd.query("COMMIT");
    const result = { users: USERS.length, conversations: ROOMS, messages: ROOMS * MESSAGES };
    expect(await importEnds(service, id)).toMatchObject({ state: "done", result });
    await expectTheFile(look);
    expect(await countOf(look, "FROM import_lines")).toBe(0);
    expect(await countOf(look, "FROM imports")).toBe(0);
    const files = await readdir(join(troupe.dataDir, "files"), {
      recursive: true,
      withFileTypes: true,
    });
    expect(files.filter((one) => one.isFile()).map(({ name }) => name)).toEqual([]);

    expect(await importEnds(service, await beginsImport(service, linesOf(lines())))).toMatchObject({
      state: "done",
      result,
    });
    await expectTheFile(look);
    expect(await createRecount(url).recount(false)).toEqual([]);
  });
});

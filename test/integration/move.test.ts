/**
 * `troupe move`: a server that is talked to goes from its embedded database to a PostgreSQL.
 *
 * [MOV1] The old database is marked, and is not started again by mistake.
 * [MOV2] A move that is killed at any moment before its end leaves the old one whole and talking, and
 *        the new one empty.
 * [MOV3] Nothing that was acknowledged is lost, and nothing is there twice; sends are `unavailable`
 *        between the end of the move and the start on the new database, and reads are answered.
 * [MOV4] `troupe move --undo` takes the old one back into use.
 */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "pg";
import { afterEach, beforeEach, expect, it } from "vitest";
import { runningEmbeddedUrl } from "../../src/storage/embedded/running.ts";
import { scratchDir, startTroupe, type Troupe } from "../support/cluster.ts";
import { RunningCommand, runs } from "../support/command.ts";
import { rowsOf } from "../support/dump.ts";
import type { Pulled } from "../support/events.ts";
import { eventually } from "../support/eventually.ts";
import { Api } from "../support/http.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { freePort } from "../support/ports.ts";
import { startPostgres, type TestDatabase } from "../support/postgres.ts";
import { serviceTokenOf } from "../support/service.ts";
import { historyOf, Talker } from "../support/talker.ts";

const SLOW_MS = 150_000;

let scratch: string;
let dataDir: string;
let port: number;
let target: TestDatabase;
let troupe: Troupe;
let people: Person[];
let groupId: string;
let talkers: Talker[];

beforeEach(async () => {
  scratch = await scratchDir();
  dataDir = join(scratch, "data");
  port = await freePort();
  target = await startPostgres();
  troupe = await startTroupe({ embedded: true, workers: 1, dataDir, port });
  people = await troupe.users("ann", "bob");
  const [ann, bob] = people as [Person, Person];
  groupId = (await ann.startsGroup(bob)).id;
  talkers = people.map((one) => new Talker(one, groupId));
  await untilAcknowledged(20);
}, SLOW_MS);

afterEach(async () => {
  await Promise.all(talkers.map((talker) => talker.stops()));
  await troupe.stop();
  await target.stop();
  await rm(scratch, { recursive: true, force: true });
}, SLOW_MS);

const acknowledged = () => talkers.flatMap((talker) => talker.acknowledged);

async function untilAcknowledged(more: number): Promise<void> {
  const counts = talkers.map((talker) => talker.acknowledged.length);
  await eventually(
    `each has ${more} more messages acknowledged`,
    () => talkers.every((talker, n) => talker.acknowledged.length >= counts[n]! + more),
    30_000,
  );
}

const secretOf = async () => (await readFile(join(dataDir, "jwt-secret"), "utf8")).trim();

/** Ends the old server, and starts another one on the same port with the new database. */
async function startsOnNew(): Promise<void> {
  await troupe.stop();
  const env = { JWT_SECRET: await secretOf() };
  troupe = await startTroupe({ databaseUrl: target.url, workers: 1, dataDir, port, env });
}

/** Every message that was acknowledged is there, once, in an order without a gap. */
async function expectNothingLost(): Promise<void> {
  const [ann] = people as [Person];
  const history = await historyOf(ann, groupId);
  const ids = history.map(({ client_id }) => client_id);
  expect(new Set(ids).size).toBe(ids.length);
  const kept = new Set(ids);
  expect(acknowledged().filter((id) => !kept.has(id))).toEqual([]);
  expect(history.map(({ seq }) => seq)).toEqual(history.map((_, n) => n + 1));
}

async function eventsApi(): Promise<Api> {
  const token = await serviceTokenOf(await secretOf(), ["events"]);
  return new Api(troupe.url, () => token);
}

/** A transaction that writes, for which the move waits; the result ends it. */
async function holdsATable(): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: (await runningEmbeddedUrl(dataDir)) ?? "" });
  await client.connect();
  await client.query("BEGIN; LOCK TABLE messages IN ROW EXCLUSIVE MODE");
  return () => client.end();
}

const moves = () => new RunningCommand(["move", "--to", target.url], { DATA_DIR: dataDir });

it(
  "[MOV3] a talking server moves to a PostgreSQL with nothing lost, and events go on where they were",
  async () => {
    const [ann] = people as [Person];
    const file = await ann.uploads("the bytes of a file", "a.txt");
    const cursor = expectStatus(
      await (await eventsApi()).get<Pulled>("/api/events?after=now"),
      200,
    ).cursor;
    await untilAcknowledged(5);

    const ended = await moves().ends();
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(ended.stdout).toMatch(/Copied \d+ rows, while Troupe goes on\./);
    expect(ended.stdout).not.toContain(new URL(target.url).password || "no password");

    // The old server answers reads, and refuses what would write.
    await eventually("sends are unavailable", () => talkers.every((one) => one.unavailable > 0));
    const before = acknowledged().length;
    expect((await historyOf(ann, groupId)).length).toBeGreaterThanOrEqual(before);

    // [MOV1]
    const port2 = await freePort();
    await troupe.stop();
    const again = await runs(["start"], { DATA_DIR: dataDir, PORT: String(port2) });
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(
      /^The database in .* was moved to postgres(ql)?:\/\/.*: set DATABASE_URL\./,
    );
    expect(again.stderr).not.toContain(`${new URL(target.url).username}:`);

    const doctor = await runs(["doctor"], { DATA_DIR: dataDir, PORT: String(port2) });
    expect(doctor.stdout).toMatch(/FAIL\s+embedded PostgreSQL\s+The database in .* was moved to/);

    await startsOnNew();
    await untilAcknowledged(10);
    for (const talker of talkers) await talker.stops();
    await expectNothingLost();
    expect(acknowledged().length).toBeGreaterThan(before);
    expect((await ann.api.get<string>(file.url)).text).toBe("the bytes of a file");
    const recounted = await runs(["recount"], {
      DATABASE_URL: target.url,
      JWT_SECRET: await secretOf(),
    });
    expect([recounted.code, recounted.stdout]).toEqual([0, "Every count is right.\n"]);

    const seen = new Set<string>();
    const events = await eventsApi();
    for (let after = cursor; ; ) {
      const page = expectStatus(await events.get<Pulled>(`/api/events?after=${after}`), 200);
      for (const { data } of page.items) {
        const { message } = data as { message?: { client_id: string } };
        if (message !== undefined) seen.add(message.client_id);
      }
      if (page.items.length === 0) break;
      after = page.cursor;
    }
    expect(
      acknowledged()
        .slice(-10)
        .filter((id) => !seen.has(id)),
    ).toEqual([]);
  },
  SLOW_MS,
);

it(
  "[MOV2] killed with -9 on its way, the old one talks on and the new one is empty; the next move ends",
  async () => {
    for (const step of ["", "Copied ", "Writes wait now."]) {
      const letGo = step === "Writes wait now." ? await holdsATable() : async () => undefined;
      const move = moves();
      await eventually(`the move is at "${step}"`, () => move.stdout.includes(step), 30_000);
      const { code } = await move.kill9();
      await letGo();
      if (code === 0) throw new Error("the move had ended before it was killed");
      await untilAcknowledged(5);
      await eventually("the new one is empty", async () => (await rowsOf(target.url)).length === 0);
    }
    const ended = await moves().ends();
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    const second = await moves().ends();
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/^The database is not empty/);
    await startsOnNew();
    await untilAcknowledged(5);
    for (const talker of talkers) await talker.stops();
    await expectNothingLost();
  },
  SLOW_MS,
);

it(
  "[MOV4] a move is undone: the old database is started again and written",
  async () => {
    expect((await moves().ends()).code).toBe(0);
    await troupe.stop();
    const undone = await runs(["move", "--undo"], { DATA_DIR: dataDir });
    expect([undone.code, undone.stderr]).toEqual([0, ""]);
    troupe = await startTroupe({ embedded: true, workers: 1, dataDir, port });
    await untilAcknowledged(5);
    for (const talker of talkers) await talker.stops();
    await expectNothingLost();
    expect((await runs(["move", "--undo"], { DATA_DIR: join(scratch, "other") })).code).toBe(1);
  },
  SLOW_MS,
);

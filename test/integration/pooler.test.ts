/**
 * Behind PgBouncer in transaction mode, where each transaction may run on another session.
 *
 * [POO1] Nothing of a session is relied on but in one transaction: the role has the settings, and
 *        sessions from before them are ended.
 * [POO2] Prepared statements have names where the pooler keeps them, and else none.
 * [POO3] Migrations, LISTEN and session locks go to PostgreSQL itself.
 * [POO4] The doctor says which mode it found.
 * [POO5] Two addresses of different databases are refused.
 * [POO6] A statement of an import may take longer than the role's settings let others.
 */
import { Client } from "pg";
import { afterEach, describe, expect, it } from "vitest";
import type { Message } from "../../src/protocol/schemas.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { runs } from "../support/command.ts";
import { EventReader } from "../support/events.ts";
import { eventually } from "../support/eventually.ts";
import { upTo } from "../support/expectations.ts";
import { beginsImport, importEnds, linesOf } from "../support/imports.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { KEEPS_NAMES, PgBouncer, whyNoPgBouncer } from "../support/pgbouncer.ts";
import { freePort } from "../support/ports.ts";
import {
  administer,
  createDatabase,
  startPostgres,
  type TestDatabase,
} from "../support/postgres.ts";
import { Service } from "../support/service.ts";
import { historyOf, Talker } from "../support/talker.ts";
import { JWT_SECRET } from "../support/tokens.ts";

const SLOW_MS = 90_000;
const WITHIN_MS = 20_000;
/** Fewer sessions than Troupe has connections, so that they take turns. */
const POOL = 4;
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function keep<T extends { stop(): Promise<unknown> }>(work: Promise<T>): Promise<T> {
  const made = await work;
  cleanups.push(() => made.stop());
  return made;
}

async function pooled(): Promise<{ database: TestDatabase; bouncer: PgBouncer }> {
  // Empty: the start migrates.
  const database = await keep(startPostgres());
  const bouncer = await keep(PgBouncer.before(database.url, "transaction", POOL));
  return { database, bouncer };
}

async function asks<Row extends object>(url: string, text: string): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

if (whyNoPgBouncer !== null) console.warn(`PgBouncer skipped: ${whyNoPgBouncer}`);

describe.skipIf(whyNoPgBouncer !== null)("behind PgBouncer in transaction mode", () => {
  it(
    "[POO1] people talk, search, schedule and pull, over sessions that take turns",
    async () => {
      const { database, bouncer } = await pooled();
      // A session with the settings of before, which the pooler would give to anybody.
      await administer(bouncer.url, "SELECT 1");
      const env = { DATABASE_DIRECT_URL: database.url };
      const options = { workers: 2, databaseUrl: bouncer.url, env };
      const troupe: Troupe = await keep(startTroupe(options));
      const settings = await Promise.all(
        upTo(POOL).map(() =>
          asks<{ seqscan: string; timeout: string }>(
            bouncer.url,
            `SELECT current_setting('enable_seqscan') AS seqscan,
              current_setting('statement_timeout') AS timeout FROM pg_sleep(0.2)`,
          ),
        ),
      );
      expect(settings.flat()).toEqual(upTo(POOL).map(() => ({ seqscan: "off", timeout: "5s" })));

      const [ann, bob] = (await troupe.users("ann", "bob")) as [Person, Person];
      const reader = await EventReader.of(troupe);
      const group = await ann.startsGroup(bob);
      const session = await bob.connects();
      const talkers = [new Talker(ann, group.id), new Talker(bob, group.id)];
      const scheduled = {
        client_id: "later",
        body: "a scheduled word",
        send_at: new Date(Date.now() + 2_000).toISOString(),
      };
      const path = `/api/conversations/${group.id}`;
      expectStatus<unknown>(await ann.api.post(`${path}/scheduled`, scheduled), 201);
      const post = await ann.publishes("a post");
      await bob.likes(post);
      await bob.comments(post, "a comment");
      await bob.follows(ann);
      await eventually(
        "the scheduled message is sent",
        async () => {
          const { body } = await bob.api.get<{ items: Message[] }>(`${path}/messages?limit=100`);
          return body.items.some((message) => message.body === "a scheduled word");
        },
        WITHIN_MS,
      );
      await eventually(
        "it is found",
        async () => {
          const found = await bob.api.get<{ items: unknown[] }>("/api/search/messages?q=scheduled");
          return found.body.items.length === 1;
        },
        WITHIN_MS,
      );
      await eventually(
        "both talk",
        () => talkers.every((one) => one.acknowledged.length > 50),
        WITHIN_MS,
      );
      for (const talker of talkers) await talker.stops();
      const history = await historyOf(ann, group.id);
      expect(history.map(({ seq }) => seq)).toEqual(history.map((_, n) => n + 1));
      const sent = new Set(history.map(({ client_id }) => client_id));
      for (const id of talkers.flatMap((one) => one.acknowledged)) expect(sent).toContain(id);
      expect((await reader.pullsAll()).map(({ type }) => type)).toContain("like.added");
      await session.disconnects();
      expect(troupe.errorsLogged()).toEqual([]);

      // [POO2] What has tried the pooler has left names of its own.
      const named = await Promise.all(
        upTo(POOL).map(() =>
          asks<{ name: string }>(
            bouncer.url,
            "SELECT name FROM pg_prepared_statements, pg_sleep(0.2) WHERE name !~ '^troupe_[0-9a-f]{12}$'",
          ),
        ),
      );
      if (KEEPS_NAMES) expect(named.flat().length).toBeGreaterThan(0);
      else expect(named.flat()).toEqual([]);
      // [POO3]
      const listening = await asks<{ count: number }>(
        database.url,
        `SELECT count(*)::int AS count FROM pg_stat_activity
         WHERE datname = current_database() AND query LIKE 'LISTEN%'`,
      );
      expect(listening[0]!.count).toBeGreaterThan(0);
    },
    SLOW_MS,
  );

  it(
    "[POO4] the doctor names the mode, and commands go to PostgreSQL itself",
    async () => {
      const database = await keep<TestDatabase>(createDatabase());
      const bouncer = await keep(PgBouncer.before(database.url, "transaction"));
      const env = { DATABASE_URL: bouncer.url, DATABASE_DIRECT_URL: database.url, JWT_SECRET };
      const { stdout } = await runs(["doctor"], { ...env, PORT: String(await freePort()) });
      expect(stdout).toMatch(
        /ok\s+pooling\s+DATABASE_URL leads to a pooler in transaction mode, with(out)? named statements/,
      );
      expect(stdout.includes("without named statements")).toBe(!KEEPS_NAMES);
      const recounted = await runs(["recount"], env);
      expect([recounted.code, recounted.stdout]).toEqual([0, "Every count is right.\n"]);
      const without = await runs(["doctor"], {
        DATABASE_URL: database.url,
        DATABASE_DIRECT_URL: database.url,
        JWT_SECRET,
      });
      expect(without.stdout).toContain("DATABASE_DIRECT_URL is not needed");
    },
    SLOW_MS,
  );

  it(
    "[POO6] an import waits longer for a statement than others do",
    async () => {
      const { database, bouncer } = await pooled();
      const env = { DATABASE_DIRECT_URL: database.url };
      const troupe: Troupe = await keep(startTroupe({ workers: 1, databaseUrl: bouncer.url, env }));
      const holder = new Client({ connectionString: database.url });
      await holder.connect();
      cleanups.push(() => holder.end());
      await holder.query("SELECT pg_advisory_lock(hashtextextended('conversation p:room', 0))");
      const service = await Service.of(troupe, "import");
      const id = await beginsImport(
        service,
        linesOf([
          { type: "user", external_id: "p:ann" },
          {
            type: "conversation",
            external_id: "p:room",
            kind: "group",
            title: "A room",
            members: ["p:ann"],
          },
        ]),
      );
      await eventually(
        "its statement has waited for more than 5 s",
        async () => {
          const { rows } = await holder.query(
            `SELECT 1 FROM pg_stat_activity a WHERE a.datname = current_database()
             AND a.wait_event_type = 'Lock' AND a.query LIKE '%import_conversation%'
             AND a.query_start < clock_timestamp() - interval '7 s'`,
          );
          return rows.length > 0;
        },
        WITHIN_MS,
      );
      await holder.query("SELECT pg_advisory_unlock_all()");
      expect(await importEnds(service, id)).toMatchObject({ state: "done" });
    },
    SLOW_MS,
  );

  it(
    "[POO5] two addresses of different databases are refused in a sentence",
    async () => {
      const { bouncer } = await pooled();
      const other = await keep<TestDatabase>(createDatabase());
      const { code, stderr } = await runs(["start"], {
        DATABASE_URL: bouncer.url,
        DATABASE_DIRECT_URL: other.url,
        JWT_SECRET,
        PORT: String(await freePort()),
      });
      expect(code).toBe(1);
      expect(stderr).toContain("lead to different databases");
      expect(stderr).not.toMatch(/\n\s+at /);
    },
    SLOW_MS,
  );
});

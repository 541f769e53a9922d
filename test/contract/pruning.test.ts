/** Replaced states are deleted in time, by one process at a time. PostgreSQL only. */
import { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import { migrate } from "../../src/storage/postgres/migrate.ts";
import { Pruning, pruneReplaced } from "../../src/storage/postgres/pruning.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { startPostgres, type TestDatabase } from "../support/postgres.ts";

const LOG = createLogger({ level: "silent" });
const MINUTE_MS = 60_000;

describe("pruning", () => {
  let database: TestDatabase;
  let direct: Client;

  beforeAll(async () => {
    database = await startPostgres();
    await migrate(database.url);
    direct = new Client({ connectionString: database.url });
    await direct.connect();
  });
  beforeEach(() => direct.query("TRUNCATE message_versions, conversation_changes, user_changes"));
  afterAll(async () => {
    await direct?.end();
    await database?.stop();
  });

  /** `count` versions that were replaced so many minutes ago. */
  const replaced = (minutesAgo: number, count = 1) =>
    direct.query(
      `INSERT INTO message_versions (conversation_id, rev, seq, body, replaced_at)
       SELECT 1, (SELECT count(*) FROM message_versions) + n, 1, 'text',
         now() - $1 * interval '1 minute'
       FROM generate_series(1, $2::int) n`,
      [minutesAgo, count],
    );
  const kept = async () => {
    const { rows } = await direct.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM message_versions",
    );
    return rows[0]!.n;
  };

  it("[GAP4] at its start and every minute it forgets what was replaced an hour ago", async () => {
    const clock = new FakeClock();
    await replaced(59, 3);
    await replaced(50, 2);
    const pruning = new Pruning({ url: database.url, clock, log: LOG, auditRetentionDays: 365 });
    await eventually("the first round is over", () => clock.pending === 1);
    expect(await kept()).toBe(2);
    await replaced(59);
    await clock.advance(MINUTE_MS);
    await eventually("the second round is over", () => clock.pending === 1);
    expect(await kept()).toBe(2);
    await pruning.close();
    expect(clock.pending).toBe(0);
  });

  it("[GAP4] many rows go in batches, to the last", async () => {
    await replaced(90, 12_345);
    expect(await pruneReplaced(database.url, 60 * MINUTE_MS)).toBe(12_345);
    expect(await kept()).toBe(0);
  });

  it("[GAP4] while one host is at it, another does nothing", async () => {
    await replaced(90);
    await direct.query("SELECT pg_advisory_lock(7405118002)");
    expect(await pruneReplaced(database.url, 60 * MINUTE_MS)).toBe(0);
    await direct.query("SELECT pg_advisory_unlock(7405118002)");
    expect(await pruneReplaced(database.url, 60 * MINUTE_MS)).toBe(1);
  });

  it("[GAP4] a database that is away is tried again a minute later", async () => {
    const clock = new FakeClock();
    const url = new URL(database.url);
    url.port = "1";
    const pruning = new Pruning({ url: url.href, clock, log: LOG, auditRetentionDays: 365 });
    await eventually("the round has failed, and the next is set", () => clock.pending === 1);
    await pruning.close();
    expect(clock.pending).toBe(0);
  });
});

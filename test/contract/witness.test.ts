/** The second witness: the same suite for PostgreSQL and for memory. */
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import type { Witness } from "../../src/ports/witness.ts";
import { MemoryWitness } from "../../src/storage/memory/witness.ts";
import { migrate } from "../../src/storage/postgres/migrate.ts";
import { pruneReplaced } from "../../src/storage/postgres/pruning.ts";
import { PostgresWitness } from "../../src/storage/postgres/witness.ts";
import { administer, startPostgres, type TestDatabase } from "../support/postgres.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await startPostgres();
  await migrate(database.url);
});
afterAll(() => database.stop());

const ADAPTERS = [
  {
    name: "memory",
    open: () => {
      const one = new MemoryWitness(systemClock);
      return [one, one.another()] as const;
    },
  },
  {
    name: "PostgreSQL",
    open: () => {
      const one = () => new PostgresWitness(database.url, systemClock);
      return [one(), one()] as const;
    },
  },
];

for (const { name, open } of ADAPTERS) {
  describe(`a witness in ${name}`, () => {
    let signer: Witness;
    let reader: Witness;

    beforeEach(() => {
      [signer, reader] = open();
      return () => Promise.all([signer.close(), reader.close()]);
    });

    it("[WIT1] a row says how long ago its host signed, and each signature makes it young", async () => {
      await signer.sign("a");
      await new Promise<void>((resolve) => systemClock.after(300, resolve));
      const old = (await reader.look(["a", "b"])).get("a");
      expect(old).toMatchObject({ is: "signed" });
      expect(old?.is === "signed" && old.ageMs).toBeGreaterThan(250);
      await signer.sign("a");
      const young = (await reader.look(["a"])).get("a");
      expect(young?.is === "signed" && young.ageMs).toBeLessThan(250);
    });

    it("[WIT2] who has left, who has no row, and who signs again", async () => {
      await signer.sign("a");
      await signer.sign("c");
      await signer.leave("c");
      await signer.sign("d");
      await signer.forget("d");
      await signer.forget("nobody");
      const rows = await reader.look(["a", "b", "c", "d"]);
      expect([...rows].map(([host, { is }]) => [host, is]).sort()).toEqual([
        ["a", "signed"],
        ["c", "left"],
      ]);
      await signer.sign("c");
      expect((await reader.look(["c"])).get("c")?.is).toBe("signed");
    });
  });
}

describe("a witness in PostgreSQL", () => {
  it("[WIT2] goes on after its connection was broken, and holds none when it is closed", async () => {
    const witness = new PostgresWitness(database.url, systemClock);
    const ours = "application_name = 'troupe witness'";
    await witness.sign("a");
    await administer(
      database.url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${ours}`,
    );
    await witness.sign("a").catch(() => undefined);
    await witness.sign("a");
    await witness.close();
    await expect(witness.sign("a")).rejects.toThrow("closed");
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const { rows } = await client.query(`SELECT 1 FROM pg_stat_activity WHERE ${ours}`);
    await client.end();
    expect(rows).toEqual([]);
  });

  it("[SWT4] out of reach, everything rejects within its deadline", async () => {
    const witness = new PostgresWitness("postgres://nobody@127.0.0.1:1/none", systemClock);
    await expect(witness.sign("a")).rejects.toThrow("host witness");
    await expect(witness.look(["a"])).rejects.toThrow("host witness");
    await witness.close();
  });

  it("[WIT2] rows of hosts that never came back are forgotten", async () => {
    const witness = new PostgresWitness(database.url, systemClock);
    await witness.sign("gone");
    await administer(
      database.url,
      "UPDATE host_witness SET signed_at = now() - interval '2 hours' WHERE host = 'gone'",
    );
    await pruneReplaced(database.url, 3_600_000);
    expect((await witness.look(["gone"])).size).toBe(0);
    await witness.close();
  });
});

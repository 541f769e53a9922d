/** The row that says which hosts belong together: made once, read by every host. */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readClusterIdentity } from "../../src/storage/postgres/cluster-identity.ts";
import { migrate } from "../../src/storage/postgres/migrate.ts";
import {
  administer,
  createDatabase,
  startPostgres,
  type TestDatabase,
} from "../support/postgres.ts";

describe("the cluster's identity", () => {
  const databases: TestDatabase[] = [];

  async function empty(): Promise<string> {
    const database = await startPostgres();
    databases.push(database);
    return database.url;
  }

  let fresh: string;
  beforeAll(async () => {
    fresh = await empty();
    // As three hosts do that start at once.
    await Promise.all([migrate(fresh), migrate(fresh), migrate(fresh)]);
  });
  afterAll(async () => {
    for (const database of databases) await database.stop();
  });

  it("[IDN1] hosts that start at once on one database read the same", async () => {
    const [a, b] = await Promise.all([readClusterIdentity(fresh), readClusterIdentity(fresh)]);
    expect(a).toEqual(b);
    expect(a.id).toMatch(/^[0-9a-f]{12}$/);
    expect(a.secret).toHaveLength(32);
    expect(a.database).toMatch(/^\d+\/\d+$/);
  });

  it("[IDN1] each database has its own, and a database has one at most", async () => {
    const other = await empty();
    await migrate(other);
    const [a, b] = [await readClusterIdentity(fresh), await readClusterIdentity(other)];
    expect(a.id).not.toBe(b.id);
    expect(a.secret.equals(b.secret)).toBe(false);
    await expect(administer(other, "INSERT INTO cluster_identity DEFAULT VALUES")).rejects.toThrow(
      /duplicate key/,
    );
  });

  it("[IDN2] a copy has the same id until it is given another, and is told apart", async () => {
    const copies = [await createDatabase(), await createDatabase()];
    databases.push(...copies);
    const [a, b] = await Promise.all(copies.map(({ url }) => readClusterIdentity(url)));
    expect(a?.id).toBe(b?.id);
    expect(a?.database).not.toBe(b?.database);
    const url = copies[1]?.url ?? "";
    await administer(url, "UPDATE cluster_identity SET id = DEFAULT, secret = DEFAULT");
    const renewed = await readClusterIdentity(url);
    expect(renewed.id).not.toBe(a?.id);
    expect(renewed.secret.equals(a?.secret ?? Buffer.alloc(0))).toBe(false);
  });

  it("[IDN2] a user without any rights but those on the tables can read it", async () => {
    const user = `plain_${Date.now().toString(36)}`;
    const client = new pg.Client({ connectionString: fresh });
    await client.connect();
    await client.query(`CREATE ROLE ${user} LOGIN PASSWORD 'secret-${user}'`);
    await client.query(`GRANT SELECT ON cluster_identity TO ${user}`);
    const url = new URL(fresh);
    url.username = user;
    url.password = `secret-${user}`;
    try {
      expect(await readClusterIdentity(url.href)).toEqual(await readClusterIdentity(fresh));
    } finally {
      await client.query(`REVOKE ALL ON cluster_identity FROM ${user}`);
      await client.query(`DROP ROLE ${user}`);
      await client.end();
    }
  });
});

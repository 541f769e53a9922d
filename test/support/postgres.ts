/**
 * PostgreSQL for tests: one server for a whole run, and a new database for each caller.
 * The server is TEST_DATABASE_URL where that is set (global-setup.ts sets it after starting
 * one), else the embedded one that the product itself uses.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { eventually } from "./eventually.ts";

const TEMPLATE_ENV = "TEST_DATABASE_TEMPLATE";
const DIST = new URL("../../dist/", import.meta.url);

export interface TestDatabase {
  url: string;
  stop(): Promise<void>;
}

interface EmbeddedModule {
  startEmbedded(options: { dataDir: string; log: unknown }): Promise<TestDatabase>;
}
interface LogModule {
  createLogger(options: { level: string; name: string }): unknown;
}
interface MigrateModule {
  migrate(url: string): Promise<unknown>;
}

/** An empty database of one's own; `stop` drops it, and the server too if this call began it. */
export async function startPostgres(): Promise<TestDatabase> {
  const shared = process.env["TEST_DATABASE_URL"];
  if (shared) return ownDatabase(shared, null);
  return startServer();
}

/** A fresh database with all migrations applied, copied from a template: some 30 ms. */
export async function createDatabase(): Promise<TestDatabase> {
  const server = process.env["TEST_DATABASE_URL"];
  const template = process.env[TEMPLATE_ENV];
  if (!server || !template) throw new Error("test/support/global-setup.ts has not run");
  return ownDatabase(server, template);
}

/** Starts a server in a scratch directory; `url` is its maintenance database. */
export async function startServer(): Promise<TestDatabase> {
  const { startEmbedded } = (await import(
    new URL("src/storage/embedded/embedded.js", DIST).href
  )) as EmbeddedModule;
  const { createLogger } = (await import(new URL("src/base/log.js", DIST).href)) as LogModule;
  const dataDir = await mkdtemp(join(tmpdir(), "troupe-test-pg-"));
  const server = await startEmbedded({
    dataDir,
    log: createLogger({ level: "warn", name: "test" }),
  });
  return {
    url: server.url,
    async stop() {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Makes the migrated template that createDatabase copies, and names it to the test processes. */
export async function makeTemplate(serverUrl: string): Promise<TestDatabase> {
  const template = await ownDatabase(serverUrl, null);
  const { migrate } = (await import(
    new URL("src/storage/postgres/migrate.js", DIST).href
  )) as MigrateModule;
  await migrate(template.url);
  process.env[TEMPLATE_ENV] = new URL(template.url).pathname.slice(1);
  return template;
}

async function ownDatabase(serverUrl: string, template: string | null): Promise<TestDatabase> {
  const name = `troupe_test_${randomBytes(6).toString("hex")}`;
  const copying = template === null ? "" : ` TEMPLATE ${template}`;
  // Two copies of one template at once are refused while either reads it.
  await eventually("a database", () => administer(serverUrl, `CREATE DATABASE ${name}${copying}`));
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    stop: async () => {
      await administer(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

/** Runs one statement on a connection of its own. */
export async function administer(url: string, sql: string): Promise<true> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  await client.connect();
  try {
    await client.query(sql);
    return true;
  } finally {
    await client.end();
  }
}

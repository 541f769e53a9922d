/**
 * Brings the database's schema up to this code: first the migrations of tables and data, forward
 * only, from sql/migrations/NNNN-name.sql, then the functions (functions.ts). All of it is one
 * transaction under an advisory lock, so that several hosts may start at once and a failure leaves
 * nothing behind. A database that a newer Troupe migrated is refused.
 */
import { readdir, readFile } from "node:fs/promises";
import { Client } from "pg";
import { WHOLE_TABLES } from "./connection.ts";
import { faultOf } from "./fault.ts";
import { ForeignDatabaseError, refuseForeign } from "./foreign-database.ts";
import { hasTable, renewFunctions, staleFunctions } from "./functions.ts";
import { PooledDatabaseError, refusePooler } from "./pooler.ts";

/** The database was migrated by a later version of Troupe than this one. */
export class NewerDatabaseError extends Error {
  override readonly name = "NewerDatabaseError";
  constructor(found: number, known: number) {
    super(
      `The database is at schema version ${found}, and this Troupe knows versions up to ${known}. ` +
        "Start the newer Troupe, or restore a backup from before its migration.",
    );
  }
}

export interface Migration {
  version: number;
  name: string;
}

/** Any constant will do, as long as nothing else in the database locks the same. */
const LOCK_KEY = 7_405_118_001;
const CONNECT_MS = 10_000;
/** Another host may be migrating, and migrations of large tables take their time. */
const LOCK_MS = 600_000;
const FOLDER = new URL("../sql/migrations/", import.meta.url);

export async function knownMigrations(): Promise<Migration[]> {
  const known: Migration[] = [];
  for (const file of (await readdir(FOLDER)).sort()) {
    const match = /^(\d{4})-[a-z0-9-]+\.sql$/.exec(file);
    if (match) known.push({ version: Number(match[1]), name: file.slice(0, -".sql".length) });
  }
  return known;
}

export interface Migrated {
  /** Names of the migrations that were applied. */
  applied: string[];
  /** Names of the functions that were applied or dropped. */
  functions: string[];
}

/** Of tests, which have one version only. */
const NO_VERSION = "0.0.0";

/**
 * Applies what is missing or differs, and names it; `version` is this Troupe's own. Throws
 * StorageFault (the database cannot be reached or used), NewerDatabaseError, PooledDatabaseError and
 * ForeignDatabaseError; any other error is that of a migration or a function.
 */
export async function migrate(url: string, version = NO_VERSION): Promise<Migrated> {
  const known = await knownMigrations();
  const client = new Client({
    connectionString: url,
    application_name: "troupe migrate",
    connectionTimeoutMillis: CONNECT_MS,
  });
  // A connection that breaks also fails the query under way, which reports it.
  client.on("error", () => undefined);
  try {
    await client.connect();
    await refusePooler(client, url);
    await refuseForeign(client);
    await beginMigrating(client);
    const applied = await applyMissing(client, known);
    const functions = await renewFunctions(client, version);
    await client.query("COMMIT");
    return { applied, functions };
  } catch (error) {
    if (
      error instanceof NewerDatabaseError ||
      error instanceof PooledDatabaseError ||
      error instanceof ForeignDatabaseError
    ) {
      throw error;
    }
    throw faultOf(error, "migrate") ?? error;
  } finally {
    // Ends the transaction too, where it still stands.
    await client.end();
  }
}

/** Begins a transaction in which nobody else migrates this database. */
export async function beginMigrating(client: Client): Promise<void> {
  await client.query(`${WHOLE_TABLES}; SET lock_timeout = ${LOCK_MS}; BEGIN`);
  await client.query("SELECT pg_advisory_xact_lock($1)", [LOCK_KEY]);
}

export interface MigrationState {
  applied: number;
  /** Names of those that a start would apply. */
  pending: string[];
  /** How many functions a start would apply or drop. */
  staleFunctions: number;
  /** The database's version, where this code does not know it. */
  newer: number | null;
}

/**
 * Where the database behind `client` stands, for this `version`; changes nothing. Throws
 * ForeignDatabaseError.
 */
export async function migrationState(client: Client, version: string): Promise<MigrationState> {
  await refuseForeign(client);
  const known = await knownMigrations();
  const { rows } = !(await hasTable(client, "schema_migrations"))
    ? { rows: [] }
    : await client.query<{ version: number }>("SELECT version FROM schema_migrations");
  const done = new Set(rows.map((row) => row.version));
  const newest = Math.max(0, ...done);
  const { changed, gone } = await staleFunctions(client, version);
  return {
    applied: done.size,
    pending: known.filter(({ version }) => !done.has(version)).map(({ name }) => name),
    staleFunctions: changed.length + gone.length,
    newer: newest > (known.at(-1)?.version ?? 0) ? newest : null,
  };
}

/** Those of `known` that the database does not have yet; the client is inside a transaction. */
export async function applyMissing(client: Client, known: Migration[]): Promise<string[]> {
  // Not IF NOT EXISTS, which asks for the right to make tables even where there is nothing to make.
  if (!(await hasTable(client, "schema_migrations"))) {
    await client.query(
      "CREATE TABLE schema_migrations (version int PRIMARY KEY, name text NOT NULL," +
        " applied_at timestamptz NOT NULL DEFAULT now())",
    );
  }
  const { rows } = await client.query<{ version: number }>(
    "SELECT version FROM schema_migrations ORDER BY version",
  );
  const done = new Set(rows.map((row) => row.version));
  const newestFound = rows.at(-1)?.version ?? 0;
  const newestKnown = known.at(-1)?.version ?? 0;
  if (newestFound > newestKnown) throw new NewerDatabaseError(newestFound, newestKnown);

  const missing = known.filter((migration) => !done.has(migration.version));
  for (const { version, name } of missing) {
    await client.query(await readFile(new URL(`${name}.sql`, FOLDER), "utf8"));
    await client.query("INSERT INTO schema_migrations (version, name) VALUES ($1, $2)", [
      version,
      name,
    ]);
  }
  return missing.map((migration) => migration.name);
}

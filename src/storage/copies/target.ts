/**
 * An empty database that is filled with the rows of another, in one transaction: killed at any
 * moment, it is as empty as before. Restore and move write through it.
 *
 * preparing → filling → finished → committed. While it is filled there are no foreign keys and no
 * triggers, so that tables come in any order and nothing is derived twice; `finish` makes them again,
 * and making a foreign key checks every row.
 */
import type { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { type Client, escapeIdentifier } from "pg";
import { stopwatch } from "../../base/clock.ts";
import { StartRefusal } from "../../base/errors.ts";
import { refuseForeign } from "../postgres/foreign-database.ts";
import { hasTable, renewFunctions } from "../postgres/functions.ts";
import { applyMissing, beginMigrating, knownMigrations } from "../postgres/migrate.ts";
import { refusePooler } from "../postgres/pooler.ts";
import { withClient, writeRows } from "./copy.ts";
import { listed, type SequenceState, schemaOf, type TableShape, tablesOf } from "./tables.ts";

/** Tables in which every start leaves rows, before anybody has used Troupe. */
const SEEDED = new Set(["client_packages", "file_key"]);
/** The column of a table that has one row, which its migration writes. */
const ONLY_ROW = ["only_row", "is_only"];

/** Hosts add jobs for themselves as they start. */
const SOMEBODYS_JOBS = " WHERE asked_by IS NOT NULL";

const FOREIGN_KEYS = `SELECT k.conrelid::regclass::text AS table, quote_ident(k.conname) AS name,
    pg_get_constraintdef(k.oid) AS definition
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_namespace s ON s.oid = c.relnamespace
  WHERE k.contype = 'f' AND k.conparentid = 0 AND s.nspname = current_schema()`;

const OTHERS = `SELECT count(*)::int AS count FROM pg_stat_activity a
  WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
    AND a.application_name LIKE 'troupe%'`;

/** Sessions of a process that was killed end as soon as PostgreSQL notices. */
const OTHERS_END_MS = 5_000;
const LOOK_MS = 100;

interface ForeignKey {
  table: string;
  name: string;
  definition: string;
}

export class Target {
  readonly client: Client;
  readonly tables: readonly TableShape[];
  readonly #version: string;
  readonly #foreignKeys: readonly ForeignKey[];

  private constructor(
    client: Client,
    tables: TableShape[],
    foreignKeys: ForeignKey[],
    version: string,
  ) {
    this.client = client;
    this.tables = tables;
    this.#foreignKeys = foreignKeys;
    this.#version = version;
  }

  /**
   * Opens the database behind `url` for rows of schema version `schema`, and runs `work`, which
   * commits. `version` is this Troupe's own. Refuses with StartRefusal where it is not empty.
   */
  static async fill<T>(
    { url, schema, version }: { url: string; schema: number; version: string },
    work: (target: Target) => Promise<T>,
  ): Promise<T> {
    return withClient(url, "restore", async (client) => {
      await refusePooler(client, url);
      await refuseForeign(client);
      const known = await knownMigrations();
      const newest = known.at(-1)?.version ?? 0;
      if (schema > newest) {
        throw new StartRefusal(
          `The rows are of schema version ${schema}, and this Troupe knows versions up to ${newest}: install the Troupe that wrote them, or a newer one.`,
        );
      }
      await refuseOthers(client);
      await beginMigrating(client);
      await refuseUsed(client, schema);
      await applyMissing(
        client,
        known.filter((each) => each.version <= schema),
      );
      // Where the rows are older, functions are of use only after the migrations that follow.
      if (schema === newest) await renewFunctions(client, version);
      const tables = await tablesOf(client);
      const { rows: foreignKeys } = await client.query<ForeignKey>(FOREIGN_KEYS);
      for (const { table, name } of foreignKeys) {
        await client.query(`ALTER TABLE ${table} DROP CONSTRAINT ${name}`);
      }
      const names = tables.map(({ name }) => escapeIdentifier(name));
      await client.query(`TRUNCATE ${names.join(", ")}`);
      for (const name of names) await client.query(`ALTER TABLE ${name} DISABLE TRIGGER USER`);
      return work(new Target(client, tables, foreignKeys, version));
    });
  }

  /** Refuses with StartRefusal where the rows are of a table that is not here. */
  checkHas({ name, columns }: Pick<TableShape, "name" | "columns">): void {
    const own = this.tables.find((table) => table.name === name);
    const missing = columns.find((column) => !own?.columns.includes(column));
    if (own !== undefined && missing === undefined) return;
    const what = own === undefined ? `a table ${name}` : `a column ${name}.${missing}`;
    throw new StartRefusal(`The rows are not this Troupe's: they have ${what}.`);
  }

  /** How many rows `source` held. */
  write(table: string, columns: readonly string[], source: Readable): Promise<number> {
    return writeRows(this.client, table, columns, source);
  }

  /** After the last row. With `isHistoryNew` cursors of the event log from before are `gone`. */
  async finish(sequences: readonly SequenceState[], isHistoryNew: boolean): Promise<void> {
    const { client } = this;
    for (const { table, column, last, isCalled } of sequences) {
      await client.query(
        "SELECT setval(pg_get_serial_sequence(quote_ident($1), $2), $3::bigint, $4)",
        [table, column, last, isCalled],
      );
    }
    for (const { table, name, definition } of this.#foreignKeys) {
      await client.query(`ALTER TABLE ${table} ADD CONSTRAINT ${name} ${definition}`);
    }
    for (const { name } of this.tables) {
      await client.query(`ALTER TABLE ${escapeIdentifier(name)} ENABLE TRIGGER USER`);
    }
    await applyMissing(client, await knownMigrations());
    await renewFunctions(client, this.#version);
    if (isHistoryNew) {
      await client.query(
        "UPDATE event_log_state SET epoch = left(replace(gen_random_uuid()::text, '-', ''), 12)",
      );
    }
    await client.query(
      `SELECT set_event_trigger(t.trigger_name, true) FROM event_triggers() t
       WHERE (SELECT s.is_on FROM event_log_state s)`,
    );
  }

  async commit(): Promise<void> {
    await this.client.query("COMMIT");
  }

  /** Without it the first statements are planned for empty tables. */
  async analyze(): Promise<void> {
    await this.client.query("ANALYZE");
  }
}

async function refuseOthers(client: Client): Promise<void> {
  const elapsedMs = stopwatch();
  for (;;) {
    const { rows } = await client.query<{ count: number }>(OTHERS);
    if (rows[0]!.count === 0) return;
    if (elapsedMs() > OTHERS_END_MS) {
      throw new StartRefusal("A Troupe is using this database: stop it first.");
    }
    await wait(LOOK_MS);
  }
}

async function refuseUsed(client: Client, schema: number): Promise<void> {
  if (!(await hasTable(client, "schema_migrations"))) return;
  const own = await schemaOf(client);
  for (const { name, columns } of await tablesOf(client)) {
    if (SEEDED.has(name) || ONLY_ROW.some((column) => columns.includes(column))) continue;
    const first = `SELECT ${listed(columns.slice(0, 1))} FROM ${escapeIdentifier(name)}`;
    const { rowCount } = await client.query(
      `${first}${name === "jobs" ? SOMEBODYS_JOBS : ""} LIMIT 1`,
    );
    if ((rowCount ?? 0) === 0) continue;
    throw new StartRefusal(
      `The database is not empty: there are rows in its table ${name}. Use a new database.`,
    );
  }
  if (own > schema) {
    throw new StartRefusal(
      `The database has the tables of schema version ${own}, and the rows are of version ${schema}: use a new database, which is brought up to date afterwards.`,
    );
  }
}

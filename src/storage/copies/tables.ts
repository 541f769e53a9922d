/**
 * What a database of Troupe holds, by PostgreSQL's own catalogue: its tables, the columns that are
 * written, their keys, and the sequences. For whatever copies a whole database.
 */
import { type Client, escapeIdentifier } from "pg";

export interface TableShape {
  name: string;
  /** Without those that PostgreSQL computes. */
  columns: string[];
  /** The columns of the primary key; none: a row is known by all of it. */
  key: string[];
}

export interface SequenceState {
  table: string;
  column: string;
  last: string;
  isCalled: boolean;
}

/** Both say what migrations and functions have been applied, which is not copied but done. */
const OWN_RECORDS = ["schema_migrations", "schema_functions"];

const TABLES = `SELECT c.relname::text AS name,
    (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
    coalesce((SELECT array_agg(a.attname::text ORDER BY k.n) FROM pg_index i
      CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, n)
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
      WHERE i.indrelid = c.oid AND i.indisprimary), '{}') AS key
  FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
  WHERE s.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname <> ALL ($1)
  ORDER BY c.relname`;

const SEQUENCES = `SELECT c.relname::text AS table, a.attname::text AS column,
    pg_get_serial_sequence(quote_ident(c.relname), a.attname) AS sequence
  FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE s.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND pg_get_serial_sequence(quote_ident(c.relname), a.attname) IS NOT NULL
  ORDER BY 1, 2`;

export async function tablesOf(client: Client): Promise<TableShape[]> {
  return (await client.query<TableShape>(TABLES, [OWN_RECORDS])).rows;
}

/** Read after the rows: a sequence is not part of a transaction, and only rises. */
export async function sequencesOf(client: Client): Promise<SequenceState[]> {
  const { rows } = await client.query<{ table: string; column: string; sequence: string }>(
    SEQUENCES,
  );
  const states: SequenceState[] = [];
  for (const { table, column, sequence } of rows) {
    const found = await client.query<{ last: string; is_called: boolean }>(
      `SELECT last_value::text AS last, is_called FROM ${sequence}`,
    );
    const { last, is_called } = found.rows[0]!;
    states.push({ table, column, last, isCalled: is_called });
  }
  return states;
}

/** The newest migration that was applied; 0: none. */
export async function schemaOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ version: number }>(
    "SELECT coalesce(max(version), 0)::int AS version FROM schema_migrations",
  );
  return rows[0]!.version;
}

/** Column names as a statement takes them, each after `prefix`. */
export function listed(columns: readonly string[], prefix = ""): string {
  return columns.map((column) => prefix + escapeIdentifier(column)).join(", ");
}

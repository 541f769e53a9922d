/**
 * Recognises a database that another application lives in, before anything is made there: a table
 * `schema_migrations` of another tool, or tables with the names of Troupe's that it did not make.
 */
import type { Client } from "pg";

/** The database belongs to another application. */
export class ForeignDatabaseError extends Error {
  override readonly name = "ForeignDatabaseError";
  constructor(found: string) {
    super(
      `The database belongs to another application: it has ${found}. ` +
        "Make a database of its own for Troupe (CREATE DATABASE troupe) and name it in DATABASE_URL.",
    );
  }
}

/** Names that other applications use, too. */
const OWN_TABLES = ["users", "conversations", "messages", "posts", "comments", "follows"];
const OWN_COLUMNS = ["version", "name", "applied_at"];

const LOOK = {
  text: `SELECT
      (SELECT array_agg(a.attname::text) FROM pg_attribute a
        WHERE a.attrelid = to_regclass('schema_migrations') AND a.attnum > 0
          AND NOT a.attisdropped) AS columns,
      (SELECT array_agg(name) FROM unnest($1::text[]) AS name
        WHERE to_regclass(quote_ident(name)) IS NOT NULL) AS tables`,
};

/** Throws ForeignDatabaseError. A database where nothing is yet is taken for Troupe's own. */
export async function refuseForeign(client: Client): Promise<void> {
  const { rows } = await client.query<{ columns: string[] | null; tables: string[] | null }>({
    ...LOOK,
    values: [OWN_TABLES],
  });
  const { columns, tables } = rows[0]!;
  if (columns === null) {
    if (tables !== null) throw new ForeignDatabaseError(`a table \`${tables[0]}\` already`);
    return;
  }
  if (!OWN_COLUMNS.every((column) => columns.includes(column))) {
    throw new ForeignDatabaseError("a table `schema_migrations` of another tool");
  }
}

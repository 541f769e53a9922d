/** Everything that a server keeps, as text: each row of each table, and each file. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "pg";

/** `table: row`, of every table of the database. */
export async function rowsOf(databaseUrl: string): Promise<string[]> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const tables = await client.query<{ name: string }>(
      "SELECT quote_ident(t.tablename) AS name FROM pg_tables t WHERE t.schemaname = 'public'",
    );
    const rows: string[] = [];
    for (const { name } of tables.rows) {
      const found = await client.query<{ row: string }>(`SELECT x::text AS row FROM ${name} x`);
      for (const { row } of found.rows) rows.push(`${name}: ${row}`);
    }
    return rows;
  } finally {
    await client.end();
  }
}

/** The paths of files below `dir` that hold one of the texts. */
export async function filesWith(dir: string, texts: readonly string[]): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries.filter((one) => one.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path);
    if (texts.some((text) => bytes.includes(text))) found.push(path);
  }
  return found;
}

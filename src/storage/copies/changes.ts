/**
 * Brings a copy of a database up to date with its source, without any trace in the source.
 *
 * A row says which transaction wrote it (xmin), so the rows that are new or changed since a snapshot
 * are found by reading the tables once. Rows that are gone leave nothing: where the copy would hold
 * more rows than the source has, the keys of all are compared. Rows that were written again and are
 * the same are copied once more, which changes nothing.
 */
import { type Client, escapeIdentifier } from "pg";
import { assert } from "../../base/errors.ts";
import { rowsOf, selected, writeRows } from "./copy.ts";
import { listed, type TableShape } from "./tables.ts";

/** Below it the planner's guess about a table that was just filled costs nothing. */
const ANALYZED_ROWS = 1_000;

/** The transaction before which the snapshot of `client` has seen all that was committed. */
export async function oldestUnseen(client: Client): Promise<string> {
  const { rows } = await client.query<{ xmin: string }>(
    "SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xmin",
  );
  const { xmin } = rows[0]!;
  assert(/^\d+$/.test(xmin), `a transaction's number is ${xmin}`);
  return xmin;
}

/**
 * Copies what changed in the source since `since`, as of the snapshot of its client; the number of
 * rows that were written or removed. The copy has neither triggers nor foreign keys.
 */
export async function bringUp(
  source: Client,
  copy: Client,
  tables: readonly TableShape[],
  since: string,
): Promise<number> {
  let changed = 0;
  const keyed = tables.filter(({ key }) => key.length > 0);
  // Old values of unique keys go in all tables before new ones come.
  for (const [n, table] of keyed.entries()) changed += await take(source, copy, table, since, n);
  for (const [n, { name, columns }] of keyed.entries()) {
    await copy.query(
      `INSERT INTO ${escapeIdentifier(name)} (${listed(columns)}) OVERRIDING SYSTEM VALUE
       SELECT ${listed(columns)} FROM ${fresh(n)}`,
    );
    await copy.query(`DROP TABLE ${fresh(n)}`);
  }
  for (const table of tables.filter(({ key }) => key.length === 0)) {
    await copy.query(`DELETE FROM ${escapeIdentifier(table.name)}`);
    await writeRows(copy, table.name, table.columns, rowsOf(source, table));
  }
  return changed;
}

const fresh = (n: number) => `moved_rows_${n}`;
const KEYS = "moved_keys";

/** Puts the changed rows of a table beside it, and removes from it what they replace or is gone. */
async function take(
  source: Client,
  copy: Client,
  table: TableShape,
  since: string,
  n: number,
): Promise<number> {
  const { name, key } = table;
  const own = escapeIdentifier(name);
  const aside = fresh(n);
  await copy.query(`CREATE TEMP TABLE ${aside} (LIKE ${own}) ON COMMIT DROP`);
  const where = ` WHERE age(xmin) <= age('${since}'::xid8::xid)`;
  const rows = await writeRows(copy, aside, table.columns, rowsOf(source, table, where));
  if (rows > ANALYZED_ROWS) await copy.query(`ANALYZE ${aside}`);
  const same = key.map((column) => `t.${escapeIdentifier(column)} = f.${escapeIdentifier(column)}`);
  const isSame = same.join(" AND ");
  const there = await countOf(copy, own);
  const added = await countOf(
    copy,
    `${aside} f WHERE NOT EXISTS (SELECT 1 FROM ${own} t WHERE ${isSame})`,
  );
  const gone = there + added - (await countOf(source, own));
  assert(gone >= 0, `the copy of ${name} lacks ${-gone} rows`);
  if (gone > 0) {
    await copy.query(
      `CREATE TEMP TABLE ${KEYS} ON COMMIT DROP AS SELECT ${listed(key)} FROM ${own} LIMIT 0`,
    );
    const keys = selected(source, `SELECT ${listed(key)} FROM ${own}`);
    await writeRows(copy, KEYS, key, keys);
    await copy.query(`ANALYZE ${KEYS}`);
    const removed = await copy.query(
      `DELETE FROM ${own} t WHERE NOT EXISTS (SELECT 1 FROM ${KEYS} f WHERE ${isSame})`,
    );
    assert(removed.rowCount === gone, `${removed.rowCount} rows of ${name} are gone, not ${gone}`);
    await copy.query(`DROP TABLE ${KEYS}`);
  }
  if (rows > 0) await copy.query(`DELETE FROM ${own} t USING ${aside} f WHERE ${isSame}`);
  return rows + gone;
}

async function countOf(client: Client, of: string): Promise<number> {
  const { rows } = await client.query<{ count: string }>(`SELECT count(*) AS count FROM ${of}`);
  return Number(rows[0]!.count);
}

/**
 * The schema of a database as text, from PostgreSQL's catalog: tables with their columns,
 * constraints and indexes, views, sequences and functions. Whatever one migration or function
 * file changes is a line that differs; the order does not depend on how the schema came about.
 */
import pg from "pg";

const COLUMNS = `
  SELECT 'table ' || c.relname || coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', '')
      AS owner,
    a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
      || CASE WHEN a.attcollation NOT IN (0, t.typcollation)
           THEN ' collate ' || (SELECT collname FROM pg_collation WHERE oid = a.attcollation)
           ELSE '' END
      || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
      || CASE a.attidentity WHEN '' THEN '' WHEN 'a' THEN ' identity always'
           ELSE ' identity by default' END
      || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
      || coalesce(' with (' || array_to_string(a.attoptions, ', ') || ')', '') AS line,
    1 AS part, a.attname AS place
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
  UNION ALL
  -- PostgreSQL 18 also lists NOT NULL here ('n'), which is at the column already.
  SELECT 'table ' || c.relname
      || coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', ''),
    'constraint ' || k.conname || ' ' || pg_get_constraintdef(k.oid), 2, k.conname
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
  WHERE c.relnamespace = 'public'::regnamespace AND k.contype <> 'n'
  UNION ALL
  SELECT 'table ' || c.relname
      || coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', ''),
    pg_get_indexdef(i.indexrelid), 3, pg_get_indexdef(i.indexrelid)
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
  WHERE c.relnamespace = 'public'::regnamespace
    AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
  UNION ALL
  SELECT 'view ' || c.relname, pg_get_viewdef(c.oid, true), 1, ''
  FROM pg_class c WHERE c.relkind = 'v' AND c.relnamespace = 'public'::regnamespace
  UNION ALL
  SELECT 'sequence ' || s.sequencename, s.data_type || ' from ' || s.start_value || ' by '
    || s.increment_by || ' cache ' || s.cache_size, 1, ''
  FROM pg_sequences s WHERE s.schemaname = 'public'
  UNION ALL
  SELECT 'function ' || p.proname || '(' || pg_get_function_arguments(p.oid) || ')',
    'returns ' || pg_get_function_result(p.oid), 1, ''
  FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
  UNION ALL
  SELECT 'function ' || p.proname || '(' || pg_get_function_arguments(p.oid) || ')',
    l.lanname || CASE p.provolatile WHEN 'i' THEN ' immutable' WHEN 's' THEN ' stable' ELSE '' END
      || CASE WHEN p.proisstrict THEN ' strict' ELSE '' END
      || coalesce(' set ' || array_to_string(p.proconfig, ' set '), '')
      || ', body ' || encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex'), 2, ''
  FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
  WHERE p.pronamespace = 'public'::regnamespace`;

/** Describes the schema `public` of the database at `url` as text. */
export async function schemaSnapshot(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ text: string }>(
      `SELECT x.owner || E'\\n'
         || string_agg('  ' || x.line || E'\\n', '' ORDER BY x.part, x.place COLLATE "C") AS text
       FROM (${COLUMNS}) x GROUP BY x.owner ORDER BY x.owner COLLATE "C"`,
    );
    return rows.map((row) => row.text).join("\n");
  } finally {
    await client.end();
  }
}

/**
 * Brings the database's functions to the text of ../sql/functions/, one file a function of that
 * name. migrate.ts calls it after the migrations, in their transaction and under their lock, so
 * that hosts that start at once do it once and a failure leaves everything as it was.
 *
 * A function is applied when the hash of its file differs from the one in schema_functions.
 * Statements of other hosts go on meanwhile: CREATE OR REPLACE keeps the function's identity. So a
 * new text must serve the version before it, whose hosts are still running. Where it cannot, the
 * function gets a new name, or CHANGELOG.md says that the two versions cannot run side by side.
 *
 * [FUN1] Versions side by side: schema_functions also says which version of Troupe applied a
 *        text. A host that is older than any of these applies nothing, so that its restart during
 *        a rolling deploy does not put old functions under new hosts. Hosts of one version apply
 *        what differs: the last one to start wins, which is what a developer expects.
 * [FUN3] A function is dropped when its file is gone, and dropped and created again when its
 *        arguments or its result changed: there is one function of a name.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type { Client } from "pg";

interface FunctionText {
  name: string;
  text: string;
  /** SHA-256 of the text, hex. */
  hash: string;
}

const FOLDER = new URL("../sql/functions/", import.meta.url);
/** "invalid function definition": OR REPLACE cannot change a function's result type. */
const RESULT_CHANGED = "42P13";

const CREATE_TABLE =
  "CREATE TABLE schema_functions (name text PRIMARY KEY, hash text, version text NOT NULL," +
  " applied_at timestamptz NOT NULL DEFAULT now());" +
  " COMMENT ON COLUMN schema_functions.hash IS 'SHA-256 of its file; null: dropped'";

/**
 * Applies what differs, and names it. `version` is this Troupe's own. The client is inside a
 * transaction.
 */
export async function renewFunctions(client: Client, version: string): Promise<string[]> {
  const { changed, gone, isRecorded } = await staleFunctions(client, version);
  if (!isRecorded) await client.query(CREATE_TABLE);
  // One function may call another that comes after it in the alphabet.
  await client.query("SET LOCAL check_function_bodies = off");
  for (const each of changed) {
    await replaceFunction(client, each);
    await record(client, each.name, each.hash, version);
  }
  for (const name of gone) {
    for (const signature of await signaturesOf(client, name)) await drop(client, signature);
    await record(client, name, null, version);
  }
  return [...changed.map(({ name }) => name), ...gone];
}

export interface StaleFunctions {
  changed: FunctionText[];
  /** Names of functions whose files are gone. */
  gone: string[];
  /** Whether the database has the table schema_functions. */
  isRecorded: boolean;
}

/** What a start of this `version` would change; changes nothing. */
export async function staleFunctions(client: Client, version: string): Promise<StaleFunctions> {
  const known = await readFunctions();
  const isRecorded = await hasTable(client, "schema_functions");
  if (!isRecorded) return { changed: known, gone: [], isRecorded };
  const { rows } = await client.query<{ name: string; hash: string | null; version: string }>(
    "SELECT name, hash, version FROM schema_functions ORDER BY name",
  );
  if (rows.some((row) => isOlder(version, row.version))) {
    return { changed: [], gone: [], isRecorded };
  }
  const hashes = new Map(rows.map((row) => [row.name, row.hash]));
  const names = new Set(known.map(({ name }) => name));
  return {
    changed: known.filter(({ name, hash }) => hashes.get(name) !== hash),
    gone: rows.filter(({ name, hash }) => hash !== null && !names.has(name)).map((row) => row.name),
    isRecorded,
  };
}

async function readFunctions(): Promise<FunctionText[]> {
  const files = (await readdir(FOLDER)).filter((file) => /^[a-z_]+\.sql$/.test(file)).sort();
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(new URL(file, FOLDER), "utf8");
      const hash = createHash("sha256").update(text).digest("hex");
      return { name: file.slice(0, -".sql".length), text, hash };
    }),
  );
}

async function replaceFunction(client: Client, { name, text }: FunctionText): Promise<void> {
  const before = await signaturesOf(client, name);
  await client.query("SAVEPOINT replacing");
  try {
    await client.query(text);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === RESULT_CHANGED)) throw error;
    await client.query("ROLLBACK TO SAVEPOINT replacing");
    for (const signature of before) await drop(client, signature);
    await client.query(text);
  }
  await client.query("RELEASE SAVEPOINT replacing");
  const after = await signaturesOf(client, name);
  if (after.length === 0) throw new Error(`sql/functions/${name}.sql does not make ${name}`);
  // With other argument types it is another function to PostgreSQL, and stands beside the old.
  const isAnother = after.some((signature) => !before.includes(signature));
  if (isAnother) {
    for (const signature of before) if (after.includes(signature)) await drop(client, signature);
  }
}

export async function hasTable(client: Client, name: string): Promise<boolean> {
  // Not to_regclass, which may remember in its session that a table was not there before a lock.
  const { rows } = await client.query<{ found: boolean }>(
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_class" +
      " WHERE relname = $1 AND pg_catalog.pg_table_is_visible(oid)) AS found",
    [name],
  );
  return rows[0]!.found;
}

/** The functions of that name, as DROP FUNCTION takes them. */
async function signaturesOf(client: Client, name: string): Promise<string[]> {
  const { rows } = await client.query<{ signature: string }>(
    `SELECT p.oid::regprocedure::text AS signature
     FROM pg_proc p JOIN pg_namespace s ON s.oid = p.pronamespace
     WHERE p.proname = $1 AND s.nspname = current_schema()`,
    [name],
  );
  return rows.map((row) => row.signature);
}

async function drop(client: Client, signature: string): Promise<void> {
  await client.query(`DROP FUNCTION ${signature}`);
}

async function record(
  client: Client,
  name: string,
  hash: string | null,
  version: string,
): Promise<void> {
  await client.query(
    `INSERT INTO schema_functions (name, hash, version) VALUES ($1, $2, $3)
     ON CONFLICT (name) DO UPDATE
     SET hash = excluded.hash, version = excluded.version, applied_at = now()`,
    [name, hash, version],
  );
}

/** Of versions "1.2.3"; what follows a hyphen does not count. */
export function isOlder(version: string, than: string): boolean {
  const [own, other] = [numbersOf(version), numbersOf(than)];
  const at = own.findIndex((number, i) => number !== other[i]);
  return at >= 0 && own[at]! < other[at]!;
}

function numbersOf(version: string): number[] {
  const [release] = version.split("-");
  return [0, 1, 2].map((at) => Number(release!.split(".")[at] ?? 0));
}

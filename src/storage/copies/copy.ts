/**
 * Connections that copy whole tables, and the rows of a table as a stream of bytes in the text
 * format of COPY, which means the same to every version of PostgreSQL.
 */
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Client, escapeIdentifier } from "pg";
import { from, to } from "pg-copy-streams";
import { WHOLE_TABLES } from "../postgres/connection.ts";
import { faultOf } from "../postgres/fault.ts";
import { listed, type TableShape } from "./tables.ts";

const CONNECT_MS = 10_000;
/** What the text of a value depends on; and nothing here is ended for taking long. */
const SESSION =
  "SET client_encoding = 'UTF8'; SET TimeZone = 'UTC'; SET DateStyle = 'ISO';" +
  " SET IntervalStyle = 'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex';" +
  ` SET idle_in_transaction_session_timeout = 0; ${WHOLE_TABLES}`;

/** Runs `work` on a connection of its own. Throws StorageFault where the database is out of reach. */
export async function withClient<T>(
  url: string,
  name: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client({
    connectionString: url,
    application_name: `troupe ${name}`,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
  });
  // A connection that breaks also fails the query under way, which reports it.
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query(SESSION);
    return await work(client);
  } catch (error) {
    throw isOfPostgres(error) ? (faultOf(error, name) ?? error) : error;
  } finally {
    // Ends the transaction too, where it still stands.
    await client.end().catch(() => undefined);
  }
}

/** What pg and the socket below it throw, and not what `work` does with files. */
function isOfPostgres(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    "severity" in error ||
    /^Connection terminated|^timeout e|not queryable/.test(error.message) ||
    ("syscall" in error &&
      /^(connect|read|write|getaddrinfo)$/.test(String(error.syscall)) &&
      !("path" in error))
  );
}

export function rowsOf(client: Client, table: TableShape, where = ""): Readable & Counted {
  const { name, columns } = table;
  return selected(client, `SELECT ${listed(columns)} FROM ${escapeIdentifier(name)}${where}`);
}

export function selected(client: Client, query: string): Readable & Counted {
  return client.query(to(`COPY (${query}) TO STDOUT`));
}

interface Counted {
  /** Once the stream has ended. */
  readonly rowCount: number;
}

/** Writes rows into a table; how many they were. */
export async function writeRows(
  client: Client,
  into: string,
  columns: readonly string[],
  source: Readable,
): Promise<number> {
  const copy = client.query(from(`COPY ${escapeIdentifier(into)} (${listed(columns)}) FROM STDIN`));
  await pipeline(source, copy);
  return copy.rowCount;
}

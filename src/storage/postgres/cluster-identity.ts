/**
 * What the hosts of one database share: the row that migration `cluster-identity` made. Read by
 * the primary when it starts with Redis, and by `troupe doctor`.
 */
import { Client } from "pg";
import { errorCode } from "../../base/errors.ts";
import { connectionConfig, DEADLINE_MS } from "./connection.ts";
import { faultOf } from "./fault.ts";

export interface StoredIdentity {
  id: string;
  secret: Buffer;
  /** Tells this database from its copies. */
  database: string;
}

/** The database must be migrated. Throws StorageFault when it is out of reach. */
export async function readClusterIdentity(url: string): Promise<StoredIdentity> {
  const client = new Client({
    ...connectionConfig(url, DEADLINE_MS),
    application_name: "troupe primary",
  });
  // A connection that breaks also fails the query under way, which reports it.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await identityOf(client);
  } catch (error) {
    throw faultOf(error, "cluster identity") ?? error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

export async function identityOf(client: Client): Promise<StoredIdentity> {
  const { rows } = await client.query<{ id: string; secret: Buffer; oid: string }>(
    `SELECT id, secret, (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS oid
     FROM cluster_identity`,
  );
  const [row] = rows;
  if (row === undefined) {
    throw new Error(
      "The table cluster_identity is empty: INSERT INTO cluster_identity DEFAULT VALUES.",
    );
  }
  return { id: row.id, secret: row.secret, database: `${await systemOf(client)}/${row.oid}` };
}

/**
 * PostgreSQL's own identifier of its files: a replica that is promoted keeps it, and a restored
 * dump has another one. Empty where this user may not read it: then only copies within one
 * server are distinguished.
 */
async function systemOf(client: Client): Promise<string> {
  try {
    const { rows } = await client.query<{ system: string }>(
      "SELECT system_identifier::text AS system FROM pg_control_system()",
    );
    return rows[0]?.system ?? "";
  } catch (error) {
    const code = errorCode(error);
    if (code === INSUFFICIENT_PRIVILEGE || code === UNDEFINED_FUNCTION) return "";
    throw error;
  }
}

const INSUFFICIENT_PRIVILEGE = "42501";
const UNDEFINED_FUNCTION = "42883";

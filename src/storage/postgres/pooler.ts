/**
 * Finds out whether a connection pooler gives this session another server connection for each
 * transaction (PgBouncer with pool_mode=transaction). Troupe's settings and prepared statements
 * belong to a session, so they would be lost, or meet those of another client.
 */
import { Client } from "pg";

export class PooledDatabaseError extends Error {
  override readonly name = "PooledDatabaseError";
  constructor() {
    super(
      "DATABASE_URL leads to a connection pooler in transaction mode (PgBouncer: pool_mode=transaction), " +
        "which mixes up the sessions of its clients. Name PostgreSQL itself in DATABASE_URL, or a pool in session mode.",
    );
  }
}

const TRIES = 5;
const CONNECT_MS = 10_000;

/**
 * Throws PooledDatabaseError. A server process that serves two connected clients in turn belongs
 * to a pooler. `client` is connected and outside of a transaction.
 */
export async function refusePooler(client: Client, url: string): Promise<void> {
  // PgBouncer hands out numbers of its own for cancelling; PostgreSQL hands out its process id.
  if (Number(Reflect.get(client, "processID")) === (await serverOf(client))) return;
  const other = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS });
  other.on("error", () => undefined);
  try {
    await other.connect();
    for (let n = 0; n < TRIES; n++) {
      if ((await serverOf(client)) === (await serverOf(other))) throw new PooledDatabaseError();
    }
  } finally {
    await other.end();
  }
}

async function serverOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  return rows[0]?.pid ?? 0;
}

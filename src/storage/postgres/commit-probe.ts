/**
 * Tries whether a commit is possible. It needs what a message needs (the right to write, WAL, new
 * pages) and leaves nothing behind.
 */
import type { ClientBase } from "pg";
import { faultOf, StorageFault } from "./fault.ts";

const COMMIT =
  "CREATE TEMP TABLE troupe_write_probe ON COMMIT DROP AS" +
  " SELECT repeat('x', 2000) AS filler FROM generate_series(1, 64)";
const LOOK = "SELECT current_setting('transaction_read_only') = 'on' AS read_only";

/** Asks only whether the session may write. Throws StorageFault where it may not. */
export async function lookWhetherWritable(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ read_only: boolean }>(LOOK);
  if (rows[0]?.read_only) throw new StorageFault("read_only", "probe: the session is read-only");
}

/** Throws what PostgreSQL refuses it with. */
export async function tryCommit(client: ClientBase): Promise<void> {
  try {
    await client.query(COMMIT);
  } catch (error) {
    // A role that may make no temporary table may still write messages.
    if (faultOf(error, "probe")?.reason !== "no_rights") throw error;
    await lookWhetherWritable(client);
  }
}

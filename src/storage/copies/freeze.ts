/**
 * The stop of writes at the end of a move, in the database that is left.
 *
 * held: every table is locked against writers. Writers wait, up to their own deadline, and what they
 * were to write is refused or written after all: if the process that moves is killed, its locks are
 * gone and the database goes on as if nothing had been.
 * read-only: every new session of the database only reads, and those from before are ended. It
 * lasts until `thaw`.
 */
import { setTimeout as wait } from "node:timers/promises";
import { type Client, escapeIdentifier } from "pg";
import { errorCode, StartRefusal } from "../../base/errors.ts";
import { withClient } from "./copy.ts";
import type { TableShape } from "./tables.ts";

/** Somebody's long statement may hold a table; those who write wait meanwhile. */
const LOCK_MS = 3_000;
const LOCK_TRIES = 10;
const LOCK_PAUSE_MS = 1_000;
const LOCKED = new Set(["55P03", "40P01"]);
/** Looks without a session from before in a row, and the time between two. */
const QUIET_LOOKS = 3;
const LOOK_MS = 50;
const LOOKS_MAX = 200;

/** Begins a transaction of `client` that sees everything that was ever committed before it ends. */
export async function hold(client: Client, tables: readonly TableShape[]): Promise<void> {
  const names = tables.map(({ name }) => escapeIdentifier(name)).join(", ");
  for (let tries = 1; ; tries++) {
    // The snapshot is taken by the first statement after the locks.
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    try {
      await client.query(`SET LOCAL lock_timeout = ${LOCK_MS}; LOCK TABLE ${names} IN SHARE MODE`);
      return;
    } catch (error) {
      await client.query("ROLLBACK");
      if (!LOCKED.has(errorCode(error) ?? "")) throw error;
      if (tries === LOCK_TRIES) {
        throw new StartRefusal(
          "Some statement writes to the database for longer than a move may stop the others: try again when it is calmer.",
        );
      }
    }
    await wait(LOCK_PAUSE_MS);
  }
}

const OTHERS = `SELECT count(pg_terminate_backend(a.pid))::int AS count FROM pg_stat_activity a
  WHERE a.datname = current_database() AND a.backend_type = 'client backend'
    AND a.pid <> pg_backend_pid() AND a.pid <> $1 AND a.backend_start < $2`;

/** While `holder` holds the tables. When it resolves, nothing can be written there any more. */
export async function makeReadOnly(url: string, holder: Client): Promise<void> {
  const held = await holder.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  await withClient(url, "move", async (client) => {
    await client.query(`ALTER DATABASE ${await nameOf(client)} SET ${READ_ONLY} = on`);
    const { rows } = await client.query<{ now: string }>("SELECT clock_timestamp()::text AS now");
    for (let looks = 1, quiet = 0; quiet < QUIET_LOOKS; looks++) {
      const others = await client.query<{ count: number }>(OTHERS, [
        held.rows[0]!.pid,
        rows[0]!.now,
      ]);
      quiet = others.rows[0]!.count === 0 ? quiet + 1 : 0;
      if (looks > LOOKS_MAX) throw new Error("sessions of the old database do not end");
      await wait(LOOK_MS);
    }
  });
}

const READ_ONLY = "default_transaction_read_only";

/** Makes a database that a move has left usable again; true: it was left. */
export async function thaw(url: string): Promise<boolean> {
  return withClient(url, "start", async (client) => {
    const { rows } = await client.query<{ value: string }>(
      `SELECT current_setting('${READ_ONLY}') AS value`,
    );
    if (rows[0]!.value === "off") return false;
    await client.query(`SET ${READ_ONLY} = off`);
    await client.query(`ALTER DATABASE ${await nameOf(client)} RESET ${READ_ONLY}`);
    return true;
  });
}

async function nameOf(client: Client): Promise<string> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT quote_ident(current_database()) AS name",
  );
  return rows[0]!.name;
}

/**
 * Connection poolers that give a client another session of PostgreSQL's for each transaction
 * (PgBouncer with pool_mode=transaction): how one is found, and what makes it serve.
 *
 * [POO1] Nothing of a session is relied on but in one transaction. The settings of sessions are those
 *        of the role in this database, which the first start writes; sessions from before are ended.
 * [POO2] Prepared statements have names where the pooler keeps them for each client (PgBouncer from
 *        1.21 on, with max_prepared_statements), and none elsewhere. It is tried, not asked.
 * [POO7] A pooler that takes a statement and gives no answer is a fault within ANSWER_MS.
 * [POO3] Migrations, LISTEN and session locks go to PostgreSQL itself, by DATABASE_DIRECT_URL.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { Client, DatabaseError } from "pg";
import { stopwatch } from "../../base/clock.ts";
import { readClusterIdentity } from "./cluster-identity.ts";
import { DEADLINE_MS, type Pooling, sessionSettings } from "./connection.ts";
import { faultOf } from "./fault.ts";

/** The way to the database cannot serve; the message says what to do. */
export class PooledDatabaseError extends Error {
  override readonly name = "PooledDatabaseError";
  constructor(message?: string) {
    super(
      message ??
        "The database is behind a connection pooler in transaction mode (PgBouncer: pool_mode=transaction), " +
          "and migrations, locks and LISTEN need PostgreSQL itself. Name it in DATABASE_DIRECT_URL, " +
          "or name a pool in session mode in DATABASE_URL.",
    );
  }
}

const TRIES = 8;
const CONNECT_MS = 10_000;
/** A pooler whose servers are all taken leaves a statement without an answer. */
const ANSWER_MS = 10_000;
/** Sessions that had the role's settings from before are ended for so long. */
const END_MS = 10_000;
const LOOK_MS = 50;

/** Throws PooledDatabaseError. `client` is connected and outside of a transaction. */
export async function refusePooler(client: Client, url: string): Promise<void> {
  if (isServersOwn(client, await serverOf(client))) return;
  await withClient(url, async (other) => {
    if (await isShared(client, other)) throw new PooledDatabaseError();
  });
}

/** How `url` leads to PostgreSQL; nothing is changed. Throws StorageFault. */
export async function poolingOf(url: string, answerMs = ANSWER_MS): Promise<Pooling> {
  const look = async (one: Client): Promise<Pooling> => {
    if (isServersOwn(one, await serverOf(one))) return "none";
    return withClient(
      url,
      async (other) => {
        if (!(await isShared(one, other))) return "none";
        return (await keepsNames(one, other)) ? "named" : "unnamed";
      },
      answerMs,
    );
  };
  return withClient(url, look, answerMs);
}

export interface SettledPooling {
  pooling: Pooling;
  /** Names of the role's settings that were written. */
  changed: string[];
  /** Sessions from before that were ended. */
  ended: number;
}

/**
 * Makes the way through `url` serve; `directUrl` is the same database, migrated. Throws StorageFault,
 * and PooledDatabaseError where it is another database.
 */
export async function settlePooling(url: string, directUrl: string): Promise<SettledPooling> {
  const [there, here] = [await readClusterIdentity(directUrl), await identityThrough(url)];
  if (here === null || there.id !== here.id || there.database !== here.database) {
    throw new PooledDatabaseError(
      "DATABASE_URL and DATABASE_DIRECT_URL lead to different databases: the second is the way to the first without its pooler.",
    );
  }
  const pooling = await poolingOf(url);
  if (pooling === "none") return { pooling, changed: [], ended: 0 };
  const changed = await withClient(url, writeSettings);
  const ended = changed.length > 0 ? await endSessions(url) : 0;
  return { pooling, changed, ended };
}

async function identityThrough(url: string) {
  try {
    return await readClusterIdentity(url);
  } catch (error) {
    // A database that is not Troupe's has no such table.
    if (error instanceof DatabaseError && error.code === UNDEFINED_TABLE) return null;
    throw error;
  }
}

const UNDEFINED_TABLE = "42P01";

/** The settings of the role in this database that differ from those of our sessions. */
export async function missingSettings(client: Client): Promise<[name: string, value: string][]> {
  const { rows } = await client.query<{ settings: string[] | null }>(
    `SELECT s.setconfig AS settings FROM pg_db_role_setting s
     WHERE s.setrole = (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user)
       AND s.setdatabase = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())`,
  );
  const own = new Set((rows[0]?.settings ?? []).map((one) => one.toLowerCase()));
  return sessionSettings(DEADLINE_MS).filter(
    ([name, value]) => !own.has(`${name}=${value}`.toLowerCase()),
  );
}

/** [POO1] A role may write its own settings. */
async function writeSettings(client: Client): Promise<string[]> {
  const missing = await missingSettings(client);
  if (missing.length === 0) return [];
  const { rows } = await client.query<{ name: string }>(
    "SELECT quote_ident(current_database()) AS name",
  );
  for (const [name, value] of missing) {
    await client.query(
      `ALTER ROLE CURRENT_USER IN DATABASE ${rows[0]!.name} SET ${name} = '${value}'`,
    );
  }
  return missing.map(([name]) => name);
}

/** Sessions of this role that the pooler holds from before a moment, while they do nothing. */
const END_OLDER = `SELECT count(pg_terminate_backend(a.pid))::int AS ended
  FROM pg_stat_activity a
  WHERE a.datname = current_database() AND a.usename = current_user AND a.state = 'idle'
    AND a.pid <> pg_backend_pid() AND a.backend_start < $1::timestamptz
    AND a.client_addr IS NOT DISTINCT FROM inet_client_addr()
    AND (a.application_name = '' OR a.application_name LIKE 'troupe%')`;
const LEFT = `SELECT count(*)::int AS left FROM pg_stat_activity a
  WHERE a.datname = current_database() AND a.usename = current_user
    AND a.pid <> pg_backend_pid() AND a.backend_start < $1::timestamptz
    AND a.client_addr IS NOT DISTINCT FROM inet_client_addr()
    AND (a.application_name = '' OR a.application_name LIKE 'troupe%')`;
const OWN = `SELECT backend_start < $1::timestamptz AS is_old FROM pg_stat_activity
  WHERE pid = pg_backend_pid()`;

/** The pooler makes new sessions in their place, with the settings of now. */
async function endSessions(url: string): Promise<number> {
  const since = await withClient(url, async (client) => {
    const { rows } = await client.query<{ now: string }>("SELECT clock_timestamp()::text AS now");
    return rows[0]!.now;
  });
  const elapsedMs = stopwatch();
  let ended = 0;
  for (let isDone = false; !isDone && elapsedMs() < END_MS; ) {
    isDone = await withClient(url, async (client) => {
      const others = await client.query<{ ended: number }>(END_OLDER, [since]);
      ended += others.rows[0]!.ended;
      const { rows } = await client.query<{ left: number }>(LEFT, [since]);
      const own = await client.query<{ is_old: boolean }>(OWN, [since]);
      if (!own.rows[0]!.is_old) return rows[0]!.left === 0;
      // The last of them is the one that asks.
      ended++;
      await client.query("SELECT pg_terminate_backend(pg_backend_pid())").catch(() => undefined);
      return false;
    });
    if (!isDone) await wait(LOOK_MS);
  }
  return ended;
}

/** PgBouncer hands out numbers of its own for cancelling; PostgreSQL hands out its process id. */
function isServersOwn(client: Client, pid: number): boolean {
  return Number(Reflect.get(client, "processID")) === pid;
}

/** A server process that serves two connected clients in turn belongs to a pooler. */
async function isShared(one: Client, other: Client): Promise<boolean> {
  const first = await serverOf(one);
  for (let n = 0; n < TRIES; n++) {
    const [a, b] = [await serverOf(one), await serverOf(other)];
    if (a === b || a !== first) return true;
  }
  return false;
}

/** [POO2] Whether two clients may give one name to two statements on one server process. */
async function keepsNames(one: Client, other: Client): Promise<boolean> {
  for (let n = 0; n < TRIES; n++) {
    const name = `troupe_${randomBytes(6).toString("hex")}`;
    const ask = async (client: Client, word: string) => {
      const text = `SELECT pg_backend_pid() AS pid, '${word}' AS word`;
      return (await client.query<{ pid: number; word: string }>({ name, text })).rows[0]!;
    };
    try {
      const [first, second] = [await ask(one, "one"), await ask(other, "other")];
      const again = await ask(one, "one");
      if (second.word !== "other" || again.word !== "one") return false;
      if (first.pid === second.pid) return true;
    } catch (error) {
      // There is such a statement already, or there is none any more.
      if (error instanceof DatabaseError) return false;
      throw error;
    }
  }
  return false;
}

async function serverOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  return rows[0]?.pid ?? 0;
}

async function withClient<T>(
  url: string,
  work: (client: Client) => Promise<T>,
  answerMs = ANSWER_MS,
): Promise<T> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: answerMs,
    application_name: "troupe pooling",
  });
  // A connection that breaks also fails the query under way, which reports it.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    if (error instanceof PooledDatabaseError) throw error;
    throw faultOf(error, "pooling") ?? error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

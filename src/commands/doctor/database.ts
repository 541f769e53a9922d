/**
 * The database: reached, of a version that works, durable, migrated, and with room for the workers.
 */
import { Client } from "pg";
import { stopwatch, systemClock } from "../../base/clock.ts";
import { packageVersion } from "../../base/version.ts";
import { epochMsOf } from "../../protocol/time.ts";
import { tryCommit } from "../../storage/postgres/commit-probe.ts";
import { faultOf } from "../../storage/postgres/fault.ts";
import { ForeignDatabaseError } from "../../storage/postgres/foreign-database.ts";
import { migrationState } from "../../storage/postgres/migrate.ts";
import { PooledDatabaseError, poolingOf, refusePooler } from "../../storage/postgres/pooler.ts";
import { doubtful, type Finding, fine, wrong } from "./finding.ts";
import { reasonOf, within } from "./within.ts";

const DEADLINE_MS = 8_000;
const VERSION_MIN = 14;
/**
 * Connections a worker may hold (src/storage): 4 of the edge, 1 writer, 2 for reads, 3 for social
 * writes, rounded up for reconnects.
 */
export const CONNECTIONS_A_WORKER = 20;
const CLOCK_WARN_MS = 1_000;
const PING_WARN_MS = 20;

interface Facts {
  version: string;
  version_num: number;
  now_ms: number;
  max_connections: number;
  reserved: number;
  others: number;
  /** The CONNECTION LIMIT of the role or the database, the lower one; null without. */
  limit_of_own: number | null;
  encoding: string;
  fsync: string;
  synchronous_commit: string;
  can_create: boolean;
}

const FACTS = `SELECT current_setting('server_version') AS version,
  current_setting('server_version_num')::int AS version_num,
  (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms,
  current_setting('max_connections')::int AS max_connections,
  current_setting('superuser_reserved_connections')::int AS reserved,
  (SELECT count(*) FROM pg_stat_activity a
    WHERE a.backend_type = 'client backend' AND a.application_name NOT LIKE 'troupe%')::int AS others,
  least(nullif((SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user), -1),
    nullif((SELECT datconnlimit FROM pg_database WHERE datname = current_database()), -1)) AS limit_of_own,
  current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync,
  current_setting('synchronous_commit') AS synchronous_commit,
  has_schema_privilege(current_user, 'public', 'CREATE') AS can_create`;

export async function checkDatabase(url: string, workers: number): Promise<Finding[]> {
  const client = new Client({
    connectionString: url,
    application_name: "troupe doctor",
    connectionTimeoutMillis: DEADLINE_MS,
    query_timeout: DEADLINE_MS,
  });
  // An error that breaks the connection also fails the query under way.
  client.on("error", () => undefined);
  try {
    await within(DEADLINE_MS, client.connect());
    await refusePooler(client, url);
    const askedMs = epochMsOf(systemClock.wallMs());
    const elapsedMs = stopwatch();
    const { rows } = await client.query<Facts>(FACTS);
    const tookMs = elapsedMs();
    const facts = rows[0]!;
    const migrations = await migrationState(client, packageVersion());
    const ahead = facts.now_ms - (askedMs + tookMs / 2);
    return [
      ...judge(facts, workers),
      judgeClock(ahead, tookMs),
      judgeMigrations(migrations, facts.can_create),
      await commits(client),
      await ping(client),
    ];
  } catch (error) {
    if (error instanceof PooledDatabaseError) {
      const advice =
        "name PostgreSQL itself in DATABASE_DIRECT_URL, or in DATABASE_URL a pool in session mode";
      return [wrong("database", "a connection pooler in transaction mode", advice)];
    }
    if (error instanceof ForeignDatabaseError) {
      return [wrong("database", error.message, "make a database for Troupe alone")];
    }
    const advice =
      "start it, or mend DATABASE_URL; a firewall, pg_hba.conf or TLS may stand between";
    return [wrong("database", `cannot be reached: ${reasonOf(error)}`, advice)];
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** What stands between Troupe and the database, by trying. */
export async function checkPooling(url: string): Promise<Finding> {
  const check = "pooling";
  try {
    const pooling = await within(DEADLINE_MS, poolingOf(url));
    if (pooling === "none") {
      const found = "DATABASE_URL leads to PostgreSQL itself, or to a pool in session mode";
      return doubtful(check, found, "DATABASE_DIRECT_URL is not needed: unset it");
    }
    const names = pooling === "named" ? "with named statements" : "without named statements";
    return fine(check, `DATABASE_URL leads to a pooler in transaction mode, ${names}`);
  } catch (error) {
    const found = `DATABASE_URL cannot be reached: ${reasonOf(error)}`;
    return wrong(check, found, "start the pooler, or mend DATABASE_URL");
  }
}

export function judge(facts: Facts, workers: number): Finding[] {
  const findings: Finding[] = [];
  const version = facts.version.split(" ")[0]!;
  findings.push(
    facts.version_num >= VERSION_MIN * 10_000
      ? fine("database", `PostgreSQL ${version}`)
      : wrong("database", `PostgreSQL ${version}`, `use PostgreSQL ${VERSION_MIN} or newer`),
  );
  if (facts.encoding !== "UTF8") {
    findings.push(
      wrong(
        "encoding",
        `the database is ${facts.encoding}`,
        "make it with ENCODING 'UTF8': any other refuses what people write",
      ),
    );
  }
  if (facts.fsync !== "on" || facts.synchronous_commit === "off") {
    const found = `fsync is ${facts.fsync}, synchronous_commit is ${facts.synchronous_commit}`;
    findings.push(
      doubtful("durability", found, "turn both on: else a crash can lose acknowledged messages"),
    );
  }
  const needed = workers * CONNECTIONS_A_WORKER;
  const { limit_of_own: limit } = facts;
  if (limit !== null && limit < needed) {
    findings.push(
      doubtful(
        "connection limit",
        `${limit} for this role and database; ${workers} workers take up to ${needed}`,
        "raise CONNECTION LIMIT with ALTER ROLE or ALTER DATABASE: with few, reads wait for each other",
      ),
    );
  }
  const free = facts.max_connections - facts.reserved - facts.others;
  const found = `${free} of ${facts.max_connections} free for Troupe; ${workers} workers take up to ${needed}`;
  findings.push(
    free < needed
      ? doubtful(
          "connections",
          found,
          `set max_connections to at least ${facts.max_connections - free + needed} for this host, and as many again for each other one`,
        )
      : fine("connections", found),
  );
  return findings;
}

export function judgeClock(aheadMs: number, tookMs: number): Finding {
  // The database may have read its clock at any moment between question and answer.
  const sure = Math.max(0, Math.abs(aheadMs) - tookMs / 2);
  const found =
    sure < 1 ? "the same as here" : `${Math.round(sure)} ms ${aheadMs > 0 ? "ahead" : "behind"}`;
  return sure > CLOCK_WARN_MS
    ? doubtful(
        "its clock",
        found,
        "let both machines keep time with NTP: tokens and times disagree",
      )
    : fine("its clock", found);
}

function judgeMigrations(
  { applied, pending, staleFunctions, newer }: Awaited<ReturnType<typeof migrationState>>,
  canCreate: boolean,
): Finding {
  const check = "migrations";
  if (newer !== null) {
    return wrong(
      check,
      `the database is at version ${newer}, which this Troupe does not know`,
      "start the newer Troupe, or restore a backup from before its migration",
    );
  }
  if (pending.length + staleFunctions === 0) return fine(check, `all ${applied} applied`);
  const missing = `${pending.length} migrations and ${staleFunctions} functions`;
  if (!canCreate) {
    return wrong(
      check,
      `${missing} are missing, and this user may not make tables`,
      "GRANT CREATE ON SCHEMA public TO it, or run `troupe migrate` as one who may",
    );
  }
  return fine(check, `${missing} are missing: the next start applies them`);
}

/** Tries one, which leaves nothing behind. */
async function commits(client: Client): Promise<Finding> {
  const check = "commits";
  try {
    await tryCommit(client);
    return fine(check, "are possible");
  } catch (error) {
    const fault = faultOf(error, "doctor");
    if (fault === null) throw error;
    const found = `nothing can be committed: ${fault.why}`;
    return wrong(check, found, "without commits every send is refused: mend PostgreSQL first");
  }
}

async function ping(client: Client): Promise<Finding> {
  const times: number[] = [];
  for (let n = 0; n < 5; n++) {
    const elapsedMs = stopwatch();
    await client.query("SELECT 1");
    times.push(elapsedMs());
  }
  const ms = Math.min(...times);
  const found = `answers in ${ms.toFixed(1)} ms`;
  return ms > PING_WARN_MS
    ? doubtful("its distance", found, "every send waits for it: bring the two closer together")
    : fine("its distance", found);
}

/**
 * What operators ask of PostgreSQL: an account with its state, where a message is, and how the
 * database itself is. Reads by key, and counters that PostgreSQL keeps anyway: nothing here
 * grows with the tables.
 */
import { stopwatch } from "../../base/clock.ts";
import type { JobQueue } from "../../ports/jobs.ts";
import type { OpsAccount, OpsQueries } from "../../ports/ops.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { OpsDatabase, OpsMessage, OpsReceipt } from "../../protocol/ops.ts";
import type { Database } from "./pool.ts";
import { messageOf, USER_COLUMNS, type UserRow, userOf } from "./rows.ts";

const MEMBERS_LISTED_MAX = 200;

const accountBy = (condition: string) => ({
  text: `SELECT ${USER_COLUMNS}, is_suspended(u) AS suspended, u.last_seen_at,
      (SELECT count(*) FROM conversation_members k
        JOIN conversations c ON c.id = k.conversation_id AND c.deleted_at IS NULL
        WHERE k.user_id = u.id)::int AS conversations,
      (SELECT count(*) FROM refresh_families f
        WHERE f.user_id = u.id AND f.revoked_at IS NULL AND f.expires_at > now())::int AS logins
    FROM users u WHERE ${condition}`,
});
const ACCOUNT = accountBy("u.id = $1");
const ACCOUNT_BY_NAME = accountBy("u.username = $1");

const messageBy = (condition: string) => ({
  text: `SELECT message_text(m) AS message, char_length(m.body) AS body_length,
      c.kind, c.title, c.last_seq AS conversation_last_seq, c.rev AS conversation_rev
    FROM messages m JOIN conversations c ON c.id = m.conversation_id
    WHERE ${condition}`,
});
const MESSAGE_AT = messageBy("m.conversation_id = $1 AND m.seq = $2");
const MESSAGE = messageBy(
  "(m.conversation_id, m.seq) = (SELECT p.conversation_id, p.seq FROM place_of_message($1) p)",
);

// The counts are over all members; those listed are the ones that lag most.
const MEMBERS = {
  text: `SELECT k.user_id, u.username, k.delivered_seq, k.read_seq,
      count(*) OVER ()::int AS member_count,
      (count(*) FILTER (WHERE k.user_id <> $3 AND k.delivered_seq >= $2) OVER ())::int AS delivered_count,
      (count(*) FILTER (WHERE k.user_id <> $3 AND k.read_seq >= $2) OVER ())::int AS read_count
    FROM conversation_members k JOIN users u ON u.id = k.user_id
    WHERE k.conversation_id = $1
    ORDER BY k.user_id = $3, k.read_seq >= $2, k.delivered_seq >= $2, k.user_id
    LIMIT ${MEMBERS_LISTED_MAX}`,
};

const HEALTH = {
  text: `SELECT current_setting('server_version') AS version,
      current_setting('max_connections')::int AS connections_max,
      d.numbackends AS connections, d.xact_commit AS commits, d.xact_rollback AS rollbacks,
      d.deadlocks,
      CASE WHEN d.blks_hit + d.blks_read > 0
        THEN d.blks_hit::float8 / (d.blks_hit + d.blks_read) END AS cache_hit_ratio,
      coalesce((SELECT extract(epoch FROM max(clock_timestamp() - a.xact_start)) * 1000
        FROM pg_stat_activity a
        WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()), 0)::float8
        AS oldest_transaction_ms,
      (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'messages'::regclass) AS messages,
      (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'users'::regclass) AS users
    FROM pg_stat_database d WHERE d.datname = current_database()`,
};

interface AccountRow extends UserRow {
  suspended: boolean;
  last_seen_at: string | null;
  conversations: number;
  logins: number;
}

interface FoundRow {
  message: string;
  body_length: number;
  kind: string;
  title: string | null;
  conversation_last_seq: string;
  conversation_rev: string;
}

interface MemberRow {
  user_id: string;
  username: string;
  delivered_seq: string;
  read_seq: string;
  member_count: number;
  delivered_count: number;
  read_count: number;
}

export class PostgresOpsQueries implements OpsQueries {
  readonly #database: Database;
  readonly #jobs: Pick<JobQueue, "counts">;

  constructor(database: Database, jobs: Pick<JobQueue, "counts">) {
    this.#database = database;
    this.#jobs = jobs;
  }

  async account(id: UserId): Promise<OpsAccount | null> {
    return accountOf(await this.#database.read<AccountRow>(ACCOUNT, [id]));
  }

  async accountByName(username: string): Promise<OpsAccount | null> {
    return accountOf(await this.#database.read<AccountRow>(ACCOUNT_BY_NAME, [username]));
  }

  async messageAt(id: ConversationId, seq: number): Promise<Omit<OpsMessage, "actor"> | null> {
    return this.#located(await this.#database.read<FoundRow>(MESSAGE_AT, [id, seq]));
  }

  async message(id: string): Promise<Omit<OpsMessage, "actor"> | null> {
    return this.#located(await this.#database.read<FoundRow>(MESSAGE, [id]));
  }

  async health(): Promise<OpsDatabase> {
    const jobs = await this.#jobs.counts();
    const elapsedMs = stopwatch();
    const [row] = await this.#database.read<Record<string, string | number | null>>(HEALTH, []);
    const pingMs = elapsedMs();
    if (row === undefined) throw new Error("pg_stat_database has no row of this database");
    const ratio = row["cache_hit_ratio"] ?? null;
    return {
      version: String(row["version"]).split(" ")[0]!,
      ping_ms: Math.round(pingMs * 10) / 10,
      connections: Number(row["connections"]),
      connections_max: Number(row["connections_max"]),
      commits: Number(row["commits"]),
      rollbacks: Number(row["rollbacks"]),
      deadlocks: Number(row["deadlocks"]),
      cache_hit_ratio: ratio === null ? null : Number(ratio),
      // A transaction that began after this one's clock was read would be below 0.
      oldest_transaction_ms: Math.max(0, Math.round(Number(row["oldest_transaction_ms"]))),
      messages: Number(row["messages"]),
      users: Number(row["users"]),
      jobs,
    };
  }

  async #located(rows: FoundRow[]): Promise<Omit<OpsMessage, "actor"> | null> {
    const [row] = rows;
    if (row === undefined) return null;
    const { body: _body, ...message } = messageOf(row.message);
    const { conversation_id, seq, sender_id } = message;
    const members = await this.#database.read<MemberRow>(MEMBERS, [
      conversation_id,
      seq,
      sender_id,
    ]);
    const [counts] = members;
    return {
      message: { ...message, body_length: row.body_length },
      conversation: {
        id: conversation_id,
        kind: row.kind,
        title: row.title,
        last_seq: Number(row.conversation_last_seq),
        rev: Number(row.conversation_rev),
      },
      member_count: counts?.member_count ?? 0,
      delivered_count: counts?.delivered_count ?? 0,
      read_count: counts?.read_count ?? 0,
      members: members.map((member) => receiptOf(member, seq, sender_id ?? "")),
    };
  }
}

function accountOf([row]: AccountRow[]): OpsAccount | null {
  if (row === undefined) return null;
  const { suspended, last_seen_at, conversations, logins } = row;
  return { user: userOf(row), suspended, last_seen_at, conversations, logins };
}

function receiptOf(row: MemberRow, seq: number, sender: string): OpsReceipt {
  const delivered_seq = Number(row.delivered_seq);
  const read_seq = Number(row.read_seq);
  return {
    user_id: row.user_id,
    username: row.username,
    is_sender: row.user_id === sender,
    delivered_seq,
    read_seq,
    state: read_seq >= seq ? "read" : delivered_seq >= seq ? "delivered" : "committed",
  };
}

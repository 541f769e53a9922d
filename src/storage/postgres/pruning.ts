/**
 * Forgets what later changes replaced (sql/migrations/0005) and spent refresh tokens, an hour after
 * it at the latest, so that deleted text does not outlive that; and the audit log, expired service
 * tokens and reserved names after their own times. Owned by the primary: there is one a host, for
 * as long as the host runs, while workers come and go; a lock lets one host at a time do it for all.
 */
import { Client } from "pg";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { connectionConfig, DEADLINE_MS, prepareSession } from "./connection.ts";
import { faultOf } from "./fault.ts";

/** Rounds may come late, and one may fail: an hour is kept to all the same. */
const KEPT_MS = 55 * 60_000;
const EVERY_MS = 60_000;
/** Rows a transaction: some tens of milliseconds, so that nobody waits for it. */
const BATCH_ROWS = 5_000;
/** Any constant will do, as long as nothing else in the database locks the same. */
const LOCK_KEY = 7_405_118_002;

const DAY_MS = 86_400_000;

interface Pruned {
  table: string;
  at: string;
  key: string;
  /** Where it is not the time of what was replaced. */
  keptMs?: number;
}

/** A revoked token must be known for as long as it would have been good. */
const LASTING: Pruned[] = [
  { table: "service_tokens", at: "expires_at", key: "id", keptMs: 30 * DAY_MS },
  { table: "reserved_names", at: "until", key: "name_hash", keptMs: 0 },
  { table: "unread_members", at: "since", key: "user_id, conversation_id", keptMs: 90 * DAY_MS },
  { table: "unread_turns", at: "told_at", key: "user_id", keptMs: DAY_MS },
  // A message that is a day old is not pushed any more.
  { table: "push_feed", at: "at", key: "id", keptMs: DAY_MS },
  { table: "push_shown", at: "at", key: "user_id, conversation_id", keptMs: 30 * DAY_MS },
  { table: "erasures", at: "finished_at", key: "user_id", keptMs: 7 * DAY_MS },
  { table: "jobs", at: "finished_at", key: "id", keptMs: 7 * DAY_MS },
];

const TABLES: Pruned[] = [
  { table: "message_versions", at: "replaced_at", key: "conversation_id, rev" },
  { table: "conversation_changes", at: "changed_at", key: "conversation_id, rev" },
  { table: "reaction_changes", at: "changed_at", key: "conversation_id, rev" },
  { table: "user_changes", at: "changed_at", key: "id" },
  { table: "host_witness", at: "signed_at", key: "host" },
  { table: "conversation_invites", at: "expires_at", key: "id" },
  { table: "conversation_bans", at: "until", key: "conversation_id, user_id" },
  // A spent token that is shown later is known by its login's root (refresh_families.root_hash).
  { table: "refresh_tokens", at: "spent_at", key: "token_hash" },
];

/** Oldest first, so that what is kept of a conversation has no holes. */
const batchOf = ({ table, at, key }: Pruned) =>
  `DELETE FROM ${table} t USING (
    SELECT ${key} FROM ${table} x
    WHERE x.${at} < statement_timestamp() - $1 * interval '1 millisecond'
    ORDER BY x.${at} LIMIT ${BATCH_ROWS}
  ) d WHERE (${columnsOf("t", key)}) = (${columnsOf("d", key)})`;

/** Messages of conversations that are deleted, with their reactions and mentions. */
const DELETED_MESSAGES = `WITH d AS MATERIALIZED (
    SELECT x.conversation_id, x.seq FROM conversations c
    JOIN messages x ON x.conversation_id = c.id
    WHERE c.deleted_at < statement_timestamp() - $1 * interval '1 millisecond' LIMIT ${BATCH_ROWS}
  ), reactions AS (
    DELETE FROM message_reactions t USING d
    WHERE t.conversation_id = d.conversation_id AND t.seq = d.seq
  ), mentions AS (
    DELETE FROM message_mentions t USING d
    WHERE t.conversation_id = d.conversation_id AND t.seq = d.seq
  ) DELETE FROM messages t USING d
    WHERE t.conversation_id = d.conversation_id AND t.seq = d.seq`;
const DELETED_NAMES = `DELETE FROM service_messages t USING conversations c
  WHERE t.conversation_id = c.id
    AND c.deleted_at < statement_timestamp() - $1 * interval '1 millisecond'`;
/** The row of such a conversation stays, so that its id means nothing else; it is done with. */
const EMPTIED = `UPDATE conversations c SET deleted_at = 'infinity'
  WHERE c.deleted_at < statement_timestamp() - $1 * interval '1 millisecond'
    AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation_id = c.id)`;

function columnsOf(table: string, key: string): string {
  return key.replace(/\w+/g, (column) => `${table}.${column}`);
}

export interface PruningOptions {
  /** The database, already migrated. */
  url: string;
  clock: Clock;
  log: Log;
  auditRetentionDays: number;
}

export class Pruning {
  readonly #options: PruningOptions;
  #cancelNext: () => void = () => undefined;
  #round: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: PruningOptions) {
    this.#options = options;
    this.#start();
  }

  /** Resolves when the round under way has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelNext();
    await this.#round;
  }

  #start(): void {
    const { url, clock, log, auditRetentionDays } = this.#options;
    const auditMs = auditRetentionDays * DAY_MS;
    this.#round = pruneReplaced(url, KEPT_MS, () => this.#isClosed, auditMs)
      .then(
        (rows) => {
          if (rows > 0) log.debug({ event: "pruned", rows });
        },
        (error: unknown) => log.warn({ event: "prune_failed", err: error }),
      )
      .then(() => {
        if (!this.#isClosed) this.#cancelNext = clock.after(EVERY_MS, () => this.#start());
      });
  }
}

/**
 * Forgets what was replaced more than `keptMs` ago; the number of rows, 0 where another host is at
 * it. Throws StorageFault when the database is out of reach.
 */
export async function pruneReplaced(
  url: string,
  keptMs: number,
  isEnough: () => boolean = () => false,
  auditMs: number = 365 * DAY_MS,
): Promise<number> {
  const client = new Client({
    ...connectionConfig(url, DEADLINE_MS),
    application_name: "troupe prune",
  });
  // A connection that breaks also fails the query under way, which reports it.
  client.on("error", () => undefined);
  try {
    await client.connect();
    await prepareSession(client, DEADLINE_MS);
    // Held until the connection ends.
    const { rows } = await client.query<{ mine: boolean }>(
      "SELECT pg_try_advisory_lock($1) AS mine",
      [LOCK_KEY],
    );
    if (!rows[0]?.mine) return 0;
    let pruned = 0;
    const audit: Pruned = { table: "audit_log", at: "at", key: "id", keptMs: auditMs };
    for (const each of [...TABLES, ...LASTING, audit]) {
      for (let isMore = true; isMore && !isEnough(); ) {
        const { rowCount } = await client.query(batchOf(each), [each.keptMs ?? keptMs]);
        pruned += rowCount ?? 0;
        isMore = rowCount === BATCH_ROWS;
      }
    }
    for (let isMore = true; isMore && !isEnough(); ) {
      const { rowCount } = await client.query(DELETED_MESSAGES, [keptMs]);
      pruned += rowCount ?? 0;
      isMore = rowCount === BATCH_ROWS;
    }
    if (!isEnough()) await client.query(DELETED_NAMES, [keptMs]);
    if (!isEnough()) await client.query(EMPTIED, [keptMs]);
    return pruned;
  } catch (error) {
    throw faultOf(error, "prune") ?? error;
  } finally {
    await client.end();
  }
}

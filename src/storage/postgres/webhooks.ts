/**
 * WebhookStore and WebhookQueue on PostgreSQL. A webhook's queue holds the places of events, whose
 * bodies stay in the log: so one row has to be changed when a person is erased, and the log keeps
 * what is still queued.
 */
import type { LogPlace } from "../../ports/events.ts";
import type {
  FailedKey,
  NewWebhook,
  QueuedEvent,
  QueueLook,
  WebhookChange,
  WebhookQueue,
  WebhookStore,
  WebhookTarget,
} from "../../ports/webhooks.ts";
import { WEBHOOKS_MAX, type Webhook } from "../../protocol/event-routes.ts";
import { isPresenceType } from "../../protocol/outside-events.ts";
import { nameExternally } from "./event-log.ts";
import { eventOf, type LoggedEvent } from "./event-rows.ts";
import type { Database } from "./pool.ts";

/** How long the former secret signs, too. */
const ROTATION = "interval '24 hours'";
const PARKED_SHOWN_MAX = 100;
/** So many of the rows that nobody has looked at are searched for the oldest that is wanted. */
const UNLOOKED_MAX = 500;

const SHOWN = `w.id, w.url, w.types, w.is_batch AS batch, w.is_enabled AS enabled, w.created_at,
  w.last_ok_at,
  (SELECT min(k.failing_since) FROM webhook_keys k
    WHERE k.webhook_id = w.id AND k.attempts > 0) AS failing_since,
  ARRAY(SELECT k.key FROM webhook_keys k WHERE k.webhook_id = w.id AND k.parked_at IS NOT NULL
    ORDER BY k.parked_at LIMIT ${PARKED_SHOWN_MAX}) AS parked,
  greatest(0, extract(epoch FROM clock_timestamp() - least(
    (SELECT min(q.at) FROM webhook_queue q WHERE q.webhook_id = w.id),
    (SELECT min(l.at) FROM (
        SELECT x.at, x.events FROM event_log x WHERE x.pos > w.looked_pos
        ORDER BY x.pos LIMIT ${UNLOOKED_MAX}) l
      WHERE EXISTS (SELECT 1 FROM unnest(l.events) e (event)
        WHERE is_wanted_event(e.event->>'t', w.types))))))::float8 AS lag_s`;

const CREATE = { text: "SELECT create_webhook($1, $2, $3, $4, $5, $6) AS id" };
const PRESENCE = {
  text: "UPDATE event_log_state s SET has_presence = true WHERE NOT s.has_presence",
};
const LIST = { text: `SELECT ${SHOWN} FROM webhooks w ORDER BY w.id` };
const WEBHOOK = { text: `SELECT ${SHOWN} FROM webhooks w WHERE w.id = $1` };
const CHANGE = {
  text: `UPDATE webhooks w SET url = coalesce($2, w.url), types = coalesce($3::text[], w.types),
      is_batch = coalesce($4, w.is_batch), is_enabled = coalesce($5, w.is_enabled),
      old_secret = CASE WHEN $6::text IS NULL THEN w.old_secret ELSE w.secret END,
      old_secret_until = CASE WHEN $6::text IS NULL THEN w.old_secret_until
        ELSE clock_timestamp() + ${ROTATION} END,
      secret = coalesce($6, w.secret)
    WHERE w.id = $1 RETURNING w.id`,
};
const REMOVE = { text: "DELETE FROM webhooks w WHERE w.id = $1 RETURNING w.id" };
const TARGET = {
  text: `SELECT w.url, ARRAY[w.secret] || CASE WHEN w.old_secret_until > clock_timestamp()
      THEN ARRAY[w.old_secret] ELSE '{}' END AS secrets
    FROM webhooks w WHERE w.id = $1`,
};
const UNPARK = {
  text: `WITH unparked AS (
      UPDATE webhook_keys k SET parked_at = NULL, attempts = 0, retry_at = clock_timestamp()
      WHERE k.webhook_id = $1 AND k.parked_at IS NOT NULL AND ($2::text IS NULL OR k.key = $2)
      RETURNING 1
    ) SELECT (SELECT count(*) FROM unparked)::int AS unparked FROM webhooks w WHERE w.id = $1`,
};
// The keys that were queued count as due, so that a deliverer at work learns of them.
const REPLAY = {
  text: `WITH queued AS (
    INSERT INTO webhook_queue AS q (webhook_id, key, pos, n, at)
    SELECT w.id, e.event->>'k', l.pos, e.n - 1, l.at
    FROM webhooks w
    JOIN event_log l ON l.pos >= $2 AND l.pos <= w.looked_pos
    CROSS JOIN LATERAL unnest(l.events) WITH ORDINALITY AS e (event, n)
    WHERE w.id = $1 AND (l.pos > $2 OR e.n > $3) AND is_wanted_event(e.event->>'t', w.types)
    ON CONFLICT DO NOTHING
    RETURNING q.key
  )
  INSERT INTO webhook_keys
    (webhook_id, key, attempts, failing_since, retry_at, upto_pos, upto_n)
  SELECT DISTINCT $1::bigint, q.key, 0, clock_timestamp(), clock_timestamp(), 0, 0 FROM queued q
  ON CONFLICT DO NOTHING`,
};

const LOOK = { name: "queue_webhook", text: "SELECT * FROM queue_webhook($1, $2)" };
const WAITING = {
  text: `SELECT DISTINCT q.key FROM webhook_queue q WHERE q.webhook_id = $1 AND NOT EXISTS (
      SELECT 1 FROM webhook_keys k WHERE k.webhook_id = q.webhook_id AND k.key = q.key)`,
};
// A batch that is tried again ends where it ended before.
const NEXT = {
  name: "next_queued",
  text: `SELECT q.key, q.pos, q.n, l.uid, l.at, l.events[q.n + 1] AS event,
      coalesce(k.attempts, 0) AS attempts
    FROM (SELECT 1) one
    LEFT JOIN webhook_keys k ON k.webhook_id = $1 AND k.key = $2
    JOIN LATERAL (
      SELECT x.* FROM webhook_queue x WHERE x.webhook_id = $1 AND x.key = $2
        AND (k.key IS NULL OR k.attempts = 0 OR (x.pos, x.n) <= (k.upto_pos, k.upto_n))
      ORDER BY x.pos, x.n LIMIT $3
    ) q ON true
    LEFT JOIN event_log l ON l.pos = q.pos
    WHERE k.key IS NULL OR (k.parked_at IS NULL AND k.retry_at <= clock_timestamp())
    ORDER BY q.pos, q.n`,
};
const DELIVERED = {
  name: "delivered_events",
  text: `WITH gone AS (
      DELETE FROM webhook_queue q
      USING json_to_recordset($2) AS d (k text, p bigint, n int)
      WHERE q.webhook_id = $1 AND q.key = d.k AND q.pos = d.p AND q.n = d.n
    ), well AS (
      DELETE FROM webhook_keys k USING json_to_recordset($2) AS d (k text, p bigint, n int)
      WHERE k.webhook_id = $1 AND k.key = d.k
    )
    UPDATE webhooks w SET last_ok_at = clock_timestamp() WHERE w.id = $1`,
};
const FAILED = {
  name: "failed_key",
  text: `INSERT INTO webhook_keys AS k
      (webhook_id, key, attempts, failing_since, retry_at, parked_at, upto_pos, upto_n)
    SELECT w.id, $2, 1, clock_timestamp(),
      clock_timestamp() + coalesce($3::float8, 0) * interval '1 millisecond',
      CASE WHEN $3::float8 IS NULL THEN clock_timestamp() END, $4, $5
    FROM webhooks w WHERE w.id = $1
    ON CONFLICT (webhook_id, key) DO UPDATE SET attempts = k.attempts + 1,
      failing_since = CASE WHEN k.attempts = 0 THEN excluded.failing_since ELSE k.failing_since END,
      retry_at = excluded.retry_at, parked_at = excluded.parked_at,
      upto_pos = excluded.upto_pos, upto_n = excluded.upto_n`,
};
const DISABLE = { text: "UPDATE webhooks w SET is_enabled = false WHERE w.id = $1" };

interface NextRow {
  key: string;
  pos: string;
  n: number;
  uid: string | null;
  at: string | null;
  event: LoggedEvent | null;
  attempts: number;
}

type LookRow = {
  url: string;
  is_batch: boolean;
  is_enabled: boolean;
  secrets: string[];
  fresh: string[];
  due: string[];
  has_more: boolean | null;
};

export class PostgresWebhooks implements WebhookStore, WebhookQueue {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async create({ url, types, isBatch, secret, madeBy }: NewWebhook): Promise<Webhook | null> {
    const values = [url, types, isBatch, secret, madeBy, WEBHOOKS_MAX];
    const [row] = await this.#database.write<{ id: string | null }>(CREATE, values);
    if (row?.id == null) return null;
    await this.#wants(types);
    return this.webhook(row.id);
  }

  async list(): Promise<Webhook[]> {
    return (await this.#database.read<Webhook>(LIST, [])).map(shown);
  }

  async webhook(id: string): Promise<Webhook | null> {
    const [row] = await this.#database.read<Webhook>(WEBHOOK, [id]);
    return row === undefined ? null : shown(row);
  }

  async change(id: string, change: WebhookChange): Promise<Webhook | null> {
    const { url, types, isBatch, isEnabled, secret } = change;
    const values = [url ?? null, types ?? null, isBatch ?? null, isEnabled ?? null, secret ?? null];
    const [row] = await this.#database.write<{ id: string }>(CHANGE, [id, ...values]);
    if (row === undefined) return null;
    await this.#wants(types ?? []);
    return this.webhook(id);
  }

  async remove(id: string): Promise<boolean> {
    return (await this.#database.write(REMOVE, [id])).length > 0;
  }

  async target(id: string): Promise<WebhookTarget | null> {
    const [row] = await this.#database.read<WebhookTarget>(TARGET, [id]);
    return row ?? null;
  }

  async unpark(id: string, key: string | null): Promise<number | null> {
    const [row] = await this.#database.write<{ unparked: number }>(UNPARK, [id, key]);
    return row?.unparked ?? null;
  }

  async replay(id: string, { pos, n }: LogPlace): Promise<boolean> {
    if ((await this.target(id)) === null) return false;
    await this.#database.write(REPLAY, [id, pos, n]);
    return true;
  }

  async look(id: string, rows: number): Promise<QueueLook | null> {
    const [row] = await this.#database.write<LookRow>(LOOK, [id, rows]);
    if (row === undefined) return null;
    const { url, is_batch, is_enabled, secrets, fresh, due, has_more } = row;
    return {
      url,
      isBatch: is_batch,
      isEnabled: is_enabled,
      secrets,
      fresh,
      due,
      hasMore: has_more === true,
    };
  }

  async waiting(id: string): Promise<string[]> {
    const rows = await this.#database.read<{ key: string }>(WAITING, [id]);
    return rows.map(({ key }) => key);
  }

  async next(id: string, key: string, most: number) {
    const rows = await this.#database.read<NextRow>(NEXT, [id, key, most]);
    const events: QueuedEvent[] = rows.map(({ pos, n, uid, at, event }) => ({
      key,
      pos: Number(pos),
      n,
      event: uid === null || at === null || event === null ? null : eventOf({ uid, at }, n, event),
    }));
    const found = events.flatMap(({ event }) => (event === null ? [] : [event]));
    await nameExternally(this.#database, found);
    return { events, attempts: rows[0]?.attempts ?? 0 };
  }

  async delivered(id: string, events: readonly QueuedEvent[]): Promise<void> {
    const gone = events.map(({ key, pos, n }) => ({ k: key, p: pos, n }));
    await this.#database.read(DELIVERED, [id, JSON.stringify(gone)]);
  }

  async failed(id: string, { key, retryInMs, pos, n }: FailedKey): Promise<void> {
    await this.#database.write(FAILED, [id, key, retryInMs, pos, n]);
  }

  async disable(id: string): Promise<void> {
    await this.#database.write(DISABLE, [id]);
  }

  async #wants(types: readonly string[]): Promise<void> {
    if (types.some(isPresenceType)) await this.#database.write(PRESENCE, []);
  }
}

function shown({ lag_s, ...webhook }: Webhook): Webhook {
  return { ...webhook, lag_s: Math.round((lag_s ?? 0) * 1000) / 1000 };
}

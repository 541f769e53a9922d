/**
 * NotificationStore on PostgreSQL, for the user actors of one thread. New and growing ones are
 * group commits over all users (sql/functions/notify_batch.sql).
 */
import type { NewNotification, NotificationStore } from "../../../actors/social-ports.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { Notification } from "../../protocol/social.ts";
import { KeyedBatches, type KeyedBatchLimits } from "../batching/keyed-batches.ts";
import { Batcher } from "../batching/shared-reads.ts";
import type { Database } from "./pool.ts";
import { SOCIAL_REFUSALS } from "./refusals.ts";
import { notificationOfJson } from "./social-rows.ts";

const LOAD = {
  name: "load_notifications",
  text: `SELECT u.id, coalesce(k.last_seq, 0) AS last_seq, (
      SELECT count(*) FROM notifications o WHERE o.user_id = u.id AND o.read_at IS NULL
    ) AS unread
    FROM users u LEFT JOIN notification_counters k ON k.user_id = u.id
    WHERE u.id = ANY ($1::bigint[])`,
};
const NOTIFY_BATCH = { name: "notify_batch", text: "SELECT * FROM notify_batch($1, $2)" };
const MARK_READ = {
  name: "mark_notifications_read",
  text: "SELECT * FROM mark_notifications_read($1, $2)",
};

/** Outcomes of notify_batch, beside 0. */
const NOT_MADE = 1;
const NOT_FOUND = 2;

/** A new one (`growsId` null), or how one grows. */
type NotificationRow = NewNotification & { growsId: string | null; by: number };

interface NotifyBatchRow {
  at: string;
  outcomes: number[];
  ids: string[];
  seqs: string[];
  grown: (Notification & { n: number })[] | null;
}

export class PostgresNotifications implements NotificationStore {
  readonly #writes: Database;
  readonly #load: Batcher<UserId, { lastSeq: number; unreadCount: number } | null>;
  readonly #news: KeyedBatches<NotificationRow, Notification | null>;

  /** `writes`: connections of their own, for a batch may wait for a user's lock. */
  constructor(database: Database, writes: Database, limits: KeyedBatchLimits) {
    this.#writes = writes;
    this.#load = new Batcher((ids) => loadCounters(database, ids), {
      batchMax: 256,
      inFlightMax: 1,
    });
    this.#news = new KeyedBatches((news) => writeNews(writes, news), {
      name: "notifications",
      ...limits,
      keyOf: ({ userId, growsId }) => (growsId === null ? null : `${userId} ${growsId}`),
    });
  }

  load(userId: UserId): Promise<{ lastSeq: number; unreadCount: number } | null> {
    return this.#load.ask(userId);
  }

  add(notification: NewNotification): Promise<Result<Notification | null>> {
    return this.#news.write({ ...notification, growsId: null, by: 1 });
  }

  async grow(
    userId: UserId,
    id: string,
    by: number,
    actorId: UserId | null,
    message: string,
  ): Promise<Result<Notification>> {
    const kept = { type: "", postId: null, commentId: null, data: null };
    const grown = await this.#news.write({ ...kept, userId, actorId, message, growsId: id, by });
    if (!grown.ok) return grown;
    return grown.value === null ? SOCIAL_REFUSALS.notificationNotFound : ok(grown.value);
  }

  async markRead(
    userId: UserId,
    upToSeq: number,
  ): Promise<{ unreadCount: number; changed: boolean }> {
    const rows = await this.#writes.read<{ unread: string; changed: boolean }>(MARK_READ, [
      userId,
      upToSeq,
    ]);
    return { unreadCount: Number(rows[0]!.unread), changed: rows[0]!.changed };
  }

  /** Writes what waits; later ones are refused. */
  close(): Promise<void> {
    return this.#news.close();
  }
}

async function loadCounters(
  database: Database,
  ids: UserId[],
): Promise<({ lastSeq: number; unreadCount: number } | null)[]> {
  const rows = await database.read<{ id: string; last_seq: string; unread: string }>(LOAD, [ids]);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => {
    const row = byId.get(id);
    return row ? { lastSeq: Number(row.last_seq), unreadCount: Number(row.unread) } : null;
  });
}

async function writeNews(
  writes: Database,
  news: NotificationRow[],
): Promise<Result<Notification | null>[]> {
  const users = [...new Set(news.map(({ userId }) => userId))];
  const [row] = await writes.write<NotifyBatchRow>(NOTIFY_BATCH, [
    users,
    JSON.stringify(news.map(parameterOf)),
  ]);
  const grown = new Map(row!.grown?.map((each) => [each.n, each]));
  return news.map((asked, i) => {
    const outcome = row!.outcomes[i];
    if (outcome === NOT_MADE) return ok(null);
    if (outcome === NOT_FOUND) {
      return asked.growsId === null ? REFUSALS.userNotFound : SOCIAL_REFUSALS.notificationNotFound;
    }
    const raised = grown.get(i);
    return ok(raised ? notificationOfJson(raised) : addedNotification(asked, row!, i));
  });
}

/** As notify_batch takes it. Data as text in text, so that PostgreSQL does not unescape it. */
function parameterOf(news: NotificationRow): Record<string, string | number | null> {
  return {
    u: news.userId,
    g: news.growsId,
    y: news.type,
    m: news.message,
    a: news.actorId,
    p: news.postId,
    c: news.commentId,
    d: news.data === null || news.data === undefined ? null : JSON.stringify(news.data),
    k: news.by,
    ...(news.conversationId !== undefined && { v: news.conversationId }),
  };
}

function addedNotification(asked: NotificationRow, row: NotifyBatchRow, i: number): Notification {
  return {
    id: row.ids[i]!,
    seq: Number(row.seqs[i]),
    type: asked.type,
    message: asked.message,
    actor_id: asked.actorId,
    post_id: asked.postId,
    comment_id: asked.commentId,
    count: 1,
    data: asked.data ?? null,
    created_at: row.at,
    read_at: null,
  };
}

/** ScheduledStore on PostgreSQL; each call is one statement. */
import type {
  ClaimedMessages,
  ScheduledChange,
  ScheduledPage,
  ScheduledStore,
  ScheduledWish,
  ScheduleOutcome,
} from "../../ports/scheduled.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { MessageContent } from "../../protocol/message-content.ts";
import { SCHEDULED_MAX, type Scheduled } from "../../protocol/scheduled-routes.ts";
import { decodePlace, encodePlace } from "./cursor.ts";
import type { Database } from "./pool.ts";
import { SCHEDULED_OUTCOMES } from "./refusals.ts";

const SCHEDULE = { text: "SELECT * FROM schedule_message($1, $2, $3, $4, $5, $6, $7::json, $8)" };
/** It is not being sent at this moment. */
const WAITS = "(s.claimed_until IS NULL OR s.claimed_until < clock_timestamp())";
const LIST = {
  name: "scheduled_messages",
  text: `SELECT scheduled_text(s) AS item FROM scheduled_messages s
    WHERE s.user_id = $1 AND ($2::bigint IS NULL OR s.conversation_id = $2) AND ${WAITS}
      AND ($3::timestamptz IS NULL OR (s.send_at, s.id) > ($3, $4::bigint))
    ORDER BY s.send_at, s.id LIMIT $5`,
};
const ITEM = {
  name: "scheduled_message",
  text: `SELECT scheduled_text(s) AS item FROM scheduled_messages s
    WHERE s.user_id = $1 AND s.id = $2 AND ${WAITS}`,
};
const CHANGE = {
  text: `UPDATE scheduled_messages s
    SET send_at = coalesce($3, s.send_at), due_at = coalesce($3, s.due_at),
      body = coalesce($4, s.body),
      content = CASE WHEN $5::json IS NULL THEN s.content
        ELSE coalesce(merge_keys(s.content, $5::json), '{}') END
    WHERE s.user_id = $1 AND s.id = $2 AND ${WAITS}
    RETURNING scheduled_text(s) AS item`,
};
const REMOVE = {
  text: `DELETE FROM scheduled_messages s WHERE s.user_id = $1 AND s.id = $2 AND ${WAITS}
    RETURNING s.id`,
};
// One worker claims at a time: two could each take one of two that must come in order. The moment
// until which a claim holds is its name: it is one for all rows, and a later claim's is a later one.
const CLAIM = {
  name: "claim_scheduled",
  text: `UPDATE scheduled_messages s
    SET claimed_until = (SELECT clock_timestamp()) + $2 * interval '1 millisecond'
    FROM (
      SELECT x.id FROM scheduled_messages x
      WHERE x.due_at <= statement_timestamp()
        AND (x.claimed_until IS NULL OR x.claimed_until < clock_timestamp())
        AND NOT EXISTS (
          SELECT 1 FROM scheduled_messages e
          WHERE e.conversation_id = x.conversation_id AND (e.send_at, e.id) < (x.send_at, x.id)
            AND (e.claimed_until >= clock_timestamp()
              OR e.user_id = x.user_id AND e.due_at > clock_timestamp()))
        AND pg_try_advisory_xact_lock(hashtextextended('claim scheduled', 0))
      ORDER BY x.send_at, x.id LIMIT $1 FOR UPDATE SKIP LOCKED
    ) d
    WHERE s.id = d.id
    RETURNING s.id, s.user_id, s.conversation_id, s.client_id, s.body, s.reply_to_seq, s.content,
      s.send_at, s.claimed_until::text AS claim`,
};
const RENEW = {
  name: "renew_scheduled",
  text: `UPDATE scheduled_messages s
    SET claimed_until = (SELECT clock_timestamp()) + $3 * interval '1 millisecond'
    WHERE s.id = ANY ($1::bigint[]) AND s.claimed_until = $2::timestamptz
    RETURNING s.id, s.claimed_until::text AS claim`,
};
const DONE = { text: "DELETE FROM scheduled_messages s WHERE s.id = $1" };
const LATER = {
  text: `UPDATE scheduled_messages s SET claimed_until = NULL,
      due_at = clock_timestamp() + $3 * interval '1 millisecond'
    WHERE s.id = $1 AND s.claimed_until = $2::timestamptz`,
};

interface DueRow {
  id: string;
  user_id: UserId;
  conversation_id: ConversationId;
  client_id: string;
  body: string;
  reply_to_seq: string | null;
  content: MessageContent;
  send_at: string;
  claim: string;
}

export class PostgresScheduled implements ScheduledStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async schedule(
    user: UserId,
    id: ConversationId,
    { clientId, sendAt, body, replyToSeq, content }: ScheduledWish,
  ): Promise<Result<ScheduleOutcome>> {
    const values = [user, id, clientId, sendAt, body, replyToSeq, JSON.stringify(content)];
    const [row] = await this.#database.write<{
      outcome: string;
      changed: boolean;
      item: string | null;
    }>(SCHEDULE, [...values, SCHEDULED_MAX]);
    if (row?.outcome !== "ok" || row.item === null) {
      return SCHEDULED_OUTCOMES[row?.outcome ?? ""] ?? REFUSALS.internal;
    }
    return ok({ created: row.changed, item: JSON.parse(row.item) } as ScheduleOutcome);
  }

  async scheduled(
    user: UserId,
    id: ConversationId | null,
    limit: number,
    cursor: string | null,
  ): Promise<ScheduledPage> {
    const place = cursor === null ? null : decodePlace(cursor);
    if (place === undefined) return { is: "bad_cursor" };
    const after = place === null ? [null, null] : [new Date(place.atMs).toISOString(), place.id];
    const values = [user, id, ...after, limit + 1];
    const rows = await this.#database.read<{ item: string }>(LIST, values);
    return scheduledPage(
      rows.map(({ item }) => JSON.parse(item) as Scheduled),
      limit,
    );
  }

  async scheduledItem(user: UserId, itemId: string): Promise<Scheduled | null> {
    const [row] = await this.#database.read<{ item: string }>(ITEM, [user, itemId]);
    return row === undefined ? null : (JSON.parse(row.item) as Scheduled);
  }

  async reschedule(
    user: UserId,
    itemId: string,
    { sendAt, body, data, attachments }: ScheduledChange,
  ): Promise<Result<Scheduled>> {
    const named = {
      ...(data !== undefined && { data }),
      ...(attachments && { attachments: attachments.length > 0 ? attachments : null }),
    };
    const patch = Object.keys(named).length === 0 ? null : JSON.stringify(named);
    const values = [user, itemId, sendAt ?? null, body ?? null, patch];
    const [row] = await this.#database.write<{ item: string }>(CHANGE, values);
    if (row === undefined) return SCHEDULED_OUTCOMES["no_item"]!;
    return ok(JSON.parse(row.item) as Scheduled);
  }

  async unschedule(user: UserId, itemId: string): Promise<boolean> {
    return (await this.#database.write(REMOVE, [user, itemId])).length > 0;
  }

  async claimScheduled(limit: number, leaseMs: number): Promise<ClaimedMessages> {
    const rows = await this.#database.write<DueRow>(CLAIM, [limit, leaseMs]);
    const due = rows
      .sort((a, b) => (a.send_at < b.send_at ? -1 : a.send_at > b.send_at ? 1 : byId(a, b)))
      .map((row) => ({
        id: row.id,
        userId: row.user_id,
        conversationId: row.conversation_id,
        clientId: row.client_id,
        body: row.body,
        replyToSeq: row.reply_to_seq === null ? null : Number(row.reply_to_seq),
        content: row.content,
      }));
    return { claim: rows[0]?.claim ?? "", due };
  }

  async renewScheduled(itemIds: readonly string[], claim: string, leaseMs: number) {
    const values = [itemIds, claim, leaseMs];
    const rows = await this.#database.write<{ id: string; claim: string }>(RENEW, values);
    const [first] = rows;
    return first === undefined ? null : { claim: first.claim, ids: rows.map(({ id }) => id) };
  }

  async scheduledDone(itemId: string): Promise<void> {
    await this.#database.write(DONE, [itemId]);
  }

  async scheduledLater(itemId: string, claim: string, delayMs: number): Promise<void> {
    await this.#database.write(LATER, [itemId, claim, Math.ceil(delayMs)]);
  }
}

const byId = (a: { id: string }, b: { id: string }) => Number(BigInt(a.id) - BigInt(b.id));

/** A page of what was found with one beyond the limit. Shared by both adapters. */
export function scheduledPage(found: readonly Scheduled[], limit: number): ScheduledPage {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  const isMore = found.length > limit && last !== undefined;
  const next = isMore ? encodePlace({ atMs: Date.parse(last.send_at), id: last.id }) : null;
  return { is: "page", items, next_cursor: next };
}

/** Messages of a conversation that are pinned, and messages of all whose time has come. */
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Message } from "../../protocol/schemas.ts";
import type { Database } from "./pool.ts";
import { messagesOf, readable, SHOWN_FROM } from "./rows.ts";

// No row where the reader is no member.
const PINS = {
  name: "pins_of_conversation",
  text: `SELECT x.items FROM ${readable("$1")}
    CROSS JOIN LATERAL (
      SELECT string_agg(message_text(y), ',' ORDER BY p.pinned_at DESC, p.seq DESC) AS items
      FROM conversation_pins p
      JOIN messages y ON y.conversation_id = p.conversation_id AND y.seq = p.seq
      WHERE p.conversation_id = c.id AND p.seq >= ${SHOWN_FROM}
    ) x
    WHERE c.id = $2`,
};
const CLAIM_EXPIRED = {
  name: "claim_expired",
  text: `UPDATE message_expiries e
    SET claimed_until = clock_timestamp() + $2 * interval '1 millisecond'
    FROM (
      SELECT x.conversation_id, x.seq FROM message_expiries x
      WHERE x.expires_at <= statement_timestamp()
        AND (x.claimed_until IS NULL OR x.claimed_until < clock_timestamp())
      ORDER BY x.expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
    ) d
    WHERE e.conversation_id = d.conversation_id AND e.seq = d.seq
    RETURNING e.conversation_id AS id, e.seq`,
};

/** The newest pin first; null where `reader` is no member. */
export async function readPins(
  database: Database,
  reader: UserId,
  id: ConversationId,
): Promise<Message[] | null> {
  const [row] = await database.read<{ items: string | null }>(PINS, [reader, id]);
  return row === undefined ? null : messagesOf(row.items);
}

/** See Queries.claimExpired. */
export async function claimExpired(database: Database, limit: number, leaseMs: number) {
  const values = [limit, leaseMs];
  const rows = await database.write<{ id: ConversationId; seq: string }>(CLAIM_EXPIRED, values);
  return rows.map(({ id, seq }) => ({ id, seq: Number(seq) }));
}

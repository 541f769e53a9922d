/**
 * StreamStore on PostgreSQL: writes are calls of the thread's one writer, in their place among the
 * sends, so that revs come back in order.
 */

import type { StreamStore, StreamWrite, StreamWritten } from "../../../actors/stream-ports.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Message } from "../../protocol/schemas.ts";
import type { Writer } from "../batching/writer.ts";
import type { Database } from "./pool.ts";
import { messageOf } from "./rows.ts";

const WRITE = { name: "write_stream", text: "SELECT * FROM write_stream($1, $2, $3::json)" };
const OPEN = {
  name: "open_streams_of_conversation",
  text: `SELECT message_text(m) AS message FROM open_streams o
    JOIN messages m ON m.conversation_id = o.conversation_id AND m.seq = o.seq
    WHERE o.conversation_id = $1 ORDER BY o.seq`,
};
const FIND = {
  name: "message_by_seq",
  text: `SELECT message_text(m) AS message FROM messages m
    WHERE m.conversation_id = $1 AND m.seq = $2`,
};
// Few streams are open in a whole database: they lead to the threads, not the threads to them.
const OPEN_THREADS = {
  name: "threads_with_open_streams",
  text: `SELECT DISTINCT c.id FROM open_streams o JOIN conversations c ON c.id = o.conversation_id
    WHERE c.parent_id = $1`,
};
// Open streams of deleted conversations would be found again and again for ever.
const CLAIM = {
  name: "claim_streams",
  text: `WITH due AS (
      SELECT o.conversation_id, o.seq FROM open_streams o
      WHERE o.due_at <= statement_timestamp()
      ORDER BY o.due_at LIMIT $1 FOR UPDATE SKIP LOCKED
    ), orphans AS (
      DELETE FROM open_streams o USING due d, conversations c
      WHERE o.conversation_id = d.conversation_id AND o.seq = d.seq
        AND c.id = d.conversation_id AND c.deleted_at IS NOT NULL
    ), claimed AS (
      UPDATE open_streams o SET due_at = clock_timestamp() + $2 * interval '1 millisecond'
      FROM due d JOIN conversations c ON c.id = d.conversation_id
      WHERE o.conversation_id = d.conversation_id AND o.seq = d.seq AND c.deleted_at IS NULL
      RETURNING o.conversation_id
    )
    SELECT DISTINCT d.conversation_id AS id FROM claimed d`,
};
const STREAMING = {
  name: "streaming_conversations",
  text: `SELECT DISTINCT o.conversation_id AS id FROM open_streams o
    WHERE o.conversation_id = ANY ($1::bigint[])`,
};

export class PostgresStreams implements StreamStore {
  readonly #database: Database;
  readonly #writer: Writer;

  constructor(database: Database, writer: Writer) {
    this.#database = database;
    this.#writer = writer;
  }

  async write(id: ConversationId, seq: number, write: StreamWrite): Promise<StreamWritten> {
    const { from, text, end } = write;
    const { data, ...ending } = end ?? {};
    const change = {
      from,
      body: text,
      ...ending,
      ...(data !== undefined && { data: JSON.stringify(data) }),
    };
    const [row] = await this.#writer.call<{
      outcome: string;
      message: string | null;
      news: UserId[] | null;
    }>(WRITE, [id, seq, JSON.stringify(change)]);
    const message = row?.message == null ? null : messageOf(row.message);
    if (row?.outcome === "moved") return { is: "moved" };
    if (row?.outcome !== "ok" || message === null) return { is: "ended", message };
    const revised = { message, changed: true, newlyMentioned: row.news ?? [] };
    return { is: "written", revised };
  }

  async open(id: ConversationId): Promise<Message[]> {
    const rows = await this.#database.read<{ message: string }>(OPEN, [id]);
    return rows.map(({ message }) => messageOf(message));
  }

  async find(id: ConversationId, seq: number): Promise<Message | null> {
    const [row] = await this.#database.read<{ message: string }>(FIND, [id, seq]);
    return row === undefined ? null : messageOf(row.message);
  }

  async openThreads(parent: ConversationId): Promise<ConversationId[]> {
    const rows = await this.#database.read<{ id: ConversationId }>(OPEN_THREADS, [parent]);
    return rows.map(({ id }) => id);
  }
}

/** See StreamQueries. */
export async function claimStreams(database: Database, limit: number, leaseMs: number) {
  const rows = await database.write<{ id: ConversationId }>(CLAIM, [limit, leaseMs]);
  return rows.map(({ id }) => id);
}

/** Those of these conversations that have open streams. */
export async function readStreaming(database: Database, ids: readonly string[]) {
  const rows = await database.read<{ id: ConversationId }>(STREAMING, [ids]);
  return new Set<string>(rows.map(({ id }) => id));
}

/**
 * ConversationStore on PostgreSQL, for the conversation actors of one thread. Writes go through
 * the thread's one writer; reads are gathered over a turn, for activations come in storms.
 */
import type {
  Appended,
  ConversationChange,
  ConversationStore,
  CursorMark,
  Marked,
  NewMessage,
} from "../../../actors/ports.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Conversation, Message } from "../../protocol/schemas.ts";
import { Batcher } from "../batching/shared-reads.ts";
import type { Writer } from "../batching/writer.ts";
import { faultOf } from "./fault.ts";
import type { Database, Statement } from "./pool.ts";
import { CONVERSATION_OUTCOMES, MEMBERS_MAX, MESSAGE_OUTCOMES, type Refusal } from "./refusals.ts";
import { CONVERSATION_COLUMNS, type ConversationRow, conversationOf, messageOf } from "./rows.ts";

export const LOAD = {
  name: "load_conversations",
  text: `SELECT ${CONVERSATION_COLUMNS} FROM conversation_rows v WHERE v.id = ANY ($1::bigint[])`,
};
const NEWEST = {
  name: "newest_messages",
  text: `SELECT a.n::int, m.message
    FROM unnest($1::bigint[], $2::int[]) WITH ORDINALITY AS a (id, most, n)
    CROSS JOIN LATERAL (
      SELECT x.seq, message_text(x) AS message FROM messages x
      WHERE x.conversation_id = a.id ORDER BY x.seq DESC LIMIT a.most
    ) m ORDER BY a.n, m.seq`,
};
const CHANGED_AFTER = {
  name: "messages_changed_after",
  text: `SELECT a.n::int, m.message
    FROM unnest($1::bigint[], $2::bigint[], $3::int[]) WITH ORDINALITY AS a (id, rev, most, n)
    CROSS JOIN LATERAL (
      SELECT x.rev, message_text(x) AS message FROM messages x
      WHERE x.conversation_id = a.id AND x.rev > a.rev
      ORDER BY x.rev LIMIT a.most
    ) m ORDER BY a.n, m.rev`,
};
const APART = {
  name: "apart_conversations",
  text: `SELECT c.id FROM conversations c
    JOIN conversation_members m ON m.conversation_id = c.id AND m.user_id = c.direct_lo
    WHERE c.id = ANY ($1::bigint[]) AND m.apart`,
};
const REVISE_MESSAGE = {
  name: "revise_message",
  text: "SELECT * FROM revise_message($1, $2, $3, $4)",
};
const CREATE = { text: "SELECT * FROM create_conversation($1, $2, $3::bigint[], $4)" };
const RETITLE = { text: "SELECT * FROM retitle_conversation($1, $2, $3)" };
const ADD_MEMBERS = { text: "SELECT * FROM add_members($1, $2, $3::bigint[], $4)" };
const REMOVE_MEMBER = { text: "SELECT * FROM remove_member($1, $2, $3)" };

const GATHERED = { batchMax: 100, inFlightMax: 2 };

interface MessageRow {
  /** As message_text writes it. */
  message: string;
}
interface AnswerRow extends MessageRow {
  /** Which question the message answers, from 1. */
  n: number;
}
type Outcome<Row> = { outcome: string; changed: boolean } & Row;

export class PostgresConversations implements ConversationStore {
  readonly #writer: Writer;
  readonly #load: Batcher<ConversationId, Conversation | null>;
  readonly #apart: Batcher<ConversationId, boolean>;
  readonly #newest: Batcher<{ id: ConversationId; limit: number }, Message[]>;
  readonly #changed: Batcher<{ id: ConversationId; rev: number; limit: number }, Message[]>;

  constructor(database: Database, writer: Writer) {
    this.#writer = writer;
    this.#load = new Batcher(async (ids) => {
      const rows = await database.read<ConversationRow>(LOAD, [ids]);
      const byId = new Map(rows.map((row) => [row.id, row]));
      return ids.map((id) => {
        const row = byId.get(id);
        return row ? conversationOf(row) : null;
      });
    }, GATHERED);
    this.#apart = new Batcher(async (ids) => {
      const rows = await database.read<{ id: ConversationId }>(APART, [ids]);
      const apart = new Set(rows.map((row) => row.id));
      return ids.map((id) => apart.has(id));
    }, GATHERED);
    this.#newest = new Batcher(async (asks) => {
      const values = [asks.map((ask) => ask.id), asks.map((ask) => ask.limit)];
      const rows = await database.read<AnswerRow>(NEWEST, values);
      return grouped(rows, asks.length);
    }, GATHERED);
    this.#changed = new Batcher(async (asks) => {
      const values = [
        asks.map((ask) => ask.id),
        asks.map((ask) => ask.rev),
        asks.map((ask) => ask.limit),
      ];
      const rows = await database.read<AnswerRow>(CHANGED_AFTER, values);
      return grouped(rows, asks.length);
    }, GATHERED);
  }

  load(id: ConversationId): Promise<Conversation | null> {
    return this.#load.ask(id);
  }

  apart(id: ConversationId): Promise<boolean> {
    return this.#apart.ask(id);
  }

  newest(id: ConversationId, limit: number): Promise<Message[]> {
    return this.#newest.ask({ id, limit });
  }

  changedAfter(id: ConversationId, rev: number, limit: number): Promise<Message[]> {
    return this.#changed.ask({ id, rev, limit });
  }

  append(message: NewMessage): Promise<Result<Appended>> {
    return this.#writer.append(message);
  }

  mark(mark: CursorMark): Promise<Result<Marked>> {
    return this.#writer.mark(mark);
  }

  async edit(id: ConversationId, seq: number, by: UserId, body: string): Promise<Result<Message>> {
    const changed = await this.#reviseMessage([id, seq, by, body]);
    return changed.ok ? ok(changed.value.message) : changed;
  }

  remove(
    id: ConversationId,
    seq: number,
    by: UserId,
  ): Promise<Result<{ message: Message; changed: boolean }>> {
    return this.#reviseMessage([id, seq, by, null]);
  }

  async create(
    kind: "direct" | "group",
    ownerId: UserId,
    memberIds: UserId[],
    title: string | null,
  ): Promise<Result<{ created: boolean; conversation: Conversation }>> {
    const members = [...new Set(memberIds)];
    const made = await this.#changeConversation(CREATE, [kind, ownerId, members, title]);
    if (!made.ok) return made;
    return ok({ created: made.value.changed, conversation: made.value.conversation });
  }

  retitle(id: ConversationId, by: UserId, title: string): Promise<Result<ConversationChange>> {
    return this.#changeConversation(RETITLE, [id, by, title]);
  }

  addMembers(
    id: ConversationId,
    by: UserId,
    userIds: UserId[],
  ): Promise<Result<ConversationChange>> {
    return this.#changeConversation(ADD_MEMBERS, [id, by, userIds, MEMBERS_MAX]);
  }

  removeMember(
    id: ConversationId,
    by: UserId,
    userId: UserId,
  ): Promise<Result<ConversationChange>> {
    return this.#changeConversation(REMOVE_MEMBER, [id, by, userId]);
  }

  async #reviseMessage(values: unknown[]): Promise<Result<{ message: Message; changed: boolean }>> {
    const row = await this.#call<MessageRow>(REVISE_MESSAGE, values, MESSAGE_OUTCOMES);
    return row.ok ? ok({ message: messageOf(row.value.message), changed: row.value.changed }) : row;
  }

  async #changeConversation(
    statement: Statement,
    values: unknown[],
  ): Promise<Result<ConversationChange>> {
    const row = await this.#call<ConversationRow>(statement, values, CONVERSATION_OUTCOMES);
    if (!row.ok) return row;
    return ok({ conversation: conversationOf(row.value), changed: row.value.changed });
  }

  async #call<Row>(
    statement: Statement,
    values: unknown[],
    refusals: Record<string, Refusal>,
  ): Promise<Result<Outcome<Row>>> {
    let row: Outcome<Row> | undefined;
    try {
      [row] = await this.#writer.call<Outcome<Row>>(statement, values);
    } catch (error) {
      const fault = faultOf(error, "conversations");
      if (fault) throw fault;
      // PostgreSQL refuses the values themselves (say, text that is no valid Unicode).
      return REFUSALS.internal;
    }
    if (row?.outcome === "ok") return ok(row);
    return refusals[row?.outcome ?? ""] ?? REFUSALS.internal;
  }
}

/** Messages by the position of the question they answer. */
function grouped(rows: AnswerRow[], questions: number): Message[][] {
  const answers: Message[][] = Array.from({ length: questions }, () => []);
  for (const row of rows) answers[row.n - 1]!.push(messageOf(row.message));
  return answers;
}

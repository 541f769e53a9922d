/**
 * ConversationStore on PostgreSQL, for the conversation actors of one thread. Writes go through the
 * thread's one writer. Reads of one turn share a statement, because activations come in storms.
 */
import type {
  Appended,
  ConversationCall,
  ConversationChange,
  ConversationStore,
  CursorMark,
  Erased,
  Marked,
  MessageChange,
  NewConversation,
  NewMessage,
  Reserves,
  Revised,
  ServiceMessage,
} from "../../../actors/ports.ts";
import type { InviteWish } from "../../protocol/actor-ops.ts";
import { normalPatch } from "../../protocol/conversation-settings.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Conversation, Invite, MadeKind, Message } from "../../protocol/schemas.ts";
import { Batcher } from "../batching/shared-reads.ts";
import type { Writer } from "../batching/writer.ts";
import { ERASE_MESSAGES } from "./erasures.ts";
import { faultOf } from "./fault.ts";
import { type InviteRow, inviteOf } from "./membership.ts";
import type { Database, Statement } from "./pool.ts";
import {
  CONVERSATION_OUTCOMES,
  INVITES_MAX,
  MEMBERS_MAX,
  MESSAGE_OUTCOMES,
  nothingDone,
  type Refusal,
  refusalOf,
  STORAGE_REFUSALS,
} from "./refusals.ts";
import {
  CONVERSATION_COLUMNS,
  type ConversationRow,
  conversationOf,
  messageOf,
  messagesOf,
  PARENT_COLUMNS,
} from "./rows.ts";

const CLEARED_BEFORE = {
  name: "cleared_before",
  text: `SELECT k.conversation_id AS id, k.user_id, k.cleared_before_seq AS seq
    FROM conversation_members k
    WHERE k.conversation_id = ANY ($1::bigint[]) AND k.cleared_before_seq IS NOT NULL`,
};
export const LOAD = {
  name: "load_conversations",
  text: `SELECT ${CONVERSATION_COLUMNS}, ${PARENT_COLUMNS} FROM conversation_rows v
    JOIN conversations c ON c.id = v.id
    WHERE v.id = ANY ($1::bigint[]) AND c.deleted_at IS NULL`,
};
const NEWEST = {
  name: "newest_messages",
  text: `SELECT a.n::int, m.message
    FROM unnest($1::bigint[], $2::int[]) WITH ORDINALITY AS a (id, most, n)
    CROSS JOIN LATERAL (
      SELECT x.seq, message_text(x) AS message FROM messages x
      WHERE x.conversation_id = a.id
        AND x.seq >= (SELECT kept_of(c) FROM conversations c WHERE c.id = a.id)
      ORDER BY x.seq DESC LIMIT a.most
    ) m ORDER BY a.n, m.seq`,
};
const CHANGED_AFTER = {
  name: "messages_changed_after",
  text: `SELECT a.n::int, m.message
    FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::bigint[])
      WITH ORDINALITY AS a (id, rev, most, from_seq, n)
    CROSS JOIN LATERAL (
      SELECT x.rev, message_text(x) AS message FROM messages x
      WHERE x.conversation_id = a.id AND x.rev > a.rev AND x.seq >= greatest(a.from_seq,
        (SELECT kept_of(c) FROM conversations c WHERE c.id = a.id))
      ORDER BY x.rev FETCH FIRST a.most ROWS WITH TIES
    ) m ORDER BY a.n, m.rev`,
};
// Masked members are found by an index that has only their rows.
const RESERVES = {
  name: "reserves_of_conversations",
  text: `SELECT c.id, NULL::bigint AS masked, false AS streams FROM conversations c
    JOIN conversation_members m ON m.conversation_id = c.id AND m.user_id = c.direct_lo
    WHERE c.id = ANY ($1::bigint[]) AND m.apart
    UNION ALL
    SELECT m.conversation_id, m.user_id, false
    FROM conversations c JOIN conversation_members m ON m.conversation_id = c.id
    WHERE c.id = ANY ($1::bigint[]) AND c.kind <> 'channel' AND m.read_mask IS NOT NULL
    UNION ALL
    SELECT o.conversation_id, NULL, true FROM open_streams o
    WHERE o.conversation_id = ANY ($1::bigint[])`,
};
// The newest messages are walked backwards, for no index leads to a sender's newest one.
const LAST_SENDS = {
  name: "last_sends",
  text: `SELECT m.sender_id,
      floor(extract(epoch FROM clock_timestamp() - max(m.created_at)) * 1000)::int AS age_ms
    FROM (
      SELECT c.id, c.last_seq FROM conversations c WHERE c.id = $1
      UNION ALL
      SELECT c.id, c.last_seq FROM conversations c WHERE c.parent_id = $1
        AND c.last_activity_at > clock_timestamp() - $2 * interval '1 millisecond'
    ) c
    JOIN messages m ON m.conversation_id = c.id AND m.seq > c.last_seq - 5000
    WHERE m.client_id IS NOT NULL AND m.sender_id IS NOT NULL
      AND m.created_at > clock_timestamp() - $2 * interval '1 millisecond'
    GROUP BY m.sender_id`,
};
const SENT = {
  name: "sent_message",
  text: `SELECT message_text(m) AS message FROM messages m
    WHERE m.conversation_id = $1 AND m.sender_id = $2 AND m.client_id = $3`,
};
const REVISE_MESSAGE = {
  name: "revise_message",
  text: "SELECT * FROM revise_message($1, $2, $3, $4::json)",
};
const SEND_FOR_SERVICE = {
  name: "send_for_service",
  text: "SELECT * FROM send_for_service($1, $2, $3::json)",
};
/** The server acts in the name of the sender; permissions are not checked. */
const EXPIRY = JSON.stringify({ does: "delete", expired: true });
const FILES = JSON.stringify({ does: "files", expired: true });
const OPENED = {
  name: "opened_conversation",
  text: `UPDATE conversation_members m SET own_activity_at = clock_timestamp()
    WHERE m.conversation_id = $1 AND m.user_id = $2`,
};
const CREATE = { text: "SELECT * FROM create_conversation($1, $2, $3::bigint[], $4, $5, $6, $7)" };
const CHANGE = { text: "SELECT * FROM change_conversation($1, $2, $3)" };

const CREATE_INVITE = { text: "SELECT * FROM create_invite($1, $2, $3, $4, $5, $6, $7)" };
const END_INVITE = {
  text: `DELETE FROM conversation_invites i USING conversation_members k, conversations c
    WHERE i.id = $3 AND i.conversation_id = $1 AND k.conversation_id = $1 AND k.user_id = $2
      AND c.id = $1 AND c.deleted_at IS NULL AND (i.inviter_id = $2
        OR role_rank(role_in(c.owner_id, k.user_id, k.extra)) >= role_rank('moderator'))
    RETURNING i.id`,
};

const NO_RESERVES: Reserves = { isApart: false, maskedIds: [] };
const GATHERED = { batchMax: 100, inFlightMax: 2 };

interface ReserveRow {
  id: ConversationId;
  /** Null: the row is about a block, or with `streams` about open streams. */
  masked: UserId | null;
  streams: boolean;
}
interface MessageRow {
  /** As message_text writes it. */
  message: string;
}
interface RevisedRow extends MessageRow {
  news: UserId[] | null;
}
interface AnswerRow extends MessageRow {
  /** Which question the message answers, from 1. */
  n: number;
}
type ChangeRow = Omit<ConversationRow, "id"> & {
  /** Null where there is no such conversation. */
  id: string | null;
  outcomes: string[];
  done: boolean[];
  changed: boolean;
  added_ids: UserId[];
  removed_ids: UserId[];
  changed_ids: UserId[];
  deleted: boolean;
  system_messages: string | null;
  has_threads: boolean;
  masked_ids: UserId[] | null;
  joined_ids: UserId[];
  left_ids: UserId[];
  quiet_ids: UserId[];
};
type Outcome<Row> = { outcome: string; changed: boolean } & Row;

export class PostgresConversations implements ConversationStore {
  readonly #database: Database;
  readonly #writer: Writer;
  readonly #load: Batcher<ConversationId, Conversation | null>;
  readonly #cleared: Batcher<ConversationId, Map<UserId, number>>;
  readonly #reserves: Batcher<ConversationId, Reserves>;
  readonly #newest: Batcher<{ id: ConversationId; limit: number }, Message[]>;
  readonly #changed: Batcher<
    { id: ConversationId; rev: number; limit: number; fromSeq: number },
    Message[]
  >;

  constructor(database: Database, writer: Writer) {
    this.#database = database;
    this.#writer = writer;
    this.#load = new Batcher(async (ids) => {
      const rows = await database.read<ConversationRow>(LOAD, [ids]);
      const byId = new Map(rows.map((row) => [row.id, row]));
      return ids.map((id) => {
        const row = byId.get(id);
        return row ? conversationOf(row) : null;
      });
    }, GATHERED);
    this.#reserves = new Batcher(async (ids) => {
      const rows = await database.read<ReserveRow>(RESERVES, [ids]);
      const found = new Map<string, Reserves>();
      for (const { id, masked, streams } of rows) {
        const reserves = found.get(id) ?? NO_RESERVES;
        if (streams) {
          found.set(id, { ...reserves, hasStreams: true });
          continue;
        }
        found.set(
          id,
          masked === null
            ? { ...reserves, isApart: true }
            : { ...reserves, maskedIds: [...reserves.maskedIds, masked] },
        );
      }
      return ids.map((id) => found.get(id) ?? NO_RESERVES);
    }, GATHERED);
    this.#cleared = new Batcher(async (ids) => {
      const rows = await database.read<{ id: ConversationId; user_id: UserId; seq: string }>(
        CLEARED_BEFORE,
        [ids],
      );
      const found = new Map(ids.map((id) => [id, new Map<UserId, number>()]));
      for (const { id, user_id, seq } of rows) found.get(id)?.set(user_id, Number(seq));
      return ids.map((id) => found.get(id)!);
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
        asks.map((ask) => ask.fromSeq),
      ];
      const rows = await database.read<AnswerRow>(CHANGED_AFTER, values);
      return grouped(rows, asks.length);
    }, GATHERED);
  }

  load(id: ConversationId): Promise<Conversation | null> {
    return this.#load.ask(id);
  }

  reserves(id: ConversationId): Promise<Reserves> {
    return this.#reserves.ask(id);
  }

  newest(id: ConversationId, limit: number): Promise<Message[]> {
    return this.#newest.ask({ id, limit });
  }

  changedAfter(id: ConversationId, rev: number, limit: number, fromSeq = 1): Promise<Message[]> {
    return this.#changed.ask({ id, rev, limit, fromSeq });
  }

  clearedBefore(id: ConversationId): Promise<Map<UserId, number>> {
    return this.#cleared.ask(id);
  }

  async lastSends(id: ConversationId, withinMs: number): Promise<Map<UserId, number>> {
    const rows = await this.#database.read<{ sender_id: UserId; age_ms: number }>(LAST_SENDS, [
      id,
      withinMs,
    ]);
    return new Map(rows.map(({ sender_id, age_ms }) => [sender_id, age_ms]));
  }

  async sent(id: ConversationId, senderId: UserId, clientId: string): Promise<Message | null> {
    const [row] = await this.#database.read<MessageRow>(SENT, [id, senderId, clientId]);
    return row === undefined ? null : messageOf(row.message);
  }

  append(message: NewMessage): Promise<Result<Appended>> {
    return this.#writer.append(message);
  }

  async appendForService(asked: ServiceMessage): Promise<Result<Appended>> {
    const { conversationId, subject, clientId, body, replyToSeq, content } = asked;
    const { data, silent, expireInS } = content;
    const row = JSON.stringify({
      client_id: clientId,
      body,
      reply_to_seq: replyToSeq,
      data: data === undefined ? undefined : JSON.stringify(data),
      silent,
      expire_in_s: expireInS,
    });
    const values = [conversationId, subject, row];
    const sent = await this.#call<MessageRow>(SEND_FOR_SERVICE, values, MESSAGE_OUTCOMES);
    if (!sent.ok) return sent;
    const { message, changed } = sent.value;
    return ok({ message: messageOf(message), duplicate: !changed });
  }

  mark(mark: CursorMark): Promise<Result<Marked>> {
    return this.#writer.mark(mark);
  }

  async opened(id: ConversationId, userId: UserId): Promise<void> {
    await this.#writer.call(OPENED, [id, userId]);
  }

  async revise(
    id: ConversationId,
    seq: number,
    by: UserId,
    change: MessageChange,
  ): Promise<Result<Revised>> {
    return this.#reviseMessage([id, seq, by, changeText(change)]);
  }

  async expire(id: ConversationId, seq: number): Promise<Revised | null> {
    const revised = await this.#reviseMessage([id, seq, null, EXPIRY]);
    return revised.ok ? revised.value : null;
  }

  async refreshFiles(id: ConversationId, seq: number): Promise<Revised | null> {
    const revised = await this.#reviseMessage([id, seq, null, FILES]);
    return revised.ok ? revised.value : null;
  }

  async eraseMessages(id: ConversationId, by: UserId, most: number): Promise<Erased> {
    const rows = await this.#database.write<{ seqs: string[]; rev: string }>(ERASE_MESSAGES, [
      id,
      by,
      most,
    ]);
    return { seqs: rows[0]!.seqs.map(Number), rev: Number(rows[0]!.rev) };
  }

  async create(
    kind: MadeKind,
    ownerId: UserId,
    memberIds: UserId[],
    title: string | null,
    more: NewConversation = {},
  ): Promise<Result<{ created: boolean; conversation: Conversation }>> {
    const members = [...new Set(memberIds)];
    const { by = ownerId, extras, externalId } = more;
    const { audience, service } = more;
    const asked = extras !== undefined || audience !== undefined || service !== undefined;
    const patch = asked
      ? JSON.stringify({ ...normalPatch({ ...extras }), audience, service })
      : null;
    const values = [kind, ownerId, members, title, by, patch, externalId ?? null];
    const made = await this.#call<ConversationRow>(CREATE, values, CONVERSATION_OUTCOMES);
    if (!made.ok) return made;
    return ok({ created: made.value.changed, conversation: conversationOf(made.value) });
  }

  async createInvite(
    id: ConversationId,
    by: UserId,
    { token_hash, role, max_uses, expires_in_s }: InviteWish,
  ): Promise<Result<Invite>> {
    const values = [id, by, token_hash, role, max_uses, expires_in_s, INVITES_MAX];
    const made = await this.#call<InviteRow>(CREATE_INVITE, values, CONVERSATION_OUTCOMES);
    return made.ok ? ok(inviteOf(made.value)) : made;
  }

  async endInvite(id: ConversationId, by: UserId, inviteId: string): Promise<Result<null>> {
    const ended = await reached(this.#writer.call<{ id: string }>(END_INVITE, [id, by, inviteId]));
    return ended.length > 0 ? ok(null) : STORAGE_REFUSALS.noInvite;
  }

  async change(
    id: ConversationId,
    calls: readonly ConversationCall[],
  ): Promise<ConversationChange> {
    const values = [id, JSON.stringify(calls.map(callRow)), MEMBERS_MAX];
    const [row] = await reached(this.#writer.call<ChangeRow>(CHANGE, values));
    if (row === undefined) {
      const outcomes = calls.map(() => REFUSALS.internal);
      return nothingDone(outcomes);
    }
    const conversation = row.id === null ? null : conversationOf({ ...row, id: row.id });
    return {
      outcomes: row.outcomes.map((outcome, n) =>
        outcome === "ok"
          ? ok({ changed: row.done[n] === true })
          : refusalOf(outcome, conversation?.meta_rev ?? 1),
      ),
      conversation,
      changed: row.changed,
      addedIds: row.added_ids,
      removedIds: row.removed_ids,
      changedIds: row.changed_ids,
      deleted: row.deleted,
      systemMessages: messagesOf(row.system_messages),
      hasThreads: row.has_threads,
      maskedIds: row.masked_ids ?? [],
      ...(row.channel_members != null && {
        quiet: {
          joinedIds: row.joined_ids,
          leftIds: row.left_ids,
          changedIds: row.quiet_ids,
          memberCount: row.channel_members,
        },
      }),
    };
  }

  async #reviseMessage(values: unknown[]): Promise<Result<Revised>> {
    const row = await this.#call<RevisedRow>(REVISE_MESSAGE, values, MESSAGE_OUTCOMES);
    if (!row.ok) return row;
    const { message, changed, news } = row.value;
    return ok({ message: messageOf(message), changed, newlyMentioned: news ?? [] });
  }

  async #call<Row>(
    statement: Statement,
    values: unknown[],
    refusals: Record<string, Refusal>,
  ): Promise<Result<Outcome<Row>>> {
    const [row] = await reached(this.#writer.call<Outcome<Row>>(statement, values));
    if (row?.outcome === "ok") return ok(row);
    return refusals[row?.outcome ?? ""] ?? REFUSALS.internal;
  }
}

/** Nothing where PostgreSQL refuses the values themselves (say, text that is no valid Unicode). */
async function reached<Row>(work: Promise<Row[]>): Promise<Row[]> {
  try {
    return await work;
  } catch (error) {
    const fault = faultOf(error, "conversations");
    if (fault) throw fault;
    return [];
  }
}

/** A change as the function revise_message reads it: `data` is JSON text there. */
function changeText(change: MessageChange): string {
  if (change.does !== "edit" || change.data == null) return JSON.stringify(change);
  return JSON.stringify({ ...change, data: JSON.stringify(change.data) });
}

/** A call as the function change_conversation reads it. */
function callRow(call: ConversationCall): object {
  const { by, does } = call;
  switch (does) {
    case "update":
      return normalPatch(call);
    case "add":
      return { by, does, user_ids: call.userIds };
    case "member": {
      const { userId, ...patch } = call;
      return { ...patch, user_id: userId };
    }
    case "accept":
      return { by, does, invite_id: call.inviteId };
    case "ban":
      return { by, does, user_id: call.userId, until: call.until, reason: call.reason };
    case "remove":
    case "unban":
      return { by, does, user_id: call.userId };
    case "join":
    case "delete":
    case "trim":
      return { by, does };
  }
}

/** Messages by the position of the question they answer. */
function grouped(rows: AnswerRow[], questions: number): Message[][] {
  const answers: Message[][] = Array.from({ length: questions }, () => []);
  for (const row of rows) answers[row.n - 1]!.push(messageOf(row.message));
  return answers;
}

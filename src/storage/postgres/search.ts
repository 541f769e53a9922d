/** MessageSearch on PostgreSQL. */
import { ATTACHMENT_TOKEN, senderToken } from "../../base/search-text.ts";
import type { FoundBlock, MessagePlace, MessageSearch, SearchFilter } from "../../ports/search.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Message } from "../../protocol/schemas.ts";
import type { Database } from "./pool.ts";
import { messageOf, readable, SHOWN_FROM } from "./rows.ts";

// The keys of the reader's rows come first, in their order and without their tokens; the tokens are
// looked at one row after another, until enough are found: 3 us a row of 64 messages.
const blocks = (name: string, keys: string) => ({
  name,
  text: `SELECT b.conversation_id AS id, b.first_seq, b.last_at, (
      SELECT json_object_agg(u.lexeme, u.positions) FROM unnest(b.tokens) u
      WHERE u.lexeme = ANY ($11::text[]) OR starts_with(u.lexeme, $12)
    ) AS hits
    FROM (
      SELECT b.conversation_id, b.first_seq, b.last_at ${keys}
        AND b.first_at <= $3::timestamptz
        AND ($4::timestamptz IS NULL OR b.first_at < $4)
        AND ($5::timestamptz IS NULL OR b.last_at > $5)
        AND ($6::timestamptz IS NULL
          OR (b.last_at, b.conversation_id, b.first_seq) < ($6, $7::bigint, $8::bigint))
      ORDER BY b.last_at DESC, b.conversation_id DESC, b.first_seq DESC OFFSET 0
    ) x
    JOIN search_blocks b ON b.conversation_id = x.conversation_id AND b.first_seq = x.first_seq
    WHERE b.tokens @@ $9::tsquery
    ORDER BY x.last_at DESC, x.conversation_id DESC, x.first_seq DESC LIMIT $10`,
});
const BLOCKS = blocks(
  "search_blocks",
  `FROM conversation_members k JOIN search_blocks b ON b.of_id = k.conversation_id
      WHERE k.user_id = $1 AND k.thread_of IS NULL AND $2::bigint IS NULL`,
);
const BLOCKS_OF_ONE = blocks(
  "search_blocks_of_one",
  `FROM search_blocks b
      JOIN conversation_members k ON k.conversation_id = b.of_id AND k.user_id = $1
      WHERE b.conversation_id = $2`,
);
// The rights of the reader are judged once a row of the index, and only the newest texts are written.
const MESSAGES = {
  name: "search_messages",
  text: `SELECT message_text(m) AS message
    FROM (
      SELECT m.conversation_id, m.seq, m.created_at, m.id
      FROM unnest($2::bigint[], $3::text[]) AS x (id, seqs)
      CROSS JOIN LATERAL (
        SELECT ${SHOWN_FROM} AS shown_from FROM ${readable("$1")}
        WHERE c.id = x.id AND c.deleted_at IS NULL
      ) r
      CROSS JOIN LATERAL unnest(x.seqs::bigint[]) AS s (seq)
      JOIN messages m ON m.conversation_id = x.id AND m.seq = s.seq
      WHERE m.seq >= r.shown_from AND m.deleted_at IS NULL
        AND (m.extra->>'expires_at' IS NULL
          OR (m.extra->>'expires_at')::timestamptz > clock_timestamp())
        AND (m.created_at, m.id) < ($4::timestamptz, $5::bigint)
        AND ($6::bigint IS NULL OR m.sender_id = $6)
        AND ($7::timestamptz IS NULL OR m.created_at < $7)
        AND ($8::timestamptz IS NULL OR m.created_at > $8)
        AND (NOT $9 OR jsonb_array_length(m.extra->'attachments') > 0)
      ORDER BY m.created_at DESC, m.id DESC LIMIT $10
    ) n
    JOIN messages m ON m.conversation_id = n.conversation_id AND m.seq = n.seq
    ORDER BY n.created_at DESC, n.id DESC`,
};
// A change that touches no message is none.
const BEHIND = {
  name: "search_behind",
  text: `SELECT coalesce(extract(epoch FROM clock_timestamp() - min(x.at)) * 1000, 0)::float8 AS ms
    FROM conversation_members k
    JOIN conversations c ON c.id = k.conversation_id
    LEFT JOIN search_progress p ON p.conversation_id = c.id
    CROSS JOIN LATERAL (
      SELECT greatest(m.created_at, m.edited_at, m.deleted_at) AS at FROM messages m
      WHERE m.conversation_id = c.id AND m.rev > coalesce(p.rev, 0)
      ORDER BY m.rev LIMIT 1
    ) x
    WHERE k.user_id = $1 AND c.deleted_at IS NULL AND c.rev > coalesce(p.rev, 0)`,
};

interface BlockRow {
  id: ConversationId;
  first_seq: string;
  last_at: string;
  hits: Readonly<Record<string, number[]>> | null;
}

const timeOf = (ms: number | null) => (ms === null ? null : new Date(ms));

export class PostgresSearch implements MessageSearch {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async blocks(
    reader: UserId,
    { exact, prefix }: { exact: readonly string[]; prefix: string | null },
    filter: SearchFilter,
    below: MessagePlace,
    after: FoundBlock | null,
    limit: number,
  ): Promise<FoundBlock[]> {
    const { conversationId, senderId, beforeMs, afterMs, hasAttachment } = filter;
    const all = [...exact];
    if (senderId !== null) all.push(senderToken(senderId));
    if (hasAttachment) all.push(ATTACHMENT_TOKEN);
    const asked = all.map((token) => `'${token}'`);
    // Where a word is in no message of a row, the words that begin with another are not gathered.
    if (prefix !== null) asked.push(`'${prefix}':*`);
    const rows = await this.#database.read<BlockRow>(
      conversationId === null ? BLOCKS : BLOCKS_OF_ONE,
      [
        reader,
        conversationId,
        timeOf(below.atMs),
        timeOf(beforeMs),
        timeOf(afterMs),
        timeOf(after?.lastAtMs ?? null),
        after?.conversationId ?? null,
        after?.firstSeq ?? null,
        // At the same position: in the same message.
        asked.join(" <0> "),
        limit,
        all,
        prefix,
      ],
    );
    return rows.map((row) => ({
      conversationId: row.id,
      firstSeq: Number(row.first_seq),
      lastAtMs: Date.parse(row.last_at),
      seqs: seqsOf(row, all, prefix),
    }));
  }

  async messages(
    reader: UserId,
    blocks: readonly FoundBlock[],
    { senderId, beforeMs, afterMs, hasAttachment }: SearchFilter,
    below: MessagePlace,
    most: number,
  ): Promise<Message[]> {
    const rows = await this.#database.read<{ message: string }>(MESSAGES, [
      reader,
      blocks.map(({ conversationId }) => conversationId),
      blocks.map(({ seqs }) => `{${seqs.join(",")}}`),
      timeOf(below.atMs),
      below.id,
      senderId,
      timeOf(beforeMs),
      timeOf(afterMs),
      hasAttachment,
      most,
    ]);
    return rows.map(({ message }) => messageOf(message));
  }

  async behindMs(reader: UserId): Promise<number> {
    const [row] = await this.#database.read<{ ms: number }>(BEHIND, [reader]);
    return Math.max(0, Math.round(row?.ms ?? 0));
  }
}

/** The messages of a row that have each token and one that begins with the prefix. */
function seqsOf({ first_seq, hits }: BlockRow, all: readonly string[], prefix: string | null) {
  if (hits === null) return [];
  const first = Number(first_seq);
  const sets = all.map((token) => new Set(hits[token] ?? []));
  if (prefix !== null) {
    const going = Object.keys(hits).filter((token) => token.startsWith(prefix));
    sets.push(new Set(going.flatMap((token) => hits[token] ?? [])));
  }
  const [smallest = new Set<number>(), ...others] = sets.sort((a, b) => a.size - b.size);
  return [...smallest]
    .filter((place) => others.every((set) => set.has(place)))
    .sort((a, b) => a - b)
    .map((place) => first + place - 1);
}

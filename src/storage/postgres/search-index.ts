/** SearchIndex on PostgreSQL; what is written goes through sql/functions/feed_search.sql. */
import type {
  Due,
  DueConversation,
  Feed,
  IndexedMessage,
  LiveBlock,
  SearchIndex,
  Tail,
} from "../../ports/search.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Database } from "./pool.ts";

const DUE = { name: "search_due", text: "SELECT * FROM search_due($1::text::xid8, $2)" };
// A message of the server's own has no text, and one that was deleted has none any more.
const INDEXED = `m.conversation_id AS id, m.seq, m.rev, m.sender_id, m.created_at,
  CASE WHEN m.deleted_at IS NULL THEN m.body END AS body,
  coalesce(jsonb_array_length(m.extra->'attachments') > 0, false) AS has_attachment`;
const CHANGES = {
  name: "search_changes",
  text: `SELECT m.* FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS x (id, fed, n)
    CROSS JOIN LATERAL (
      SELECT ${INDEXED} FROM messages m
      WHERE m.conversation_id = x.id AND m.rev > x.fed
      ORDER BY m.rev FETCH FIRST ($3) ROWS WITH TIES
    ) m
    ORDER BY x.n, m.rev`,
};
const TAILS = {
  name: "search_tails",
  text: `SELECT b.* FROM unnest($1::bigint[]) AS x (id)
    CROSS JOIN LATERAL (
      SELECT b.conversation_id AS id, b.first_seq, b.last_seq, b.bytes FROM search_blocks b
      WHERE b.conversation_id = x.id ORDER BY b.first_seq DESC LIMIT 1
    ) b`,
};
const BLOCKS_WITH = {
  name: "search_blocks_with",
  text: `SELECT b.*, (
      SELECT json_agg(json_build_object('id', m.id::text, 'seq', m.seq, 'rev', m.rev,
        'sender_id', m.sender_id::text, 'created_at', iso_time(m.created_at), 'body', m.body,
        'has_attachment', m.has_attachment) ORDER BY m.seq)
      FROM (
        SELECT ${INDEXED} FROM messages m
        WHERE m.conversation_id = b.id AND m.seq BETWEEN b.first_seq AND b.last_seq
      ) m
    ) AS messages
    FROM (
      SELECT DISTINCT b.id, b.first_seq, b.last_seq, b.bytes
      FROM unnest($1::bigint[], $2::bigint[]) AS x (id, seq)
      CROSS JOIN LATERAL (
        SELECT b.conversation_id AS id, b.first_seq, b.last_seq, b.bytes FROM search_blocks b
        WHERE b.conversation_id = x.id AND b.first_seq <= x.seq ORDER BY b.first_seq DESC LIMIT 1
      ) b
    ) b
    ORDER BY b.id, b.first_seq`,
};
const FEED = { name: "feed_search", text: "SELECT feed_search($1) AS is_fed" };
const EMPTY = { text: "SELECT empty_search() AS count" };

interface MessageRow {
  id: ConversationId;
  seq: string | number;
  rev: string | number;
  sender_id: UserId | null;
  created_at: string;
  body: string | null;
  has_attachment: boolean;
}

interface TailRow {
  id: ConversationId;
  first_seq: string;
  last_seq: string;
  bytes: number;
}

export class PostgresSearchIndex implements SearchIndex {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async due(since: string | null, most: number): Promise<Due> {
    const [row] = await this.#database.read<{
      epoch: string;
      xmin: string;
      due: DueConversation[] | null;
    }>(DUE, [since, most]);
    if (row === undefined) throw new Error("search_due gave no row");
    return { epoch: row.epoch, next: row.xmin, conversations: row.due ?? [] };
  }

  async changes(of: readonly DueConversation[], most: number): Promise<IndexedMessage[]> {
    const rows = await this.#database.read<MessageRow>(CHANGES, [
      of.map(({ id }) => id),
      of.map(({ fed }) => fed),
      most,
    ]);
    return rows.map(indexedOf);
  }

  async tails(ids: readonly ConversationId[]): Promise<Tail[]> {
    return (await this.#database.read<TailRow>(TAILS, [ids])).map(tailOf);
  }

  async blocksWith(
    places: readonly { conversationId: ConversationId; seq: number }[],
  ): Promise<LiveBlock[]> {
    const rows = await this.#database.read<TailRow & { messages: MessageRow[] | null }>(
      BLOCKS_WITH,
      [places.map(({ conversationId }) => conversationId), places.map(({ seq }) => seq)],
    );
    return rows.map((row) => ({
      ...tailOf(row),
      messages: (row.messages ?? []).map(indexedOf),
    }));
  }

  async feed(feeds: readonly Feed[]): Promise<boolean> {
    const written = feeds.map(({ conversation: { id, of, fed, gone }, rev, removed, blocks }) => ({
      c: id,
      o: of,
      f: fed,
      r: rev,
      d: removed,
      g: gone,
      b: blocks.map(({ firstSeq, lastSeq, bytes, firstAt, lastAt, tokens }) => {
        const t = vectorText(tokens);
        return { s: firstSeq, l: lastSeq, n: bytes, x: firstAt, y: lastAt, t };
      }),
    }));
    const [row] = await this.#database.write<{ is_fed: boolean }>(FEED, [JSON.stringify(written)]);
    return row?.is_fed === true;
  }

  async empty(): Promise<number> {
    const [row] = await this.#database.write<{ count: string }>(EMPTY, []);
    return Number(row?.count ?? 0);
  }
}

function indexedOf(row: MessageRow): IndexedMessage {
  return {
    conversationId: row.id,
    seq: Number(row.seq),
    rev: Number(row.rev),
    body: row.body,
    senderId: row.sender_id,
    createdAt: row.created_at,
    hasAttachment: row.has_attachment,
  };
}

const tailOf = ({ id, first_seq, last_seq, bytes }: TailRow): Tail => ({
  conversationId: id,
  firstSeq: Number(first_seq),
  lastSeq: Number(last_seq),
  bytes,
});

/** As PostgreSQL reads a tsvector. No token has a quotation mark or a backslash. */
function vectorText(tokens: ReadonlyMap<string, readonly number[]>): string {
  return Array.from(tokens, ([token, places]) => `'${token}':${places.join(",")}`).join(" ");
}

/**
 * The plain server's PostgreSQL: a pool, statements prepared by name, a transaction where there
 * is more than one. The tables are Troupe's.
 */
import pg from "pg";

/** The pool of one worker; every driver's documentation begins with a pool. */
const CONNECTIONS = 20;
const UNIQUE_VIOLATION = "23505";
/**
 * The usual advice for an SSD and for many small statements; Troupe's sessions have both settings.
 */
const SETTINGS = "-c random_page_cost=1.1 -c jit=off";

export interface PlainUser {
  id: string;
  username: string;
  display_name: string;
  created_at: Date;
}

export interface PlainMessage {
  id: string;
  conversation_id: string;
  seq: number;
  rev: number;
  sender_id: string;
  client_id: string;
  body: string;
  reply_to_seq: number | null;
  created_at: Date;
  edited_at: Date | null;
  deleted_at: Date | null;
}

export interface Membership {
  id: string;
  last_seq: number;
  read_seq: number;
  /** The other member of a direct conversation. */
  peer_id: string | null;
}

export interface Change {
  conversation_id: string;
  rev: number;
  messages: PlainMessage[];
}

const USER = "id, username, display_name, created_at";
const MESSAGE =
  "id, conversation_id, seq::int, rev::int, sender_id, client_id, body, reply_to_seq::int," +
  " created_at, edited_at, deleted_at";
const MESSAGE_JSON =
  "json_build_object('id', m.id::text, 'conversation_id', m.conversation_id::text, 'seq', m.seq," +
  " 'rev', m.rev, 'sender_id', m.sender_id::text, 'client_id', m.client_id, 'body', m.body," +
  " 'reply_to_seq', m.reply_to_seq, 'created_at', m.created_at, 'edited_at', m.edited_at," +
  " 'deleted_at', m.deleted_at)";

export class PlainStore {
  readonly #pool: pg.Pool;

  constructor(url: string) {
    this.#pool = new pg.Pool({ connectionString: url, max: CONNECTIONS, options: SETTINGS });
  }

  async user(id: string): Promise<PlainUser | null> {
    return this.#one("user", `SELECT ${USER} FROM users WHERE id = $1`, [id]);
  }

  async userWithHash(username: string): Promise<(PlainUser & { password_hash: string }) | null> {
    const text = `SELECT ${USER}, password_hash FROM users WHERE username = $1`;
    return this.#one("user_with_hash", text, [username]);
  }

  async register(username: string, hash: string): Promise<PlainUser | null> {
    return this.#one(
      "register",
      `INSERT INTO users (username, display_name, password_hash) VALUES ($1, $1, $2)
       ON CONFLICT (username) DO NOTHING RETURNING ${USER}`,
      [username, hash],
    );
  }

  memberships(userId: string): Promise<Membership[]> {
    return this.#rows(
      "memberships",
      `SELECT c.id, c.last_seq::int, m.read_seq::int,
         coalesce(nullif(c.direct_lo, m.user_id), c.direct_hi) AS peer_id
       FROM conversation_members m JOIN conversations c ON c.id = m.conversation_id
       WHERE m.user_id = $1 ORDER BY c.last_activity_at DESC LIMIT 500`,
      [userId],
    );
  }

  async followees(userId: string): Promise<string[]> {
    const text = "SELECT followee_id FROM follows WHERE follower_id = $1";
    const rows = await this.#rows<{ followee_id: string }>("followees", text, [userId]);
    return rows.map((row) => row.followee_id);
  }

  async isMember(conversationId: string, userId: string): Promise<boolean> {
    const text = "SELECT 1 FROM conversation_members WHERE conversation_id = $1 AND user_id = $2";
    return (await this.#one("is_member", text, [conversationId, userId])) !== null;
  }

  async createConversation(members: string[], title: string | null): Promise<{ id: string }> {
    return this.#transaction(async (client) => {
      const made = await client.query<{ id: string }>(
        `INSERT INTO conversations (kind, title, owner_id, direct_lo, direct_hi)
         VALUES ($1, $2, $3, $4, $5) RETURNING id`,
        title === null && members.length === 2
          ? ["direct", null, null, ...[...members].sort((a, b) => Number(a) - Number(b))]
          : ["group", title, members[0], null, null],
      );
      const { id } = made.rows[0]!;
      await client.query(
        `INSERT INTO conversation_members (conversation_id, user_id)
         SELECT $1, u FROM unnest($2::bigint[]) u`,
        [id, members],
      );
      return { id };
    });
  }

  /** Null: no member. The conversation's row, locked by the update, gives the numbers. */
  async send(
    conversationId: string,
    senderId: string,
    clientId: string,
    body: string,
    replyToSeq: number | null,
  ): Promise<{ message: PlainMessage; isDuplicate: boolean } | null> {
    try {
      const message = await this.#transaction(async (client) => {
        const taken = await client.query<{ last_seq: string; rev: string }>({
          name: "take_seq",
          text: `UPDATE conversations c SET last_seq = last_seq + 1, rev = rev + 1, last_activity_at = now()
            WHERE id = $1 AND EXISTS (
              SELECT 1 FROM conversation_members m WHERE m.conversation_id = $1 AND m.user_id = $2
            ) RETURNING last_seq, rev`,
          values: [conversationId, senderId],
        });
        const numbers = taken.rows[0];
        if (numbers === undefined) return null;
        const added = await client.query<PlainMessage>({
          name: "add_message",
          text: `WITH moved AS (
              UPDATE conversation_members SET delivered_seq = $2, read_seq = $2
              WHERE conversation_id = $1 AND user_id = $4
            )
            INSERT INTO messages
              (conversation_id, seq, rev, sender_id, client_id, body, reply_to_seq, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, now()) RETURNING ${MESSAGE}`,
          values: [
            conversationId,
            numbers.last_seq,
            numbers.rev,
            senderId,
            clientId,
            body,
            replyToSeq,
          ],
        });
        return added.rows[0]!;
      });
      return message === null ? null : { message, isDuplicate: false };
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || error.code !== UNIQUE_VIOLATION) throw error;
      const first = await this.#one<PlainMessage>(
        "seen_message",
        `SELECT ${MESSAGE} FROM messages
         WHERE conversation_id = $1 AND sender_id = $2 AND client_id = $3`,
        [conversationId, senderId, clientId],
      );
      return first === null ? null : { message: first, isDuplicate: true };
    }
  }

  async newestMessages(conversationId: string, limit: number): Promise<PlainMessage[]> {
    const rows = await this.#rows<PlainMessage>(
      "newest_messages",
      `SELECT ${MESSAGE} FROM messages WHERE conversation_id = $1 ORDER BY seq DESC LIMIT $2`,
      [conversationId, limit],
    );
    return rows.reverse();
  }

  async conversation(id: string): Promise<object | null> {
    return this.#one(
      "conversation",
      `SELECT c.id, c.kind, c.title, c.owner_id, c.last_seq::int, c.rev::int, c.created_at,
         (SELECT json_agg(json_build_object('user_id', m.user_id::text,
            'delivered_seq', m.delivered_seq, 'read_seq', m.read_seq))
          FROM conversation_members m WHERE m.conversation_id = c.id) AS members
       FROM conversations c WHERE c.id = $1`,
      [id],
    );
  }

  mark(
    conversationId: string,
    userId: string,
    deliveredSeq: number,
    readSeq: number,
  ): Promise<{ delivered_seq: number; read_seq: number } | null> {
    return this.#one(
      "mark",
      `UPDATE conversation_members SET delivered_seq = greatest(delivered_seq, $3),
         read_seq = greatest(read_seq, $4)
       WHERE conversation_id = $1 AND user_id = $2
       RETURNING delivered_seq::int, read_seq::int`,
      [conversationId, userId, deliveredSeq, readSeq],
    );
  }

  /** The changes of all listed conversations in one statement. */
  changes(userId: string, ids: string[], afterRevs: number[]): Promise<Change[]> {
    return this.#rows(
      "changes",
      `SELECT c.id AS conversation_id, c.rev::int, x.messages
       FROM unnest($2::bigint[], $3::bigint[]) AS a (id, rev)
       JOIN conversations c ON c.id = a.id
       JOIN conversation_members k ON k.conversation_id = c.id AND k.user_id = $1
       CROSS JOIN LATERAL (
         SELECT coalesce(json_agg(${MESSAGE_JSON} ORDER BY m.rev), '[]') AS messages FROM (
           SELECT * FROM messages y WHERE y.conversation_id = c.id AND y.rev > a.rev
           ORDER BY y.rev LIMIT 200
         ) m
       ) x
       WHERE c.rev > a.rev`,
      [userId, ids, afterRevs],
    );
  }

  /** The other's cursors in the listed direct conversations. */
  receipts(userId: string, ids: string[]): Promise<object[]> {
    return this.#rows(
      "receipts",
      `SELECT m.conversation_id, m.user_id, m.delivered_seq::int, m.read_seq::int
       FROM conversation_members m JOIN conversations c ON c.id = m.conversation_id
       WHERE c.id = ANY ($2::bigint[]) AND c.kind = 'direct' AND m.user_id <> $1`,
      [userId, ids],
    );
  }

  /** Null: no such post. */
  async like(postId: string, userId: string, isLiked: boolean): Promise<number | null> {
    return this.#transaction(async (client) => {
      const changed = await client.query({
        name: isLiked ? "add_like" : "drop_like",
        text: isLiked
          ? "INSERT INTO likes (post_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
          : "DELETE FROM likes WHERE post_id = $1 AND user_id = $2",
        values: [postId, userId],
      });
      const by = (changed.rowCount ?? 0) * (isLiked ? 1 : -1);
      const counted = await client.query<{ like_count: number }>({
        name: "count_like",
        text: "UPDATE posts SET like_count = like_count + $2 WHERE id = $1 RETURNING like_count::int",
        values: [postId, by],
      });
      return counted.rows[0]?.like_count ?? null;
    });
  }

  async comment(
    postId: string,
    authorId: string,
    body: string,
  ): Promise<{ comment: object; count: number } | null> {
    return this.#transaction(async (client) => {
      const counted = await client.query<{ comment_count: number }>({
        name: "count_comment",
        text: "UPDATE posts SET comment_count = comment_count + 1 WHERE id = $1 RETURNING comment_count::int",
        values: [postId],
      });
      const count = counted.rows[0]?.comment_count;
      if (count === undefined) return null;
      const added = await client.query<object>({
        name: "add_comment",
        text: `INSERT INTO comments (post_id, id, author_id, body, created_at)
          VALUES ($1, nextval('comments_id_seq'), $2, $3, now())
          RETURNING id, post_id, author_id, body, created_at`,
        values: [postId, authorId, body],
      });
      return { comment: added.rows[0]!, count };
    });
  }

  postCounts(ids: string[]): Promise<object[]> {
    return this.#rows(
      "post_counts",
      "SELECT id AS post_id, like_count::int, comment_count::int FROM posts WHERE id = ANY ($1::bigint[])",
      [ids],
    );
  }

  feed(userId: string, limit: number): Promise<object[]> {
    return this.#rows(
      "feed",
      `SELECT p.id, p.author_id, p.body, p.like_count::int, p.comment_count::int, p.created_at,
         EXISTS (SELECT 1 FROM likes l WHERE l.post_id = p.id AND l.user_id = $1) AS liked
       FROM posts p
       WHERE p.deleted_at IS NULL AND (p.author_id = $1 OR p.author_id IN (
         SELECT followee_id FROM follows WHERE follower_id = $1
       ))
       ORDER BY p.id DESC LIMIT $2`,
      [userId, limit],
    );
  }

  async #transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    try {
      await client.query("BEGIN");
      const result = await work(client);
      await client.query("COMMIT");
      return result;
    } catch (error) {
      await client.query("ROLLBACK");
      throw error;
    } finally {
      client.release();
    }
  }

  async #rows<Row extends object>(name: string, text: string, values: unknown[]): Promise<Row[]> {
    return (await this.#pool.query<Row>({ name, text, values })).rows;
  }

  async #one<Row extends object>(
    name: string,
    text: string,
    values: unknown[],
  ): Promise<Row | null> {
    return (await this.#rows<Row>(name, text, values))[0] ?? null;
  }
}

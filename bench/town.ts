/**
 * The data in a server that is measured: people, their conversations, and their posts.
 * A server of the bench's own gets them by SQL and signs their tokens with its secret, 10,000
 * in a second; one elsewhere is asked over HTTP as by anybody (http-town.ts).
 */
import pg from "pg";
import { accessToken } from "./support/access-token.ts";

export interface Resident {
  id: string;
  token: string;
}

export interface Town {
  people(count: number): Promise<Resident[]>;
  /** One conversation for each list of members; two members make a direct one. */
  conversations(memberLists: readonly (readonly Resident[])[]): Promise<string[]>;
  /** A channel that anyone may watch. */
  channel(owner: Resident): Promise<string>;
  /** `each` messages into each, by the first of its members. */
  messages(
    conversations: readonly string[],
    senders: readonly Resident[],
    each: number,
  ): Promise<void>;
  posts(authors: readonly Resident[]): Promise<string[]>;
  follows(pairs: readonly (readonly [Resident, Resident])[]): Promise<void>;
  /** Everybody is there: the database may look at what it has. */
  settle(): Promise<void>;
}

const BODY = "It rained all day, and we stayed in and talked about the play.";

export class SqlTown implements Town {
  readonly #url: string;
  readonly #secret: string;
  #made = 0;

  constructor(url: string, secret: string) {
    this.#url = url;
    this.#secret = secret;
  }

  async people(count: number): Promise<Resident[]> {
    const from = this.#made;
    this.#made += count;
    const rows = await this.#rows<{ id: string }>(
      `INSERT INTO users (username, display_name)
       SELECT 'bench_' || n, 'Bench ' || n FROM generate_series($1::int, $2::int) n RETURNING id`,
      [from + 1, from + count],
    );
    return rows.map(({ id }) => ({ id, token: accessToken(id, this.#secret) }));
  }

  async conversations(memberLists: readonly (readonly Resident[])[]): Promise<string[]> {
    const ids = await this.#rows<{ id: string }>(
      "SELECT nextval(pg_get_serial_sequence('conversations', 'id')) AS id FROM generate_series(1, $1::int)",
      [memberLists.length],
    );
    const low = memberLists.map((members) => pairOf(members)?.[0] ?? null);
    const high = memberLists.map((members) => pairOf(members)?.[1] ?? null);
    const owners = memberLists.map((members) => members[0]!.id);
    const list = ids.map(({ id }) => id);
    await this.#rows(
      `INSERT INTO conversations (id, kind, title, owner_id, direct_lo, direct_hi)
       SELECT x.id, CASE WHEN x.lo IS NULL THEN 'group' ELSE 'direct' END,
         CASE WHEN x.lo IS NULL THEN 'A group' END, CASE WHEN x.lo IS NULL THEN x.owner END, x.lo, x.hi
       FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS x (id, owner, lo, hi)`,
      [list, owners, low, high],
    );
    const of = memberLists.flatMap((members, i) => members.map(() => list[i]!));
    const who = memberLists.flatMap((members) => members.map(({ id }) => id));
    await this.#rows(
      `INSERT INTO conversation_members (conversation_id, user_id)
       SELECT * FROM unnest($1::bigint[], $2::bigint[])`,
      [of, who],
    );
    await this.#rows(
      `UPDATE conversations c SET member_count = (
         SELECT count(*) FROM conversation_members m WHERE m.conversation_id = c.id
       ) WHERE c.id = ANY ($1::bigint[])`,
      [list],
    );
    return list;
  }

  async channel(owner: Resident): Promise<string> {
    const [row] = await this.#rows<{ id: string }>(
      `INSERT INTO conversations (kind, title, owner_id, member_count, extra)
       VALUES ('channel', 'A channel', $1, 1, '{"audience": "anyone"}') RETURNING id`,
      [owner.id],
    );
    const { id } = row!;
    await this.#rows(
      `INSERT INTO conversation_members (conversation_id, user_id, in_channel)
       VALUES ($1, $2, true)`,
      [id, owner.id],
    );
    return id;
  }

  async messages(
    ids: readonly string[],
    senders: readonly Resident[],
    each: number,
  ): Promise<void> {
    await this.#rows(
      `INSERT INTO messages (conversation_id, seq, rev, sender_id, client_id, body, created_at)
       SELECT x.id, n, n + 1, x.sender, 'seed_' || n, $4 || ' ' || n, clock_timestamp()
       FROM unnest($1::bigint[], $2::bigint[]) AS x (id, sender), generate_series(1, $3::int) n`,
      [ids, senders.map(({ id }) => id), each, BODY],
    );
    await this.#rows(
      "UPDATE conversations SET last_seq = $2::int, rev = $2::int + 1 WHERE id = ANY ($1::bigint[])",
      [ids, each],
    );
  }

  async posts(authors: readonly Resident[]): Promise<string[]> {
    const rows = await this.#rows<{ id: string }>(
      "INSERT INTO posts (author_id, body) SELECT a, $2 FROM unnest($1::bigint[]) a RETURNING id",
      [authors.map(({ id }) => id), BODY],
    );
    return rows.map(({ id }) => id);
  }

  async follows(pairs: readonly (readonly [Resident, Resident])[]): Promise<void> {
    await this.#rows(
      `INSERT INTO follows (follower_id, followee_id)
       SELECT * FROM unnest($1::bigint[], $2::bigint[]) ON CONFLICT DO NOTHING`,
      [pairs.map(([one]) => one.id), pairs.map(([, other]) => other.id)],
    );
  }

  async settle(): Promise<void> {
    // A checkpoint now, not in the middle of a measurement; and statistics of what is there.
    await this.#rows("ANALYZE", []);
    await this.#rows("CHECKPOINT", []);
  }

  async #rows<Row extends object>(text: string, values: unknown[]): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.#url });
    await client.connect();
    try {
      return (await client.query<Row>(text, values)).rows;
    } finally {
      await client.end();
    }
  }
}

function pairOf(members: readonly Resident[]): [string, string] | null {
  if (members.length !== 2) return null;
  const [one, other] = members.map(({ id }) => id) as [string, string];
  return BigInt(one) < BigInt(other) ? [one, other] : [other, one];
}

/**
 * Recount: what is stored beside the rows it counts, held against those rows, for `troupe
 * recount` and tests. Each comparison is one statement, which sees one moment of the database:
 * it may run beside live traffic. Mending locks the rows that count, then counts again, so that
 * a change of that moment is neither lost nor counted twice.
 */
import { Client } from "pg";
import type { RecountStore } from "../../ports/social.ts";
import { connectionConfig, DEADLINE_MS, WHOLE_TABLES } from "./connection.ts";
import { faultOf } from "./fault.ts";

export interface Difference {
  what: string;
  id: string;
  stored: number;
  counted: number;
}

interface Recounted {
  what: string;
  /** The rows that hold the figure, and of those the ones to be locked. */
  table: string;
  column: string;
  /** Rows of (id, stored, counted) of those that differ. */
  differing: string;
  /** SQL of what the locked row should hold. */
  counted: string;
  /** SQL that is true of the row of the id $1. */
  isRow: string;
}

const ONE_ROW = "t.id = $1::bigint";
const MEMBER_ROW =
  "t.conversation_id = split_part($1, '/', 1)::bigint" +
  " AND t.user_id = split_part($1, '/', 2)::bigint";
const LIKES = "(SELECT count(*) FROM likes x WHERE x.post_id = t.id)";
const COMMENTS = "(SELECT count(*) FROM comments x WHERE x.post_id = t.id)";
const FOLLOWERS = "(SELECT count(*) FROM follows x WHERE x.followee_id = t.user_id)";
const FOLLOWING = "(SELECT count(*) FROM follows x WHERE x.follower_id = t.user_id)";
const LIVE_POSTS =
  "(SELECT count(*) FROM posts x WHERE x.author_id = t.user_id AND x.deleted_at IS NULL)";
const LIVE_POSTS_BY_AUTHOR =
  "(SELECT x.author_id AS id, count(*) AS counted FROM posts x WHERE x.deleted_at IS NULL" +
  " GROUP BY x.author_id)";
// Retention may have left none.
const LAST_SEQ = `(SELECT greatest(max(x.seq), t.first_seq - 1, 0) FROM messages x
  WHERE x.conversation_id = t.id)`;
// The newest change is a message's last or that of members and title.
// A thread whose newest messages are not kept any longer may have a higher one.
const LOST_REV = "CASE WHEN t.first_seq > 1 AND t.parent_id IS NOT NULL THEN t.rev END";
const REV = `(SELECT greatest(t.meta_rev, max(x.rev), ${LOST_REV}) FROM messages x
  WHERE x.conversation_id = t.id)`;
// A deleted conversation has none, whatever rows a job has yet to delete.
const MEMBERS = `(SELECT count(*) FROM conversation_members x
  WHERE x.conversation_id = t.id AND t.deleted_at IS NULL)`;
const REPLIES = `(SELECT count(*) FROM messages x
  WHERE x.conversation_id = t.id AND x.seq <= t.counted_seq AND x.deleted_at IS NULL
    AND x.extra->>'type' IS DISTINCT FROM 'system')`;
const SUMMARY = `(SELECT '[' || string_agg(
    '{"key":' || to_json(k.key)::text || ',"count":' || k.n || ',"last_user_ids":[' || k.last || ']}',
    ',' ORDER BY k.first) || ']'
  FROM (
    SELECT x.key, count(*) AS n, min(x.id) AS first, (
      SELECT string_agg('"' || l.user_id || '"', ',' ORDER BY l.id DESC) FROM (
        SELECT y.user_id, y.id FROM message_reactions y
        WHERE y.conversation_id = t.conversation_id AND y.seq = t.seq AND y.key = x.key
        ORDER BY y.id DESC LIMIT 5
      ) l
    ) AS last
    FROM message_reactions x
    WHERE x.conversation_id = t.conversation_id AND x.seq = t.seq GROUP BY x.key
  ) k)`;
const NOTIFIED =
  "(SELECT coalesce(max(x.seq), 0) FROM notifications x WHERE x.user_id = t.user_id)";

const MESSAGE_ROW =
  "t.conversation_id = split_part($1, '/', 1)::bigint AND t.seq = split_part($1, '/', 2)::bigint";
/** Whether a message counts as unread; see protocol/unread.ts. */
const COUNTS =
  "(x.extra->>'type' IS DISTINCT FROM 'system' AND (x.extra->>'silent') IS DISTINCT FROM 'true')";
const FIRST_N = (id: string) =>
  `coalesce((SELECT v.first_n FROM conversations v WHERE v.id = ${id}), 0)`;
/** Rows before it are about to be deleted, and count no more. */
const FIRST_SEQ = (id: string) =>
  `coalesce((SELECT v.first_seq FROM conversations v WHERE v.id = ${id}), 1)`;
const N_OF_MESSAGE = `(${FIRST_N("t.conversation_id")} + (SELECT count(*) FROM messages x
  WHERE x.conversation_id = t.conversation_id AND x.seq <= t.seq
    AND x.seq >= ${FIRST_SEQ("t.conversation_id")} AND ${COUNTS}))`;
/** n of the newest message up to a seq. */
const nAt = (id: string, seq: string) => `coalesce((SELECT coalesce(x.n, x.seq) FROM messages x
  WHERE x.conversation_id = ${id} AND x.seq <= ${seq} AND x.seq >= ${FIRST_SEQ(id)}
  ORDER BY x.seq DESC LIMIT 1), ${FIRST_N(id)})`;

const grouped = (table: string, key: string, value: string) =>
  `(SELECT x.${key} AS id, ${value} AS counted FROM ${table} x GROUP BY x.${key})`;

/** Blocks between the two of a direct conversation; a group has no pair. */
const blockOf = (conversation: string) =>
  `SELECT y.blocker_id FROM blocks y WHERE (y.blocker_id, y.blocked_id) IN (
    (${conversation}.direct_lo, ${conversation}.direct_hi),
    (${conversation}.direct_hi, ${conversation}.direct_lo))`;

/** Sets against sets, for whole tables; `counted` again one by one, for the few that differ. */
const RECOUNTED: Recounted[] = [
  {
    what: "posts.like_count",
    table: "posts",
    column: "like_count",
    differing: `SELECT t.id, t.like_count AS stored, coalesce(x.counted, 0) AS counted
      FROM posts t LEFT JOIN ${grouped("likes", "post_id", "count(*)")} x ON x.id = t.id`,
    counted: LIKES,
    isRow: ONE_ROW,
  },
  {
    what: "posts.comment_count",
    table: "posts",
    column: "comment_count",
    differing: `SELECT t.id, t.comment_count AS stored, coalesce(x.counted, 0) AS counted
      FROM posts t LEFT JOIN ${grouped("comments", "post_id", "count(*)")} x ON x.id = t.id`,
    counted: COMMENTS,
    isRow: ONE_ROW,
  },
  ...(
    [
      ["follower_count", grouped("follows", "followee_id", "count(*)"), FOLLOWERS],
      ["following_count", grouped("follows", "follower_id", "count(*)"), FOLLOWING],
      ["post_count", LIVE_POSTS_BY_AUTHOR, LIVE_POSTS],
    ] as const
  ).map(([column, counts, counted]) => ({
    what: `user_counts.${column}`,
    table: "user_counts",
    column,
    differing: `SELECT coalesce(t.user_id, x.id) AS id, coalesce(t.${column}, 0) AS stored,
        coalesce(x.counted, 0) AS counted
      FROM user_counts t FULL JOIN ${counts} x ON x.id = t.user_id`,
    counted,
    isRow: "t.user_id = $1::bigint",
  })),
  {
    what: "messages.reactions",
    table: "messages",
    column: "reactions",
    // By key, so that the difference of one key does not hide that of another.
    differing: `SELECT coalesce(s.conversation_id, r.conversation_id) || '/' ||
        coalesce(s.seq, r.seq) || '/' || coalesce(s.key, r.key) AS id,
        coalesce(s.count, 0) AS stored, coalesce(r.count, 0) AS counted
      FROM (
        SELECT m.conversation_id, m.seq, e->>'key' AS key, (e->>'count')::bigint AS count
        FROM messages m, json_array_elements(m.reactions::json) e WHERE m.reactions <> ''
      ) s
      FULL JOIN (
        SELECT x.conversation_id, x.seq, x.key, count(*) AS count
        FROM message_reactions x GROUP BY x.conversation_id, x.seq, x.key
      ) r ON r.conversation_id = s.conversation_id AND r.seq = s.seq AND r.key = s.key`,
    counted: SUMMARY,
    isRow:
      "t.conversation_id = split_part($1, '/', 1)::bigint" +
      " AND t.seq = split_part($1, '/', 2)::bigint",
  },
  {
    what: "conversations.last_seq",
    table: "conversations",
    column: "last_seq",
    differing: `SELECT t.id, t.last_seq AS stored, greatest(x.counted, t.first_seq - 1, 0) AS counted
      FROM conversations t
      LEFT JOIN ${grouped("messages", "conversation_id", "max(x.seq)")} x ON x.id = t.id`,
    counted: LAST_SEQ,
    isRow: ONE_ROW,
  },
  {
    what: "conversations.rev",
    table: "conversations",
    column: "rev",
    differing: `SELECT t.id, t.rev AS stored, greatest(t.meta_rev, x.counted, ${LOST_REV}) AS counted
      FROM conversations t
      LEFT JOIN ${grouped("messages", "conversation_id", "max(x.rev)")} x ON x.id = t.id`,
    counted: REV,
    isRow: ONE_ROW,
  },
  {
    what: "conversations.member_count",
    table: "conversations",
    column: "member_count",
    differing: `SELECT t.id, t.member_count AS stored, coalesce(x.counted, 0) AS counted
      FROM conversations t
      LEFT JOIN ${grouped("conversation_members", "conversation_id", "count(*)")} x
        ON x.id = t.id AND t.deleted_at IS NULL`,
    counted: MEMBERS,
    isRow: ONE_ROW,
  },
  {
    what: "conversations.reply_count",
    table: "conversations",
    column: "reply_count",
    // Threads alone have it, as far as their summary has counted.
    differing: `SELECT t.id, t.reply_count AS stored, ${REPLIES} AS counted
      FROM conversations t WHERE t.reply_count IS NOT NULL`,
    counted: REPLIES,
    isRow: ONE_ROW,
  },
  {
    what: "notification_counters.last_seq",
    table: "notification_counters",
    column: "last_seq",
    differing: `SELECT coalesce(t.user_id, x.id) AS id, coalesce(t.last_seq, 0) AS stored,
        coalesce(x.counted, 0) AS counted
      FROM notification_counters t
      FULL JOIN ${grouped("notifications", "user_id", "max(x.seq)")} x ON x.id = t.user_id`,
    counted: NOTIFIED,
    isRow: "t.user_id = $1::bigint",
  },
  {
    what: "conversation_members.apart",
    table: "conversation_members",
    column: "apart",
    differing: `SELECT t.conversation_id || '/' || t.user_id AS id, t.apart::int AS stored,
        (b.blocker_id IS NOT NULL)::int AS counted
      FROM conversation_members t JOIN conversations v ON v.id = t.conversation_id
      LEFT JOIN LATERAL (${blockOf("v")} LIMIT 1) b ON true`,
    counted: `EXISTS (
      SELECT 1 FROM conversations v JOIN LATERAL (${blockOf("v")}) b ON true
      WHERE v.id = t.conversation_id)`,
    isRow: MEMBER_ROW,
  },
  // After the conversations, whose last_seq is the bound.
  ...["delivered_seq", "read_seq"].map((column) => ({
    what: `conversation_members.${column}`,
    table: "conversation_members",
    column,
    differing: `SELECT t.conversation_id || '/' || t.user_id AS id, t.${column} AS stored,
        least(t.${column}, v.last_seq) AS counted
      FROM conversation_members t JOIN conversations v ON v.id = t.conversation_id`,
    counted: `least(t.${column},
      (SELECT v.last_seq FROM conversations v WHERE v.id = t.conversation_id))`,
    isRow: MEMBER_ROW,
  })),
  {
    what: "messages.n",
    table: "messages",
    column: "n",
    differing: `SELECT x.conversation_id || '/' || x.seq AS id, coalesce(x.n, x.seq) AS stored,
        coalesce(v.first_n, 0) + count(*) FILTER (WHERE ${COUNTS})
          OVER (PARTITION BY x.conversation_id ORDER BY x.seq) AS counted
      FROM messages x
      JOIN conversations v ON v.id = x.conversation_id AND x.seq >= coalesce(v.first_seq, 1)`,
    counted: `nullif(${N_OF_MESSAGE}, t.seq)`,
    isRow: MESSAGE_ROW,
  },
  {
    what: "conversations.last_n",
    table: "conversations",
    column: "last_n",
    // Where it equals last_seq it is not kept: then a wrong last_seq is a difference of its own.
    differing: `SELECT t.id, coalesce(t.last_n, t.last_seq) AS stored,
        ${nAt("t.id", "t.last_seq")} AS counted
      FROM conversations t
      WHERE t.last_n IS NOT NULL OR t.last_seq = greatest(
        (SELECT max(m.seq) FROM messages m WHERE m.conversation_id = t.id), t.first_seq - 1, 0)`,
    counted: `nullif(${nAt("t.id", "t.last_seq")}, t.last_seq)`,
    isRow: ONE_ROW,
  },
  // A cursor past the end is a difference of its own, above.
  pointOf("read_n", "t.read_seq", "t.read_seq", "t.read_seq <= v.last_seq"),
  pointOf("cleared_n", "0", "t.cleared_before_seq - 1", "t.cleared_before_seq IS NOT NULL"),
  pointOf("unread_from_n", "0", "t.unread_from_seq - 1", "t.unread_from_seq IS NOT NULL"),
];

/** A member's n at a cursor, or before a seq that they have set. */
function pointOf(column: string, beside: string, seq: string, isSet: string): Recounted {
  // Among messages that are gone it cannot be counted: there it is at most n of the last one.
  const counted = `CASE WHEN ${seq} >= ${FIRST_SEQ("t.conversation_id")} - 1
    THEN ${nAt("t.conversation_id", seq)}
    ELSE least(coalesce(t.${column}, ${beside}), ${FIRST_N("t.conversation_id")}) END`;
  return {
    what: `conversation_members.${column}`,
    table: "conversation_members",
    column,
    differing: `SELECT t.conversation_id || '/' || t.user_id AS id,
        coalesce(t.${column}, ${beside}) AS stored, ${counted} AS counted
      FROM conversation_members t JOIN conversations v ON v.id = t.conversation_id
      WHERE ${isSet}`,
    counted: column === "read_n" ? `nullif(${counted}, t.read_seq)` : counted,
    isRow: MEMBER_ROW,
  };
}

/** `url` is a migrated database. Each recount has a connection of its own. */
export function createRecount(url: string): RecountStore {
  return { recount: (isRepairing) => recount(url, isRepairing) };
}

async function recount(url: string, isRepairing: boolean): Promise<Difference[]> {
  const { query_timeout: _none, ...config } = connectionConfig(url, DEADLINE_MS);
  const client = new Client({ ...config, application_name: "troupe recount" });
  // A connection that breaks also fails the query under way, which reports it.
  client.on("error", () => undefined);
  try {
    await client.connect();
    // Whole tables are read: however long that takes.
    await client.query(WHOLE_TABLES);
    const found: Difference[] = [];
    for (const each of RECOUNTED) {
      const differences = await differencesIn(client, each);
      if (isRepairing) for (const { id } of differences) await mendRow(client, each, id);
      found.push(...differences);
    }
    return found;
  } catch (error) {
    throw faultOf(error, "recount") ?? error;
  } finally {
    await client.end();
  }
}

async function differencesIn(client: Client, each: Recounted): Promise<Difference[]> {
  const { rows } = await client.query<{ id: string; stored: string; counted: string }>(
    `SELECT d.id::text, d.stored, d.counted FROM (${each.differing}) d
     WHERE d.stored <> d.counted ORDER BY d.id`,
  );
  return rows.map(({ id, stored, counted }) => ({
    what: each.what,
    id,
    stored: Number(stored),
    counted: Number(counted),
  }));
}

async function mendRow(client: Client, each: Recounted, id: string): Promise<void> {
  const { table, column, counted, isRow } = each;
  await client.query("BEGIN");
  if (table === "notification_counters" || table === "user_counts") {
    await client.query(`INSERT INTO ${table} (user_id) VALUES ($1) ON CONFLICT DO NOTHING`, [id]);
  }
  await client.query(`SELECT 1 FROM ${table} t WHERE ${isRow} FOR NO KEY UPDATE`, [id]);
  // A later statement, which sees what had committed when the lock was got.
  await client.query(`UPDATE ${table} t SET ${column} = ${counted} WHERE ${isRow}`, [id]);
  await client.query("COMMIT");
}

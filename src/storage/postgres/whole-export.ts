/** The lines of one conversation, and of everything. */
import { keptIn, NO_VALUES, object, PAGE, pages, ref } from "./export-statements.ts";
import type { Database } from "./pool.ts";

/** What is exported: everything, or one conversation. */
type Extent = "all" | "one";

const MEMBERS_AND_WRITERS = `SELECT u.id AS at, ${object(
  `'type', 'user', 'external_id', ${ref("u")}, 'id', u.id::text, 'username', u.username,
    'display_name', u.display_name`,
)} AS line
  FROM (
    SELECT x.id FROM (
      (SELECT k.user_id AS id FROM conversation_members k
        WHERE k.conversation_id = :id AND k.user_id > :after ORDER BY k.user_id LIMIT ${PAGE})
      UNION (SELECT c.owner_id FROM conversations c WHERE c.id = :id AND c.owner_id > :after)
      -- The next sender, and the next user who reacted, are each one look into an index.
      UNION (WITH RECURSIVE w (id) AS (
          SELECT min(m.sender_id) FROM messages m
          WHERE m.conversation_id = :id AND m.sender_id > :after
          UNION ALL SELECT (SELECT min(m.sender_id) FROM messages m
            WHERE m.conversation_id = :id AND m.sender_id > w.id) FROM w WHERE w.id IS NOT NULL
        ) SELECT w.id FROM w WHERE w.id IS NOT NULL LIMIT ${PAGE})
      UNION (WITH RECURSIVE w (id) AS (
          SELECT min(r.user_id) FROM message_reactions r
          WHERE r.conversation_id = :id AND r.user_id > :after
          UNION ALL SELECT (SELECT min(r.user_id) FROM message_reactions r
            WHERE r.conversation_id = :id AND r.user_id > w.id) FROM w WHERE w.id IS NOT NULL
        ) SELECT w.id FROM w WHERE w.id IS NOT NULL LIMIT ${PAGE})
    ) x ORDER BY x.id LIMIT ${PAGE}
  ) x JOIN users u ON u.id = x.id ORDER BY u.id`;

const USERS = `SELECT u.id AS at, ${object(
  `'type', 'user', 'external_id', ${ref("u")}, 'id', u.id::text, 'username', u.username,
    'display_name', u.display_name, 'created_at', iso_time(u.created_at),
    'image_url', CASE WHEN u.image_url LIKE 'https:%' THEN u.image_url END,
    'issuer', u.issuer, 'subject', u.subject,
    'password_hash', CASE WHEN :passwords THEN u.password_hash END,
    'erased_at', iso_time(u.erased_at), 'suspended_at', iso_time(u.suspended_at)`,
  { data: "u.data", trusted: "u.trusted" },
)} AS line FROM users u WHERE u.id > :after ORDER BY u.id LIMIT ${PAGE}`;

const within = (extent: Extent, column: string) => (extent === "one" ? `${column} = :id AND` : "");

const conversations = (extent: Extent) => `SELECT c.id AS at, ${object(
  `'type', 'conversation', 'external_id', ${ref("c")}, 'id', c.id::text, 'kind', c.kind,
    'title', c.title, 'owner', (SELECT ${ref("o")} FROM users o WHERE o.id = c.owner_id),
    'parent_id', c.parent_id::text, 'parent_seq', c.parent_seq,
    'created_at', iso_time(c.created_at)`,
  {
    data: "c.extra->'data'",
    audience: "c.extra->'audience'",
    settings: "c.extra->'settings'",
    permissions: "c.extra->'permissions'",
  },
)} AS line FROM conversations c
  WHERE ${within(extent, "c.id")} c.id > :after AND c.deleted_at IS NULL
  ORDER BY c.id LIMIT ${PAGE}`;

const members = (extent: Extent) => `SELECT k.conversation_id AS place, k.user_id AS at, ${object(
  `'type', 'member', 'conversation', ${ref("c")}, 'user', ${ref("u")},
    'role', CASE WHEN c.owner_id = k.user_id THEN 'owner' ELSE k.extra->>'role' END,
    'joined_at', iso_time(k.joined_at), 'delivered', k.delivered_seq, 'read', k.read_seq`,
)} AS line
  FROM (
    SELECT k.* FROM conversation_members k
    JOIN conversations c ON c.id = k.conversation_id AND c.deleted_at IS NULL
    WHERE ${within(extent, "k.conversation_id")} (k.conversation_id, k.user_id) > (:place, :after)
    ORDER BY k.conversation_id, k.user_id LIMIT ${PAGE}
  ) k JOIN conversations c ON c.id = k.conversation_id JOIN users u ON u.id = k.user_id
  ORDER BY k.conversation_id, k.user_id`;

/** Deleted ones have a line too, so that the order of the lines gives each its seq. */
const messages = (extent: Extent) => `SELECT m.conversation_id AS place, m.seq AS at, ${object(
  `'type', 'message', 'conversation', ${ref("c")}, 'id', m.id::text, 'seq', m.seq,
    'message_type', m.extra->>'type', 'sender', ${ref("u")}, 'client_id', m.client_id,
    'body', m.body, 'reply_to_seq', m.reply_to_seq, 'created_at', iso_time(m.created_at),
    'edited_at', iso_time(m.edited_at), 'deleted_at', iso_time(m.deleted_at),
    'mentions', m.extra->'mentions', 'event', m.extra->'event',
    'pinned_at', m.extra->'pinned_at', 'expires_at', m.extra->'expires_at',
    'attachments', nullif(jsonb_path_query_array(m.extra, '$.attachments[*].id'), '[]')`,
  { data: "m.data" },
)} AS line
  FROM (
    SELECT * FROM messages m
    WHERE ${within(extent, "m.conversation_id")} (m.conversation_id, m.seq) > (:place, :after)
      AND m.seq >= ${keptIn("m.conversation_id")}
    ORDER BY m.conversation_id, m.seq LIMIT ${PAGE}
  ) m JOIN conversations c ON c.id = m.conversation_id LEFT JOIN users u ON u.id = m.sender_id
  ORDER BY m.conversation_id, m.seq`;

/** A page does not end within the reactions to one message. */
const reactions = (extent: Extent) => `SELECT r.conversation_id AS place, r.seq AS at, ${object(
  `'type', 'reaction', 'conversation', ${ref("c")}, 'seq', r.seq, 'user', ${ref("u")},
    'key', r.key, 'created_at', iso_time(r.created_at)`,
)} AS line
  FROM (
    SELECT * FROM message_reactions r
    WHERE ${within(extent, "r.conversation_id")} (r.conversation_id, r.seq) > (:place, :after)
      AND r.seq >= ${keptIn("r.conversation_id")}
    ORDER BY r.conversation_id, r.seq FETCH FIRST ${PAGE} ROWS WITH TIES
  ) r JOIN conversations c ON c.id = r.conversation_id JOIN users u ON u.id = r.user_id
  ORDER BY r.conversation_id, r.seq, r.key, r.id`;

const POSTS = `SELECT p.id AS at, ${object(
  `'type', 'post', 'id', p.id::text, 'author', ${ref("u")}, 'body', p.body,
    'created_at', iso_time(p.created_at), 'edited_at', iso_time(p.edited_at),
    'attachments', p.file_ids::text[]`,
  { data: "p.data" },
)} AS line FROM posts p JOIN users u ON u.id = p.author_id
  WHERE p.id > :after AND p.deleted_at IS NULL ORDER BY p.id LIMIT ${PAGE}`;
const COMMENTS = `SELECT c.post_id AS place, c.id AS at, ${object(
  `'type', 'comment', 'id', c.id::text, 'post_id', c.post_id::text, 'author', ${ref("u")},
    'body', c.body, 'created_at', iso_time(c.created_at)`,
  { data: "c.data" },
)} AS line FROM comments c JOIN users u ON u.id = c.author_id
  WHERE (c.post_id, c.id) > (:place, :after) ORDER BY c.post_id, c.id LIMIT ${PAGE}`;
const LIKES = `SELECT l.post_id AS place, l.user_id AS at, ${object(
  `'type', 'like', 'post_id', l.post_id::text, 'user', ${ref("u")},
    'created_at', iso_time(l.created_at)`,
)} AS line FROM likes l JOIN users u ON u.id = l.user_id
  WHERE (l.post_id, l.user_id) > (:place, :after) ORDER BY l.post_id, l.user_id LIMIT ${PAGE}`;
const FOLLOWS = `SELECT f.follower_id AS place, f.followee_id AS at, ${object(
  `'type', 'follow', 'follower', ${ref("u")}, 'followee', ${ref("o")},
    'created_at', iso_time(f.created_at)`,
)} AS line FROM follows f
  JOIN users u ON u.id = f.follower_id JOIN users o ON o.id = f.followee_id
  WHERE (f.follower_id, f.followee_id) > (:place, :after)
  ORDER BY f.follower_id, f.followee_id LIMIT ${PAGE}`;
const BLOCKS = `SELECT b.blocker_id AS place, b.blocked_id AS at, ${object(
  `'type', 'block', 'blocker', ${ref("u")}, 'blocked', ${ref("o")},
    'created_at', iso_time(b.created_at)`,
)} AS line FROM blocks b
  JOIN users u ON u.id = b.blocker_id JOIN users o ON o.id = b.blocked_id
  WHERE (b.blocker_id, b.blocked_id) > (:place, :after)
  ORDER BY b.blocker_id, b.blocked_id LIMIT ${PAGE}`;

export async function* conversationLines(
  database: Database,
  id: string,
  outside: boolean,
): AsyncGenerator<string[]> {
  const values = { ...NO_VALUES, id, outside };
  yield* pages(database, MEMBERS_AND_WRITERS, values);
  for (const of of [conversations, members, messages, reactions]) {
    yield* pages(database, of("one"), values);
  }
}

export async function* allLines(
  database: Database,
  outside: boolean,
  passwords: boolean,
): AsyncGenerator<string[]> {
  const values = { ...NO_VALUES, outside, passwords };
  yield* pages(database, USERS, values);
  for (const of of [conversations, members, messages, reactions]) {
    yield* pages(database, of("all"), values);
  }
  for (const text of [FOLLOWS, BLOCKS, POSTS, COMMENTS, LIKES]) {
    yield* pages(database, text, values);
  }
}

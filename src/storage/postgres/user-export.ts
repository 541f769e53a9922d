/** The lines of one user: what is theirs, and of others names and ids. */
import {
  keptIn,
  NO_VALUES,
  object,
  PAGE,
  pages,
  read,
  ref,
  SPAN,
  spans,
  type Values,
  WALKED,
} from "./export-statements.ts";
import type { Database } from "./pool.ts";

const SELF = `SELECT coalesce(u.external_id, 'troupe:' || u.id) AS self, ${object(
  `'type', 'user', 'external_id', coalesce(u.external_id, 'troupe:' || u.id), 'id', u.id::text,
    'username', u.username, 'display_name', u.display_name, 'created_at', iso_time(u.created_at),
    'last_seen_at', iso_time(u.last_seen_at),
    'image_url', CASE WHEN u.image_url LIKE 'https:%' THEN u.image_url END,
    'issuer', u.issuer, 'subject', u.subject`,
  { data: "u.data", trusted: "u.trusted" },
)} AS line FROM users u WHERE u.id = :user AND u.erased_at IS NULL`;

const PRIVACY = `SELECT '{"type":"privacy",' || substr(privacy_text(:user), 2) AS line`;

/** The users whom other lines name. Each source gives its next ones, so the next of all are among them. */
const OTHERS = `SELECT u.id AS at, ${object(
  `'type', 'user', 'external_id', ${ref("u")}, 'id', u.id::text, 'username', u.username,
    'display_name', u.display_name`,
)} AS line
  FROM (
    SELECT x.id FROM (
      (SELECT f.followee_id AS id FROM follows f
        WHERE f.follower_id = :user AND f.followee_id > :after ORDER BY f.followee_id LIMIT ${PAGE})
      UNION (SELECT f.follower_id FROM follows f
        WHERE f.followee_id = :user AND f.follower_id > :after ORDER BY f.follower_id LIMIT ${PAGE})
      UNION (SELECT b.blocked_id FROM blocks b
        WHERE b.blocker_id = :user AND b.blocked_id > :after ORDER BY b.blocked_id LIMIT ${PAGE})
      UNION (SELECT o.id FROM conversation_members k
        JOIN conversations c ON c.id = k.conversation_id AND c.deleted_at IS NULL
        CROSS JOIN LATERAL (VALUES (c.owner_id), (c.direct_lo), (c.direct_hi)) o (id)
        WHERE k.user_id = :user AND o.id > :after AND o.id <> :user ORDER BY o.id LIMIT ${PAGE})
    ) x ORDER BY x.id LIMIT ${PAGE}
  ) x JOIN users u ON u.id = x.id ORDER BY u.id`;

/** With the membership, for which a conversation has a line. */
const CONVERSATIONS = `SELECT c.id AS at, ${object(
  `'type', 'conversation', 'external_id', ${ref("c")}, 'id', c.id::text, 'kind', c.kind,
    'title', c.title, 'owner', (SELECT ${ref("o")} FROM users o WHERE o.id = c.owner_id),
    'members', (SELECT json_agg(${ref("o")} ORDER BY o.id) FROM users o
      WHERE o.id IN (c.direct_lo, c.direct_hi)),
    'parent_id', c.parent_id::text, 'parent_seq', c.parent_seq,
    'created_at', iso_time(c.created_at)`,
)} || E'\\n' || ${object(
  `'type', 'member', 'conversation', ${ref("c")}, 'user', :self,
    'role', CASE WHEN c.owner_id = k.user_id THEN 'owner' ELSE k.extra->>'role' END,
    'joined_at', iso_time(k.joined_at), 'delivered', k.delivered_seq, 'read', k.read_seq`,
)} AS line
  FROM conversation_members k JOIN conversations c ON c.id = k.conversation_id
  WHERE k.user_id = :user AND k.conversation_id > :after AND c.deleted_at IS NULL
  ORDER BY k.conversation_id LIMIT ${PAGE}`;

const PREFS = `SELECT p.conversation_id AS at,
    '{"type":"preferences",' || substr(prefs_text(p, k), 2) AS line
  FROM conversation_prefs p LEFT JOIN conversation_members k
    ON k.conversation_id = p.conversation_id AND k.user_id = p.user_id
  WHERE p.user_id = :user AND p.conversation_id > :after AND NOT p.is_removed
  ORDER BY p.conversation_id LIMIT ${PAGE}`;

const LOGINS = `SELECT f.id AS at, ${object(
  `'type', 'login', 'id', f.id::text, 'created_at', iso_time(f.created_at),
    'last_used_at', iso_time(f.last_used_at), 'ended_at', iso_time(f.revoked_at),
    'address', f.address, 'user_agent', f.user_agent`,
)} AS line FROM refresh_families f
  WHERE f.user_id = :user AND f.id > :after ORDER BY f.id LIMIT ${PAGE}`;

const DEVICES = `SELECT d.id AS at, ${object(
  `'type', 'device', 'device_id', d.device_id, 'provider', d.provider, 'address', d.address,
    'locale', d.locale, 'tz', d.tz, 'created_at', iso_time(d.created_at),
    'updated_at', iso_time(d.updated_at)`,
)} AS line FROM push_devices d
  WHERE d.user_id = :user AND d.id > :after ORDER BY d.id LIMIT ${PAGE}`;
const PUSH_SETTINGS = `SELECT s.user_id AS at, ${object(
  `'type', 'push', 'level', s.level, 'snoozed_until', iso_time(s.snoozed_until),
    'quiet_hours', s.quiet_hours, 'content', s.content`,
)} AS line FROM push_settings s WHERE s.user_id = :user AND :after = 0`;

/**
 * The conversations that follow, whether the user is a member still or not. LIMIT keeps PostgreSQL to
 * one look into an index for each, where it would otherwise read whole tables.
 */
const WALK = `SELECT x.id, x.ref, x.last_seq,
    (SELECT true FROM messages m
      WHERE m.conversation_id = x.id AND m.sender_id = :user
      -- The order is that of the index of senders, so that no other one is read.
      ORDER BY m.client_id LIMIT 1) AS has_messages,
    (SELECT true FROM message_reactions r
      WHERE r.conversation_id = x.id AND r.user_id = :user LIMIT 1) AS has_reactions
  FROM (
    SELECT c.id, ${ref("c")} AS ref, c.last_seq FROM conversations c
    WHERE c.id > :after AND c.deleted_at IS NULL ORDER BY c.id LIMIT ${WALKED}
  ) x ORDER BY x.id`;
const MESSAGES = `SELECT m.seq AS at, ${object(
  `'type', 'message', 'conversation', :ref, 'id', m.id::text, 'seq', m.seq, 'sender', :self,
    'client_id', m.client_id, 'body', m.body, 'reply_to_seq', m.reply_to_seq,
    'created_at', iso_time(m.created_at), 'edited_at', iso_time(m.edited_at),
    'mentions', m.extra->'mentions',
    'attachments', nullif(jsonb_path_query_array(m.extra, '$.attachments[*].id'), '[]')`,
  { data: "m.data" },
)} AS line FROM messages m
  WHERE m.conversation_id = :id AND m.sender_id = :user
    AND m.seq > :after AND m.seq <= :after + ${SPAN} AND m.deleted_at IS NULL
    AND m.seq >= ${keptIn(":id")}
  ORDER BY m.seq LIMIT ${PAGE}`;
const REACTIONS = `SELECT r.seq AS at, ${object(
  `'type', 'reaction', 'conversation', :ref, 'seq', r.seq, 'user', :self, 'key', r.key,
    'created_at', iso_time(r.created_at)`,
)} AS line FROM message_reactions r
  WHERE r.conversation_id = :id AND r.user_id = :user AND r.seq > :after
    AND r.seq >= ${keptIn(":id")}
  ORDER BY r.seq FETCH FIRST ${PAGE} ROWS WITH TIES`;

const SCHEDULED = `SELECT s.id AS at, ${object(
  `'type', 'scheduled_message', 'conversation_id', s.conversation_id::text, 'id', s.id::text,
    'body', s.body, 'reply_to_seq', s.reply_to_seq, 'send_at', iso_time(s.send_at),
    'created_at', iso_time(s.created_at)`,
  { data: "s.content->'data'" },
)} AS line FROM scheduled_messages s
  WHERE s.user_id = :user AND s.id > :after ORDER BY s.id LIMIT ${PAGE}`;

const POSTS = `SELECT p.id AS at, ${object(
  `'type', 'post', 'id', p.id::text, 'author', :self, 'body', p.body,
    'created_at', iso_time(p.created_at), 'edited_at', iso_time(p.edited_at),
    'attachments', p.file_ids::text[]`,
  { data: "p.data" },
)} AS line FROM posts p
  WHERE p.author_id = :user AND p.id > :after AND p.deleted_at IS NULL
  ORDER BY p.id LIMIT ${PAGE}`;
const ENDS = `SELECT coalesce((SELECT max(c.id) FROM comments c), 0) AS comments,
  coalesce((SELECT max(p.id) FROM posts p), 0) AS posts`;
const COMMENTS = `SELECT c.id AS at, ${object(
  `'type', 'comment', 'id', c.id::text, 'post_id', c.post_id::text, 'author', :self,
    'body', c.body, 'created_at', iso_time(c.created_at)`,
  { data: "c.data" },
)} AS line FROM comments c
  WHERE c.id > :after AND c.id <= :after + ${SPAN} AND c.author_id = :user
  ORDER BY c.id LIMIT ${PAGE}`;
const LIKES = `SELECT p.id AS at, ${object(
  `'type', 'like', 'post_id', p.id::text, 'user', :self, 'created_at', iso_time(l.created_at)`,
)} AS line FROM posts p
  CROSS JOIN LATERAL (
    SELECT l.created_at FROM likes l WHERE l.post_id = p.id AND l.user_id = :user LIMIT 1) l
  WHERE p.id > :after AND p.id <= :after + ${WALKED} AND p.deleted_at IS NULL ORDER BY p.id`;

const FOLLOWS = `SELECT u.id AS at, ${object(
  `'type', 'follow', 'follower', :self, 'followee', ${ref("u")},
    'created_at', iso_time(f.created_at)`,
)} AS line FROM follows f JOIN users u ON u.id = f.followee_id
  WHERE f.follower_id = :user AND f.followee_id > :after ORDER BY f.followee_id LIMIT ${PAGE}`;
const FOLLOWERS = `SELECT u.id AS at, ${object(
  `'type', 'follow', 'follower', ${ref("u")}, 'followee', :self,
    'created_at', iso_time(f.created_at)`,
)} AS line FROM follows f JOIN users u ON u.id = f.follower_id
  WHERE f.followee_id = :user AND f.follower_id > :after ORDER BY f.follower_id LIMIT ${PAGE}`;
const BLOCKS = `SELECT u.id AS at, ${object(
  `'type', 'block', 'blocker', :self, 'blocked', ${ref("u")},
    'created_at', iso_time(b.created_at)`,
)} AS line FROM blocks b JOIN users u ON u.id = b.blocked_id
  WHERE b.blocker_id = :user AND b.blocked_id > :after ORDER BY b.blocked_id LIMIT ${PAGE}`;
const REPORTS = `SELECT r.id AS at, ${object(
  `'type', 'report', 'id', r.id::text, 'reason', r.reason, 'note', r.note,
    'created_at', iso_time(r.created_at)`,
  { subject: "r.subject" },
)} AS line FROM reports r
  WHERE r.reporter_id = :user AND r.id > :after ORDER BY r.id LIMIT ${PAGE}`;

/** By an index of the user's own, in the order of ids. */
const PAGED = [
  CONVERSATIONS,
  PREFS,
  LOGINS,
  DEVICES,
  PUSH_SETTINGS,
  SCHEDULED,
  POSTS,
  FOLLOWS,
  FOLLOWERS,
  BLOCKS,
  REPORTS,
];

/** See ExportStore.lines. */
export async function* userLines(
  database: Database,
  user: string,
  outside: boolean,
): AsyncGenerator<string[]> {
  const first = { ...NO_VALUES, user, outside };
  const [own] = await read<{ self: string; line: string }>(database, SELF, first);
  if (own === undefined) return;
  const values = { ...first, self: own.self };
  const [privacy] = await read<{ line: string }>(database, PRIVACY, values);
  yield [own.line, privacy!.line];
  yield* pages(database, OTHERS, values);
  for (const text of PAGED) yield* pages(database, text, values);
  yield* spoken(database, values);
  const [ends] = await read<{ comments: string; posts: string }>(database, ENDS, values);
  yield* spans(database, COMMENTS, values, SPAN, Number(ends!.comments));
  yield* spans(database, LIKES, values, WALKED, Number(ends!.posts));
}

/** What the user has said in conversations. */
async function* spoken(database: Database, values: Values): AsyncGenerator<string[]> {
  for (let after = "0"; ; ) {
    const found = await read<{
      id: string;
      ref: string;
      last_seq: string;
      has_messages: boolean | null;
      has_reactions: boolean | null;
    }>(database, WALK, { ...values, after });
    for (const { id, ref: name, last_seq, has_messages, has_reactions } of found) {
      const here = { ...values, id, ref: name };
      if (has_messages) yield* spans(database, MESSAGES, here, SPAN, Number(last_seq));
      if (has_reactions) yield* pages(database, REACTIONS, here);
    }
    if (found.length < WALKED) return;
    after = found.at(-1)!.id;
  }
}

/**
 * Rows as they come from PostgreSQL (bigints as text, times as ISO text; see connection.ts), and
 * the contract's objects made of them.
 */

import type { NewMessage } from "../../../actors/ports.ts";
import { partOf, WHOLE_MEMBERS_MAX } from "../../protocol/members.ts";
import type { Conversation, Member, Message, User } from "../../protocol/schemas.ts";
import { shownThread, type ThreadRules } from "../../protocol/threads.ts";

/**
 * A message that message_text wrote (sql/functions), which is where SQL lists a message's keys.
 * What PostgreSQL writes needs no mapping: it is the contract's JSON.
 */
export function messageOf(text: string): Message {
  return JSON.parse(text) as Message;
}

/** Messages that message_text wrote, joined by commas; null is none. */
export function messagesOf(texts: string | null): Message[] {
  return texts === null ? [] : (JSON.parse(`[${texts}]`) as Message[]);
}

/** The values that storage adds to a message when it commits it. */
export interface Stored {
  id: string;
  seq: number;
  rev: number;
  createdAt: string;
  n?: number;
  /** Further keys, as storage has them. */
  extra?: Partial<Message>;
}

/** A message that was just stored; both storages make it here. */
export function storedMessage(asked: NewMessage, stored: Stored): Message {
  const { id, seq, rev, createdAt, n, extra } = stored;
  const message: Message = {
    id,
    conversation_id: asked.conversationId,
    seq,
    rev,
    sender_id: asked.senderId,
    client_id: asked.clientId,
    body: asked.body,
    reply_to_seq: asked.replyToSeq,
    created_at: createdAt,
    edited_at: null,
    deleted_at: null,
  };
  if (n !== undefined && n !== seq) message.n = n;
  const data = asked.content?.data;
  if (data !== undefined) message.data = data;
  return extra === undefined ? message : Object.assign(message, extra);
}

/**
 * A row of the view conversation_rows, with all members; or, with `member_count`, a row that has only
 * some members of a large group.
 */
export interface ConversationRow {
  id: string;
  kind: Conversation["kind"];
  title: string | null;
  owner_id: string | null;
  last_seq: string;
  rev: string;
  created_at: string;
  last_n: string | null;
  first_seq: string | null;
  first_n: string | null;
  /** The three arrays run parallel, in the order in which members joined. */
  member_ids: string[];
  member_delivered: string[];
  member_read: string[];
  member_count?: number;
  /** How many members a channel has; null or left out where the conversation is none. */
  channel_members?: number | null;
  external_id: string | null;
  extra: ConversationExtra | null;
  /** By user id; null where no member has any. */
  member_extras: Readonly<Record<string, MemberExtra>> | null;
  /** Columns that only a thread has; see PARENT_COLUMNS. */
  parent_id?: string | null;
  parent_seq?: string | null;
  parent_rules?: ThreadRules | null;
  reader_extra?: MemberExtra | null;
}

/** The properties of a conversation beside members and title (sql/migrations/0015, 0041). */
export type ConversationExtra = Pick<
  Conversation,
  "audience" | "data" | "image_url" | "settings" | "permissions" | "meta_rev"
>;
export type MemberExtra = Omit<Member, "user_id" | "delivered_seq" | "read_seq">;

/** Columns of a ConversationRow, of view alias `v`. */
export const CONVERSATION_COLUMNS =
  "v.id, v.kind, v.title, v.owner_id, v.last_seq, v.rev, v.created_at," +
  " v.member_ids, v.member_delivered, v.member_read," +
  " v.external_id, v.extra, v.member_extras, v.last_n, v.first_seq, v.first_n, v.channel_members";

/**
 * The columns that a thread, table alias `c`, has from its parent. They are null in every other
 * conversation, where they cost no look at another row.
 */
export const PARENT_COLUMNS = `c.parent_id, c.parent_seq, (
    SELECT json_build_object('owner_id', p.owner_id::text, 'settings', p.extra->'settings',
      'permissions', p.extra->'permissions')
    FROM conversations p WHERE p.id = c.parent_id
  ) AS parent_rules`;

/** The reader's membership of the parent of a thread. */
export const readerExtra = (reader: string) => `(
    SELECT p.extra FROM conversation_members p
    WHERE p.conversation_id = c.parent_id AND p.user_id = ${reader}
  ) AS reader_extra`;

/**
 * A conversation `c` and the row `k` by which `reader` may read it: the reader's membership, for a
 * thread the one of its parent, for a channel that anyone may read the row that open_reader makes.
 * A thread is hidden from a reader from whom its root is hidden.
 */
export const readable = (reader: string) => `conversations c ${readableBy(reader)}`;

/**
 * The row `k` of `readable`, joined to a conversation `c`. The rows of a deleted one may still be there.
 */
export const readableBy = (reader: string) =>
  `CROSS JOIN LATERAL (
      SELECT m.* FROM conversation_members m
      WHERE m.conversation_id = coalesce(c.parent_id, c.id) AND m.user_id = ${reader}
        AND c.deleted_at IS NULL AND (c.parent_id IS NULL OR coalesce(m.visible_from_seq, 1) <= c.parent_seq)
      UNION ALL
      SELECT o.* FROM open_reader(c, ${reader}) o WHERE c.kind = 'channel'
    ) k`;

/** The first seq that the reader of `readable` may see; see shownFrom. */
export const SHOWN_FROM = `CASE WHEN c.parent_id IS NULL
    THEN greatest(k.visible_from_seq, k.cleared_before_seq, kept_of(c))
    ELSE greatest(kept_of(c), (
      SELECT f.cleared_before_seq FROM conversation_members f
      WHERE f.conversation_id = c.id AND f.user_id = k.user_id
    ))
  END`;

/** The same of table alias `c` and a subquery `v` of the arrays: see below. */
export const PART_COLUMNS =
  "c.id, c.kind, c.title, c.owner_id, c.last_seq, c.rev, c.created_at, c.member_count," +
  " v.member_ids, v.member_delivered, v.member_read," +
  " c.external_id, c.extra, v.member_extras, c.last_n, c.first_seq, c.first_n";

/** How far the member `y` has read, as `reader` sees it; see conversation_members.read_mask. */
export const shownRead = (y: string, reader: string) =>
  `CASE WHEN ${y}.read_mask IS NULL OR ${y}.user_id = ${reader} THEN ${y}.read_seq ELSE 0 END`;

const memberArrays = (order: string, reader: string) =>
  `coalesce(array_agg(y.user_id ORDER BY ${order}), '{}') AS member_ids,` +
  ` coalesce(array_agg(y.delivered_seq ORDER BY ${order}), '{}') AS member_delivered,` +
  ` coalesce(array_agg(${shownRead("y", reader)} ORDER BY ${order}), '{}') AS member_read,` +
  " json_object_agg(y.user_id, y.extra) FILTER (WHERE y.extra IS NOT NULL) AS member_extras";
const BY_JOINING = "y.joined_at, y.user_id";

/** Subquery of the arrays with at most `most` members, `reader` first. */
export const fewMembers = (c: string, reader: string, most: number) =>
  `SELECT ${memberArrays(`y.user_id <> ${reader}, ${BY_JOINING}`, reader)} FROM (
    SELECT y.* FROM conversation_members y
    WHERE y.conversation_id = ${c}.id AND y.user_id = ${reader}
    UNION ALL
    (SELECT y.* FROM conversation_members y
      WHERE y.conversation_id = ${c}.id AND y.user_id <> ${reader} AND ${c}.kind <> 'channel'
      ORDER BY y.joined_at, y.user_id LIMIT ${most - 1})
  ) y`;

/**
 * Subquery of the arrays of a conversation of table alias `c`, as lists and `sync` show them to
 * `reader`: for a large group or a channel no other member's row is read. `where` is a condition on
 * `c`.
 */
export const listedMembers = (c: string, reader: string, where = "true") =>
  `SELECT ${memberArrays(BY_JOINING, reader)} FROM (
    SELECT y.* FROM conversation_members y
    WHERE y.conversation_id = ${c}.id AND ${c}.member_count <= ${WHOLE_MEMBERS_MAX}
      AND ${c}.parent_id IS NULL AND ${c}.kind <> 'channel' AND ${where}
    UNION ALL
    SELECT y.* FROM conversation_members y
    WHERE y.conversation_id = ${c}.id AND y.user_id = ${reader}
      AND (${c}.member_count > ${WHOLE_MEMBERS_MAX} OR ${c}.parent_id IS NOT NULL
        OR ${c}.kind = 'channel') AND ${where}
  ) y`;

/** The same with the first members, for a single conversation; of a channel with the reader. */
export const firstMembers = (c: string, reader: string) =>
  `SELECT ${memberArrays(BY_JOINING, reader)} FROM (
    (SELECT y.* FROM conversation_members y
      WHERE y.conversation_id = ${c}.id AND ${c}.kind <> 'channel'
      ORDER BY y.joined_at, y.user_id LIMIT ${WHOLE_MEMBERS_MAX})
    UNION ALL
    SELECT y.* FROM conversation_members y
    WHERE y.conversation_id = ${c}.id AND y.user_id = ${reader} AND ${c}.kind = 'channel'
  ) y`;

export function conversationOf(row: ConversationRow): Conversation {
  const members: Member[] = row.member_ids.map((user_id, i) => ({
    user_id,
    delivered_seq: Number(row.member_delivered[i]),
    read_seq: Number(row.member_read[i]),
    ...row.member_extras?.[user_id],
  }));
  const conversation: Conversation = {
    id: row.id,
    kind: row.kind,
    title: row.title,
    owner_id: row.owner_id,
    members,
    last_seq: Number(row.last_seq),
    rev: Number(row.rev),
    created_at: row.created_at,
    ...(row.external_id !== null && { external_id: row.external_id }),
    ...row.extra,
    ...countsOf(row),
  };
  if (row.parent_id != null) return threadOf(conversation, row);
  const member_count = row.channel_members ?? row.member_count;
  if (row.kind === "channel") return channelOf(conversation, row, member_count ?? 0);
  if (member_count === undefined || member_count <= WHOLE_MEMBERS_MAX) return conversation;
  return partOf(conversation, members, member_count);
}

/** With `reader_extra` as that reader sees it, else with all its followers. */
function threadOf(conversation: Conversation, row: ConversationRow): Conversation {
  const parent = { conversation_id: row.parent_id!, seq: Number(row.parent_seq) };
  const { owner_id = null, settings, permissions } = row.parent_rules ?? {};
  const rules: ThreadRules = {
    owner_id,
    ...(settings && { settings }),
    ...(permissions && { permissions }),
  };
  const thread = { ...conversation, parent, owner_id };
  if (row.reader_extra === undefined) return thread;
  const { role, silenced_until } = row.reader_extra ?? {};
  const standing = { ...(role && { role }), ...(silenced_until && { silenced_until }) };
  const [own] = conversation.members;
  return shownThread(thread, rules, own, standing, row.member_count ?? 0);
}

/**
 * With all members (rows of the view) those whom the channel's actor knows, else the reader's own
 * entry alone.
 */
function channelOf(channel: Conversation, row: ConversationRow, count: number): Conversation {
  const isView = row.channel_members != null;
  return isView ? { ...channel, member_count: count } : partOf(channel, channel.members, count);
}

/** The counts of a conversation; each is left out where its column is null. */
function countsOf({ last_n, first_seq, first_n }: ConversationRow) {
  if (last_n === null && first_seq === null) return null;
  return {
    ...(last_n !== null && { last_n: Number(last_n) }),
    ...(first_seq !== null && { first_seq: Number(first_seq) }),
    ...(first_n !== null && { first_n: Number(first_n) }),
  };
}

/** A member's own point in a conversation; see `ownColumns`. */
export interface OwnRow {
  last_seq: string;
  last_n: string | null;
  first_n: string | null;
  read_seq: string;
  read_n: string | null;
  cleared_n: string | null;
  unread_from_n: string | null;
  unread_count: string;
}

/** From where on a member's join and clearing show messages; in a thread, roots of threads. */
export const joinedFrom = (k: string) =>
  `greatest(${k}.visible_from_seq, ${k}.cleared_before_seq, 1)`;

/**
 * The first seq that the member with the row `k` may read of the conversation `c`: join, clearing and
 * retention all hide messages.
 */
export const shownFrom = (k: string) =>
  `greatest(${k}.visible_from_seq, ${k}.cleared_before_seq, kept_of(c))`;

/** Columns of an OwnRow from a conversation `c` and the member's row `m`. */
export const ownColumns = (c: string, m: string) =>
  `${c}.last_seq, ${c}.last_n, first_n_of(${c}) AS first_n, ${m}.read_seq, ${m}.read_n, ${m}.cleared_n,` +
  ` ${m}.unread_from_n, unread_count(${c}, ${m}) AS unread_count`;

export function ownOf(row: Omit<OwnRow, "last_seq">) {
  const { last_n, first_n, read_n, cleared_n, unread_from_n } = row;
  return {
    ...(last_n !== null && { last_n: Number(last_n) }),
    ...(first_n !== null && { first_n: Number(first_n) }),
    read_seq: Number(row.read_seq),
    ...(read_n !== null && { read_n: Number(read_n) }),
    ...(cleared_n !== null && { cleared_n: Number(cleared_n) }),
    ...(unread_from_n !== null && { unread_from_n: Number(unread_from_n) }),
    unread_count: Number(row.unread_count),
  };
}

export interface UserRow {
  id: string;
  username: string;
  display_name: string;
  image_url: string | null;
  data: Record<string, unknown> | null;
  trusted: Record<string, unknown> | null;
  external_id: string | null;
  erased?: boolean;
  created_at: string;
}

/** Columns of a UserRow, of table alias `u`. */
export const USER_COLUMNS =
  "u.id, u.username, u.display_name, u.image_url, u.data, u.trusted, u.external_id, u.created_at, " +
  "u.erased_at IS NOT NULL AS erased";

export function userOf(row: UserRow): User {
  return {
    id: row.id,
    username: row.username,
    display_name: row.display_name,
    ...(row.image_url !== null && { image_url: row.image_url }),
    ...(row.data !== null && { data: row.data }),
    ...(row.trusted !== null && { trusted: row.trusted }),
    ...(row.external_id !== null && { external_id: row.external_id }),
    ...(row.erased === true && { erased: true as const }),
    created_at: row.created_at,
  };
}

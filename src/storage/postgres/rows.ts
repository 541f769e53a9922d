/**
 * Rows as they come from PostgreSQL (bigints as text, times as ISO text; see connection.ts), and
 * the contract's objects made of them.
 */

import type { NewMessage } from "../../../actors/ports.ts";
import { partOf, WHOLE_MEMBERS_MAX } from "../../protocol/members.ts";
import type { Conversation, Member, Message, User } from "../../protocol/schemas.ts";

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

/** What storage adds to a message that was asked for. */
export interface Stored {
  id: string;
  seq: number;
  rev: number;
  createdAt: string;
}

/** A message that was just stored; both storages make it here. */
export function storedMessage(asked: NewMessage, { id, seq, rev, createdAt }: Stored): Message {
  return {
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
}

/**
 * A row of the view conversation_rows, with all members; or, with `member_count`, one that holds
 * of a large group only some.
 */
export interface ConversationRow {
  id: string;
  kind: Conversation["kind"];
  title: string | null;
  owner_id: string | null;
  last_seq: string;
  rev: string;
  created_at: string;
  /** The three arrays run parallel, in the order in which members joined. */
  member_ids: string[];
  member_delivered: string[];
  member_read: string[];
  member_count?: number;
  external_id: string | null;
  extra: ConversationExtra | null;
  /** By user id; null where no member has any. */
  member_extras: Readonly<Record<string, MemberExtra>> | null;
}

/** What a conversation has beside members and title (sql/migrations/0015). */
export type ConversationExtra = Pick<
  Conversation,
  "data" | "image_url" | "settings" | "permissions" | "meta_rev"
>;
export type MemberExtra = Omit<Member, "user_id" | "delivered_seq" | "read_seq">;

/** Columns of a ConversationRow, of view alias `v`. */
export const CONVERSATION_COLUMNS =
  "v.id, v.kind, v.title, v.owner_id, v.last_seq, v.rev, v.created_at," +
  " v.member_ids, v.member_delivered, v.member_read," +
  " v.external_id, v.extra, v.member_extras";

/** The same of table alias `c` and a subquery `v` of the arrays: see below. */
export const PART_COLUMNS =
  "c.id, c.kind, c.title, c.owner_id, c.last_seq, c.rev, c.created_at, c.member_count," +
  " v.member_ids, v.member_delivered, v.member_read," +
  " c.external_id, c.extra, v.member_extras";

const MEMBER_ARRAYS =
  "coalesce(array_agg(y.user_id ORDER BY y.joined_at, y.user_id), '{}') AS member_ids," +
  " coalesce(array_agg(y.delivered_seq ORDER BY y.joined_at, y.user_id), '{}') AS member_delivered," +
  " coalesce(array_agg(y.read_seq ORDER BY y.joined_at, y.user_id), '{}') AS member_read," +
  " json_object_agg(y.user_id, y.extra) FILTER (WHERE y.extra IS NOT NULL) AS member_extras";

/**
 * Subquery of the arrays of a conversation of table alias `c`, as lists and `sync` show
 * them to `reader`: of a large group no other member's row is read. `where`: a condition on `c`.
 */
export const listedMembers = (c: string, reader: string, where = "true") =>
  `SELECT ${MEMBER_ARRAYS} FROM (
    SELECT y.* FROM conversation_members y
    WHERE y.conversation_id = ${c}.id AND ${c}.member_count <= ${WHOLE_MEMBERS_MAX} AND ${where}
    UNION ALL
    SELECT y.* FROM conversation_members y
    WHERE y.conversation_id = ${c}.id AND y.user_id = ${reader}
      AND ${c}.member_count > ${WHOLE_MEMBERS_MAX} AND ${where}
  ) y`;

/** The same with the first members, for a single conversation. */
export const firstMembers = (c: string) =>
  `SELECT ${MEMBER_ARRAYS} FROM (
    SELECT y.* FROM conversation_members y WHERE y.conversation_id = ${c}.id
    ORDER BY y.joined_at, y.user_id LIMIT ${WHOLE_MEMBERS_MAX}
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
  };
  const { member_count } = row;
  if (member_count === undefined || member_count <= WHOLE_MEMBERS_MAX) return conversation;
  return partOf(conversation, members, member_count);
}

export interface UserRow {
  id: string;
  username: string;
  display_name: string;
  created_at: string;
}

/** Columns of a UserRow, of table alias `u`. */
export const USER_COLUMNS = "u.id, u.username, u.display_name, u.created_at";

export function userOf(row: UserRow): User {
  return {
    id: row.id,
    username: row.username,
    display_name: row.display_name,
    created_at: row.created_at,
  };
}

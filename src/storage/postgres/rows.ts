/**
 * Rows as they come from PostgreSQL (bigints as text, times as ISO text; see connection.ts), and
 * the contract's objects made of them.
 */

import type { Conversation, Member, Message, User } from "../../protocol/schemas.ts";
import { isoOf } from "./connection.ts";

export interface MessageRow {
  id: string;
  conversation_id: string;
  seq: string;
  rev: string;
  sender_id: string;
  client_id: string;
  body: string;
  reply_to_seq: string | null;
  created_at: string;
  edited_at: string | null;
  deleted_at: string | null;
}

/** Columns of a MessageRow, of table alias `m`. */
export const MESSAGE_COLUMNS =
  "m.id, m.conversation_id, m.seq, m.rev, m.sender_id, m.client_id, m.body, m.reply_to_seq," +
  " m.created_at, m.edited_at, m.deleted_at";

export function messageOf(row: MessageRow): Message {
  return {
    id: row.id,
    conversation_id: row.conversation_id,
    seq: Number(row.seq),
    rev: Number(row.rev),
    sender_id: row.sender_id,
    client_id: row.client_id,
    body: row.body,
    reply_to_seq: row.reply_to_seq === null ? null : Number(row.reply_to_seq),
    created_at: row.created_at,
    edited_at: row.edited_at,
    deleted_at: row.deleted_at,
  };
}

/**
 * A message of table alias `m` as JSON, for answers that hold several lists. Ids are text, for
 * JSON's numbers would lose digits; times are as PostgreSQL writes them.
 */
export const MESSAGE_JSON =
  "json_build_object('id', m.id::text, 'conversation_id', m.conversation_id::text, 'seq', m.seq," +
  " 'rev', m.rev, 'sender_id', m.sender_id::text, 'client_id', m.client_id, 'body', m.body," +
  " 'reply_to_seq', m.reply_to_seq, 'created_at', m.created_at, 'edited_at', m.edited_at," +
  " 'deleted_at', m.deleted_at)";

// Session time is UTC, and columns hold no more than milliseconds.
export const timeText = (column: string) => `to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
const timeOrNull = (column: string) => `coalesce('"' || ${timeText(column)} || '"', 'null')`;

/** The same as the contract's JSON text, times and all: it needs no going over. */
export const MESSAGE_TEXT =
  `'{"id":"' || m.id || '","conversation_id":"' || m.conversation_id || '","seq":' || m.seq ||` +
  ` ',"rev":' || m.rev || ',"sender_id":"' || m.sender_id || '","client_id":' ||` +
  ` to_json(m.client_id)::text || ',"body":' || to_json(m.body)::text || ',"reply_to_seq":' ||` +
  ` coalesce(m.reply_to_seq::text, 'null') || ',"created_at":"' || ${timeText("m.created_at")} ||` +
  ` '","edited_at":' || ${timeOrNull("m.edited_at")} || ',"deleted_at":' ||` +
  ` ${timeOrNull("m.deleted_at")} || '}'`;

/** The message that MESSAGE_JSON made. */
export function messageOfJson(message: Message): Message {
  message.created_at = isoOf(message.created_at);
  if (message.edited_at !== null) message.edited_at = isoOf(message.edited_at);
  if (message.deleted_at !== null) message.deleted_at = isoOf(message.deleted_at);
  return message;
}

/** A row of the view conversation_rows. */
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
}

/** Columns of a ConversationRow, of view alias `v`. */
export const CONVERSATION_COLUMNS =
  "v.id, v.kind, v.title, v.owner_id, v.last_seq, v.rev, v.created_at," +
  " v.member_ids, v.member_delivered, v.member_read";

export function conversationOf(row: ConversationRow): Conversation {
  const members: Member[] = row.member_ids.map((user_id, i) => ({
    user_id,
    delivered_seq: Number(row.member_delivered[i]),
    read_seq: Number(row.member_read[i]),
  }));
  return {
    id: row.id,
    kind: row.kind,
    title: row.title,
    owner_id: row.owner_id,
    members,
    last_seq: Number(row.last_seq),
    rev: Number(row.rev),
    created_at: row.created_at,
  };
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

/**
 * Rows of the event log as the contract's events. The log holds what the rows of the tables were;
 * this module makes the API's objects of them, with the mappers that every other answer uses.
 */
import { withFirstMembers } from "../../protocol/members.ts";
import { type OutsideEvent, outsideEvent, shownType } from "../../protocol/outside-events.ts";
import type { Conversation } from "../../protocol/schemas.ts";
import { isoOf } from "./connection.ts";
import { type ConversationRow, conversationOf, type UserRow, userOf } from "./rows.ts";
import {
  type CommentRow,
  commentOf,
  type NotificationRow,
  notificationOf,
  type PostRow,
  postOf,
} from "./social-rows.ts";

/** An event as the function outside_event writes it. */
export interface LoggedEvent {
  t: string;
  k: string;
  r?: number;
  a?: string;
  s?: string;
  d: Record<string, unknown>;
}

export interface LogRow {
  pos: string;
  uid: string;
  at: string;
  events: LoggedEvent[];
}

/** The `n`th event of a row. */
export function eventOf(
  { uid, at }: Omit<LogRow, "pos" | "events">,
  n: number,
  logged: LoggedEvent,
): OutsideEvent {
  const { t: type, k: key, r: rev, a: actor, s: service } = logged;
  return outsideEvent({
    id: `evt_${uid}_${n}`,
    type: shownType(type),
    at,
    key,
    rev,
    actor,
    service,
    data: dataOf(logged),
  });
}

/** Rows that went through JSON have numbers for ids, and times as PostgreSQL writes them. */
type Raw = Record<string, unknown>;

function text(value: unknown): string {
  return String(value);
}

function textOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}

/** A time in either form; a row's own times are in PostgreSQL's. */
function time(value: unknown): string {
  const at = String(value);
  return at.endsWith("Z") ? at : isoOf(at);
}

export function conversationOfRaw(raw: Raw): Conversation {
  const list = (value: unknown) => ((value ?? []) as unknown[]).map(String);
  const row: ConversationRow = {
    ...(raw as unknown as ConversationRow),
    id: text(raw["id"]),
    owner_id: textOrNull(raw["owner_id"]),
    created_at: time(raw["created_at"]),
    last_n: textOrNull(raw["last_n"]),
    first_seq: textOrNull(raw["first_seq"]),
    first_n: textOrNull(raw["first_n"]),
    member_ids: list(raw["member_ids"]),
    member_delivered: list(raw["member_delivered"]),
    member_read: list(raw["member_read"]),
  };
  return withFirstMembers(conversationOf(row));
}

function dataOf({ d }: LoggedEvent): unknown {
  const data: Raw = { ...d };
  if (typeof d["conversation"] === "object") {
    data["conversation"] = conversationOfRaw(d["conversation"] as Raw);
  }
  if (typeof d["member"] === "object") {
    const { extra, ...rest } = data;
    return { ...rest, member: { ...(d["member"] as Raw), ...(extra as Raw | null) } };
  }
  if (typeof d["user"] === "object") {
    const user = d["user"] as Raw;
    data["user"] =
      user["created_at"] === undefined
        ? user
        : userOf({ ...(user as unknown as UserRow), created_at: time(user["created_at"]) });
  }
  if (typeof d["post"] === "object") data["post"] = postOfRaw(d["post"] as Raw);
  if (typeof d["comment"] === "object") {
    const raw = d["comment"] as Raw;
    data["comment"] = commentOf({
      ...(raw as unknown as CommentRow),
      id: text(raw["id"]),
      post_id: text(raw["post_id"]),
      author_id: text(raw["author_id"]),
      created_at: time(raw["created_at"]),
    });
  }
  if (typeof d["notification"] === "object") {
    const raw = d["notification"] as Raw;
    data["notification"] = notificationOf({
      ...(raw as unknown as NotificationRow),
      id: text(raw["id"]),
      seq: text(raw["seq"]),
      actor_id: textOrNull(raw["actor_id"]),
      post_id: textOrNull(raw["post_id"]),
      comment_id: textOrNull(raw["comment_id"]),
      created_at: time(raw["created_at"]),
      read_at: raw["read_at"] === null ? null : time(raw["read_at"]),
    });
  }
  return data;
}

/** A post as a reader sees it who likes nothing. */
function postOfRaw(raw: Raw) {
  return postOf({
    ...(raw as unknown as PostRow),
    id: text(raw["id"]),
    author_id: text(raw["author_id"]),
    liked: false,
    created_at: time(raw["created_at"]),
    edited_at: raw["edited_at"] == null ? null : time(raw["edited_at"]),
  });
}

/**
 * Turns the messages of a talk into the rows of its list: day separators, the line where the
 * unread ones begin, groups by sender, ticks, and what is still on its way. Pure; days are
 * those of the browser's time zone.
 */
import type { Outgoing } from "../../client/index.ts";
import type { Message } from "../../protocol/schemas.ts";
import { messageAt, type Tick, tickOf } from "./selection.ts";
import type { State, Talk } from "./state.ts";
import { isSystem, systemWords } from "./system-words.ts";

/** Messages of one sender closer than this stand together. */
const GROUP_MS = 5 * 60_000;

export interface MessageRow {
  kind: "message";
  key: string;
  senderId: string;
  isOwn: boolean;
  isFirst: boolean;
  isLast: boolean;
  atMs: number;
  body: string;
  isEdited: boolean;
  isDeleted: boolean;
  tick: Tick | null;
  problem: string | null;
  /** Null while it is on its way. */
  seq: number | null;
  clientId: string;
  quote: { senderId: string; body: string } | null;
  /** Its text still grows. */
  isStreaming: boolean;
  /** This user may ask its writer to stop. */
  mayStop: boolean;
}

export type Row =
  | { kind: "day"; key: string; atMs: number }
  | { kind: "unread"; key: string }
  | { kind: "system"; key: string; words: string }
  | MessageRow;

function quoteOf(talk: Talk, replyToSeq: number | null): MessageRow["quote"] {
  if (replyToSeq === null) return null;
  const quoted = messageAt(talk, replyToSeq);
  if (!quoted) return { senderId: "", body: "An earlier message" };
  return {
    senderId: quoted.sender_id ?? "",
    body: quoted.deleted_at ? "Deleted message" : quoted.body,
  };
}

/** Roles whose members may ask the writer of any streamed message to stop. */
const MODERATING: ReadonlySet<string | undefined> = new Set(["owner", "admin", "moderator"]);

function mayStop({ me }: State, talk: Talk, { sender_id, reply_to_seq }: Message): boolean {
  const { kind, owner_id, members } = talk.conversation;
  if (sender_id === me.id) return false;
  if (kind === "direct" || owner_id === me.id) return true;
  if (MODERATING.has(members.find(({ user_id }) => user_id === me.id)?.role)) return true;
  return reply_to_seq !== null && messageAt(talk, reply_to_seq)?.sender_id === me.id;
}

function messageRow(state: State, talk: Talk, message: Message): MessageRow {
  const isOwn = message.sender_id === state.me.id;
  return {
    kind: "message",
    // An own message keeps its row when the ack turns it from waiting to sent.
    key: isOwn ? `own:${message.client_id}` : `seq:${message.seq}`,
    senderId: message.sender_id ?? "",
    isOwn,
    isFirst: true,
    isLast: true,
    atMs: Date.parse(message.created_at),
    body: message.body,
    isEdited: message.edited_at !== null,
    isDeleted: message.deleted_at !== null,
    tick: isOwn && message.deleted_at === null ? tickOf(talk, message) : null,
    problem: null,
    seq: message.seq,
    clientId: message.client_id ?? "",
    quote: message.deleted_at === null ? quoteOf(talk, message.reply_to_seq) : null,
    isStreaming: message.stream?.state === "open",
    mayStop: message.stream?.state === "open" && mayStop(state, talk, message),
  };
}

function outgoingRow(state: State, talk: Talk, outgoing: Outgoing): MessageRow {
  return {
    kind: "message",
    key: `own:${outgoing.clientId}`,
    senderId: state.me.id,
    isOwn: true,
    isFirst: true,
    isLast: true,
    atMs: outgoing.createdAtMs,
    body: outgoing.body,
    isEdited: false,
    isDeleted: false,
    tick: outgoing.problem === null ? "sending" : "failed",
    problem: outgoing.problem?.message ?? null,
    seq: null,
    clientId: outgoing.clientId,
    quote: quoteOf(talk, outgoing.replyToSeq),
    isStreaming: false,
    mayStop: false,
  };
}

function dayOf(atMs: number): string {
  const date = new Date(atMs);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

/** The rows of `talk`, oldest first; "new" is what was unread when it was opened. */
export function timelineOf(state: State, talk: Talk): Row[] {
  const { readSeq, lastSeq } = state.openMark ?? { readSeq: 0, lastSeq: 0 };
  const sent = talk.messages.map((message) => messageRow(state, talk, message));
  const words = new Map(
    talk.messages
      .filter(isSystem)
      .map((message) => [message.seq, systemWords(state, message)] as const),
  );
  const waiting = talk.outgoing.map((outgoing) => outgoingRow(state, talk, outgoing));
  const rows: Row[] = [];
  const days = new Set<string>();
  let isUnreadMarked = false;
  let previous: MessageRow | null = null;
  for (const row of [...sent, ...waiting]) {
    const day = dayOf(row.atMs);
    if (!days.has(day)) {
      days.add(day);
      rows.push({ kind: "day", key: `day:${day}`, atMs: row.atMs });
      previous = null;
    }
    const said = row.seq === null ? undefined : words.get(row.seq);
    if (said !== undefined) {
      rows.push({ kind: "system", key: `seq:${row.seq}`, words: said });
      previous = null;
      continue;
    }
    const isNew = row.seq !== null && row.seq > readSeq && row.seq <= lastSeq;
    if (isNew && !isUnreadMarked && !row.isOwn) {
      isUnreadMarked = true;
      rows.push({ kind: "unread", key: "unread" });
      previous = null;
    }
    if (previous && previous.senderId === row.senderId && row.atMs - previous.atMs < GROUP_MS) {
      row.isFirst = false;
      previous.isLast = false;
    }
    rows.push(row);
    previous = row;
  }
  return rows;
}

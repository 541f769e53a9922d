/**
 * This user's own point in a conversation, from which follows what is unread (protocol/unread.ts
 * has the rule). Pure, used by held.ts, steps.ts and views.ts.
 *
 * [CUN50] The read cursor is counted by the `n` that came with it, or by that of its message. It
 *         never moves back but for a user who left and came again, which only a snapshot after a
 *         gap can hide.
 * [CUN51] What is marked unread or cleared follows the numbered stream of preferences. An answer
 *         that was made before the last of these changes says nothing about it.
 */
import type { Prefs } from "../protocol/prefs.ts";
import type { Receipt } from "../protocol/schemas.ts";
import { countsAsUnread, type OwnMarks, unreadCount } from "../protocol/unread.ts";
import type { Held, Point } from "./state.ts";

export const NO_POINT: Point = { seq: 0, n: 0, rev: 0 };

/** The number of messages that count up to `seq`; null where it is not known here. */
function countAt({ messages, conversation }: Held, seq: number): number | null {
  if (seq < 1) return 0;
  const { last_seq, last_n = last_seq } = conversation;
  const message = messages.get(seq);
  if (message) return message.n ?? seq;
  if (seq >= last_seq) return last_n;
  const next = messages.get(seq + 1);
  return next ? (next.n ?? seq + 1) - Number(countsAsUnread(next)) : null;
}

/** As `countAt`; where it is not known, as if all messages counted. */
export const countTo = (held: Held, seq: number): number => {
  const { last_seq, last_n = last_seq } = held.conversation;
  return countAt(held, seq) ?? Math.min(seq, last_n);
};

export function unreadOf(held: Held, readSeq: number): number {
  const { seq, n, unreadFrom, unreadFromN, cleared, clearedN } = held.point;
  const read_n = seq === readSeq ? n : countTo(held, readSeq);
  const cleared_n = cleared === undefined ? clearedN : countTo(held, cleared - 1);
  const unread_from_n = unreadFrom === undefined ? unreadFromN : countTo(held, unreadFrom - 1);
  return unreadCount(held.conversation, {
    read_seq: readSeq,
    read_n,
    ...(cleared_n !== undefined && { cleared_n }),
    ...(unread_from_n !== undefined && { unread_from_n }),
  });
}

export const isMarkedUnread = ({ point }: Held): boolean =>
  (point.unreadFrom ?? point.unreadFromN) !== undefined;

/** [CUN50] A receipt or an answer to this user. */
export function readTo(held: Held, { read_seq, read_n = read_seq }: OwnMarks): Held {
  if (read_seq < held.point.seq) return held;
  return { ...held, point: { ...held.point, seq: read_seq, n: read_n } };
}

/** Only those of this user say what is unread. */
export const readByReceipts = (held: Held, receipts: readonly Receipt[]): Held =>
  receipts.filter(({ unread_count }) => unread_count !== undefined).reduce(readTo, held);

/** [CUN50] The user may have left and come again; `receipts` are those received since. */
export function beginAnew(held: Held, own: Partial<OwnMarks>, receipts: readonly Receipt[]): Held {
  const anew = { ...held, point: { ...held.point, seq: 0, n: 0 } };
  return readByReceipts(takePoint(anew, own), receipts);
}

/** [CUN51] All that an answer says of this user's own point. */
export function takePoint(held: Held, own: Partial<OwnMarks>): Held {
  const { read_seq, read_n, cleared_n, unread_from_n } = own;
  if (read_seq === undefined) return held;
  const at = readTo(held, { read_seq, ...(read_n !== undefined && { read_n }) });
  const next = { ...at, seqAtReady: null };
  const { seq, n, rev } = next.point;
  if (rev > 0) return next;
  const point: Point = { seq, n, rev };
  if (cleared_n !== undefined) point.clearedN = cleared_n;
  if (unread_from_n !== undefined) point.unreadFromN = unread_from_n;
  return { ...next, point };
}

/** [CUN51] */
export function takePrefs(held: Held, { prefs_rev, ...prefs }: Prefs): Held {
  if (prefs_rev < held.point.rev) return held;
  const { seq, n } = held.point;
  const point: Point = { seq, n, rev: prefs_rev };
  const { unread_from_seq, cleared_before_seq = 1 } = prefs;
  if (unread_from_seq !== undefined) point.unreadFrom = unread_from_seq;
  if (cleared_before_seq > 1) point.cleared = cleared_before_seq;
  return shownFrom({ ...held, point }, cleared_before_seq);
}

/** Without the messages before a seq, which were cleared or are not kept any longer. */
export function shownFrom(held: Held, from = 1): Held {
  if (from < 2) return held;
  return { ...held, messages: new Map([...held.messages].filter(([seq]) => seq >= from)) };
}

/** The seq from which a page tells what is not known here of the user's marks; null: all is. */
export function unknownFrom(held: Held): number | null {
  const { unreadFrom, cleared } = held.point;
  const seqs = [unreadFrom, cleared].filter((seq) => seq !== undefined);
  return seqs.find((seq) => countAt(held, seq - 1) === null) ?? null;
}

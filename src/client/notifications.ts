/**
 * The notifications: how events, `sync` and pages of the list become one list and a count.
 * Pure.
 *
 * [SDK4] A notification is never replaced by one of a lower `seq`; one that grew counts once.
 */
import type { Notification } from "../protocol/social.ts";
import type { NotificationState } from "./state.ts";

export interface NotificationPage {
  items: readonly Notification[];
  next_cursor: string | null;
  unread_count: number;
}

function merge(
  held: readonly Notification[],
  incoming: readonly Notification[],
): readonly Notification[] {
  const byId = new Map(held.map((one) => [one.id, one]));
  for (const one of incoming) {
    const before = byId.get(one.id);
    if (before && before.seq > one.seq) continue;
    // A page read before the mark was made must not make it unread again.
    const read_at = one.read_at ?? (before?.seq === one.seq ? before.read_at : null);
    byId.set(one.id, { ...one, read_at });
  }
  return [...byId.values()].sort((a, b) => b.seq - a.seq);
}

/** Whether only the server can say how many are unread once this one has come. */
export function isUncountable(state: NotificationState, one: Notification): boolean {
  return one.count > 1 && !state.items.some(({ id }) => id === one.id);
}

export function takeNotification(state: NotificationState, one: Notification): NotificationState {
  const before = state.items.find(({ id }) => id === one.id);
  if (one.seq <= (before?.seq ?? state.seq ?? 0)) return state;
  const isOneMore = one.read_at === null && before?.read_at !== null;
  return {
    ...state,
    items: merge(state.items, [one]),
    seq: state.seq === null ? null : Math.max(state.seq, one.seq),
    unread: state.unread + (isOneMore ? 1 : 0),
  };
}

/** What `sync` brought; counted by the first page, which is asked for next. */
export function takeMissed(
  state: NotificationState,
  missed: readonly Notification[],
): NotificationState {
  if (missed.length === 0) return state;
  const items = merge(state.items, missed);
  return { ...state, items, seq: Math.max(state.seq ?? 0, items[0]!.seq) };
}

/** A page of the list. The first one's count is exact up to its newest. */
export function takePage(
  state: NotificationState,
  page: NotificationPage,
  isFirst: boolean,
): NotificationState {
  const items = merge(state.items, page.items);
  if (!isFirst) return { ...state, items, nextCursor: page.next_cursor };
  const topSeq = page.items[0]?.seq ?? 0;
  const isIn = new Set(page.items.map(({ id }) => id));
  const newer = items.filter(
    ({ id, seq, read_at }) => seq > topSeq && read_at === null && !isIn.has(id),
  );
  return {
    items,
    unread: page.unread_count + newer.length,
    seq: Math.max(state.seq ?? 0, topSeq, items[0]?.seq ?? 0),
    nextCursor: state.seq === null ? page.next_cursor : state.nextCursor,
  };
}

/** Everything up to `upToSeq` is read; the server counted `unread` then. */
export function takeRead(
  state: NotificationState,
  upToSeq: number,
  readAt: string,
  unread: number,
): NotificationState {
  const items = state.items.map((one) =>
    one.seq <= upToSeq && one.read_at === null ? { ...one, read_at: readAt } : one,
  );
  // What came while the mark was on its way is here, and is counted or not by the server.
  const newer = items.filter(({ seq, read_at }) => seq > upToSeq && read_at === null).length;
  return { ...state, items, unread: Math.max(unread, newer) };
}

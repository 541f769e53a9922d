/**
 * The notifications: how events and pages of the list become one list and a count. Pure.
 *
 * [SDK4] A notification is never replaced by one of a lower `seq`; one that grew counts once.
 */
import type { Notification } from "../protocol/social.ts";

export interface NotificationState {
  /** By falling seq. */
  items: readonly Notification[];
  unread: number;
  /** Whether the newest page is in `items`. */
  isLoaded: boolean;
  /** For the pages below; null at the end. */
  nextCursor: string | null;
}

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
  if (before && one.seq <= before.seq) return state;
  const isOneMore = one.read_at === null && before?.read_at !== null;
  return {
    ...state,
    items: merge(state.items, [one]),
    unread: state.unread + (isOneMore ? 1 : 0),
  };
}

export function takeOlder(state: NotificationState, page: NotificationPage): NotificationState {
  return { ...state, items: merge(state.items, page.items), nextCursor: page.next_cursor };
}

/** The newest page. Its count is exact up to its newest; what came live since is newer. */
export function takeNewest(state: NotificationState, page: NotificationPage): NotificationState {
  const seqs = page.items.map(({ seq }) => seq);
  const topSeq = seqs[0] ?? 0;
  const newer = state.items.filter(({ seq }) => seq > topSeq);
  const isIn = new Set(page.items.map(({ id }) => id));
  // Where the page does not reach down to what is held, what lies between is not known.
  const isJoined = state.isLoaded && state.items.some(({ seq }) => seqs.includes(seq));
  return {
    items: merge(isJoined ? state.items : newer, page.items),
    unread:
      page.unread_count +
      newer.filter(({ id, read_at }) => read_at === null && !isIn.has(id)).length,
    isLoaded: true,
    nextCursor: isJoined ? state.nextCursor : page.next_cursor,
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

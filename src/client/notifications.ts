/**
 * The notifications: how events and pages of the list become one list and a count. Pure.
 *
 * [CNF62] A notification is never replaced by one of a lower `seq`; one that grew counts once.
 */
import type { Notification } from "../protocol/social.ts";

export interface NotificationState {
  /** Ordered by falling seq. */
  items: readonly Notification[];
  unread: number;
  /** Whether the newest page is in `items`. */
  isLoaded: boolean;
  /** The cursor of the next older page; null at the end. */
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
    // A page that was read before the mark must not make the notification unread again.
    const read_at = one.read_at ?? (before?.seq === one.seq ? before.read_at : null);
    byId.set(one.id, { ...one, read_at });
  }
  return [...byId.values()].sort((a, b) => b.seq - a.seq);
}

/** Whether the unread count cannot be derived here once this notification has arrived. */
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

/** Takes the newest page. Its count is exact up to its newest entry; live ones since are newer. */
export function takeNewest(state: NotificationState, page: NotificationPage): NotificationState {
  const seqs = page.items.map(({ seq }) => seq);
  const topSeq = seqs[0] ?? 0;
  const newer = state.items.filter(({ seq }) => seq > topSeq);
  const isIn = new Set(page.items.map(({ id }) => id));
  // If the page does not reach the entries held, those in between are unknown.
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

/** Marks everything up to `upToSeq` as read; the server counted `unread` at that moment. */
export function takeRead(
  state: NotificationState,
  upToSeq: number,
  readAt: string,
  unread: number,
): NotificationState {
  const items = state.items.map((one) =>
    one.seq <= upToSeq && one.read_at === null ? { ...one, read_at: readAt } : one,
  );
  // Notifications that came while the mark was on its way may or may not be in the server's count.
  const newer = items.filter(({ seq, read_at }) => seq > upToSeq && read_at === null).length;
  return { ...state, items, unread: Math.max(unread, newer) };
}

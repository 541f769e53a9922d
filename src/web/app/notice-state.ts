/**
 * The notifications that the page holds, newest first, and how many are unread, with the pure
 * functions that change them. Invariants: a notification is never replaced by one of a lower
 * `seq`; one that grew is counted once; `seq` is the point that `sync` is asked to go on from.
 */
import type { Notification } from "../../protocol/social.ts";
import type { Page } from "./thread-state.ts";

export type NoticePage = Page<Notification> & { unread_count: number };

export interface NoticeState {
  /** By falling seq. */
  items: readonly Notification[];
  unread: number;
  /** Everything up to here is counted in `unread`; null before the first page. */
  seq: number | null;
  /** For the pages below; null at the end. */
  nextCursor: string | null;
  problem: string | null;
}

export const NO_NOTICES: NoticeState = {
  items: [],
  unread: 0,
  seq: null,
  nextCursor: null,
  problem: null,
};

function merge(
  held: readonly Notification[],
  incoming: readonly Notification[],
): readonly Notification[] {
  const byId = new Map(held.map((notice) => [notice.id, notice]));
  for (const notice of incoming) {
    const before = byId.get(notice.id);
    if (before && before.seq > notice.seq) continue;
    // A page read before the mark was made must not make it unread again.
    const read_at = before?.seq === notice.seq ? (before.read_at ?? notice.read_at) : null;
    byId.set(notice.id, { ...notice, read_at: read_at ?? notice.read_at });
  }
  return [...byId.values()].sort((a, b) => b.seq - a.seq);
}

/** `ready` says how many are unread, not up to where: a page makes it exact. */
export function withUnreadCount(state: NoticeState, unread: number): NoticeState {
  return { ...state, unread };
}

/** A live `notification`: new, or one that grew. */
export function withNotice(state: NoticeState, notice: Notification): NoticeState {
  const items = merge(state.items, [notice]);
  if (state.seq === null || notice.seq <= state.seq) return { ...state, items };
  const before = state.items.find((item) => item.id === notice.id);
  const isOneMore = notice.read_at === null && before?.read_at !== null;
  return { ...state, items, seq: notice.seq, unread: state.unread + (isOneMore ? 1 : 0) };
}

/** What `sync` brought. The count comes with the first page, asked for next. */
export function withSyncedNotices(
  state: NoticeState,
  missed: readonly Notification[],
): NoticeState {
  if (missed.length === 0) return state;
  const items = merge(state.items, missed);
  return { ...state, items, seq: Math.max(state.seq ?? 0, items[0]?.seq ?? 0) };
}

/** The first page: its count is exact up to its newest. */
export function withFirstPage(state: NoticeState, page: NoticePage): NoticeState {
  const topSeq = page.items[0]?.seq ?? 0;
  const isFirst = state.seq === null;
  // Those that came live and that the page does not know yet.
  const newer = state.items.filter((item) => item.seq > topSeq && item.read_at === null);
  const isIn = new Set(page.items.map((item) => item.id));
  return {
    ...state,
    items: merge(state.items, page.items),
    unread: page.unread_count + newer.filter((item) => !isIn.has(item.id)).length,
    seq: Math.max(state.seq ?? 0, topSeq),
    nextCursor: isFirst ? page.next_cursor : state.nextCursor,
    problem: null,
  };
}

export function withOlderNotices(state: NoticeState, page: NoticePage): NoticeState {
  return {
    ...state,
    items: merge(state.items, page.items),
    nextCursor: page.next_cursor,
    problem: null,
  };
}

/** Everything up to `upToSeq` is read: what is newer is here, and is all that is unread. */
export function withReadUpTo(state: NoticeState, upToSeq: number, readAt: string): NoticeState {
  const items = state.items.map((item) =>
    item.seq <= upToSeq && item.read_at === null ? { ...item, read_at: readAt } : item,
  );
  return { ...state, items, unread: items.filter((item) => item.read_at === null).length };
}

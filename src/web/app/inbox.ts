/**
 * The notifications without their looks: takes live ones, those that `sync` brings and pages
 * of the list, and marks them read while the list is open before the person.
 */
import type { Notification } from "../../protocol/social.ts";
import type { Api } from "./http.ts";
import {
  NO_NOTICES,
  type NoticePage,
  type NoticeState,
  withFirstPage,
  withNotice,
  withOlderNotices,
  withReadUpTo,
  withSyncedNotices,
  withUnreadCount,
} from "./notice-state.ts";
import { createStore, type Store } from "./store.ts";

const PAGE = 30;
const RETRY_MS = 3_000;

export interface Inbox {
  store: Store<NoticeState>;
  /** `ready` has said how many are unread. */
  noteUnread(unread: number): void;
  /** What `sync` is to go on from; null while nothing is known. */
  afterSeq(): number | null;
  takeMissed(missed: readonly Notification[]): void;
  take(notice: Notification): void;
  /** Fetches the newest page: the list, and the exact count. */
  refresh(): Promise<void>;
  loadOlder(): Promise<void>;
  setOpen(isOpen: boolean): void;
  stop(): void;
}

export function createInbox(api: Api): Inbox {
  const store = createStore<NoticeState>(NO_NOTICES);
  let isOpen = false;
  let isMarking = false;
  let isLoadingOlder = false;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;

  const fetchPage = async (
    query: string,
    take: (state: NoticeState, page: NoticePage) => NoticeState,
  ): Promise<void> => {
    const page = await api<NoticePage>("GET", `/api/notifications?limit=${PAGE}${query}`);
    store.update((state) =>
      page.ok ? take(state, page.value) : { ...state, problem: page.error.message },
    );
  };

  const mark = async (): Promise<void> => {
    clearTimeout(retryTimer);
    const { unread, items } = store.get();
    const upToSeq = items[0]?.seq;
    const isSeen = isOpen && document.visibilityState === "visible";
    if (!isSeen || isMarking || unread === 0 || upToSeq === undefined) return;
    isMarking = true;
    const answer = await api("PUT", "/api/notifications/read", { up_to_seq: upToSeq });
    isMarking = false;
    if (answer.ok) {
      const readAt = new Date().toISOString();
      store.update((state) => withReadUpTo(state, upToSeq, readAt));
    } else {
      retryTimer = setTimeout(() => void mark(), answer.error.retry_after_ms ?? RETRY_MS);
    }
  };

  const refresh = (): Promise<void> => fetchPage("", withFirstPage);
  const onVisible = (): void => void mark();
  const unsubscribe = store.subscribe(onVisible);
  document.addEventListener("visibilitychange", onVisible);

  return {
    store,
    noteUnread: (unread) => store.update((state) => withUnreadCount(state, unread)),
    afterSeq: () => store.get().seq,
    takeMissed: (missed) => store.update((state) => withSyncedNotices(state, missed)),
    take: (notice) => store.update((state) => withNotice(state, notice)),
    refresh,
    async loadOlder() {
      const cursor = store.get().nextCursor;
      if (cursor === null || isLoadingOlder) return;
      isLoadingOlder = true;
      await fetchPage(`&cursor=${encodeURIComponent(cursor)}`, withOlderNotices);
      isLoadingOlder = false;
    },
    setOpen(next) {
      if (next === isOpen) return;
      isOpen = next;
      if (!isOpen) return;
      void refresh();
      void mark();
    },
    stop() {
      unsubscribe();
      clearTimeout(retryTimer);
      document.removeEventListener("visibilitychange", onVisible);
    },
  };
}

/**
 * The notifications without their looks: what the SDK holds, why it could not be had, and
 * marking them read while the list is open before the person.
 */
import type { Client } from "../../client/index.ts";
import { inboxOf, type NotificationState } from "../../client/social.ts";
import { answerOf } from "./http.ts";
import { createStore, type Store } from "./store.ts";

const RETRY_MS = 3_000;

export interface NoticeState extends NotificationState {
  problem: string | null;
}

export interface Inbox {
  store: Store<NoticeState>;
  /** Fetches the newest page: the list, and the exact count. */
  refresh(): Promise<void>;
  loadOlder(): Promise<void>;
  setOpen(isOpen: boolean): void;
  stop(): void;
}

export function createInbox(client: Client): Inbox {
  const held = inboxOf(client);
  const store = createStore<NoticeState>({ ...held.state.get(), problem: null });
  let isOpen = false;
  let isMarking = false;
  let isLoadingOlder = false;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;

  const fetching = async (work: Promise<void>): Promise<void> => {
    const answer = await answerOf(work);
    const problem = answer.ok ? null : answer.error.message;
    store.update((state) => (state.problem === problem ? state : { ...state, problem }));
  };
  const refresh = (): Promise<void> => fetching(held.load());

  const mark = async (): Promise<void> => {
    clearTimeout(retryTimer);
    const { unread, items } = held.state.get();
    const isSeen = isOpen && document.visibilityState === "visible";
    if (!isSeen || isMarking || unread === 0 || items.length === 0) return;
    isMarking = true;
    const answer = await answerOf(held.markRead());
    isMarking = false;
    if (!answer.ok) {
      retryTimer = setTimeout(() => void mark(), answer.error.retry_after_ms ?? RETRY_MS);
    }
  };

  const take = (): void => store.update(({ problem }) => ({ ...held.state.get(), problem }));
  const onVisible = (): void => void mark();
  // What was unread is shown as such before it is marked.
  const ends = [held.state.subscribe(take), store.subscribe(onVisible)];
  document.addEventListener("visibilitychange", onVisible);

  return {
    store,
    refresh,
    async loadOlder() {
      if (isLoadingOlder) return;
      isLoadingOlder = true;
      await fetching(held.loadOlder());
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
      for (const end of ends) end();
      clearTimeout(retryTimer);
      document.removeEventListener("visibilitychange", onVisible);
    },
  };
}

/**
 * Brings the state up to date after every connect: the list of conversations once, then
 * `sync` until nothing is left. Live events that arrive meanwhile wait in `LiveGate` and are
 * applied afterwards, so that the newest message never shows above a hole.
 */
import type { Result } from "../../protocol/errors.ts";
import type { ConversationSummary } from "../../protocol/schemas.ts";
import type { Notification } from "../../protocol/social.ts";
import type { Api } from "./http.ts";
import type { Ask } from "./link.ts";
import { SYNC_CONVERSATIONS_MAX, syncRequests } from "./selection.ts";
import { type State, type Talk, withSummaries, withSynced } from "./state.ts";
import type { Store } from "./store.ts";

const LIST_PAGE = 100;
/** More conversations than a session hears of live are not held here either. */
const LIST_MAX = SYNC_CONVERSATIONS_MAX;
/** A server that always has more would keep the page busy for ever. */
const ROUNDS_MAX = 500;
const RETRY_MS = 1_000;

interface ListPage {
  items: ConversationSummary[];
  next_cursor: string | null;
}

/** The notifications' part of `sync`. */
interface NoticeSync {
  /** Null while nothing is known: then the newest page will do. */
  afterSeq(): number | null;
  takeMissed(missed: readonly Notification[]): void;
}

async function loadList(api: Api, store: Store): Promise<boolean> {
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page: Result<ListPage> = await api(
      "GET",
      `/api/conversations?limit=${LIST_PAGE}${query}`,
    );
    if (!page.ok) return false;
    store.update((state) => withSummaries(state, page.value.items));
    cursor = page.value.next_cursor;
  } while (cursor !== null && store.get().talks.size < LIST_MAX);
  return true;
}

/** Asks until nothing is left; how many messages of others were new, or null if it failed. */
export async function syncTalks(
  ask: Ask,
  store: Store,
  talksOf: (state: State) => Talk[],
  isComplete: boolean,
  notices?: NoticeSync,
): Promise<number | null> {
  let fresh = 0;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    let hasMore = false;
    for (const request of syncRequests(talksOf(store.get()), isComplete)) {
      const afterSeq = notices?.afterSeq() ?? null;
      const since = afterSeq === null ? {} : { notifications_after_seq: afterSeq };
      const answer = await ask("sync", { ...request, ...since });
      if (!answer.ok) return null;
      notices?.takeMissed(answer.value.notifications);
      store.update((state) => {
        const synced = withSynced(state, answer.value);
        fresh += synced.fresh;
        return synced.state;
      });
      hasMore ||= answer.value.has_more || answer.value.conversations.some((c) => c.has_more);
    }
    if (!hasMore) break;
  }
  return fresh;
}

const allTalks = (state: State): Talk[] => [...state.talks.values()];

/** Resolves with the count of new messages, or null once the session is gone. */
export async function catchUp(
  api: Api,
  ask: Ask,
  store: Store,
  notices: NoticeSync,
  isCurrent: () => boolean,
): Promise<number | null> {
  while (isCurrent()) {
    const isListed = store.get().isListed || (await loadList(api, store));
    if (isListed) {
      store.update((state) => (state.isListed ? state : { ...state, isListed: true }));
      const fresh = await syncTalks(ask, store, allTalks, true, notices);
      // Parts of a list are never `complete`: conversations that are new stand on its first page.
      const isWhole =
        store.get().talks.size <= SYNC_CONVERSATIONS_MAX || (await loadList(api, store));
      if (fresh !== null && isWhole) return fresh;
    }
    if (isCurrent()) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  return null;
}

/** Holds back what changes a conversation while it is being caught up. */
export interface LiveGate<T> {
  /** Whether `event` must wait; if so it is kept. */
  holds(event: T): boolean;
  close(): void;
  /** Gives back what waited, in order. */
  open(): T[];
}

export function createLiveGate<T>(): LiveGate<T> {
  let waiting: T[] | null = null;
  return {
    holds(event) {
      waiting?.push(event);
      return waiting !== null;
    },
    close() {
      waiting = [];
    },
    open() {
      const events = waiting ?? [];
      waiting = null;
      return events;
    },
  };
}

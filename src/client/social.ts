/**
 * `troupe-client/social`: the notifications of a client's user, and live counts of posts. Apart from
 * the client, so that a page without them does not load them; one of each for a client.
 */
import type { PostCounts } from "../protocol/social.ts";
import { isoOf } from "../protocol/time.ts";
import { attempt, isOnline, once, onOnline } from "./attached.ts";
import { systemClock } from "./clock.ts";
import {
  isUncountable,
  type NotificationState,
  takeNewest,
  takeNotification,
  takeOlder,
  takeRead,
} from "./notifications.ts";
import { createStore, type Readable, select } from "./store.ts";
import { createWatches, watching } from "./watches.ts";

export type { NotificationState } from "./notifications.ts";

export interface Inbox {
  /** Its list is empty until `load`; what comes later, and after a reconnect, is added. */
  readonly state: Readable<NotificationState>;
  /** Rejects where it is out of reach; the next session then loads it. */
  load(): Promise<void>;
  loadOlder(): Promise<void>;
  /** Up to this one, or all that is here. */
  markRead(upToSeq?: number): Promise<void>;
}

export interface PostWatch {
  /** Watched while it is subscribed to. Undefined: not known; null: there is no such post. */
  counts(postId: string): Readable<PostCounts | null | undefined>;
  /** Watches many at once; returns the end. */
  watch(postIds: readonly string[]): () => void;
}

export const inboxOf = once((client): Inbox => {
  const initial: NotificationState = { items: [], unread: 0, isLoaded: false, nextCursor: null };
  const store = createStore(initial, (error) => console.error(error));
  const update = (change: (state: NotificationState) => NotificationState): void =>
    store.set(change(store.get()));

  /** Somebody has asked for the list, with or without success. */
  let isWanted = false;
  const load = async (): Promise<void> => {
    isWanted = true;
    const page = await client.api("GET /api/notifications");
    update((state) => takeNewest(state, page));
  };
  /** Out of reach: the next session, or the next notification, asks again. */
  const refresh = (): Promise<boolean> => attempt(load());

  client.on("ready", ({ unread }) => {
    update((state) => ({ ...state, unread: unread.notifications }));
  });
  client.on("notification", (one) => {
    const isCounted = !isUncountable(store.get(), one);
    update((state) => takeNotification(state, one));
    if (!isCounted) void refresh();
  });
  onOnline(client, () => {
    if (isWanted) void refresh();
  });
  // `ready` is over: only the list says how many are unread.
  if (client.me.get()) void refresh();

  return {
    state: store,
    load,
    async loadOlder() {
      const { nextCursor } = store.get();
      if (nextCursor === null) return;
      const page = await client.api("GET /api/notifications", { cursor: nextCursor });
      update((state) => takeOlder(state, page));
    },
    async markRead(upToSeq = store.get().items[0]?.seq) {
      if (upToSeq === undefined) return;
      const body = { up_to_seq: upToSeq };
      const { unread_count } = await client.api("PUT /api/notifications/read", body);
      const readAt = isoOf(systemClock.wallMs());
      update((state) => takeRead(state, upToSeq, readAt, unread_count));
    },
  };
});

export const postWatchOf = once((client): PostWatch => {
  type Posts = ReadonlyMap<string, PostCounts | null>;
  const store = createStore<Posts>(new Map(), (error) => console.error(error));
  const put = (entries: Iterable<readonly [string, PostCounts | null]>): void =>
    store.set(new Map([...store.get(), ...entries]));
  /** For a post that is not watched (one's own), half of the counts would be a guess. */
  const take = (counts: { post_id: string }): void => {
    const held = store.get().get(counts.post_id);
    if (held) put([[counts.post_id, { ...held, ...counts }]]);
  };
  const watches = createWatches({
    ports: { clock: systemClock, random: Math.random },
    isOnline: () => isOnline(client),
    watch: (post_ids) =>
      attempt(
        client.ask("watch_posts", { post_ids }, ({ posts }) => {
          // Posts that the answer leaves out do not exist.
          put(post_ids.map((id) => [id, null]));
          put(posts.map((post) => [post.post_id, post]));
        }),
      ),
    unwatch(post_ids) {
      store.set(new Map([...store.get()].filter(([id]) => !post_ids.includes(id))));
      return attempt(client.ask("unwatch_posts", { post_ids }));
    },
  });
  client.on("like_update", take);
  client.on("comment_update", take);
  onOnline(client, watches.restart);

  return {
    counts: (id) =>
      watching(
        select(store, (posts) => posts.get(id)),
        watches,
        id,
      ),
    watch: watches.add,
  };
});

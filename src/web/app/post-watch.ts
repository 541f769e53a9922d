/**
 * Keeps live counts coming for the posts on screen, and only for those: asks `watch_posts` and
 * `unwatch_posts` in batches as they scroll in and out, and all of them again after a
 * reconnect. A post that the server does not know any more disappears.
 */
import type { Ask } from "./link.ts";
import { type PostState, withoutPosts, withoutWatched, withWatched } from "./post-state.ts";
import type { Store } from "./store.ts";

/** Posts that only fly by are not asked for. */
const GATHER_MS = 250;
const RETRY_MS = 2_000;
/** The contract's cap on the posts of one request; a screen never shows as many. */
const WATCH_MAX = 200;

export interface PostWatch {
  /** `node` shows the post; watched while it can be seen. */
  add(node: Element, postId: string): void;
  remove(node: Element): void;
  /** A live count came. */
  noteLive(postId: string): void;
  /** A session began: it watches nothing yet. */
  restart(): void;
  stop(): void;
}

export function createPostWatch(
  store: Store<PostState>,
  ask: Ask,
  isOnline: () => boolean,
): PostWatch {
  const postOf = new Map<Element, string>();
  const onScreen = new Set<Element>();
  const watched = new Set<string>();
  /** Of which live counts came while `watch_posts` was under way. */
  const heard = new Set<string>();
  let isBusy = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) onScreen.add(target);
      else onScreen.delete(target);
    }
    schedule(GATHER_MS);
  });

  function schedule(delayMs: number): void {
    timer ??= setTimeout(flush, delayMs);
  }

  const wanted = (): Set<string> =>
    new Set([...onScreen].flatMap((node) => postOf.get(node) ?? []).slice(0, WATCH_MAX));

  const watch = async (ids: string[]): Promise<boolean> => {
    heard.clear();
    for (const id of ids) watched.add(id);
    const answer = await ask("watch_posts", { post_ids: ids });
    if (!answer.ok) {
      for (const id of ids) watched.delete(id);
      return false;
    }
    const { posts } = answer.value;
    const found = new Set(posts.map((post) => post.post_id));
    store.update((state) =>
      withoutPosts(
        withWatched(state, posts, heard),
        ids.filter((id) => !found.has(id)),
      ),
    );
    return true;
  };

  const unwatch = async (ids: string[]): Promise<boolean> => {
    for (const id of ids) watched.delete(id);
    store.update((state) => withoutWatched(state, ids));
    // Those of a post that is gone are not missed; the rest ends with the session at the latest.
    return (await ask("unwatch_posts", { post_ids: ids })).ok;
  };

  async function flush(): Promise<void> {
    timer = undefined;
    if (isBusy || !isOnline()) return;
    const ids = wanted();
    const more = [...ids].filter((id) => !watched.has(id));
    const less = [...watched].filter((id) => !ids.has(id)).slice(0, WATCH_MAX);
    if (more.length === 0 && less.length === 0) return;
    isBusy = true;
    const wasTaken =
      (less.length === 0 || (await unwatch(less))) && (more.length === 0 || (await watch(more)));
    isBusy = false;
    schedule(wasTaken ? GATHER_MS : RETRY_MS);
  }

  return {
    add(node, postId) {
      postOf.set(node, postId);
      observer.observe(node);
    },
    remove(node) {
      observer.unobserve(node);
      postOf.delete(node);
      if (onScreen.delete(node)) schedule(GATHER_MS);
    },
    noteLive: (postId) => void heard.add(postId),
    restart() {
      store.update((state) => withoutWatched(state, watched));
      watched.clear();
      void flush();
    },
    stop() {
      clearTimeout(timer);
      observer.disconnect();
    },
  };
}

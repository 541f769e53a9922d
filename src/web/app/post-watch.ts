/**
 * Keeps live counts coming for the posts on screen, and only for those, through the SDK. A post
 * that the server does not know any more disappears.
 */
import type { PostWatch as Watch } from "../../client/social.ts";
import { type PostState, withoutPosts, withoutWatched, withWatched } from "./post-state.ts";
import type { Store } from "./store.ts";

export interface PostWatch {
  /** `node` shows the post; watched while it can be seen. */
  add(node: Element, postId: string): void;
  remove(node: Element): void;
  stop(): void;
}

export function createPostWatch(store: Store<PostState>, { counts }: Watch): PostWatch {
  const postOf = new Map<Element, string>();
  const watched = new Map<Element, () => void>();

  const watch = (postId: string): (() => void) => {
    const source = counts(postId);
    const take = (): void => {
      const held = source.get();
      if (held) store.update((state) => withWatched(state, [held]));
      // Undefined: no news of it, for it is not watched yet, or no longer.
      else if (held === null) store.update((state) => withoutPosts(state, [postId]));
    };
    const end = source.subscribe(take);
    take();
    return () => {
      end();
      store.update((state) => withoutWatched(state, [postId]));
    };
  };

  const leave = (node: Element): void => {
    watched.get(node)?.();
    watched.delete(node);
  };

  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const postId = postOf.get(target);
      if (!isIntersecting) leave(target);
      else if (postId !== undefined && !watched.has(target)) watched.set(target, watch(postId));
    }
  });

  return {
    add(node, postId) {
      postOf.set(node, postId);
      observer.observe(node);
    },
    remove(node) {
      observer.unobserve(node);
      postOf.delete(node);
      leave(node);
    },
    stop() {
      observer.disconnect();
      for (const end of watched.values()) end();
      watched.clear();
    },
  };
}

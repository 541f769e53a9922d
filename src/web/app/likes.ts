/**
 * Sends likes: shown at once, one request a post at a time, the last wish wins, and the
 * server's answer corrects what is shown.
 */
import type { Api } from "./http.ts";
import {
  type PostState,
  shownLike,
  withLiked,
  withLikeSent,
  withoutPosts,
  withPostProblem,
  withWish,
} from "./post-state.ts";
import type { Store } from "./store.ts";

export interface Likes {
  toggle(postId: string): void;
}

export function createLikes(store: Store<PostState>, api: Api): Likes {
  const busy = new Set<string>();

  const send = async (postId: string): Promise<void> => {
    if (busy.has(postId)) return;
    busy.add(postId);
    for (;;) {
      const wish = store.get().posts.get(postId)?.wish ?? null;
      if (wish === null) break;
      store.update((state) => withLikeSent(state, postId));
      const answer = await api(wish ? "POST /api/posts/:id/like" : "DELETE /api/posts/:id/like", {
        id: postId,
      });
      store.update((state) => {
        if (answer.ok) return withLiked(state, answer.value);
        if (answer.error.code === "not_found") return withoutPosts(state, [postId]);
        return withPostProblem(state, postId, answer.error.message);
      });
    }
    busy.delete(postId);
  };

  return {
    toggle(postId) {
      const held = store.get().posts.get(postId);
      if (!held) return;
      store.update((state) => withWish(state, postId, !shownLike(held).liked));
      void send(postId);
    },
  };
}

/**
 * The post that is open and its comments, without their looks: loads both, writes comments,
 * and fetches those that others add while the post is open.
 */
import { type Result, refused } from "../../protocol/errors.ts";
import type { Comment } from "../../protocol/social.ts";
import type { Api } from "./http.ts";
import { type PostState, withoutPosts, withPosts } from "./post-state.ts";
import type { Store } from "./store.ts";
import { isBehind, withCommentPage, withOwnComment } from "./thread-state.ts";

const PAGE = 50;

export interface Threads {
  open(postId: string | null): void;
  /** The next page of the open post's comments. */
  loadMore(): Promise<void>;
  write(postId: string, body: string): Promise<Result<Comment>>;
  /** The count of this post's comments has changed. */
  noteCount(postId: string): void;
  /** A session began: comments that came meanwhile are asked for. */
  refresh(): void;
}

export function createThreads(store: Store<PostState>, api: Api): Threads {
  let openId: string | null = null;
  let isFetching = false;
  /** Something has changed while comments were being fetched. */
  let isDue = false;

  const fail = (postId: string, code: string, message: string): void => {
    store.update((state) => {
      if (code === "not_found") return withoutPosts(state, [postId]);
      return { ...state, threadProblem: message };
    });
  };

  const fetchPost = async (postId: string): Promise<void> => {
    const post = await api("GET /api/posts/:id", { id: postId });
    if (post.ok) store.update((state) => withPosts(state, [post.value]));
    else fail(postId, post.error.code, post.error.message);
  };

  const fetchComments = async (postId: string, cursor: string | null): Promise<void> => {
    isFetching = true;
    const from = cursor === null ? {} : { cursor };
    const query = { id: postId, limit: PAGE, ...from };
    const page = await api("GET /api/posts/:id/comments", query);
    isFetching = false;
    if (page.ok) {
      store.update((state) => ({
        ...state,
        threads: withCommentPage(state.threads, postId, page.value, cursor),
        threadProblem: null,
      }));
    } else fail(postId, page.error.code, page.error.message);
    if (!isDue) return;
    isDue = false;
    fetchNewest();
  };

  /** The newest page again: whatever was added stands at its end. */
  function fetchNewest(): void {
    if (openId === null) return;
    if (isFetching) isDue = true;
    else void fetchComments(openId, store.get().threads.get(openId)?.lastCursor ?? null);
  }

  const load = (): void => {
    if (openId === null) return;
    void fetchPost(openId);
    fetchNewest();
  };

  return {
    open(postId) {
      if (postId === openId) return;
      openId = postId;
      store.update((state) => ({ ...state, threadProblem: null }));
      load();
    },
    async loadMore() {
      const cursor = openId === null ? null : store.get().threads.get(openId)?.nextCursor;
      if (openId !== null && cursor && !isFetching) await fetchComments(openId, cursor);
    },
    async write(postId, body) {
      const answer = await api("POST /api/posts/:id/comments", { id: postId, body });
      if (answer.ok) {
        store.update((state) => ({
          ...state,
          threads: withOwnComment(state.threads, answer.value),
        }));
      } else if (answer.error.code === "not_found") {
        store.update((state) => withoutPosts(state, [postId]));
        return refused("not_found", "This post is not there any more.");
      }
      return answer;
    },
    noteCount(postId) {
      if (postId !== openId) return;
      const { posts, threads } = store.get();
      const count = posts.get(postId)?.post.comment_count ?? 0;
      if (isBehind(threads.get(postId), count)) fetchNewest();
    },
    refresh: load,
  };
}

/**
 * The feed without its looks: loads it page by page, asks for news while it is shown, writes
 * and deletes posts. The contract has no event for a new post of someone one follows, so news
 * is asked for, and waits until the person wants it.
 */
import type { Result } from "../../protocol/errors.ts";
import type { Post } from "../../protocol/social.ts";
import type { Api } from "./http.ts";
import {
  type PostState,
  withFeed,
  withFeedNews,
  withOlder,
  withOwnPost,
  withoutAuthor,
  withoutPosts,
} from "./post-state.ts";
import type { Store } from "./store.ts";
import type { Page } from "./thread-state.ts";

const PAGE = 20;
const NEWS_EVERY_MS = 30_000;

export interface Feed {
  /** Whether the feed stands before the person: loads it, and looks for news now and then. */
  setShown(isShown: boolean): void;
  /** A session began: what came meanwhile is asked for. */
  refresh(): void;
  /** From the top, with everything that is new; also after whom one follows has changed. */
  reload(): Promise<void>;
  loadOlder(): Promise<void>;
  write(body: string): Promise<Result<Post>>;
  remove(postId: string): Promise<Result<unknown>>;
  /** Hides everything that this person wrote. */
  hideAuthor(userId: string): void;
  stop(): void;
}

/** `onAuthors` receives the authors of the shown posts: followed people and the user. */
export function createFeed(
  store: Store<PostState>,
  api: Api,
  onAuthors: (userIds: string[]) => void,
): Feed {
  let isShown = false;
  let isLoadingOlder = false;
  /** Raised by each reload: answers to what was asked before it are not of this feed. */
  let generation = 0;
  let newsTimer: ReturnType<typeof setInterval> | undefined;

  const fetchPage = async (
    cursor: string | null,
    take: (state: PostState, page: Page<Post>) => PostState,
  ): Promise<void> => {
    const mine = generation;
    const from = cursor === null ? {} : { cursor };
    const page = await api("GET /api/feed", { limit: PAGE, ...from });
    if (mine !== generation) return;
    if (page.ok) {
      store.update((state) => take(state, page.value));
      onAuthors(page.value.items.map((post) => post.author_id));
    } else store.update((state) => ({ ...state, feedProblem: page.error.message }));
  };

  const lookForNews = (): void => {
    if (document.visibilityState !== "visible") return;
    void fetchPage(null, store.get().isFeedLoaded ? withFeedNews : withFeed);
  };

  const reload = (): Promise<void> => {
    generation++;
    isLoadingOlder = false;
    return fetchPage(null, withFeed);
  };

  const onVisible = (): void => {
    if (isShown) lookForNews();
  };
  document.addEventListener("visibilitychange", onVisible);

  return {
    setShown(next) {
      if (next === isShown) return;
      isShown = next;
      clearInterval(newsTimer);
      if (!isShown) return;
      // A user who opens the feed sees new posts at once, without the notice that there are some.
      void fetchPage(null, withFeed);
      newsTimer = setInterval(lookForNews, NEWS_EVERY_MS);
    },
    refresh() {
      if (isShown) lookForNews();
    },
    reload,
    async loadOlder() {
      const cursor = store.get().feedCursor;
      if (cursor === null || isLoadingOlder) return;
      const mine = generation;
      isLoadingOlder = true;
      await fetchPage(cursor, withOlder);
      if (mine === generation) isLoadingOlder = false;
    },
    async write(body) {
      const answer = await api("POST /api/posts", { body });
      if (answer.ok) store.update((state) => withOwnPost(state, answer.value));
      return answer;
    },
    async remove(postId) {
      const answer = await api("DELETE /api/posts/:id", { id: postId });
      const isGone = answer.ok || answer.error.code === "not_found";
      if (isGone) store.update((state) => withoutPosts(state, [postId]));
      return isGone ? { ok: true, value: null } : answer;
    },
    hideAuthor: (userId) => store.update((state) => withoutAuthor(state, userId)),
    stop() {
      generation++;
      clearInterval(newsTimer);
      document.removeEventListener("visibilitychange", onVisible);
    },
  };
}

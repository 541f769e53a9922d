/**
 * The posts that the page holds, and the feed as a list of them, with the pure functions that
 * change them; comments are in thread-state.ts. Invariants: a post that is watched takes its
 * counts from live events, never from a page that may be older; what is gone is in no list.
 * Nothing here touches the network, the DOM or a clock.
 */
import type { Liked, Post, PostCounts } from "../../protocol/social.ts";
import { type Page, type Threads, withoutCommentsOf } from "./thread-state.ts";

export interface HeldPost {
  post: Post;
  /** What the person wants while the server has not confirmed it; null when nothing waits. */
  wish: boolean | null;
  /** A like count came live since the like under way was sent. */
  isCountNewer: boolean;
  /** Live counts reach this page. */
  isWatched: boolean;
  /** Why the last thing asked about this post was refused. */
  problem: string | null;
}

export interface PostState {
  posts: ReadonlyMap<string, HeldPost>;
  /** Newest first. */
  feed: readonly string[];
  /** Newer than the feed shows: put in when the person asks, so that nothing jumps. */
  waiting: readonly string[];
  feedCursor: string | null;
  isFeedLoaded: boolean;
  feedProblem: string | null;
  threads: Threads;
  threadProblem: string | null;
  /** Asked for and not there: deleted, or behind a block. */
  gone: ReadonlySet<string>;
}

export const NO_POSTS: PostState = {
  posts: new Map(),
  feed: [],
  waiting: [],
  feedCursor: null,
  isFeedLoaded: false,
  feedProblem: null,
  threads: new Map(),
  threadProblem: null,
  gone: new Set(),
};

/** By time, then by id: ids of one kind grow. */
function isOlder(a: Post, b: Post): boolean {
  if (a.created_at !== b.created_at) return a.created_at < b.created_at;
  return a.id.length === b.id.length ? a.id < b.id : a.id.length < b.id.length;
}

function change(state: PostState, id: string, to: (held: HeldPost) => HeldPost): PostState {
  const held = state.posts.get(id);
  if (!held) return state;
  const next = to(held);
  return next === held ? state : { ...state, posts: new Map(state.posts).set(id, next) };
}

/** Posts from an answer over HTTP. */
export function withPosts(state: PostState, incoming: readonly Post[]): PostState {
  if (incoming.length === 0) return state;
  const posts = new Map(state.posts);
  const gone = new Set(state.gone);
  for (const post of incoming) {
    gone.delete(post.id);
    const held = posts.get(post.id);
    if (!held) {
      posts.set(post.id, {
        post,
        wish: null,
        isCountNewer: false,
        isWatched: false,
        problem: null,
      });
      continue;
    }
    const { like_count, comment_count, liked } = held.post;
    const counts = held.isWatched ? { like_count, comment_count } : {};
    const wished = held.wish === null ? {} : { liked };
    posts.set(post.id, { ...held, post: { ...post, ...counts, ...wished } });
  }
  return { ...state, posts, gone };
}

/** Shows the first page of the feed at once. */
export function withFeed(state: PostState, page: Page<Post>): PostState {
  const next = withPosts(state, page.items);
  const last = page.items.at(-1);
  const ids = page.items.map((post) => post.id);
  const isIn = new Set(ids);
  // What stands below the page stays, where the page reaches it: otherwise there is a hole.
  const reaches = state.feed.some((id) => isIn.has(id));
  const below =
    last && page.next_cursor !== null && reaches
      ? state.feed.filter((id) => !isIn.has(id) && isOlder(next.posts.get(id)!.post, last))
      : [];
  return {
    ...next,
    feed: [...ids, ...below],
    waiting: [],
    feedCursor: below.length > 0 ? state.feedCursor : page.next_cursor,
    isFeedLoaded: true,
    feedProblem: null,
  };
}

/** The first page again, while the person reads: new posts wait, those gone go. */
export function withFeedNews(state: PostState, page: Page<Post>): PostState {
  const shown = new Set(state.feed);
  const first = state.feed.map((id) => state.posts.get(id)!.post)[0];
  const news = page.items.filter((post) => !shown.has(post.id) && (!first || isOlder(first, post)));
  if (news.length === 0) return withFeed(state, page);
  const isJoined = page.items.some((post) => shown.has(post.id)) || page.next_cursor === null;
  // Nothing of what is shown is on the page: no telling what of it is still there.
  const kept = isJoined ? withFeed(state, page).feed.filter((id) => shown.has(id)) : state.feed;
  const next = withPosts(state, page.items);
  return { ...next, feed: kept, waiting: news.map((post) => post.id), feedProblem: null };
}

export function withOlder(state: PostState, page: Page<Post>): PostState {
  const next = withPosts(state, page.items);
  const held = new Set([...next.feed, ...next.waiting]);
  const older = page.items.flatMap((post) => (held.has(post.id) ? [] : post.id));
  return {
    ...next,
    feed: [...next.feed, ...older],
    feedCursor: page.next_cursor,
    feedProblem: null,
  };
}

/** One's own new post stands first at once. */
export function withOwnPost(state: PostState, post: Post): PostState {
  const next = withPosts(state, [post]);
  return next.feed.includes(post.id) ? next : { ...next, feed: [post.id, ...next.feed] };
}

/** Deleted, or not to be seen any more. */
export function withoutPosts(state: PostState, ids: readonly string[]): PostState {
  if (ids.length === 0) return state;
  const out = new Set(ids);
  const posts = new Map(state.posts);
  const threads = new Map(state.threads);
  for (const id of out) {
    posts.delete(id);
    threads.delete(id);
  }
  return {
    ...state,
    posts,
    threads,
    feed: state.feed.filter((id) => !out.has(id)),
    waiting: state.waiting.filter((id) => !out.has(id)),
    gone: new Set([...state.gone, ...out]),
  };
}

/** A block: what that person wrote is not to be seen. */
export function withoutAuthor(state: PostState, userId: string): PostState {
  const posts = [...state.posts.values()].filter(({ post }) => post.author_id === userId);
  const next = withoutPosts(
    state,
    posts.map(({ post }) => post.id),
  );
  return { ...next, threads: withoutCommentsOf(next.threads, userId) };
}

/** `like_update` and `comment_update`. */
export function withLiveCounts(
  state: PostState,
  counts: { post_id: string; like_count?: number; comment_count?: number },
): PostState {
  const { post_id, like_count, comment_count } = counts;
  return change(state, post_id, (held) => ({
    ...held,
    isCountNewer: held.isCountNewer || like_count !== undefined,
    post: {
      ...held.post,
      like_count: like_count ?? held.post.like_count,
      comment_count: comment_count ?? held.post.comment_count,
    },
  }));
}

/** What the SDK says of posts that are watched. */
export function withWatched(state: PostState, counts: readonly PostCounts[]): PostState {
  return counts.reduce(
    (next, { post_id, ...values }) =>
      change(next, post_id, (held) => ({
        ...held,
        isWatched: true,
        post: { ...held.post, ...values },
      })),
    state,
  );
}

export function withoutWatched(state: PostState, ids: Iterable<string>): PostState {
  return [...ids].reduce(
    (next, id) =>
      change(next, id, (held) => (held.isWatched ? { ...held, isWatched: false } : held)),
    state,
  );
}

export function withWish(state: PostState, id: string, liked: boolean): PostState {
  return change(state, id, (held) => ({ ...held, wish: liked, problem: null }));
}

/** A like is being sent: counts heard from now on may be newer than its answer. */
export function withLikeSent(state: PostState, id: string): PostState {
  return change(state, id, (held) => ({ ...held, isCountNewer: false }));
}

export function withLiked(state: PostState, { post_id, liked, like_count }: Liked): PostState {
  return change(state, post_id, (held) => ({
    ...held,
    wish: held.wish === liked ? null : held.wish,
    post: {
      ...held.post,
      liked,
      // One heard live says more, or another that counts this like is on its way.
      like_count: held.isCountNewer ? held.post.like_count : like_count,
    },
  }));
}

/** Why something about the post failed; a like that waits is taken back. */
export function withPostProblem(state: PostState, id: string, problem: string | null): PostState {
  return change(state, id, (held) => ({
    ...held,
    problem,
    wish: problem === null ? held.wish : null,
  }));
}

/** As the person is to see it: their own like counts before the server has said so. */
export function shownLike(held: HeldPost): { liked: boolean; count: number } {
  const { liked, like_count } = held.post;
  if (held.wish === null || held.wish === liked || held.isCountNewer) {
    return { liked: held.wish ?? liked, count: like_count };
  }
  return { liked: held.wish, count: Math.max(0, like_count + (held.wish ? 1 : -1)) };
}

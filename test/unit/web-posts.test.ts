/** The page's posts and comments: optimistic likes, live counts and pages end in one truth. */
import { describe, expect, it } from "vitest";
import type { Comment, Post } from "../../src/protocol/social.ts";
import {
  type HeldPost,
  NO_POSTS,
  type PostState,
  shownLike,
  withFeed,
  withFeedNews,
  withLiked,
  withLikeSent,
  withLiveCounts,
  withOlder,
  withOwnPost,
  withoutAuthor,
  withoutPosts,
  withoutWatched,
  withPostProblem,
  withPosts,
  withWatched,
  withWish,
} from "../../src/web/app/post-state.ts";
import {
  isBehind,
  type Threads,
  withCommentPage,
  withOwnComment,
  withoutCommentsOf,
} from "../../src/web/app/thread-state.ts";

const ADA = "1";
const GRACE = "2";

/** Ids and times grow together. */
function post(id: number, changes: Partial<Post> = {}): Post {
  return {
    id: String(id),
    author_id: GRACE,
    body: `post ${id}`,
    like_count: 0,
    comment_count: 0,
    liked: false,
    created_at: new Date(Date.UTC(2026, 4, 4) + id * 1000).toISOString(),
    ...changes,
  };
}

const page = (ids: number[], next: string | null = null) => ({
  items: ids.map((id) => post(id)),
  next_cursor: next,
});

const heldOf = (state: PostState, id: number): HeldPost => {
  const held = state.posts.get(String(id));
  if (!held) throw new Error(`post ${id} is not held`);
  return held;
};

const likeOf = (state: PostState, id = 1) => shownLike(heldOf(state, id));
const liked = (like_count: number, isLiked = true) => ({
  post_id: "1",
  liked: isLiked,
  like_count,
});
const live = (like_count: number) => ({ post_id: "1", like_count });
const one = withPosts(NO_POSTS, [post(1, { like_count: 4 })]);
const pressed = withLikeSent(withWish(one, "1", true), "1");

describe("likes", () => {
  it("[WPO1] a like shows at once and is corrected by the answer", () => {
    expect(likeOf(pressed)).toEqual({ liked: true, count: 5 });
    expect(likeOf(withLiked(pressed, liked(9)))).toEqual({ liked: true, count: 9 });
  });

  it("[WPO2] a like that is refused is taken back, and says why", () => {
    const refused = withPostProblem(pressed, "1", "Not now.");
    expect(likeOf(refused)).toEqual({ liked: false, count: 4 });
    expect(heldOf(refused, 1).problem).toBe("Not now.");
    expect(heldOf(withWish(refused, "1", true), 1).problem).toBeNull();
  });

  it("[WPO3] an answer that a newer live count has overtaken does not put it back", () => {
    const overtaken = withLiked(withLiveCounts(pressed, live(12)), liked(5));
    expect(likeOf(overtaken)).toEqual({ liked: true, count: 12 });
  });

  it("[WPO4] a live count that has the own like is not counted twice", () => {
    expect(likeOf(withLiveCounts(pressed, live(5)))).toEqual({ liked: true, count: 5 });
  });

  it("[WPO5] a wish that changed while the like was under way outlives its answer", () => {
    const changed = withLiked(withWish(pressed, "1", false), liked(5));
    expect(heldOf(changed, 1).wish).toBe(false);
    expect(likeOf(changed)).toEqual({ liked: false, count: 4 });
    const done = withLiked(withLikeSent(changed, "1"), liked(4, false));
    expect(heldOf(done, 1).wish).toBeNull();
  });

  it("[WPO6] a page read before the like does not undo it", () => {
    const reread = withPosts(pressed, [post(1, { like_count: 4 })]);
    expect(likeOf(reread)).toEqual({ liked: true, count: 5 });
  });
});

describe("live counts", () => {
  const counts = { post_id: "1", like_count: 7, comment_count: 2 };

  it("[WPO7] a watched post keeps its live counts when an older page comes", () => {
    const watched = withWatched(one, [counts]);
    const reread = withPosts(watched, [post(1, { like_count: 6 })]);
    expect(heldOf(reread, 1).post).toMatchObject({ like_count: 7, comment_count: 2 });
    const after = withPosts(withoutWatched(reread, ["1"]), [post(1, { like_count: 8 })]);
    expect(likeOf(after).count).toBe(8);
  });

  it("[WPO9] counts of a post that is not here change nothing", () => {
    expect(withLiveCounts(NO_POSTS, live(1))).toBe(NO_POSTS);
  });
});

describe("the feed", () => {
  const feed = withFeed(NO_POSTS, page([9, 8, 7], "c7"));

  it("[WPO10] pages follow each other without doubles", () => {
    const older = withOlder(feed, page([7, 6, 5]));
    expect(older.feed).toEqual(["9", "8", "7", "6", "5"]);
    expect(older.feedCursor).toBeNull();
  });

  it("[WPO11] new posts wait until they are asked for", () => {
    const news = withFeedNews(withOlder(feed, page([6, 5], "c5")), page([10, 9, 8], "c8"));
    expect([news.feed, news.waiting]).toEqual([["9", "8", "7", "6", "5"], ["10"]]);
    const shown = withFeed(news, page([10, 9, 8], "c8"));
    expect([shown.feed, shown.waiting]).toEqual([["10", "9", "8", "7", "6", "5"], []]);
    expect(shown.feedCursor).toBe("c5");
  });

  it("[WPO12] a page that does not reach what is shown begins anew, without a hole", () => {
    const anew = withFeed(feed, page([30, 29, 28], "c28"));
    expect(anew.feed).toEqual(["30", "29", "28"]);
    expect(anew.feedCursor).toBe("c28");
    const news = withFeedNews(feed, page([30, 29, 28], "c28"));
    expect(news.feed).toEqual(["9", "8", "7"]);
  });

  it("[WPO13] posts that the page does not have any more are gone from the feed", () => {
    expect(withFeedNews(feed, page([9, 7], "c7")).feed).toEqual(["9", "7"]);
    expect(withFeed(feed, page([9])).feed).toEqual(["9"]);
  });

  it("[WPO14] an own new post stands first, once", () => {
    const own = withOwnPost(feed, post(10, { author_id: ADA }));
    expect(own.feed).toEqual(["10", "9", "8", "7"]);
    expect(withFeed(own, page([10, 9, 8], "c8")).feed).toEqual(["10", "9", "8", "7"]);
  });

  it("[WPO15] deleted posts and those of a blocked person disappear everywhere", () => {
    const mixed = withOwnPost(feed, post(10, { author_id: ADA }));
    const deleted = withoutPosts(mixed, ["8"]);
    expect(deleted.feed).toEqual(["10", "9", "7"]);
    expect(deleted.gone.has("8")).toBe(true);
    expect(withoutAuthor(mixed, GRACE).feed).toEqual(["10"]);
    expect(withPosts(deleted, [post(8)]).gone.has("8")).toBe(false);
  });
});

describe("comments", () => {
  const comment = (id: number, author_id = GRACE): Comment => ({
    id: String(id),
    post_id: "1",
    author_id,
    body: `comment ${id}`,
    created_at: "2026-05-04T10:00:00.000Z",
  });
  const commentPage = (ids: number[], next_cursor: string | null) => ({
    items: ids.map((id) => comment(id)),
    next_cursor,
  });
  const ids = (threads: Threads, part: "items" | "tail" = "items") =>
    threads.get("1")?.[part].map((held) => held.id);
  const first = withCommentPage(new Map(), "1", commentPage([1, 2], "c2"), null);

  it("[WPO16] pages append; the newest asked for again takes its own place", () => {
    const second = withCommentPage(first, "1", commentPage([3], null), "c2");
    expect(ids(second)).toEqual(["1", "2", "3"]);
    const again = withCommentPage(second, "1", commentPage([3, 4], null), "c2");
    expect(ids(again)).toEqual(["1", "2", "3", "4"]);
  });

  it("[WPO17] an own comment beyond what is here stands apart until its page comes", () => {
    const own = withOwnComment(first, comment(9, ADA));
    expect([ids(own), ids(own, "tail")]).toEqual([["1", "2"], ["9"]]);
    const whole = withCommentPage(own, "1", commentPage([3, 9], null), "c2");
    expect([ids(whole), ids(whole, "tail")]).toEqual([["1", "2", "3", "9"], []]);
    expect(withOwnComment(whole, comment(9, ADA))).toBe(whole);
  });

  it("[WPO18] comments of a blocked person go, and the pages still fit", () => {
    const own = withCommentPage(new Map(), "1", commentPage([1], "c1"), null);
    const second = withCommentPage(own, "1", { items: [comment(2, ADA)], next_cursor: null }, "c1");
    const without = withoutCommentsOf(second, GRACE);
    expect(ids(without)).toEqual(["2"]);
    const again = withCommentPage(
      without,
      "1",
      { items: [comment(2, ADA), comment(3, ADA)], next_cursor: null },
      "c1",
    );
    expect(ids(again)).toEqual(["2", "3"]);
  });

  it("[WPO19] more comments than are here are missed only where the end is here", () => {
    expect(isBehind(first.get("1"), 5)).toBe(false);
    const whole = withCommentPage(first, "1", commentPage([3], null), "c2");
    expect([isBehind(whole.get("1"), 3), isBehind(whole.get("1"), 4)]).toEqual([false, true]);
  });
});

/** Posts, likes, comments and the feed: what is counted, who hears of it, and how pages join up. */
import { describe, expect, it } from "vitest";
import type { Comment, Post } from "../../src/protocol/social.ts";
import { expectErrorObject, expectRefusal, ID, TIME, upTo } from "../support/expectations.ts";
import type { Person } from "../support/person.ts";
import type { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const SILENCE_MS = 500;
const troupe = troupeForFile({ shared: true });
const ids = (items: readonly { id: string }[]) => items.map(({ id }) => id);

async function pair(): Promise<{ ann: Person; bob: Person; post: Post }> {
  const [ann, bob] = await troupe().users("ann", "bob");
  return { ann: ann!, bob: bob!, post: await ann!.publishes("Good morning") };
}

const watches = (session: Session, ...posts: Post[]) =>
  session.does("watch_posts", { post_ids: ids(posts) });

describe("posts", () => {
  it("[CTR-POS1] a new post is its author's, uncounted, and stored as sent", async () => {
    const ann = await troupe().user("ann");
    const body = "  Tabs\tlines\nand 👩‍👩‍👧 <b>stay</b>  ";
    const post = await ann.publishes(body);
    expect(post).toEqual({
      id: expect.stringMatching(ID),
      author_id: ann.id,
      body,
      like_count: 0,
      comment_count: 0,
      liked: false,
      created_at: expect.stringMatching(TIME),
    });
    expect(await ann.sees(post)).toEqual(post);
    expect(await (await troupe().user("bob")).sees(post)).toEqual(post);
  });

  it("[CTR-POS2] bodies have 1–4,000 code points, not all white space, no control characters", async () => {
    const ann = await troupe().user("ann");
    const post = await ann.publishes("first");
    for (const body of ["👍".repeat(4000), "x"]) {
      await ann.publishes(body);
      await ann.comments(post, body);
    }
    const wrong = ["", " \n\u2003", "👍".repeat(4001), "a\u0000", "a\r", "\ud800", 1, null, ["a"]];
    for (const body of wrong) {
      expectRefusal(await ann.api.post("/api/posts", { body }), "invalid_payload");
      const comments = `/api/posts/${post.id}/comments`;
      expectRefusal(await ann.api.post(comments, { body }), "invalid_payload");
    }
    expectRefusal(await ann.api.post("/api/posts", { body: "a", x: 1 }), "invalid_payload");
  });

  it("[CTR-POS3] only its author deletes a post; then it is nowhere", async () => {
    const { ann, bob, post } = await pair();
    await bob.follows(ann);
    await bob.likes(post);
    await bob.comments(post, "hello");
    expectRefusal(await bob.api.delete(`/api/posts/${post.id}`), "forbidden");
    const deleted = await ann.api.delete<null>(`/api/posts/${post.id}`);
    expect([deleted.status, deleted.text]).toEqual([204, ""]);
    for (const person of [ann, bob]) {
      expectRefusal(await person.api.get(`/api/posts/${post.id}`), "not_found");
      expectRefusal(await person.api.get(`/api/posts/${post.id}/comments`), "not_found");
      expectRefusal(await person.api.post(`/api/posts/${post.id}/like`), "not_found");
      expectRefusal(await person.api.delete(`/api/posts/${post.id}/like`), "not_found");
      const comment = await person.api.post(`/api/posts/${post.id}/comments`, { body: "x" });
      expectRefusal(comment, "not_found");
      expectRefusal(await person.api.delete(`/api/posts/${post.id}`), "not_found");
      expect(ids(await person.lists<Post>("/api/feed"))).not.toContain(post.id);
      const session = await person.connects();
      expect((await watches(session, post)).posts).toEqual([]);
    }
  });

  it("[CTR-POS4] what is no post is not_found, what is no id invalid_payload", async () => {
    const ann = await troupe().user("ann");
    expectRefusal(await ann.api.get("/api/posts/999999999"), "not_found");
    expectRefusal(await ann.api.post("/api/posts/999999999/like"), "not_found");
    expectRefusal(await ann.api.get("/api/posts/999999999/comments"), "not_found");
    for (const id of ["0", "-1", "01", "x", "9223372036854775808", "1.0"]) {
      expectRefusal(await ann.api.get(`/api/posts/${id}`), "invalid_payload");
      expectRefusal(await ann.api.post(`/api/posts/${id}/like`), "invalid_payload");
    }
  });
});

describe("likes", () => {
  it("[CTR-LIK1] like and unlike are idempotent and their answers count them", async () => {
    const { ann, bob, post } = await pair();
    const answer = (liked: boolean, like_count: number) => ({
      post_id: post.id,
      liked,
      like_count,
    });
    expect(await bob.unlikes(post)).toEqual(answer(false, 0));
    expect(await bob.likes(post)).toEqual(answer(true, 1));
    expect(await bob.likes(post)).toEqual(answer(true, 1));
    expect(await ann.likes(post)).toEqual(answer(true, 2));
    expect(await ann.sees(post)).toMatchObject({ like_count: 2, liked: true });
    expect(await bob.unlikes(post)).toEqual(answer(false, 1));
    expect(await bob.unlikes(post)).toEqual(answer(false, 1));
    expect(await bob.sees(post)).toMatchObject({ like_count: 1, liked: false });
  });

  it("[CTR-LIK2] the same like from many connections at once is one", async () => {
    const { bob, post } = await pair();
    const answers = await Promise.all(upTo(30).map(() => bob.likes(post)));
    expect(new Set(answers.map(({ like_count }) => like_count))).toEqual(new Set([1]));
    await Promise.all(upTo(30).map((i) => (i % 2 === 0 ? bob.likes(post) : bob.unlikes(post))));
    const { liked, like_count } = await bob.sees(post);
    expect(like_count).toBe(liked ? 1 : 0);
  });
});

describe("comments", () => {
  it("[CTR-COM1] are listed oldest first, counted, and page without a hole while more come", async () => {
    const { ann, bob, post } = await pair();
    const made: Comment[] = [];
    for (const i of upTo(7)) made.push(await (i % 2 ? ann : bob).comments(post, `comment ${i}`));
    expect(made[0]).toEqual({
      id: expect.stringMatching(ID),
      post_id: post.id,
      author_id: ann.id,
      body: "comment 1",
      created_at: expect.stringMatching(TIME),
    });
    expect(await bob.lists<Comment>(`/api/posts/${post.id}/comments`, 3)).toEqual(made);
    expect(await ann.sees(post)).toMatchObject({ comment_count: 7 });

    type Page = { items: Comment[]; next_cursor: string | null };
    const path = `/api/posts/${post.id}/comments`;
    const { body: first } = await bob.api.get<Page>(`${path}?limit=4`);
    const late = await bob.comments(post, "late");
    const { body: second } = await bob.api.get<Page>(`${path}?limit=4&cursor=${first.next_cursor}`);
    expect(second).toEqual({ items: [...made.slice(4), late], next_cursor: null });
  });

  it("[CTR-COM2] of many at once each is there, in one order for all", async () => {
    const { ann, bob, post } = await pair();
    await Promise.all(upTo(40).map((i) => (i % 2 ? ann : bob).comments(post, `${i}`)));
    const seen = await ann.lists<Comment>(`/api/posts/${post.id}/comments`, 7);
    expect(new Set(seen.map(({ body }) => body)).size).toBe(40);
    expect(ids(seen)).toEqual(ids(seen).sort((a, b) => Number(a) - Number(b)));
    expect(await ann.sees(post)).toMatchObject({ comment_count: 40 });
  });

  it("[CTR-COM3] cursors of another list, and limits out of range, are invalid_payload", async () => {
    const { ann, post } = await pair();
    for (const path of ["/api/feed", `/api/posts/${post.id}/comments`, "/api/notifications"]) {
      for (const query of ["limit=0", "limit=101", "limit=x", "cursor=", "cursor=%00", "x=1"]) {
        expectRefusal(await ann.api.get(`${path}?${query}`), "invalid_payload");
      }
      expectRefusal(await ann.api.get(`${path}?cursor=not-a-cursor`), "invalid_payload");
    }
  });
});

describe("the feed", () => {
  it("[CTR-FEE1] has the posts of those one follows and one's own, newest first", async () => {
    const [ann, bob, cleo] = await troupe().users("ann", "bob", "cleo");
    await ann!.follows(bob!);
    const before = await bob!.publishes("before cleo is followed");
    const ofCleo = await cleo!.publishes("by cleo");
    const own = await ann!.publishes("own");
    expect(ids(await ann!.lists<Post>("/api/feed"))).toEqual(ids([own, before]));
    await ann!.follows(cleo!);
    expect(ids(await ann!.lists<Post>("/api/feed"))).toEqual(ids([own, ofCleo, before]));
    expect(ids(await bob!.lists<Post>("/api/feed"))).toEqual(ids([before]));
    await ann!.likes(before);
    expect((await ann!.lists<Post>("/api/feed")).at(-1)).toEqual(await ann!.sees(before));
    const unfollowed = await ann!.api.delete(`/api/users/${bob!.id}/follow`);
    expect(unfollowed.body).toEqual({ user_id: bob!.id, following: false });
    expect(ids(await ann!.lists<Post>("/api/feed"))).toEqual(ids([own, ofCleo]));
  });

  it("[CTR-FEE2] pages join up: none twice, none missing, newer ones not in between", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    await ann!.follows(bob!);
    const posts: Post[] = [];
    for (const i of upTo(11)) posts.push(await (i % 3 ? bob! : ann!).publishes(`${i}`));
    const newestFirst = ids(posts).reverse();
    expect(ids(await ann!.lists<Post>("/api/feed", 4))).toEqual(newestFirst);
    type Page = { items: Post[]; next_cursor: string | null };
    const { body: first } = await ann!.api.get<Page>("/api/feed?limit=5");
    await bob!.publishes("newer");
    const { body: second } = await ann!.api.get<Page>(
      `/api/feed?limit=100&cursor=${first.next_cursor}`,
    );
    expect([...ids(first.items), ...ids(second.items)]).toEqual(newestFirst);
    expect(second.next_cursor).toBeNull();
  });
});

describe("watching posts", () => {
  it("[CTR-WAT1] answers the counts as they are and brings the changes; unwatch ends them", async () => {
    const { ann, bob, post } = await pair();
    const cleo = await troupe().user("cleo");
    await ann.likes(post);
    const watchers = await troupe().sessionOnEachWorker(bob);
    for (const watcher of watchers) {
      expect(await watches(watcher, post, { ...post, id: "999999999" })).toMatchObject({
        posts: [{ post_id: post.id, like_count: 1, comment_count: 0 }],
      });
    }
    await cleo.likes(post);
    await cleo.comments(post, "hello");
    for (const watcher of watchers) {
      expect(await watcher.next("like_update")).toEqual({ post_id: post.id, like_count: 2 });
      expect(await watcher.next("comment_update")).toEqual({ post_id: post.id, comment_count: 1 });
    }
    const [first, ...rest] = watchers;
    const unwatched = await first!.does("unwatch_posts", { post_ids: [post.id] });
    expect(unwatched.posts).toEqual([{ post_id: post.id, like_count: 2, comment_count: 1 }]);
    await cleo.unlikes(post);
    for (const watcher of rest) {
      expect(await watcher.next("like_update")).toEqual({ post_id: post.id, like_count: 1 });
    }
    await first!.never("like_update", SILENCE_MS);
  });

  it("[CTR-WAT2] the author always hears, watching or not, and each update once", async () => {
    const { ann, bob, post } = await pair();
    const [plain, watching] = [await ann.connects(), await ann.connects()];
    await watches(watching, post);
    await bob.likes(post);
    await bob.comments(post, "hello");
    for (const session of [plain, watching]) {
      expect(await session.next("like_update")).toEqual({ post_id: post.id, like_count: 1 });
      expect(await session.next("comment_update")).toEqual({ post_id: post.id, comment_count: 1 });
      await session.never("like_update", SILENCE_MS);
      expect(session.heard("comment_update")).toHaveLength(1);
    }
    await ann.likes(post);
    expect(await plain.next("like_update")).toEqual({ post_id: post.id, like_count: 2 });
  });

  it("[CTR-WAT3] who does not watch hears nothing, and a like that changes nothing is no update", async () => {
    const { ann, bob, post } = await pair();
    const [author, stranger] = [await ann.connects(), await bob.connects()];
    await bob.likes(post);
    await author.next("like_update");
    await bob.likes(post);
    await author.never("like_update", SILENCE_MS);
    expect(stranger.heard("like_update")).toEqual([]);
  });

  it("[CTR-WAT4] malformed lists are invalid_payload, 200 posts are possible", async () => {
    const { ann, post } = await pair();
    const session = await ann.connects();
    const many = upTo(200).map((i) => String(900_000_000 + i));
    for (const event of ["watch_posts", "unwatch_posts"]) {
      for (const post_ids of [undefined, null, "1", [1], ["x"], ["0"], [...many, "1"]]) {
        expectErrorObject(await session.isRefused(event, { post_ids }), "invalid_payload");
      }
    }
    const watched = await session.does("watch_posts", { post_ids: [post.id, ...many.slice(1)] });
    expect(watched.posts).toEqual([{ post_id: post.id, like_count: 0, comment_count: 0 }]);
    expect(await session.does("watch_posts", { post_ids: [] })).toMatchObject({ posts: [] });
  });
});

/** PostStore, and the posts' half of SocialQueries: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ListPage } from "../../src/ports/social.ts";
import type { PostId, UserId } from "../../src/protocol/ids.ts";
import type { JsonText } from "../../src/protocol/json-text.ts";
import type { Post } from "../../src/protocol/social.ts";
import { promised } from "../support/promised.ts";
import { ADAPTERS, codeOf, granted, newUsers, type OpenStorage } from "./adapters.ts";

/** The deadline of a write; [LIK3] may keep a busy machine longer than the usual five seconds. */
const DEADLINE_MS = 25_000;
const NOWHERE = "999999999" as PostId;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe.each(ADAPTERS)("posts in $name", ({ open }) => {
  let storage: OpenStorage;
  let alice: UserId;
  let bob: UserId;
  let carol: UserId;

  beforeAll(async () => {
    storage = await open({ deadlineMs: DEADLINE_MS });
    [alice, bob, carol] = (await newUsers(storage, 3)) as [UserId, UserId, UserId];
  });
  afterAll(() => storage?.close());

  const post = async (by: UserId, body = "a post") => {
    const made = await granted(storage.posts.create(by, { body }));
    return made.id as PostId;
  };
  const like = (postId: PostId, userId: UserId, liked = true, posts = storage.posts) =>
    posts.like({ postId, userId, liked });
  const follow = (by: UserId, user: UserId) => granted(storage.graph.follow(by, user, true));
  const block = (by: UserId, user: UserId, blocked = true) =>
    granted(storage.graph.block(by, user, blocked));
  const feedIds = async (reader: UserId, limit: number, cursor: string | null = null) =>
    (await storage.queries.feed(reader, limit, cursor))?.value().items.map(({ id }) => id);

  it("[PST1] a post comes back as it was made", async () => {
    const body = "Ä 𝒳 \" ' \\ {} \n\ttab";
    const made = await granted(storage.posts.create(alice, { body }));
    expect(made).toEqual({
      id: made.id,
      author_id: alice,
      body,
      like_count: 0,
      comment_count: 0,
      liked: false,
      created_at: expect.stringMatching(ISO),
    });
    const id = made.id as PostId;
    expect(await storage.queries.post(bob, id)).toEqual(made);
    expect(await storage.posts.load(id)).toEqual({
      id,
      authorId: alice,
      likeCount: 0,
      commentCount: 0,
    });
    expect(await storage.queries.post(bob, NOWHERE)).toBeNull();
    expect(await storage.posts.load(NOWHERE)).toBeNull();
    const later = await granted(storage.posts.create(bob, { body: "later" }));
    expect(BigInt(later.id)).toBeGreaterThan(BigInt(made.id));
  });

  it("[PST6] a post shows files that are there for its author only", async () => {
    const made = await granted(storage.posts.create(alice, { body: "x", attachments: [] }));
    expect(made).not.toHaveProperty("attachments");
    const attachments = [NOWHERE];
    expect(await codeOf(storage.posts.create(alice, { body: "x", attachments }))).toBe("not_found");
    const edit = (by: UserId) => storage.posts.edit(made.id as PostId, by, { attachments });
    expect(await codeOf(edit(alice))).toBe("not_found");
    expect(await codeOf(edit(bob))).toBe("forbidden");
    expect(await storage.queries.post(bob, made.id as PostId)).toEqual(made);
  });

  it("[LIK1] a like counts itself, and a repeated one changes nothing", async () => {
    const id = await post(alice);
    const first = await granted(like(id, bob));
    expect(first).toEqual({ likeCount: 1, changed: true });
    expect(await granted(like(id, bob))).toEqual({ likeCount: 1, changed: false });
    expect(await granted(like(id, alice))).toEqual({ likeCount: 2, changed: true });
    expect(await storage.queries.post(bob, id)).toMatchObject({ like_count: 2, liked: true });
    expect(await storage.queries.post(carol, id)).toMatchObject({ like_count: 2, liked: false });
    expect(await granted(like(id, bob, false))).toEqual({ likeCount: 1, changed: true });
    expect(await granted(like(id, bob, false))).toEqual({ likeCount: 1, changed: false });
    expect(await storage.queries.post(bob, id)).toMatchObject({ like_count: 1, liked: false });
  });

  it("[LIK2] changes made at once resolve in the order of the calls, each with its count", async () => {
    const [one, two] = [await post(alice), await post(alice)];
    const outcomes = await Promise.all([
      granted(like(one, bob)),
      granted(like(one, carol)),
      granted(like(two, bob)),
      granted(like(one, bob)),
      granted(like(one, bob, false)),
      granted(like(one, bob)),
      granted(like(one, alice)),
      codeOf(like(NOWHERE, alice)),
    ]);
    const seen = outcomes.map((each) => (typeof each === "string" ? each : each.changed));
    expect(seen).toEqual([true, true, true, false, true, true, true, "not_found"]);
    expect(outcomes[0]).toMatchObject({ likeCount: 1 });
    expect(outcomes[1]).toMatchObject({ likeCount: 2 });
    expect(outcomes[2]).toMatchObject({ likeCount: 1 });
    expect(await storage.posts.load(one)).toMatchObject({ likeCount: 3 });
    expect(await storage.queries.post(bob, one)).toMatchObject({ liked: true });
  });

  it("[LIK3] 5,000 likes of 500 users on one post from two hosts are counted exactly", async () => {
    const fans = await newUsers(storage, 500);
    const id = await post(alice);
    const hosts = [storage.posts, storage.host().posts];
    const startedMs = performance.now();
    const outcomes = await Promise.all(
      Array.from({ length: 5000 }, (_, i) => granted(like(id, fans[i % 500]!, true, hosts[i % 2]))),
    );
    expect(performance.now() - startedMs).toBeLessThan(promised(5_000, DEADLINE_MS));
    expect(outcomes.filter(({ changed }) => changed)).toHaveLength(500);
    expect(await storage.posts.load(id)).toMatchObject({ likeCount: 500 });
    expect(await storage.queries.postCounts(bob, [id])).toMatchObject([{ like_count: 500 }]);
  });

  it("[CMT1] comments take rising ids and count themselves", async () => {
    const id = await post(alice);
    const hosts = [storage.posts, storage.host().posts];
    const added = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        granted(hosts[i % 2]!.comment(id, bob, { body: `c${i}` })),
      ),
    );
    expect(added[0]!.comment).toEqual({
      id: added[0]!.comment.id,
      post_id: id,
      author_id: bob,
      body: "c0",
      created_at: expect.stringMatching(ISO),
    });
    const counts = added.map(({ commentCount }) => commentCount);
    expect(counts.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    // The id's order is the count's: both are taken under the post's lock.
    const byCount = added.toSorted((a, b) => a.commentCount - b.commentCount);
    const listed = await storage.queries.comments(carol, id, 100, null);
    expect(listed?.items).toEqual(byCount.map(({ comment }) => comment));
    for (const host of [0, 1]) {
      const own = counts.filter((_, i) => i % 2 === host);
      expect(own).toEqual(own.toSorted((a, b) => a - b));
    }
    expect(await storage.queries.post(alice, id)).toMatchObject({ comment_count: 40 });
    expect(await codeOf(storage.posts.comment(NOWHERE, bob, { body: "?" }))).toBe("not_found");
  });

  it("[CMT2] comments page oldest first while others are added, none skipped or twice", async () => {
    const id = await post(alice);
    const other = storage.host().posts;
    const seen: string[] = [];
    const adding: Promise<unknown>[] = [];
    let cursor: string | null = null;
    for (let i = 0; i < 3; i++) await granted(storage.posts.comment(id, bob, { body: "before" }));
    for (let page = 0; page === 0 || cursor !== null; page++) {
      for (let i = 0; page < 5 && i < 4; i++) {
        adding.push(
          granted((i % 2 ? other : storage.posts).comment(id, carol, { body: `p${page}` })),
        );
      }
      const found: ListPage<{ id: string }> | null | undefined = await storage.queries.comments(
        bob,
        id,
        2,
        cursor,
      );
      seen.push(...found!.items.map((comment) => comment.id));
      cursor = found!.next_cursor;
      if (cursor === null) await Promise.all(adding);
    }
    const all = (await storage.queries.comments(bob, id, 100, null))!.items.map(
      (comment) => comment.id,
    );
    expect(seen).toEqual(all.slice(0, seen.length));
    expect(seen.length).toBeGreaterThanOrEqual(3);
    expect(await storage.queries.comments(bob, NOWHERE, 10, null)).toBeNull();
    const empty = await post(alice);
    expect(await storage.queries.comments(bob, empty, 10, null)).toEqual({
      items: [],
      next_cursor: null,
    });
  });

  it("[FEED1] the feed holds one's own and the followed, newest first", async () => {
    const [reader, friend, stranger] = (await newUsers(storage, 3)) as [UserId, UserId, UserId];
    const none = await storage.queries.feed(reader, 10, null);
    expect(none?.value()).toEqual({ items: [], next_cursor: null });
    const first = await post(friend);
    const own = await post(reader);
    await post(stranger);
    const last = await post(friend);
    expect(await feedIds(reader, 10)).toEqual([own]);
    await follow(reader, friend);
    await granted(like(first, reader));
    expect(await feedIds(reader, 10)).toEqual([last, own, first]);
    const page = (await storage.queries.feed(reader, 10, null))?.value();
    expect(page?.items[2]).toEqual(await storage.queries.post(reader, first));
    expect(page?.items[2]).toMatchObject({ liked: true, like_count: 1 });
    await granted(storage.graph.follow(reader, friend, false));
    expect(await feedIds(reader, 10)).toEqual([own]);
  });

  it("[FEED2] the feed pages without skipping or repeating while posts are added", async () => {
    const [reader, ...authors] = (await newUsers(storage, 5)) as [UserId, ...UserId[]];
    for (const author of authors) await follow(reader, author);
    const before: PostId[] = [];
    // One author writes most, so that a page is not one post an author.
    for (let i = 0; i < 25; i++) before.push(await post(authors[i % 3 ? 0 : i % 4]!));
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const read: JsonText<ListPage<Post>> | undefined = await storage.queries.feed(
        reader,
        4,
        cursor,
      );
      const page = read!.value();
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.next_cursor;
      await post(authors[1]!);
    } while (cursor !== null);
    expect(seen).toEqual(before.toReversed());
  });

  it("[PGC1] a cursor that is not of this list is refused", async () => {
    const id = await post(alice);
    await post(alice);
    for (const body of ["a", "b"]) await granted(storage.posts.comment(id, bob, { body }));
    const feed = (await storage.queries.feed(alice, 1, null))!.value().next_cursor!;
    const comments = (await storage.queries.comments(alice, id, 1, null))!.next_cursor!;
    expect(feed).toMatch(/^[\w-]+$/);
    expect(await feedIds(alice, 1, feed)).toHaveLength(1);
    for (const bad of ["", "x", "Zg", comments, `${feed}=`, "ZjA", "Zi0x"]) {
      expect(await storage.queries.feed(alice, 1, bad)).toBeUndefined();
    }
    expect(await storage.queries.comments(alice, id, 1, feed)).toBeUndefined();
    expect(await storage.queries.notifications(alice, 1, feed)).toBeUndefined();
  });

  it("[PST2] a deleted post is nowhere any more", async () => {
    const [author, friend] = (await newUsers(storage, 2)) as [UserId, UserId];
    await follow(friend, author);
    const [kept, gone] = [await post(author), await post(author)];
    await granted(like(gone, friend));
    await granted(storage.posts.comment(gone, friend, { body: "hm" }));
    expect(await codeOf(storage.posts.remove(gone, friend))).toBe("forbidden");
    expect(await codeOf(storage.posts.remove(NOWHERE, author))).toBe("not_found");
    await granted(storage.posts.remove(gone, author));
    expect(await storage.posts.load(gone)).toBeNull();
    expect(await storage.queries.post(author, gone)).toBeNull();
    expect(await feedIds(friend, 10)).toEqual([kept]);
    expect(await feedIds(author, 10)).toEqual([kept]);
    expect(await storage.queries.comments(friend, gone, 10, null)).toBeNull();
    expect(await storage.queries.postCounts(friend, [gone, kept])).toMatchObject([
      { post_id: kept },
    ]);
    for (const refused of [
      like(gone, friend),
      like(gone, friend, false),
      storage.posts.comment(gone, friend, { body: "?" }),
      storage.posts.remove(gone, author),
    ]) {
      expect(await codeOf(refused as Promise<{ ok: true }>)).toBe("not_found");
    }
  });

  it("[BLK1] behind a block, either way round, posts are not there", async () => {
    const [author, reader, third] = (await newUsers(storage, 3)) as [UserId, UserId, UserId];
    const id = await post(author);
    await granted(like(id, reader));
    const refused = async () =>
      Promise.all([
        storage.queries.post(reader, id),
        storage.queries.comments(reader, id, 10, null),
        storage.queries.postCounts(reader, [id]),
        codeOf(like(id, reader)),
        codeOf(like(id, reader, false)),
        codeOf(storage.posts.comment(id, reader, { body: "?" })),
        codeOf(storage.posts.remove(id, reader)),
      ]);
    const hidden = [null, null, [], "not_found", "not_found", "not_found", "not_found"];
    await block(author, reader);
    expect(await refused()).toEqual(hidden);
    await block(reader, author);
    await block(author, reader, false);
    expect(await refused()).toEqual(hidden);
    expect(await storage.queries.post(third, id)).toMatchObject({ like_count: 1 });
    // Readers of one gathered statement do not share what they may see.
    const counts = await Promise.all(
      [reader, third].map((each) => storage.queries.postCounts(each, [id, id])),
    );
    expect(counts.map((each) => each.length)).toEqual([0, 2]);
    await block(reader, author, false);
    expect(await storage.queries.post(reader, id)).toMatchObject({ liked: true });
    expect(await granted(like(id, reader, false))).toEqual({ likeCount: 0, changed: true });
  });
});

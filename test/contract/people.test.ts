/** PeopleQueries, edits of posts and deletions of comments: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ListPage } from "../../src/ports/pages.ts";
import type { PostId, UserId } from "../../src/protocol/ids.ts";
import { asUserId, type User } from "../../src/protocol/schemas.ts";
import { ADAPTERS, codeOf, granted, newGroup, newUsers, type OpenStorage } from "./adapters.ts";

const NOBODY = asUserId("999999999");
const HOUR_MS = 3_600_000;

type List = (limit: number, cursor: string | null) => Promise<ListPage<User> | null | undefined>;

/** The ids of a list, read in pages of one. */
async function idsOf(list: List): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor: string | null = null; ; ) {
    const page: ListPage<User> | null | undefined = await list(1, cursor);
    if (!page) throw new Error("there is no such list");
    ids.push(...page.items.map(({ id }) => id));
    if (page.next_cursor === null) return ids;
    cursor = page.next_cursor;
  }
}

describe.each(ADAPTERS)("people in $name", ({ open }) => {
  let storage: OpenStorage;
  let alice: UserId;
  let bob: UserId;
  let carol: UserId;
  let dave: UserId;

  beforeAll(async () => {
    storage = await open();
  });
  afterAll(() => storage?.close());

  const meet = async () => {
    [alice, bob, carol, dave] = (await newUsers(storage, 4)) as [UserId, UserId, UserId, UserId];
  };
  const follow = (by: UserId, user: UserId) => granted(storage.graph.follow(by, user, true));
  const people = () => storage.queries.people;
  const post = async (by: UserId, body = "a post") =>
    (await granted(storage.posts.create(by, { body }))).id as PostId;

  it("[PPL1] followers and followed users are listed newest first, without those blocked", async () => {
    await meet();
    for (const user of [bob, carol, dave]) await follow(user, alice);
    await follow(alice, carol);
    await follow(alice, bob);
    const followers: List = (limit, cursor) => people().followers(bob, alice, limit, cursor);
    const following: List = (limit, cursor) => people().following(bob, alice, limit, cursor);
    expect((await idsOf(followers)).toSorted()).toEqual([bob, carol, dave].toSorted());
    expect((await idsOf(following)).toSorted()).toEqual([bob, carol].toSorted());
    await granted(storage.graph.block(dave, bob, true));
    expect(await idsOf(followers)).not.toContain(dave);
    expect(await people().followers(bob, dave, 10, null)).toBeNull();
    expect(await people().followers(bob, NOBODY, 10, null)).toBeNull();
    expect(await people().followers(bob, alice, 10, "nonsense")).toBeUndefined();
    const { next_cursor } = (await followers(1, null))!;
    expect(await people().following(bob, alice, 10, next_cursor)).toBeUndefined();
  });

  it("[PPL2] a profile counts, whichever way the counts change", async () => {
    await meet();
    await follow(bob, alice);
    await follow(carol, alice);
    await follow(alice, bob);
    const gone = await post(alice);
    await post(alice);
    expect(await people().profile(bob, alice)).toMatchObject({
      follower_count: 2,
      following_count: 1,
      post_count: 2,
      followed_by_me: true,
    });
    await granted(storage.graph.follow(carol, alice, false));
    await granted(storage.graph.block(alice, bob, true));
    await granted(storage.posts.remove(gone, alice));
    const counts = { follower_count: 0, following_count: 0, post_count: 1 };
    expect(await people().profile(bob, alice)).toMatchObject({ ...counts, followed_by_me: false });
    expect(await people().profile(null, alice)).not.toHaveProperty("followed_by_me");
    expect(await people().profile(bob, NOBODY)).toBeNull();
    expect(await storage.recount.recount(false)).toEqual([]);
  });

  it("[PPL3] posts of a user and who likes them, newest first", async () => {
    await meet();
    const ids = [await post(alice), await post(alice), await post(alice)];
    await granted(storage.posts.remove(ids[1]!, alice));
    const first = await people().posts(bob, alice, 1, null);
    const second = await people().posts(bob, alice, 1, first!.next_cursor);
    expect([...first!.items, ...second!.items].map(({ id }) => id)).toEqual([ids[2], ids[0]]);
    expect(second!.next_cursor).toBeNull();
    expect((await people().posts(bob, dave, 10, null))?.items).toEqual([]);
    for (const user of [bob, carol, dave]) {
      await granted(storage.posts.like({ postId: ids[0]!, userId: user, liked: true }));
    }
    const likers: List = (limit, cursor) => people().likers(carol, ids[0]!, limit, cursor);
    expect((await idsOf(likers)).toSorted()).toEqual([bob, carol, dave].toSorted());
    await granted(storage.graph.block(carol, bob, true));
    expect((await idsOf(likers)).toSorted()).toEqual([carol, dave].toSorted());
    await granted(storage.graph.block(alice, carol, true));
    expect(await likers(10, null)).toBeNull();
    expect(await people().posts(carol, alice, 10, null)).toBeNull();
  });

  it("[PPL4] whom one has blocked, and users by their ids", async () => {
    await meet();
    for (const user of [bob, carol]) await granted(storage.graph.block(alice, user, true));
    await granted(storage.graph.block(dave, alice, true));
    const blocks: List = (limit, cursor) => people().blocked(alice, limit, cursor);
    expect((await idsOf(blocks)).toSorted()).toEqual([bob, carol].toSorted());
    expect((await people().blocked(carol, 10, null))?.items).toEqual([]);
    const found = await people().byIds([carol, NOBODY, alice, carol]);
    expect(found.map(({ id }) => id)).toEqual([carol, alice]);
  });

  it("[PPL5] a search finds the beginnings of usernames and of words of names, folded", async () => {
    const make = async (username: string, name: string) =>
      asUserId((await granted(storage.accounts.register(username, name, "h"))).id);
    const [zoe, straw, jo] = [
      await make("zoe_m", "Zoë Łukasz-Müller"),
      await make("straw.b", "Frau Straße"),
      await make("jo", "Ｊo Ørsted"),
    ];
    const find = async (q: string, among: "shared" | "all" = "all", reader = jo) =>
      (await people().search(reader, q, among, 10)).map(({ id }) => id);
    expect(await find("ZOE")).toEqual([zoe]);
    expect(await find("zoe_")).toEqual([zoe]);
    expect(await find("mull")).toEqual([zoe]);
    expect(await find("lukasz zoe")).toEqual([zoe]);
    expect(await find("zoe straw")).toEqual([]);
    expect(await find("strass")).toEqual([straw]);
    expect(await find("ukasz")).toEqual([]);
    expect(await find("%")).toEqual([]);
    expect(await find("ors", "all", zoe)).toEqual([jo]);
    expect(await find("zoe", "shared")).toEqual([]);
    await follow(jo, straw);
    await newGroup(storage, [jo, zoe]);
    expect(await find("straw", "shared")).toEqual([straw]);
    expect(await find("zoe", "shared")).toEqual([zoe]);
    await granted(storage.accounts.changeUser(zoe, { display_name: "Another" }));
    expect(await find("mull")).toEqual([]);
    expect(await find("anoth")).toEqual([zoe]);
    await granted(storage.accounts.suspend(straw, { until: null, reason: null }));
    expect(await find("straw")).toEqual([]);
    await granted(storage.graph.block(zoe, jo, true));
    expect(await find("zoe")).toEqual([]);
  });

  it("[PPL6] the suspended are listed with their terms, until these end", async () => {
    await meet();
    const { accounts } = storage;
    const until = new Date(Date.now() + HOUR_MS).toISOString();
    await granted(accounts.suspend(alice, { until, reason: "spam" }));
    const past = new Date(Date.now() - 1_000).toISOString();
    await granted(accounts.suspend(bob, { until: past, reason: null }));
    const listed = async () => {
      const found = await people().suspended(100, null);
      return found!.items.filter(({ id }) => [alice, bob, carol].includes(asUserId(id)));
    };
    await accounts.shutOutWithin(0, HOUR_MS);
    expect(await listed()).toMatchObject([{ id: alice, until, reason: "spam" }]);
    expect((await accounts.shutOutWithin(0, HOUR_MS)).suspensions).toEqual(
      expect.arrayContaining([
        { user: alice, suspended: true },
        { user: bob, suspended: false },
      ]),
    );
    await granted(accounts.suspend(alice, { until: null, reason: "worse" }));
    expect(await listed()).toMatchObject([{ id: alice, until: null, reason: "worse" }]);
    await granted(accounts.suspend(alice, null));
    expect(await listed()).toEqual([]);
  });

  it("[PPL7] an author edits a post, key by key", async () => {
    await meet();
    const made = await granted(
      storage.posts.create(alice, { body: "before", data: { a: 1, z: "ü" } }),
    );
    expect(made).toMatchObject({ body: "before", data: { a: 1, z: "ü" } });
    expect(made).not.toHaveProperty("edited_at");
    const id = made.id as PostId;
    const edited = await granted(storage.posts.edit(id, alice, { body: "after" }));
    expect(edited).toMatchObject({ body: "after", data: { a: 1, z: "ü" } });
    expect(edited.edited_at).toBeDefined();
    await granted(storage.posts.edit(id, alice, { data: { b: [null] } }));
    const feed = JSON.parse((await storage.queries.feed(alice, 10, null))!.text);
    expect(feed.items[0]).toMatchObject({ body: "after", data: { b: [null] } });
    expect(await storage.queries.post(bob, id)).toEqual({ ...feed.items[0] });
    const emptied = await granted(storage.posts.edit(id, alice, { data: null }));
    expect(emptied).not.toHaveProperty("data");
    expect(await codeOf(storage.posts.edit(id, bob, { body: "mine" }))).toBe("forbidden");
    await granted(storage.graph.block(alice, bob, true));
    expect(await codeOf(storage.posts.edit(id, bob, { body: "mine" }))).toBe("not_found");
  });

  it("[PPL8] a comment is deleted by its author, the post's, or a moderator, and counted", async () => {
    await meet();
    const id = await post(alice);
    const comment = async (by: UserId) =>
      (await granted(storage.posts.comment(id, by, { body: "hm", data: { by } }))).comment;
    const [first, second, third] = [await comment(bob), await comment(bob), await comment(bob)];
    expect(first).toMatchObject({ data: { by: bob } });
    const remove = (commentId: string, by: UserId | null) =>
      storage.posts.removeComment(id, commentId, by);
    expect(await codeOf(remove(first.id, carol))).toBe("forbidden");
    expect(await granted(remove(first.id, bob))).toEqual({ commentCount: 2 });
    expect(await granted(remove(second.id, alice))).toEqual({ commentCount: 1 });
    expect(await granted(remove(third.id, null))).toEqual({ commentCount: 0 });
    expect(await codeOf(remove(first.id, bob))).toBe("not_found");
    expect((await storage.queries.comments(bob, id, 10, null))?.items).toEqual([]);
    expect((await storage.queries.post(bob, id))?.comment_count).toBe(0);
    expect(await storage.recount.recount(false)).toEqual([]);
  });
});

/** Users in lists, counts and searches, and posts that change, from outside. */
import { beforeAll, describe, expect, it } from "vitest";
import type { User } from "../../src/protocol/schemas.ts";
import type { Comment, Post } from "../../src/protocol/social.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { Service } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ shared: true });

let ann: Person;
let ben: Person;
let cleo: Person;
let dora: Person;

beforeAll(async () => {
  [ann, ben, cleo, dora] = (await troupe().users("ann", "ben", "cleo", "dora")) as [
    Person,
    Person,
    Person,
    Person,
  ];
});

const ids = (users: readonly { id: string }[]) => users.map(({ id }) => id);

describe("people", () => {
  it("[PPL9] followers and followed users, newest first, and what a profile counts", async () => {
    await ben.follows(ann);
    await cleo.follows(ann);
    await ann.follows(cleo);
    await ann.publishes("one");
    expect(ids(await dora.lists(`/api/users/${ann.id}/followers`, 1))).toEqual([cleo.id, ben.id]);
    expect(ids(await dora.lists(`/api/users/${ann.id}/following`))).toEqual([cleo.id]);
    expect((await ben.api.get(`/api/users/${ann.id}`)).body).toMatchObject({
      id: ann.id,
      follower_count: 2,
      following_count: 1,
      post_count: 1,
      followed_by_me: true,
    });
    expect((await dora.api.get(`/api/users/${ann.id}`)).body).toMatchObject({
      followed_by_me: false,
    });
    const users = await Service.of(troupe(), "users");
    expect((await users.api.get(`/api/users/${ann.id}`)).body).not.toHaveProperty("followed_by_me");
  });

  it("[PPL10] users by their ids, and only one way of asking at once", async () => {
    const found = await ann.api.get<{ items: User[] }>(
      `/api/users?ids=${dora.id},999999999,${ben.id}`,
    );
    expect(ids(expectStatus(found, 200).items)).toEqual([dora.id, ben.id]);
    const many = Array.from({ length: 101 }, (_, i) => i + 1).join(",");
    for (const query of ["", `?ids=${many}`, `?ids=${ben.id}&username=ann`, "?ids=x"]) {
      expect((await ann.api.get(`/api/users${query}`)).status, query).toBe(400);
    }
    expect((await ann.api.get("/api/users?suspended=true")).status).toBe(403);
  });

  it("[PPL11] a search finds those with whom one shares something", async () => {
    await cleo.api.patch("/api/me", { display_name: "Cléo Ångström" });
    const search = async (by: Person, q: string) =>
      ids(
        expectStatus(
          await by.api.get<{ items: User[] }>(`/api/users/search?q=${encodeURIComponent(q)}`),
          200,
        ).items,
      );
    expect(await search(ann, "angst")).toEqual([cleo.id]);
    expect(await search(ann, cleo.user.username.toUpperCase())).toEqual([cleo.id]);
    expect(await search(dora, "angst")).toEqual([]);
    await dora.startsGroup(cleo);
    expect(await search(dora, "CLEO ang")).toEqual([cleo.id]);
    await cleo.blocks(dora);
    expect(await search(dora, "angst")).toEqual([]);
    expect((await ann.api.get("/api/users/search?q=")).status).toBe(400);
    await cleo.unblocks(dora);
  });

  it("[PPL12] a block holds in every list", async () => {
    const post = await ann.publishes("liked");
    await ben.likes(post);
    await cleo.likes(post);
    await ben.blocks(dora);
    expect(ids(await dora.lists(`/api/posts/${post.id}/likes`))).toEqual([cleo.id]);
    expect(ids(await ann.lists(`/api/posts/${post.id}/likes`))).toEqual([cleo.id, ben.id]);
    expect(ids(await dora.lists(`/api/users/${ann.id}/followers`))).toEqual([cleo.id]);
    for (const list of ["followers", "following", "posts"]) {
      expect((await dora.api.get(`/api/users/${ben.id}/${list}`)).status).toBe(404);
    }
    expect(ids(await ben.lists("/api/me/blocks"))).toEqual([dora.id]);
    expect(await dora.lists("/api/me/blocks")).toEqual([]);
    await ben.unblocks(dora);
  });

  it("[PPL13] posts take data and change; comments go, and the count follows", async () => {
    const made = await ann.api.post<Post>("/api/posts", { body: "before", data: { tags: ["a"] } });
    const post = expectStatus(made, 201);
    expect(post).toMatchObject({ data: { tags: ["a"] } });
    const path = `/api/posts/${post.id}`;
    const edited = await ann.api.patch<Post>(path, { body: "after" });
    expect(expectStatus(edited, 200)).toMatchObject({ body: "after", data: { tags: ["a"] } });
    expect((await ann.api.patch(path, {})).status).toBe(400);
    expect((await ben.api.patch(path, { body: "mine" })).status).toBe(403);
    expect((await ben.sees(post)).body).toBe("after");
    expect((await cleo.lists<Post>(`/api/users/${ann.id}/posts`))[0]).toMatchObject({
      id: post.id,
      body: "after",
      liked: false,
    });

    const watcher = await cleo.connects();
    await watcher.does("watch_posts", { post_ids: [post.id] });
    const commented = await ben.api.post<Comment>(`${path}/comments`, {
      body: "hm",
      data: { mood: "?" },
    });
    const comment = expectStatus(commented, 201);
    expect(comment).toMatchObject({ data: { mood: "?" } });
    const own = `${path}/comments/${comment.id}`;
    expect((await cleo.api.delete(own)).status).toBe(403);
    expect((await ann.api.delete(own)).status).toBe(204);
    expect((await ben.api.delete(own)).status).toBe(404);
    expect((await ann.sees(post)).comment_count).toBe(0);
    await expect
      .poll(async () => (await watcher.next("comment_update")) as { comment_count: number })
      .toMatchObject({ comment_count: 0 });
  });

  it("[SUS9] a suspension with an end, listed until then", async () => {
    const admin = await Service.of(troupe(), "admin");
    const moderator = await Service.of(troupe(), "moderate");
    const path = `/api/users/${dora.id}/suspend`;
    const until = new Date(Date.now() + 1_500).toISOString();
    const past = new Date(Date.now() - 1_000).toISOString();
    expect((await admin.api.post(path, { until: past })).status).toBe(400);
    const suspended = await admin.api.post(path, { until, reason: "spam" });
    expect(suspended.body).toEqual({ user_id: dora.id, suspended: true, until, reason: "spam" });
    const list = async () =>
      expectStatus(
        await admin.api.get<{ items: { id: string }[] }>("/api/users?suspended=true&limit=100"),
        200,
      ).items.filter(({ id }) => id === dora.id);
    expect(await list()).toMatchObject([{ id: dora.id, until, reason: "spam" }]);
    await expect.poll(() => dora.api.get("/api/me").then(({ status }) => status)).toBe(403);
    await expect
      .poll(() => dora.api.get("/api/me").then(({ status }) => status), { timeout: 5_000 })
      .toBe(200);
    expect(await list()).toEqual([]);
    await admin.api.post(path);
    expect((await moderator.api.delete(path)).body).toEqual({ user_id: dora.id, suspended: false });
    expect((await moderator.api.post(path)).status).toBe(403);
  });
});

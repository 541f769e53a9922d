/** NotificationStore, and what is read of notifications: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NewNotification } from "../../actors/social-ports.ts";
import type { PostId, UserId } from "../../src/protocol/ids.ts";
import { asUserId } from "../../src/protocol/schemas.ts";
import { ADAPTERS, codeOf, granted, newUsers, type OpenStorage } from "./adapters.ts";

const NOBODY = asUserId("999999999");
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe.each(ADAPTERS)("notifications in $name", ({ open }) => {
  let storage: OpenStorage;
  let alice: UserId;
  let bob: UserId;
  let carol: UserId;

  beforeAll(async () => {
    storage = await open();
  });
  afterAll(() => storage?.close());

  const meet = async () => {
    [alice, bob, carol] = (await newUsers(storage, 3)) as [UserId, UserId, UserId];
  };
  const news = (userId: UserId, more: Partial<NewNotification> = {}): NewNotification => ({
    userId,
    type: "like",
    message: "Bob likes your post.",
    actorId: null,
    postId: null,
    commentId: null,
    data: null,
    ...more,
  });
  const add = async (userId: UserId, more: Partial<NewNotification> = {}) =>
    (await granted(storage.notifications.add(news(userId, more))))!;
  const seqsOf = async (reader: UserId) =>
    (await storage.queries.notificationsAfter(reader, 0, 1000)).map(({ seq }) => seq);

  it("[NOT1] a notification comes back as it was made, with the user's next seq", async () => {
    await meet();
    const data = { deep: [{ "k\u0000": "\u0000 \ud800 ü" }, 1.5, null], b: { z: 1, a: 2 } };
    const full = {
      type: "comment",
      message: "Ä 𝒳 \" ' \\",
      actorId: bob,
      postId: "41" as PostId,
      commentId: "9007199254740993",
      data,
    };
    const first = await add(alice, full);
    expect(first).toEqual({
      id: first.id,
      seq: 1,
      type: "comment",
      message: full.message,
      actor_id: bob,
      post_id: "41",
      comment_id: "9007199254740993",
      count: 1,
      data,
      created_at: expect.stringMatching(ISO),
      read_at: null,
    });
    const second = await add(alice);
    expect(second).toMatchObject({ seq: 2, actor_id: null, post_id: null, data: null });
    expect((await add(bob)).seq).toBe(1);
    expect(await storage.queries.notificationSeqs([alice, bob, carol, NOBODY])).toEqual(
      new Map([
        [alice, 2],
        [bob, 1],
      ]),
    );
    expect(await storage.queries.notificationsAfter(alice, 0, 10)).toEqual([first, second]);
    expect(await storage.queries.notificationsAfter(alice, 1, 10)).toEqual([second]);
    expect(await storage.queries.notificationsAfter(alice, 0, 1)).toEqual([first]);
    expect(await storage.notifications.load(alice)).toEqual({ lastSeq: 2, unreadCount: 2 });
    expect(await storage.notifications.load(carol)).toEqual({ lastSeq: 0, unreadCount: 0 });
    expect(await storage.notifications.load(NOBODY)).toBeNull();
    expect(await codeOf(storage.notifications.add(news(NOBODY)))).toBe("not_found");
  });

  it("[NOT2] seq is gapless for each user, whoever adds at once", async () => {
    await meet();
    const hosts = [storage.notifications, storage.host().notifications];
    const users = [alice, bob, carol];
    const added = await Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        granted(hosts[i % 2]!.add(news(users[(i * 7) % 3]!, { message: `${i}` }))),
      ),
    );
    for (const [u, user] of users.entries()) {
      expect(await seqsOf(user)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
      for (const host of [0, 1]) {
        const own = added.filter((_, i) => (i * 7) % 3 === u && i % 2 === host);
        const seqs = own.map((each) => each!.seq);
        expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
      }
    }
  });

  it("[NOT3] one's own acts, and those across a block, notify nobody", async () => {
    await meet();
    await granted(storage.graph.block(alice, bob, true));
    await granted(storage.graph.block(carol, alice, true));
    const outcomes = await Promise.all(
      [alice, bob, carol, null].map((actorId) =>
        granted(storage.notifications.add(news(alice, { actorId }))),
      ),
    );
    expect(outcomes.map((each) => each?.seq ?? null)).toEqual([null, null, null, 1]);
    expect(await storage.notifications.load(alice)).toEqual({ lastSeq: 1, unreadCount: 1 });
    expect(await granted(storage.notifications.add(news(bob, { actorId: alice })))).toBeNull();
  });

  it("[NOT4] one that grows counts more, takes the next seq and is unread again", async () => {
    await meet();
    const first = await add(alice, { actorId: bob, postId: "7" as PostId, data: { a: "\u0000" } });
    const second = await add(alice);
    await storage.notifications.markRead(alice, 2);
    const grown = await granted(
      storage.notifications.grow(alice, first.id, 3, carol, "Carol and 3 others like your post."),
    );
    expect(grown).toEqual({
      ...first,
      seq: 3,
      count: 4,
      actor_id: carol,
      message: "Carol and 3 others like your post.",
    });
    expect(await storage.notifications.load(alice)).toEqual({ lastSeq: 3, unreadCount: 1 });
    const listed = await storage.queries.notifications(alice, 10, null);
    expect(listed?.items.map(({ id }) => id)).toEqual([first.id, second.id]);
    expect(await storage.queries.notificationsAfter(alice, 2, 10)).toEqual([grown]);
    // Several at once, beside new ones, go one after another.
    const [one, added, two] = await Promise.all([
      granted(storage.notifications.grow(alice, first.id, 1, null, "5")),
      add(alice),
      granted(storage.notifications.grow(alice, first.id, 1, null, "6")),
    ]);
    expect([one!.count, two!.count]).toEqual([5, 6]);
    expect(two!.seq).toBeGreaterThan(one!.seq);
    expect([one!.seq, two!.seq, added!.seq].toSorted()).toEqual([4, 5, 6]);
    expect(await storage.notifications.load(alice)).toMatchObject({ lastSeq: 6 });
  });

  it("[NOT5] only the user's own notification grows, and not by one behind a block", async () => {
    await meet();
    const { id } = await add(alice);
    const grow = (userId: UserId, which: string, actorId: UserId | null) =>
      codeOf(storage.notifications.grow(userId, which, 1, actorId, "more"));
    expect(await grow(bob, id, null)).toBe("not_found");
    expect(await grow(alice, "999999999", null)).toBe("not_found");
    expect(await grow(NOBODY, id, null)).toBe("not_found");
    await granted(storage.graph.block(bob, alice, true));
    expect(await grow(alice, id, bob)).toBe("not_found");
    expect(await storage.notifications.load(alice)).toEqual({ lastSeq: 1, unreadCount: 1 });
    expect(await grow(alice, id, carol)).toBe("");
  });

  it("[NOT6] marking read is cumulative and idempotent, and tells what stays unread", async () => {
    await meet();
    for (let i = 0; i < 4; i++) await add(alice);
    await add(bob);
    const mark = (seq: number) => storage.notifications.markRead(alice, seq);
    expect(await mark(0)).toEqual({ unreadCount: 4, changed: false });
    expect(await mark(3)).toEqual({ unreadCount: 1, changed: true });
    expect(await mark(3)).toEqual({ unreadCount: 1, changed: false });
    expect(await mark(2)).toEqual({ unreadCount: 1, changed: false });
    const { items, unread_count } = (await storage.queries.notifications(alice, 10, null))!;
    expect(unread_count).toBe(1);
    expect(items.map(({ read_at }) => read_at === null)).toEqual([true, false, false, false]);
    expect(items[1]!.read_at).toMatch(ISO);
    expect(await storage.queries.openSession(alice)).toMatchObject({ unreadNotifications: 1 });
    expect(await storage.queries.openSession(bob)).toMatchObject({ unreadNotifications: 1 });
    expect(await mark(Number.MAX_SAFE_INTEGER)).toEqual({ unreadCount: 0, changed: true });
    expect(await storage.notifications.markRead(carol, 5)).toEqual({
      unreadCount: 0,
      changed: false,
    });
  });

  it("[NOT7] the list pages newest first, while new ones come", async () => {
    await meet();
    expect(await storage.queries.notifications(alice, 10, null)).toEqual({
      items: [],
      next_cursor: null,
      unread_count: 0,
    });
    for (let i = 0; i < 11; i++) await add(alice);
    const seen: number[] = [];
    let cursor: string | null = null;
    for (let pages = 0; pages === 0 || cursor !== null; pages++) {
      const page: { items: { seq: number }[]; next_cursor: string | null; unread_count: number } =
        (await storage.queries.notifications(alice, 4, cursor))!;
      expect(page.unread_count).toBe(11 + pages);
      seen.push(...page.items.map(({ seq }) => seq));
      cursor = page.next_cursor;
      await add(alice);
    }
    expect(seen).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });
});

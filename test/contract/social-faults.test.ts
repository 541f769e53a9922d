/** What only PostgreSQL can do wrong with posts and notifications; see postgres-faults.test.ts. */
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { PostId, UserId } from "../../src/protocol/ids.ts";
import { asUserId } from "../../src/protocol/schemas.ts";
import { type ActorStorage, createActorPorts } from "../../src/storage/postgres/actor-ports.ts";
import { createEdgePorts, type EdgeStorage } from "../../src/storage/postgres/edge-ports.ts";
import { StorageFault } from "../../src/storage/postgres/fault.ts";
import { migrate } from "../../src/storage/postgres/migrate.ts";
import { createRecount } from "../../src/storage/postgres/recount.ts";
import { startPostgres, type TestDatabase } from "../support/postgres.ts";
import { codeOf, granted } from "./adapters.ts";
import { WeakLink } from "./weak-link.ts";

const DEADLINE_MS = 1500;

describe("PostgreSQL storage of posts and notifications in trouble", () => {
  let database: TestDatabase;
  let link: WeakLink;
  let storage: ActorStorage;
  let edge: EdgeStorage;
  let direct: Client;
  let alice: UserId;
  let bob: UserId;
  let post: PostId;

  beforeAll(async () => {
    database = await startPostgres();
    await migrate(database.url);
    direct = new Client({ connectionString: database.url });
    await direct.connect();
    const { rows } = await direct.query<{ id: string }>(
      "INSERT INTO users (username, display_name) VALUES ('alice', 'Alice'), ('bob', 'Bob')" +
        " RETURNING id",
    );
    [alice, bob] = rows.map((row) => asUserId(row.id)) as [UserId, UserId];
  });
  afterAll(async () => {
    await direct?.end();
    await database?.stop();
  });
  beforeEach(async () => {
    link = await WeakLink.to(database.url);
    storage = createActorPorts(link.url, { deadlineMs: DEADLINE_MS });
    edge = createEdgePorts(database.url);
    post = (await granted(storage.ports.posts.create(alice, { body: "a post" }))).id as PostId;
  });
  afterEach(async () => {
    await storage.close();
    await edge.close();
    await link.stop();
  });
  const like = (userId: UserId, liked = true) =>
    storage.ports.posts.like({ postId: post, userId, liked });
  const comment = (body: string) => storage.ports.posts.comment(post, bob, { body });
  const notify = (message: string) =>
    storage.ports.notifications.add({
      ...{ userId: alice, type: "note", message, actorId: null },
      ...{ postId: null, commentId: null, data: null },
    });
  const counts = async () => (await edge.queries.postCounts(bob, [post]))[0];
  const bodies = async () =>
    (await edge.queries.comments(alice, post, 100, null))!.items.map(({ body }) => body);

  it("[LAN1] a row that PostgreSQL refuses fails alone", async () => {
    const codes = await Promise.all(
      ["a", "nul \0", "b", "lone \ud800", "c"].map((body) => codeOf(comment(body))),
    );
    expect(codes).toEqual(["", "internal", "", "internal", ""]);
    expect(await bodies()).toEqual(["a", "b", "c"]);
    expect(await counts()).toMatchObject({ comment_count: 3 });
    const notified = await Promise.all(["1", "\0", "2"].map((each) => codeOf(notify(each))));
    expect(notified).toEqual(["", "internal", ""]);
    expect(await storage.ports.notifications.load(alice)).toEqual({ lastSeq: 2, unreadCount: 2 });
  });

  it("[LAN2] a like whose answer is lost counts once", async () => {
    await granted(like(alice));
    link.loseNextAnswer();
    expect(await granted(like(bob))).toMatchObject({ likeCount: 2 });
    expect(await counts()).toMatchObject({ like_count: 2 });
  });

  it("[LAN3] a comment and a notification whose answer is lost are not made twice", async () => {
    await granted(comment("before"));
    link.loseNextAnswer();
    await expect(comment("lost")).rejects.toBeInstanceOf(StorageFault);
    expect(await bodies()).toEqual(["before", "lost"]);
    const { lastSeq } = (await storage.ports.notifications.load(alice))!;
    await granted(notify("before"));
    link.loseNextAnswer();
    await expect(notify("lost")).rejects.toBeInstanceOf(StorageFault);
    expect(await storage.ports.notifications.load(alice)).toMatchObject({ lastSeq: lastSeq + 2 });
  });

  it("[LAN4] with the database away everything fails within the deadline, and works after", async () => {
    await granted(like(bob));
    link.close();
    const startedMs = performance.now();
    const asked = await Promise.allSettled([
      like(bob, false),
      like(bob),
      comment("x"),
      notify("x"),
      storage.ports.posts.create(alice, { body: "x" }),
      storage.ports.posts.load(post),
      storage.ports.graph.follow(alice, bob, true),
      storage.ports.notifications.markRead(alice, 1),
    ]);
    expect(performance.now() - startedMs).toBeLessThan(2 * DEADLINE_MS + 500);
    for (const each of asked) {
      expect(each.status === "rejected" && each.reason).toBeInstanceOf(StorageFault);
    }
    link.open();
    expect(await granted(like(bob))).toEqual({ likeCount: 1, changed: false });
  });

  it("[LAN5] a post that is locked holds up neither reads nor other posts for ever", async () => {
    const other = (await granted(storage.ports.posts.create(alice, { body: "another" })))
      .id as PostId;
    await direct.query("BEGIN");
    await direct.query("SELECT 1 FROM posts WHERE id = $1 FOR UPDATE", [post]);
    const waiting = like(bob).catch((fault: unknown) => fault);
    const behind = storage.ports.posts.like({ postId: other, userId: bob, liked: true });
    expect(await storage.ports.posts.load(post)).toMatchObject({ likeCount: 0 });
    expect(await storage.ports.graph.displayName(bob)).toBe("Bob");
    await direct.query("COMMIT");
    expect(await waiting).toMatchObject({ ok: true });
    expect(await granted(behind)).toMatchObject({ likeCount: 1 });
  });

  it("[LAN6] past the queue's bound a write is refused as unavailable", async () => {
    const small = createActorPorts(database.url, { queueMax: 2 });
    const codes = await Promise.all(
      ["1", "2", "3", "4"].map((body) => codeOf(small.ports.posts.comment(post, bob, { body }))),
    );
    expect(codes).toEqual(["", "", "unavailable", "unavailable"]);
    // Those behind another of their key count too.
    const likes = await Promise.all(
      [true, false, true].map((liked) =>
        codeOf(small.ports.posts.like({ postId: post, userId: bob, liked })),
      ),
    );
    expect(likes).toEqual(["", "", "unavailable"]);
    await small.close();
  });

  it("[LAN7] closing writes what waits, and refuses what comes after", async () => {
    const writes = [like(alice), like(alice, false), like(bob), comment("1"), notify("1")];
    const codes = writes.map((write) => codeOf(write as Promise<{ ok: true }>));
    await storage.close();
    expect(await Promise.all(codes)).toEqual(["", "", "", "", ""]);
    expect(await counts()).toMatchObject({ like_count: 1, comment_count: 1 });
    expect(await codeOf(like(alice))).toBe("unavailable");
    expect(await codeOf(comment("2"))).toBe("unavailable");
  });

  it("[REC4] recount finds and mends what only PostgreSQL keeps beside its rows", async () => {
    const { conversations, graph, notifications } = storage.ports;
    const made = await granted(conversations.create("direct", alice, [alice, bob], null));
    const id = made.conversation.id;
    await granted(graph.block(alice, bob, true));
    await granted(notify("one"));
    const { lastSeq } = (await notifications.load(alice))!;
    await direct.query("UPDATE conversations SET last_seq = 7 WHERE id = $1", [id]);
    await direct.query("UPDATE conversation_members SET apart = false WHERE user_id = $1", [bob]);
    await direct.query("DELETE FROM notification_counters WHERE user_id = $1", [alice]);
    const planted = [
      { what: "conversations.last_seq", id, stored: 7, counted: 0 },
      { what: "notification_counters.last_seq", id: alice, stored: 0, counted: lastSeq },
      { what: "conversation_members.apart", id: `${id}/${bob}`, stored: 0, counted: 1 },
    ];
    const recount = createRecount(database.url);
    expect(await recount.recount(false)).toEqual(planted);
    expect(await recount.recount(true)).toEqual(planted);
    expect(await recount.recount(true)).toEqual([]);
    expect((await granted(notify("two")))?.seq).toBe(lastSeq + 1);
    await granted(graph.block(alice, bob, false));
    link.close();
    await expect(createRecount(link.url).recount(false)).rejects.toBeInstanceOf(StorageFault);
  });

  it("[IDS2] ids past 2^53 stay exact", async () => {
    const big = "9007199254740993";
    await direct.query(`ALTER TABLE posts ALTER id RESTART WITH ${big}`);
    await direct.query(`ALTER SEQUENCE comments_id_seq RESTART WITH ${big}`);
    await direct.query(`ALTER TABLE notifications ALTER id RESTART WITH ${big}`);
    post = (await granted(storage.ports.posts.create(alice, { body: "big" }))).id as PostId;
    expect(post).toBe(big);
    expect((await granted(comment("big"))).comment).toMatchObject({ id: big, post_id: big });
    await granted(like(bob));
    expect(await counts()).toMatchObject({ post_id: big, like_count: 1, comment_count: 1 });
    expect((await edge.queries.feed(alice, 1, null))?.value().items[0]?.id).toBe(big);
    // A connection of its own: ids of notifications are handed out to connections in blocks.
    const { ports, close } = createActorPorts(database.url);
    const made = await granted(
      ports.notifications.add({
        ...{ userId: alice, type: "note", message: "m", actorId: bob, postId: post },
        ...{ commentId: big, data: null },
      }),
    );
    expect(made).toMatchObject({ id: big, post_id: big, comment_id: big });
    const grown = await granted(ports.notifications.grow(alice, big, 1, bob, "more"));
    expect(grown).toMatchObject({ id: big, post_id: big, comment_id: big, count: 2 });
    await close();
  });
});

/** Notifications: what makes one, in which order they come, how likes gather, and the way in for services. */
import { describe, expect, it } from "vitest";
import type { Conversation } from "../../src/protocol/schemas.ts";
import type { Notification, Post } from "../../src/protocol/social.ts";
import { eventually } from "../support/eventually.ts";
import { expectErrorObject, expectRefusal, ID, TIME, upTo } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { Service } from "../support/service.ts";
import { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";
import { claimsOf, resigned } from "../support/tokens.ts";

const WINDOW_MS = 5000;
const SLACK_MS = 2500;
const SILENCE_MS = 600;
const troupe = troupeForFile({ shared: true });

async function pair(): Promise<{ ann: Person; bob: Person; session: Session }> {
  const [ann, bob] = await troupe().users("ann", "bob");
  return { ann: ann!, bob: bob!, session: await ann!.connects() };
}

interface Page {
  items: Notification[];
  next_cursor: string | null;
  unread_count: number;
}
const pageOf = async (person: Person, query = "") =>
  expectStatus(await person.api.get<Page>(`/api/notifications${query}`), 200);
const reads = async (person: Person, up_to_seq: number) =>
  expectStatus(
    await person.api.put<{ unread_count: number }>("/api/notifications/read", { up_to_seq }),
    200,
  ).unread_count;

describe("what makes one", () => {
  it("[CTR-NTF1] a like, a comment, a follow and a mention, each with who, where and words", async () => {
    const { ann, bob, session } = await pair();
    const post = await ann.publishes("hello");
    const shared = {
      id: expect.stringMatching(ID),
      message: expect.stringContaining(bob.user.display_name),
      actor_id: bob.id,
      count: 1,
      data: null,
      created_at: expect.stringMatching(TIME),
      read_at: null,
    };
    await bob.likes(post);
    const like = await session.next("notification");
    expect(like).toEqual({ ...shared, seq: 1, type: "like", post_id: post.id, comment_id: null });
    const made = await bob.comments(post, "hi");
    const comment = await session.next("notification");
    const where = { post_id: post.id, comment_id: made.id };
    expect(comment).toEqual({ ...shared, seq: 2, type: "comment", ...where });
    await bob.follows(ann);
    const follow = await session.next("notification");
    expect(follow).toMatchObject({ seq: 3, type: "follow", actor_id: bob.id, post_id: null });
    const other = await bob.publishes(`have you seen this, @${ann.user.username}?`);
    const mention = await session.next("notification");
    expect(mention).toMatchObject({ seq: 4, type: "mention", actor_id: bob.id, post_id: other.id });
    expect((await pageOf(ann)).items).toEqual([mention, follow, comment, like]);
  });

  it("[CTR-NTF2] a mention works in comments too, once for each, whatever its case, and not of oneself", async () => {
    const { ann, bob, session } = await pair();
    const cleo = await troupe().user("cleo");
    const post = await cleo.publishes("a post");
    const name = `@${ann.user.username}`;
    const own = `@${bob.user.username}`;
    const comment = await bob.comments(
      post,
      `${name} ${name.toUpperCase()} ${own}, look: ${name}.`,
    );
    expect(await session.next("notification")).toMatchObject({
      type: "mention",
      actor_id: bob.id,
      post_id: post.id,
      comment_id: comment.id,
    });
    await bob.comments(post, `me@${ann.user.username} and @nobody_of_that_name`);
    await session.never("notification", SILENCE_MS);
    expect((await pageOf(bob)).items).toEqual([]);
    expect((await cleo.notices()).map(({ type }) => type)).toEqual(["comment", "comment"]);
  });

  it("[CTR-NTF3] one's own likes, comments and unlikes are none; nor a like that was so already", async () => {
    const { ann, bob, session } = await pair();
    const post = await ann.publishes("hello");
    await ann.likes(post);
    await ann.comments(post, "first!");
    await bob.unlikes(post);
    await bob.likes(post);
    await bob.likes(post);
    expect(await session.next("notification")).toMatchObject({ type: "like", count: 1 });
    await session.never("notification", SILENCE_MS);
  });

  it("[CTR-NTF4] every session of the user hears it, on every worker, and nobody else", async () => {
    const { ann, bob } = await pair();
    const post = await ann.publishes("hello");
    const sessions = [
      ...(await troupe().sessionOnEachWorker(ann)),
      await ann.connects({ transports: ["polling"] }),
    ];
    const stranger = await bob.connects();
    await bob.comments(post, "hi");
    const heard = await Promise.all(sessions.map((session) => session.next("notification")));
    for (const one of heard) expect(one).toEqual(heard[0]);
    await stranger.never("notification", SILENCE_MS);
    for (const session of sessions) expect(session.heard("notification")).toHaveLength(1);
  });
});

describe("likes of one post gather", () => {
  const likedBy = async (post: Post, people: Person[]) => {
    for (const person of people) await person.likes(post);
  };

  it("[CTR-NTF5] the first at once, the rest together at the window's end, as one with its count", async () => {
    const { ann, session } = await pair();
    const fans = await troupe().users(...upTo(4).map((i) => `fan${i}`));
    const post = await ann.publishes("hello");
    const startedMs = performance.now();
    await likedBy(post, fans);
    const first = await session.next("notification");
    expect(first).toMatchObject({ seq: 1, type: "like", count: 1, actor_id: fans[0]!.id });
    const grown = await session.next("notification", undefined, WINDOW_MS + SLACK_MS);
    expect(performance.now() - startedMs).toBeGreaterThan(WINDOW_MS - 1000);
    expect(grown).toMatchObject({ id: first.id, seq: 2, count: 4, post_id: post.id });
    expect(grown.message).toContain("3 others");
    expect((await pageOf(ann)).items).toEqual([grown]);
    await session.never("notification", SILENCE_MS);
  });

  it("[CTR-NTF6] a like of the next window begins another; other posts have their own", async () => {
    const { ann, session } = await pair();
    const fans = await troupe().users(...upTo(4).map((i) => `fan${i}`));
    const [post, other] = [await ann.publishes("one"), await ann.publishes("other")];
    await likedBy(post, [fans[0]!, fans[1]!]);
    await likedBy(other, [fans[0]!]);
    const firsts = [await session.next("notification"), await session.next("notification")];
    expect(firsts.map(({ post_id, count }) => [post_id, count]).sort()).toEqual(
      [
        [post.id, 1],
        [other.id, 1],
      ].sort(),
    );
    const grown = await session.next("notification", undefined, WINDOW_MS + SLACK_MS);
    expect(grown).toMatchObject({ post_id: post.id, count: 2 });
    await likedBy(post, [fans[2]!]);
    const next = await session.next("notification");
    expect(next).toMatchObject({ post_id: post.id, count: 1, seq: grown.seq + 1 });
    expect(next.id).not.toBe(grown.id);
  });

  it("[CTR-NTF7] one that was read is unread again when it grows, and moves up", async () => {
    const { ann, session } = await pair();
    const [fan, second, third] = await troupe().users("fan", "second", "third");
    const post = await ann.publishes("hello");
    await fan!.likes(post);
    const first = await session.next("notification");
    await second!.likes(post);
    await third!.comments(post, "in between");
    const comment = await session.next("notification", ({ type }) => type === "comment");
    expect(await reads(ann, comment.seq)).toBe(0);
    const grown = await session.next(
      "notification",
      ({ id, count }) => id === first.id && count === 2,
      WINDOW_MS + SLACK_MS,
    );
    expect(grown).toMatchObject({ seq: comment.seq + 1, read_at: null });
    const page = await pageOf(ann);
    expect(page.items.map(({ id }) => id)).toEqual([first.id, comment.id]);
    expect(page.unread_count).toBe(1);
  });
});

describe("order, reading and syncing", () => {
  it("[CTR-NTF8] [UST1] seq is 1, 2, 3 … without a gap, also when many come at once to many sessions", async () => {
    const { ann } = await pair();
    const shop = await Service.of(troupe(), "notify");
    const sessions = await troupe().sessionOnEachWorker(ann);
    await Promise.all(upTo(60).map((i) => shop.notifies(ann, `number ${i}`)));
    for (const session of sessions) {
      await session.next("notification", ({ seq }) => seq === 60);
      expect(session.heard("notification").map(({ seq }) => seq)).toEqual(upTo(60));
    }
    expect((await ann.lists<Notification>("/api/notifications", 7)).map(({ seq }) => seq)).toEqual(
      upTo(60).reverse(),
    );
  });

  it("[CTR-NTF9] reading up to a seq leaves the later ones unread, everywhere, and does not move back", async () => {
    const { ann } = await pair();
    const shop = await Service.of(troupe(), "notify");
    for (const i of upTo(5)) await shop.notifies(ann, `number ${i}`);
    expect((await pageOf(ann)).unread_count).toBe(5);
    expect(await reads(ann, 3)).toBe(2);
    expect(await reads(ann, 1)).toBe(2);
    expect(await reads(ann, 0)).toBe(2);
    const page = await pageOf(ann, "?limit=2");
    expect(page.unread_count).toBe(2);
    const all = await ann.notices();
    expect(all.map(({ read_at }) => read_at !== null)).toEqual([false, false, true, true, true]);
    const session = await ann.connects();
    expect(session.heard("ready")[0]!.unread.notifications).toBe(2);
    expect(await reads(ann, 1_000_000)).toBe(0);
    for (const up_to_seq of [-1, 1.5, "1", null, undefined]) {
      const answer = await ann.api.put("/api/notifications/read", { up_to_seq });
      expectRefusal(answer, "invalid_payload");
    }
  });

  it("[CTR-NTF10] sync brings what changed after a seq, by rising seq, as much as fits, and then the rest", async () => {
    const { ann, session } = await pair();
    const shop = await Service.of(troupe(), "notify");
    await Promise.all(upTo(30).map((i) => shop.notifies(ann, `${i}`, { data: { i } })));
    const none = await session.syncs({});
    expect(none.notifications).toEqual([]);
    const some = await session.syncs({}, { notifications_after_seq: 12 });
    expect(some.notifications.map(({ seq }) => seq)).toEqual(upTo(30).slice(12));
    expect(some.has_more).toBe(false);
    expect((await session.syncs({}, { notifications_after_seq: 30 })).notifications).toEqual([]);

    await Promise.all(upTo(570).map((i) => shop.notifies(ann, `more ${i}`)));
    const seqs: number[] = [];
    for (let more = true; more; ) {
      const after = seqs.at(-1) ?? 0;
      const answer = await session.syncs({}, { notifications_after_seq: after });
      expect(answer.notifications.length).toBeGreaterThan(0);
      seqs.push(...answer.notifications.map(({ seq }) => seq));
      more = answer.has_more;
    }
    expect(seqs).toEqual(upTo(600));
    for (const wrong of [-1, 1.5, "1", null]) {
      const payload = { conversations: [], notifications_after_seq: wrong };
      expectErrorObject(await session.isRefused("sync", payload), "invalid_payload");
    }
  });
});

describe("the service's way in", () => {
  it("[CTR-SVC1] a service's notification reaches the user live, with its data", async () => {
    const { ann, session } = await pair();
    const shop = await Service.of(troupe(), "notify");
    const data = { order_id: "A-17", items: [{ name: "é", price: 1.5 }], gift: null };
    const made = await shop.notifies(ann, "Your order is on its way.", { data });
    expect(made).toEqual({
      id: expect.stringMatching(ID),
      seq: 1,
      type: "order.shipped",
      message: "Your order is on its way.",
      actor_id: null,
      post_id: null,
      comment_id: null,
      count: 1,
      data,
      created_at: expect.stringMatching(TIME),
      read_at: null,
    });
    expect(await session.next("notification")).toEqual(made);
    expect((await pageOf(ann)).items).toEqual([made]);
    expect((await session.syncs({}, { notifications_after_seq: 0 })).notifications).toEqual([made]);
  });

  it("[CTR-SVC2] is told what is wrong with what it sends, and nothing is kept of it", async () => {
    const { ann } = await pair();
    const { api } = await Service.of(troupe(), "notify");
    const good = { user_id: ann.id, type: "a", message: "m" };
    for (const change of [
      { message: "" },
      { message: " " },
      { message: "x".repeat(501) },
      { message: "a\u0000" },
      { type: "A" },
      { type: "" },
      { user_id: "x" },
      { data: [] },
      { data: null },
      { data: { a: "x".repeat(16_384) } },
      { data: { a: "\u0000" } },
      { seq: 1 },
    ]) {
      const answer = await api.post("/api/notifications", { ...good, ...change });
      expectRefusal(answer, "invalid_payload");
    }
    const nobody = await api.post("/api/notifications", { ...good, user_id: "999999999" });
    expectRefusal(nobody, "not_found");
    const data = { a: "x".repeat(16_376) };
    const largest = { ...good, message: "👍".repeat(500), data };
    expectStatus<unknown>(await api.post("/api/notifications", largest), 201);
    expect((await ann.notices()).map(({ message }) => message)).toEqual([largest.message]);
  });

  it("[CTR-SVC3] users, and services with another scope, are forbidden", async () => {
    const { ann, bob } = await pair();
    const body = { user_id: ann.id, type: "a", message: "m" };
    expectRefusal(await bob.api.post("/api/notifications", body), "forbidden");
    const admin = await Service.of(troupe(), "admin");
    expectRefusal(await admin.api.post("/api/notifications", body), "forbidden");
    expectRefusal(await troupe().http.post("/api/notifications", body), "unauthorized");
    expect(await ann.notices()).toEqual([]);
  });

  it("[CTR-SVC4] a service acts for no user, whatever its token calls itself", async () => {
    const { ann } = await pair();
    const post = await ann.publishes("hello");
    const shop = await Service.of(troupe(), "notify");
    const disguised = await resigned(ann.token, { scope: "notify", fam: undefined });
    expect(claimsOf(disguised).sub).toBe(ann.id);
    for (const call of [
      (headers: Record<string, string>) => shop.api.get("/api/me", { headers }),
      (headers: Record<string, string>) =>
        shop.api.post(`/api/posts/${post.id}/like`, undefined, { headers }),
      (headers: Record<string, string>) => shop.api.get("/api/notifications", { headers }),
    ]) {
      expectRefusal(await call({}), "forbidden");
      expectRefusal(await call({ authorization: `Bearer ${disguised}` }), "forbidden");
    }
    const refused = await Session.refused(troupe(), { token: disguised });
    expect(["unauthorized", "forbidden"]).toContain(refused.code);
  });

  it("[CTR-SVC5] its token ends like others", async () => {
    const { ann } = await pair();
    const nowS = Math.floor(Date.now() / 1000);
    const expired = await resigned(ann.token, {
      sub: "shop",
      scope: "notify",
      fam: undefined,
      exp: nowS - 1,
    });
    const answer = await troupe().http.post(
      "/api/notifications",
      { user_id: ann.id, type: "a", message: "m" },
      { headers: { authorization: `Bearer ${expired}` } },
    );
    expectRefusal(answer, "token_expired");
  });
});

describe("mentions in messages", () => {
  const mention = (person: Person) => `hello @${person.user.username}!`;

  it("[CTR-MEN1] a member who is mentioned in a conversation is notified of where; others are not", async () => {
    const { ann, bob, session } = await pair();
    const cleo = await troupe().user("cleo");
    const group: Conversation = await bob.startsGroup(ann);
    await bob.posts(group.id, mention(cleo));
    await bob.posts(group.id, mention(ann));
    const heard = await session.next("notification");
    expect(heard).toMatchObject({ type: "mention", actor_id: bob.id, post_id: null });
    expect(JSON.stringify(heard.data)).toContain(`"${group.id}"`);
    // Who is no member must not learn that the conversation is there.
    await eventually("ann's is kept", async () => (await ann.notices()).length === 1);
    expect(await cleo.notices()).toEqual([]);
  });
});

/** Floods of comments, mentions and follows, as the user's inbox writes them. */
import { expect, test } from "vitest";
import type { Context, TopicEvent } from "../../actors/behaviour.ts";
import { endFloods, type Floods, notifyGathered } from "../../actors/floods.ts";
import { emptyInbox } from "../../actors/inbox.ts";
import { FLOOD_SINGLE_MAX, LIKES_WINDOW_MS } from "../../actors/limits.ts";
import type { PostId, UserId } from "../../src/protocol/ids.ts";
import { asUserId } from "../../src/protocol/schemas.ts";
import type { Notification } from "../../src/protocol/social.ts";
import { monotonic, wallTime } from "../../src/protocol/time.ts";
import { createMemoryStorage } from "../../src/storage/memory/ports.ts";
import { settled } from "../support/fake-clock.ts";

async function scene(...names: string[]) {
  const { accounts, ports, queries } = createMemoryStorage();
  const users: UserId[] = [];
  for (const name of ["ann", ...names]) {
    const user = await accounts.register(name, name, "");
    if (!user.ok) throw new Error(user.error.message);
    users.push(asUserId(user.value.id));
  }
  const [ann, ...others] = users as [UserId, ...UserId[]];
  const published: TopicEvent[] = [];
  const timers: number[] = [];
  const unasked = () => {
    throw new Error("the inbox does not do this");
  };
  const at = (nowMs: number): Context => ({
    monotonicMs: monotonic(nowMs),
    wallMs: wallTime(0),
    isAway: () => false,
    ask: unasked,
    tell: unasked,
    cancel: unasked,
    passivate: unasked,
    after: (inMs) => void timers.push(inMs),
    publish: (_topic, event) => published.push(event),
    run: (work, done, failed) => void work.then(done, failed),
  });
  const floods: Floods = new Map();
  const inbox = emptyInbox();
  return {
    ports,
    ann,
    others,
    floods,
    timers,
    async notices(type: string, by: UserId, nowMs: number, post: string | null = null) {
      const where = { post_id: post as PostId | null, comment_id: null, data: null };
      const notice = { type, message: `${type} it`, actor_id: by, ...where };
      notifyGathered(floods, inbox, ann, notice, ports, at(nowMs), () => undefined);
      await settled();
    },
    async ends(nowMs: number) {
      endFloods(floods, inbox, ann, ports, at(nowMs));
      await settled();
    },
    list: async () => (await queries.notifications(ann, 100, null))!.items,
    published: () => published.map(({ body }) => JSON.parse(body) as Notification),
  };
}

test("[NTF4] the first comments of a flood are notifications, the rest are counted into the last", async () => {
  const { notices, ends, list, published, others, floods } = await scene("bob", "cleo");
  const [bob, cleo] = others as [UserId, UserId];
  for (let i = 0; i < 300; i++) await notices("comment", i % 2 ? bob : cleo, 1_000 + i, "7");
  expect(await list()).toHaveLength(FLOOD_SINGLE_MAX);
  await notices("comment", bob, 1_400, "8");
  expect(await list()).toHaveLength(FLOOD_SINGLE_MAX + 1);
  await ends(1_000 + LIKES_WINDOW_MS);
  const [newest, ...rest] = await list();
  expect(rest).toHaveLength(FLOOD_SINGLE_MAX);
  expect(newest).toMatchObject({
    type: "comment",
    post_id: "7",
    count: 300 - FLOOD_SINGLE_MAX + 1,
    message: expect.stringContaining("and others commented on your post"),
  });
  expect(published()).toHaveLength(FLOOD_SINGLE_MAX + 2);
  await ends(1_400 + LIKES_WINDOW_MS);
  expect(floods.size).toBe(0);
});

test("[NTF5] one who follows again and again is named once for all of it, and the next window is new", async () => {
  const { notices, ends, list, others } = await scene("bob");
  const bob = others[0]!;
  for (let i = 0; i < 30; i++) await notices("follow", bob, 1_000);
  await ends(1_000 + LIKES_WINDOW_MS);
  const items = await list();
  expect(items).toHaveLength(FLOOD_SINGLE_MAX);
  expect(items[0]!.message).toMatch(/followed you 21 times$/);
  await notices("follow", bob, 20_000);
  expect(await list()).toHaveLength(FLOOD_SINGLE_MAX + 1);
});

test("[NTF6] notifications of services and other types are never gathered", async () => {
  const { notices, list, others, floods } = await scene("bob");
  for (let i = 0; i < 20; i++) await notices("order.shipped", others[0]!, 1_000);
  expect(await list()).toHaveLength(20);
  expect(floods.size).toBe(0);
});

test("[NTF7] a flood of someone who was blocked meanwhile is not counted", async () => {
  const { notices, ends, list, others, ports, ann } = await scene("bob");
  const bob = others[0]!;
  for (let i = 0; i < 30; i++) await notices("comment", bob, 1_000, "7");
  await ports.graph.block(ann, bob, true);
  await ends(1_000 + LIKES_WINDOW_MS);
  expect((await list()).map(({ count }) => count)).toEqual(Array(FLOOD_SINGLE_MAX).fill(1));
});

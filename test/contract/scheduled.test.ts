/** ScheduledStore: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ScheduledWish } from "../../src/ports/scheduled.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { SCHEDULED_MAX } from "../../src/protocol/scheduled-routes.ts";
import {
  ADAPTERS,
  codeOf,
  granted,
  newGroup,
  newUsers,
  type OpenStorage,
  say,
} from "./adapters.ts";

const LEASE_MS = 60_000;

describe.each(ADAPTERS)("scheduled messages in $name", ({ open }) => {
  let storage: OpenStorage;
  let ann: UserId;
  let bob: UserId;
  let stranger: UserId;
  let group: ConversationId;
  let calls = 0;

  beforeAll(async () => {
    storage = await open();
    [ann, bob, stranger] = (await newUsers(storage, 3)) as [UserId, UserId, UserId];
    group = await newGroup(storage, [ann, bob]);
  });
  afterAll(() => storage?.close());

  const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();
  const wish = (more: Partial<ScheduledWish> = {}): ScheduledWish => {
    calls++;
    const plain = { clientId: `c${calls}`, body: `body ${calls}`, replyToSeq: null, content: {} };
    return { ...plain, sendAt: inMs(3_600_000), ...more };
  };
  const schedule = (user: UserId, asked: ScheduledWish, where = group) =>
    granted(storage.scheduled.schedule(user, where, asked));
  const claim = (limit = 100) => storage.scheduled.claimScheduled(limit, LEASE_MS);

  it("[SCS1] one client_id makes one item, and answers the message that it has become", async () => {
    const asked = wish({ content: { type: "note", data: { a: 1 } } });
    const made = await schedule(ann, asked);
    expect(made).toMatchObject({
      created: true,
      item: { conversation_id: group, body: asked.body, type: "note", data: { a: 1 } },
    });
    expect(await schedule(ann, asked)).toEqual({ created: false, item: made.item });
    expect(await storage.scheduled.scheduledItem(ann, made.item.id)).toEqual(made.item);
    expect(await storage.scheduled.scheduledItem(bob, made.item.id)).toBeNull();
    const sent = await granted(say(storage, group, ann, "hi", { clientId: "sent" }));
    const again = await schedule(ann, wish({ clientId: "sent" }));
    expect(again).toEqual({ created: false, item: sent.message });
    expect(await codeOf(storage.scheduled.schedule(stranger, group, wish()))).toBe("not_found");
    expect(await storage.scheduled.unschedule(ann, made.item.id)).toBe(true);
    expect(await storage.scheduled.unschedule(ann, made.item.id)).toBe(false);
  });

  it("[SCS2] lists by time, changes what is named, and holds no more than the limit", async () => {
    const late = await schedule(bob, wish({ sendAt: inMs(9_000_000) }));
    const early = await schedule(bob, wish({ sendAt: inMs(5_000_000) }));
    const first = await storage.scheduled.scheduled(bob, group, 1, null);
    if (first.is !== "page") throw new Error("the first page has no cursor");
    expect(first.items).toEqual([early.item]);
    const rest = await storage.scheduled.scheduled(bob, null, 10, first.next_cursor);
    expect(rest).toMatchObject({ items: [late.item], next_cursor: null });
    const sendAt = inMs(1_000_000);
    const changed = await granted(
      storage.scheduled.reschedule(bob, late.item.id, { sendAt, body: "other", data: { b: 2 } }),
    );
    expect(changed).toEqual({ ...late.item, send_at: sendAt, body: "other", data: { b: 2 } });
    const bare = await granted(storage.scheduled.reschedule(bob, late.item.id, { data: null }));
    expect(bare).not.toHaveProperty("data");
    for (let n = 2; n < SCHEDULED_MAX; n++) await schedule(bob, wish());
    expect(await codeOf(storage.scheduled.schedule(bob, group, wish()))).toBe("conflict");
    const page = await storage.scheduled.scheduled(bob, null, 200, null);
    const items = page.is === "page" ? page.items : [];
    expect(items).toHaveLength(SCHEDULED_MAX);
    for (const { id } of items) await storage.scheduled.unschedule(bob, id);
  });

  it("[SCS3] claims what is due in order, once, and nothing behind what is being sent", async () => {
    const second = await schedule(ann, wish({ sendAt: inMs(-1_000) }));
    const first = await schedule(bob, wish({ sendAt: inMs(-2_000) }));
    await schedule(ann, wish({ sendAt: inMs(60_000) }));
    const due = await claim();
    expect(due.map(({ id }) => id)).toEqual([first.item.id, second.item.id]);
    expect(due[0]).toMatchObject({ userId: bob, conversationId: group, content: {} });
    expect(await storage.scheduled.unschedule(bob, first.item.id)).toBe(false);
    const third = await schedule(bob, wish({ sendAt: inMs(-500) }));
    const elsewhere = await newGroup(storage, [ann, bob]);
    const other = await schedule(ann, wish({ sendAt: inMs(-400) }), elsewhere);
    expect((await claim()).map(({ id }) => id)).toEqual([other.item.id]);
    await storage.scheduled.scheduledDone(other.item.id);
    await storage.scheduled.scheduledDone(second.item.id);
    await storage.scheduled.scheduledLater(first.item.id, 60_000);
    // It waits for the earlier one of the same user.
    expect(await claim()).toEqual([]);
    await storage.scheduled.scheduledLater(first.item.id, 0);
    expect((await claim()).map(({ id }) => id)).toEqual([first.item.id, third.item.id]);
  });
});

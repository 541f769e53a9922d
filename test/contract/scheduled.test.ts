/** ScheduledStore: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ScheduledWish } from "../../src/ports/scheduled.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { SCHEDULED_MAX } from "../../src/protocol/scheduled-routes.ts";
import { eventually } from "../support/eventually.ts";
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
const SHORT_LEASE_MS = 50;
const LATER_MS = 600;

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
  const claim = (leaseMs = LEASE_MS) => storage.scheduled.claimScheduled(100, leaseMs);
  const claimedIds = async () => (await claim()).due.map(({ id }) => id);

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
    const { claim: held, due } = await claim();
    expect(due.map(({ id }) => id)).toEqual([first.item.id, second.item.id]);
    expect(due[0]).toMatchObject({ userId: bob, conversationId: group, content: {} });
    expect(await storage.scheduled.unschedule(bob, first.item.id)).toBe(false);
    const third = await schedule(bob, wish({ sendAt: inMs(-500) }));
    const elsewhere = await newGroup(storage, [ann, bob]);
    const other = await schedule(ann, wish({ sendAt: inMs(-400) }), elsewhere);
    expect(await claimedIds()).toEqual([other.item.id]);
    await storage.scheduled.scheduledDone(other.item.id);
    await storage.scheduled.scheduledDone(second.item.id);
    await storage.scheduled.scheduledLater(first.item.id, held, LATER_MS);
    // It waits for the earlier one of the same user.
    expect(await claimedIds()).toEqual([]);
    await eventually("the earlier one is due again", async () => {
      const ids = await claimedIds();
      if (ids.length > 0) expect(ids).toEqual([first.item.id, third.item.id]);
      return ids.length > 0;
    });
    await storage.scheduled.scheduledDone(first.item.id);
    await storage.scheduled.scheduledDone(third.item.id);
  });

  it("[SCS4] a claim is renewed under a new name, and one that has run out changes nothing", async () => {
    const one = await schedule(ann, wish({ sendAt: inMs(-1_000) }));
    const two = await schedule(ann, wish({ sendAt: inMs(-900) }));
    const ids = [one.item.id, two.item.id];
    const lost = await claim(SHORT_LEASE_MS);
    expect(lost.due.map(({ id }) => id)).toEqual(ids);
    let held = lost;
    await eventually("the claim has run out", async () => {
      held = await claim();
      return held.due.length > 0;
    });
    expect(held.due.map(({ id }) => id)).toEqual(ids);
    expect(await storage.scheduled.renewScheduled(ids, lost.claim, LEASE_MS)).toBeNull();
    await storage.scheduled.scheduledLater(one.item.id, lost.claim, 0);
    expect(await claimedIds()).toEqual([]);
    const first = await storage.scheduled.renewScheduled(ids, held.claim, LEASE_MS + 1);
    expect([...first!.ids].sort()).toEqual([...ids].sort());
    expect(first!.claim).not.toBe(held.claim);
    expect(await storage.scheduled.renewScheduled(ids, held.claim, LEASE_MS)).toBeNull();
    await storage.scheduled.scheduledDone(one.item.id);
    const second = await storage.scheduled.renewScheduled(ids, first!.claim, LEASE_MS);
    expect(second!.ids).toEqual([two.item.id]);
    await storage.scheduled.scheduledDone(two.item.id);
  });

  it("[SCS5] attachments are scheduled, changed and taken away", async () => {
    const attachments = [{ file_id: "1" }, { file_id: "2" }];
    const made = await schedule(ann, wish({ content: { attachments } }));
    expect(made.item).toMatchObject({ attachments });
    const change = (files: { file_id: string }[]) =>
      granted(storage.scheduled.reschedule(ann, made.item.id, { attachments: files }));
    expect(await change([{ file_id: "3" }])).toMatchObject({ attachments: [{ file_id: "3" }] });
    expect(await change([])).not.toHaveProperty("attachments");
    await storage.scheduled.unschedule(ann, made.item.id);
  });
});

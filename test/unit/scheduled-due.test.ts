/** Scheduled messages on the memory store: when they are sent, delayed and given up. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import { dueScheduled } from "../../src/edge/live/scheduled-due.ts";
import type { ErrorCode } from "../../src/protocol/errors.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Gateway } from "../../src/runtime/gateway.ts";
import { settled } from "../support/fake-clock.ts";
import { SoloActors } from "../support/solo-actors.ts";

let actors: SoloActors;
let ann: UserId;
let bob: UserId;
let room: ConversationId;
let stop: () => void;
/** How long the user's limit makes the next sends wait. */
let waits: number[];
let suspended: Set<UserId>;
let ids: number;

beforeEach(async () => {
  actors = new SoloActors();
  [ann, bob] = (await actors.users(2)) as [UserId, UserId];
  room = await actors.group([ann, bob]);
  waits = [];
  suspended = new Set();
  ids = 0;
  const ask = async (kind: string, id: string, op: string, body: object) => {
    const told = await actors.asking(`${kind}:${id}`, op, body);
    if ("value" in told) return { ok: true, value: told.value };
    const retry_after_ms = told.code === "rate_limited" ? 5_000 : undefined;
    return { ok: false, error: { code: told.code as ErrorCode, message: "no", retry_after_ms } };
  };
  const work = dueScheduled({
    clock: actors.clock,
    log: createLogger({ level: "silent" }),
    scheduled: actors.storage.scheduled,
    gateway: { ask: ask as unknown as Gateway["ask"] },
    chargeSend: () => waits.shift() ?? 0,
    isSuspended: (user) => suspended.has(user),
  });
  work.start();
  stop = () => work.close();
});
afterEach(() => {
  stop();
  actors.close();
});

async function schedule(user: UserId, inMs: number, body: string): Promise<string> {
  const sendAt = new Date(actors.clock.nowMs() + inMs).toISOString();
  const wish = { clientId: `c${++ids}`, sendAt, body, replyToSeq: null, content: {} };
  const made = await actors.storage.scheduled.schedule(user, room, wish);
  if (!made.ok) throw new Error(made.error.message);
  return made.value.item.id;
}
async function passes(ms: number): Promise<void> {
  await actors.clock.advance(ms);
  for (let n = 0; n < 10; n++) await settled();
}
const sent = () => actors.said("message").map(({ body }) => body);
const isWaiting = async (user: UserId, id: string) =>
  (await actors.storage.scheduled.scheduledItem(user, id)) !== null;

test("[SCD1] [SCD2] messages are sent within 2 s of their times, in their order, and are gone then", async () => {
  const late = await schedule(ann, 3_000, "late");
  await schedule(bob, 1_500, "second");
  await schedule(ann, 1_200, "first");
  await passes(1_000);
  expect(sent()).toEqual([]);
  await passes(1_000);
  expect(sent()).toEqual(["first", "second"]);
  expect(await isWaiting(ann, late)).toBe(true);
  await passes(2_000);
  expect(sent()).toEqual(["first", "second", "late"]);
  expect(await isWaiting(ann, late)).toBe(false);
});

test("[SCD3] a limit delays a user's messages in their order, and nobody else's", async () => {
  await schedule(ann, 100, "a1");
  await schedule(ann, 200, "a2");
  await schedule(bob, 300, "b");
  waits = [4_000];
  await passes(1_000);
  expect(sent()).toEqual(["b"]);
  await passes(5_000);
  expect(sent()).toEqual(["b", "a1", "a2"]);
});

test("[SCD3] slow mode delays, and what the sender may not do is given up with a notification", async () => {
  const update = (settings: object) =>
    actors.changes(`conversation:${room}`, "update", { user: ann, session: "", settings });
  await update({ slow_mode_s: 8 });
  await actors.asks(`conversation:${room}`, "send", {
    user: bob,
    session: "",
    client_id: "now",
    body: "now",
    reply_to_seq: null,
  });
  await schedule(bob, 100, "slowly");
  await passes(3_000);
  expect(sent()).toEqual(["now"]);
  await passes(9_000);
  expect(sent()).toEqual(["now", "slowly"]);
  await update({ slow_mode_s: 0, frozen: true });
  const id = await schedule(bob, 100, "never");
  suspended.add(ann);
  const other = await schedule(ann, 100, "nor this");
  await passes(3_000);
  expect(sent()).toEqual(["now", "slowly"]);
  for (const [user, item] of [
    [bob, id],
    [ann, other],
  ] as const) {
    const found = await actors.storage.queries.notificationsAfter(user, 0, 10);
    expect(found).toMatchObject([
      { type: "scheduled_failed", data: { scheduled_id: item, code: "forbidden" } },
    ]);
    expect(await isWaiting(user, item)).toBe(false);
  }
});

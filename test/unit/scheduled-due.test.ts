/** Scheduled messages on the memory store: when they are sent, delayed and given up. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import { DueLooks } from "../../src/edge/live/due-work.ts";
import { CLAIM_MS } from "../../src/edge/live/scheduled-claim.ts";
import { dueScheduled } from "../../src/edge/live/scheduled-due.ts";
import { DUE_KINDS } from "../../src/ports/edge.ts";
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
/** Let the asks that hang go on. */
let answers: (() => void)[];
/** How long the user's limit makes the next sends wait. */
let waits: number[];
let suspended: Set<UserId>;
let ids: number;
/** While it is set, no ask is answered. */
let hangs: boolean;
/** While it is set, no claim can be renewed. */
let isStorageAway: boolean;

beforeEach(async () => {
  actors = new SoloActors();
  [ann, bob] = (await actors.users(2)) as [UserId, UserId];
  room = await actors.group([ann, bob]);
  waits = [];
  answers = [];
  suspended = new Set();
  ids = 0;
  hangs = false;
  isStorageAway = false;
  const { scheduled } = actors.storage;
  const ask = async (kind: string, id: string, op: string, body: object) => {
    if (hangs) await new Promise<void>((resolve) => answers.push(resolve));
    const told = await actors.asking(`${kind}:${id}`, op, body);
    if ("value" in told) return { ok: true, value: told.value };
    const retry_after_ms = told.code === "rate_limited" ? 5_000 : undefined;
    return { ok: false, error: { code: told.code as ErrorCode, message: "no", retry_after_ms } };
  };
  const work = dueScheduled({
    clock: actors.clock,
    log: createLogger({ level: "silent" }),
    scheduled: {
      claimScheduled: (limit, leaseMs) => scheduled.claimScheduled(limit, leaseMs),
      scheduledDone: (id) => scheduled.scheduledDone(id),
      scheduledLater: (id, claim, delayMs) => scheduled.scheduledLater(id, claim, delayMs),
      async renewScheduled(of, claim, leaseMs) {
        if (isStorageAway) throw new Error("storage is away");
        return scheduled.renewScheduled(of, claim, leaseMs);
      },
    },
    gateway: { ask: ask as unknown as Gateway["ask"] },
    chargeSend: () => waits.shift() ?? 0,
    isSuspended: (user) => suspended.has(user),
  });
  const looks = new DueLooks({
    clock: actors.clock,
    log: createLogger({ level: "silent" }),
    queries: { dueKinds: async () => DUE_KINDS },
    works: [work],
  });
  looks.start();
  stop = () => looks.close();
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

test("[SCD1] what a worker claimed that died is sent within 2 s of its time", async () => {
  await schedule(ann, 402, "first");
  await schedule(bob, 405, "second");
  await passes(405);
  const { due } = await actors.storage.scheduled.claimScheduled(10, CLAIM_MS);
  expect(due.map(({ body }) => body)).toEqual(["first", "second"]);
  await passes(CLAIM_MS - 100);
  expect(sent()).toEqual([]);
  await passes(600);
  expect(sent()).toEqual(["first", "second"]);
});

test("[SCD2] a claim is held as long as the send takes, and what is left of one that ran out is left", async () => {
  const first = await schedule(ann, 100, "first");
  const second = await schedule(bob, 200, "second");
  hangs = true;
  await passes(1_000);
  // Much longer than a claim holds by itself.
  await passes(10 * CLAIM_MS);
  expect((await actors.storage.scheduled.claimScheduled(10, CLAIM_MS)).due).toEqual([]);
  isStorageAway = true;
  hangs = false;
  await passes(CLAIM_MS + 1);
  const held = await actors.storage.scheduled.claimScheduled(10, 60_000);
  expect(held.due.map(({ id }) => id)).toEqual([first, second]);
  for (const answer of answers) answer();
  await passes(1_000);
  expect(sent()).toEqual(["first"]);
  expect(await actors.storage.scheduled.unschedule(bob, second)).toBe(false);
});

/** The job of pushes, with a queue in memory. */
import { expect, test, vi } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import { Pusher } from "../../src/jobs/push/pusher.ts";
import type {
  ClaimedPush,
  NotedDecision,
  PendingPush,
  PushEnd,
  PushFacts,
  PushQueue,
  SettledPushes,
} from "../../src/ports/push.ts";
import type { PushSender, SendOutcome } from "../../src/ports/push-senders.ts";
import { ok } from "../../src/protocol/errors.ts";
import { asConversationId, asUserId } from "../../src/protocol/schemas.ts";
import { FakeClock } from "../support/fake-clock.ts";

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const MESSAGE = {
  userId: asUserId("1"),
  conversationId: asConversationId("2"),
  notificationId: null,
  firstSeq: 1,
  seq: 2,
};
const PENDING: PendingPush = { ...MESSAGE, ageMs: 15 * SECOND_MS, isHeld: true };

const factsOf = (unread_ms: number | null): PushFacts => ({
  level: null,
  snoozed: false,
  quiet_hours: null,
  content: null,
  suspended: false,
  conversation: {
    kind: "direct",
    title: null,
    deleted: false,
    member: true,
    muted: false,
    level: null,
    read_seq: unread_ms === null ? 0 : 1,
    unread_ms,
    count: 1,
    last: { deleted: false, mention: false, blocked: false },
    newest: { seq: 2, body: "hello", sender: "Ann", files: 0 },
  },
  notification: null,
});

const claimed = (part: Partial<ClaimedPush> = {}): ClaimedPush => ({
  kind: "message",
  subject: MESSAGE,
  device: "1",
  deviceId: "phone",
  provider: "fcm",
  address: "a token",
  keys: null,
  locale: null,
  tz: null,
  attempts: 1,
  ageMs: 0,
  ...part,
});

const unused = () => Promise.reject(new Error("nothing else is asked"));

/** Runs with this queue until `stop` is called; the reader is online. */
function running(
  parts: Partial<PushQueue>,
  send: PushSender["send"],
): { stop: () => void; ended: Promise<void>; clock: FakeClock } {
  const clock = new FakeClock();
  const stop = new AbortController();
  const pusher = new Pusher({
    queue: {
      keepFeed: async () => true,
      feed: async () => ({ ids: [], fresh: [], reads: [] }),
      due: async () => [],
      facts: async (subjects) => subjects.map(() => factsOf(null)),
      claim: async () => [],
      badge: async () => 1,
      settle: unused,
      settleFeed: unused,
      end: unused,
      counts: unused,
      ...parts,
    },
    sender: { hostOf: () => "a provider", send },
    gateway: { ask: async () => ok({ reach: "wait" as const }) },
    content: "full",
    basePath: "",
    count: () => undefined,
    clock,
    log: createLogger({ level: "silent" }),
  });
  return { stop: () => stop.abort(), ended: pusher.run(stop.signal), clock };
}

/** What is settled of one push that is due. */
async function settledWith(unreadMs: number | null): Promise<SettledPushes> {
  let settled: SettledPushes | undefined;
  const run = running(
    {
      due: async () => [PENDING],
      facts: async () => [factsOf(unreadMs)],
      settle: async (asked) => {
        settled = asked;
        run.stop();
      },
    },
    unused,
  );
  await run.ended;
  return settled!;
}

/** How the sending of one push ends with this outcome. */
async function endWith(
  push: ClaimedPush,
  outcome: SendOutcome,
): Promise<{ end: PushEnd; decision: NotedDecision | null }> {
  let found: { end: PushEnd; decision: NotedDecision | null } | undefined;
  const run = running(
    {
      claim: async () => [push],
      end: async (_, end, decision) => {
        found ??= { end, decision };
        run.stop();
      },
    },
    async () => outcome,
  );
  await run.ended;
  return found!;
}

test("[PSH4] after 15 s without a read it is sent", async () => {
  expect(await settledWith(null)).toMatchObject({ sent: [PENDING], later: [] });
});

test("[PSH4] what came after a read has 15 s of its own", async () => {
  const { sent, later } = await settledWith(SECOND_MS);
  expect(sent).toEqual([]);
  expect(later).toEqual([{ subject: PENDING, isHeld: true, inMs: 14 * SECOND_MS }]);
});

test.each<[attempts: number, retryAfterMs: number, retryInMs: number]>([
  [1, 0, 5 * SECOND_MS],
  [1, 60 * SECOND_MS, 60 * SECOND_MS],
  [3, 0, 120 * SECOND_MS],
  [30, 0, HOUR_MS],
])("[PSH7] the attempt %i fails, Retry-After %i ms: again in %i ms", async (...row) => {
  const [attempts, retryAfterMs, retryInMs] = row;
  const failed = { is: "failed" as const, detail: "503", retryAfterMs };
  const { end, decision } = await endWith(claimed({ attempts }), failed);
  expect(end).toEqual({ is: "failed", retryInMs });
  expect(decision?.reason).toBe(attempts === 1 ? "provider_error" : undefined);
});

test("[PSH7] after 24 hours it is given up, and that is noted", async () => {
  const failed = { is: "failed" as const, detail: "503", retryAfterMs: 0 };
  const { end, decision } = await endWith(claimed({ attempts: 30, ageMs: 23.5 * HOUR_MS }), failed);
  expect(end).toEqual({ is: "dropped" });
  expect(decision).toMatchObject({ reason: "provider_error", detail: "given up: 503" });
});

test("[PSH8] a provider that hangs has 32 places, and the rest is put off", async () => {
  const answers: (() => void)[] = [];
  const ends: PushEnd[] = [];
  let isClaimed = false;
  let without: readonly string[] = [];
  const run = running(
    {
      claim: async (_most, _leaseMs, crowded) => {
        without = crowded;
        if (isClaimed) {
          run.stop();
          for (const answer of answers) answer();
          return [];
        }
        isClaimed = true;
        return Array.from({ length: 40 }, (_, n) => claimed({ device: `${n}` }));
      },
      end: async (_, end) => {
        ends.push(end);
      },
    },
    () =>
      new Promise((resolve) => {
        answers.push(() => resolve({ is: "sent" }));
      }),
  );
  await vi.waitUntil(() => ends.length === 8);
  await run.clock.advance(SECOND_MS);
  await run.ended;
  expect(answers).toHaveLength(32);
  expect(without).toEqual(["fcm"]);
  expect(ends.slice(0, 8).map(({ is }) => is)).toEqual(new Array(8).fill("later"));
  expect(ends.slice(8).map(({ is }) => is)).toEqual(new Array(32).fill("sent"));
});

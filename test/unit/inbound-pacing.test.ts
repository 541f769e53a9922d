import { beforeEach, expect, test } from "vitest";
import { Tally } from "../../src/base/metrics.ts";
import { DEFAULT_LIMITS } from "../../src/config/limit-keys.ts";
import { EdgeLimits } from "../../src/edge/limits/limits.ts";
import { InboundPacing } from "../../src/edge/session/inbound-pacing.ts";
import { SessionLimits } from "../../src/edge/session/session-limits.ts";
import type { ClientPacket } from "../../src/edge/transport/packet.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { FarEnd } from "../support/far-end.ts";

let clock: FakeClock;
let ended: number;
let intake: InboundPacing;
let isReading: boolean;
let isCongested: boolean;
let held: number;
let taken: unknown[];
let refused: unknown[];

beforeEach(() => {
  clock = new FakeClock();
  isReading = true;
  isCongested = false;
  held = 0;
  taken = [];
  refused = [];
  ended = 0;
  const limits = new EdgeLimits({
    limits: { ...DEFAULT_LIMITS, session: { perS: 100, burst: 10 } },
    clock,
    tally: new Tally(),
  });
  const { session } = new FarEnd({ limits: new SessionLimits(limits, "1") });
  const connection = {
    pause: () => {
      isReading = false;
    },
    resume: () => {
      isReading = true;
    },
  };
  intake = new InboundPacing(connection, session, {
    clock,
    isCongested: () => isCongested,
    take: (_session, { data }) => taken.push(data),
    refuse: (_session, { data }) => refused.push(data),
    held: () => held++,
    closed: () => ended++,
  });
});

/** `count` events that node reads in one piece: all packets, then all events. */
function arrive(count: number, from = 0): void {
  for (let n = 0; n < count; n++) intake.arrived();
  for (let n = 0; n < count; n++) {
    intake.event({ type: 2, data: from + n } satisfies ClientPacket);
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

test("[LIM6] within its rate each event is heard at once, and reading goes on", () => {
  arrive(10);
  expect(taken).toEqual(numbers(10));
  expect([isReading, held, clock.pending]).toEqual([true, 0, 0]);
});

test("[LIM6] faster ones are heard in order at the rate, and nothing is read meanwhile", async () => {
  arrive(60);
  expect(isReading).toBe(false);
  await clock.advance(10);
  expect(taken).toEqual(numbers(11));
  await clock.advance(250);
  expect(taken).toEqual(numbers(36));
  expect(isReading).toBe(false);
  await clock.advance(260);
  expect(taken).toEqual(numbers(60));
  expect([isReading, held, clock.pending]).toEqual([true, 1, 0]);
  expect(refused).toEqual([]);
});

test("[LIM6] a lone event after a pause is not held up by what was before", async () => {
  arrive(60);
  await clock.advance(1_000);
  arrive(1, 60);
  expect(taken.at(-1)).toBe(60);
});

test("[LIM6] packets that are no events hold reading up too", async () => {
  for (let n = 0; n < 60; n++) intake.arrived();
  expect(isReading).toBe(false);
  await clock.advance(500);
  expect(isReading).toBe(false);
  await clock.advance(20);
  expect(isReading).toBe(true);
});

test("[LIM6] what cannot be held back and finds no room is refused", async () => {
  arrive(1_500);
  arrive(1_500, 1_500);
  expect(refused).toHaveLength(1_000);
  expect(refused[0]).toBe(2_000);
  await clock.advance(31_000);
  expect(taken).toEqual(numbers(2_000));
});

test("[LIM6] stopped, it hears and keeps nothing more", async () => {
  arrive(60);
  intake.stopped();
  arrive(60);
  await clock.advance(2_000);
  expect(taken).toEqual([]);
  expect([isReading, clock.pending]).toEqual([false, 0]);
});

test("[LIM6] a connection that closes leaves no timer, and its goodbye can be read", async () => {
  arrive(60);
  intake.closed();
  await clock.advance(2_000);
  expect([isReading, clock.pending, taken, ended]).toEqual([true, 0, [], 1]);
});

test("[LIM6] one that is to be cut is not read again when it closes", () => {
  arrive(60);
  intake.stopped();
  intake.closed();
  expect([isReading, ended]).toEqual([false, 1]);
});

test("[LIM6] while the worker is congested nobody is read, and what came waits in order", async () => {
  isCongested = true;
  arrive(3);
  expect([taken, isReading]).toEqual([[], false]);
  await clock.advance(500);
  expect(taken).toEqual([]);
  isCongested = false;
  await clock.advance(10);
  expect(taken).toEqual(numbers(3));
  expect(isReading).toBe(true);
});

/** [RET6] What an actor keeps for joins is judged by its age as what storage reads is. */
import { expect, test } from "vitest";
import { RING_MESSAGES } from "../../actors/limits.ts";
import { dropOld, keptFrom } from "../../actors/retention.ts";
import { ringOf } from "../../actors/ring.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { wallTime } from "../../src/protocol/time.ts";

const AT_MS = Date.parse("2026-01-02T00:00:00.000Z");
const HOUR_S = 3_600;

/** Messages from `first` on, of the given ages in seconds. */
const ring = (first: number, ...agesS: number[]) =>
  ringOf(
    agesS.map((ageS, n) => {
      const created_at = new Date(AT_MS - ageS * 1000).toISOString();
      return { seq: first + n, rev: first + n, created_at } as Message;
    }),
    100,
  );
const talk = (more: Partial<Conversation> = {}) =>
  ({ last_seq: 12, settings: { retention_s: HOUR_S }, ...more }) as Conversation;
const now = wallTime(AT_MS);

test("[RET6] the first message that is younger than the setting, to the millisecond", () => {
  expect(keptFrom(talk(), ring(10, 3_601, HOUR_S, 3_599), null, now)).toBe(12);
  // One that is not full was read with everything that was kept.
  expect(keptFrom(talk(), ring(10, 3_599, 2, 1), null, now)).toBe(10);
  const full = ring(10, ...new Array<number>(RING_MESSAGES).fill(1));
  expect(keptFrom(talk(), full, null, now)).toBe(1);
  expect(keptFrom(talk({ first_seq: 4 }), full, null, now)).toBe(4);
  expect(keptFrom(talk(), ring(10, 9_000, 8_000, 7_000), null, now)).toBe(13);
  expect(keptFrom(talk(), ring(13), null, now)).toBe(1);
});

test("[RET6] the shorter of the setting and the cap counts, and neither is for ever", () => {
  const old = ring(10, 7_200, 1_800, 60);
  expect(keptFrom(talk({ settings: {} }), old, null, now)).toBe(1);
  expect(keptFrom(talk({ settings: {} }), old, HOUR_S, now)).toBe(11);
  expect(keptFrom(talk(), old, 86_400, now)).toBe(11);
  expect(keptFrom(talk({ settings: { retention_s: 86_400 } }), old, HOUR_S, now)).toBe(11);
});

test("[RET6] what has gone is dropped from what is kept for joins", () => {
  const kept = ring(10, 3, 2, 1);
  dropOld(kept, talk({ first_seq: 12 }));
  expect(kept.messages.map(({ seq }) => seq)).toEqual([12]);
  dropOld(kept, talk({ first_seq: 13 }));
  expect(kept.messages).toEqual([]);
});

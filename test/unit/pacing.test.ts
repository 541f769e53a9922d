/** Pure rules that pace what is sent: throttled values, likes in a window, counted log lines. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { LIKES_WINDOW_MS } from "../../actors/limits.ts";
import { NO_LIKES, stepLikes } from "../../actors/notices.ts";
import { QUIET, stepThrottle } from "../../actors/throttle.ts";
import { CountedLines } from "../../src/base/counted-lines.ts";
import type { PostId } from "../../src/protocol/ids.ts";
import { asUserId } from "../../src/protocol/schemas.ts";
import { later, monotonic } from "../../src/protocol/time.ts";
import { FakeClock } from "../support/fake-clock.ts";

const EVERY_MS = 100;

test("[THL1] [THL2] [THL3] a throttled value is sent at once after a pause, then in its pace, and the last one always", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(250), { minLength: 1, maxLength: 60 }), (pauses) => {
      let throttle = QUIET;
      let value = 0;
      let sentValue = 0;
      let wakeAtMs = Number.POSITIVE_INFINITY;
      const sentAt: number[] = [];
      const step = (event: "changed" | "time_up", atMs: number) => {
        const {
          throttle: next,
          tell,
          wakeInMs,
        } = stepThrottle(throttle, event, monotonic(atMs), EVERY_MS);
        throttle = next;
        if (wakeInMs !== null) wakeAtMs = atMs + wakeInMs;
        if (!tell) return;
        sentAt.push(atMs);
        sentValue = value;
      };
      const wakeUntil = (atMs: number) => {
        while (wakeAtMs <= atMs) {
          const ringsAtMs = wakeAtMs;
          wakeAtMs = Number.POSITIVE_INFINITY;
          step("time_up", ringsAtMs);
        }
      };
      let nowMs = 1_000;
      for (const pause of pauses) {
        nowMs += pause;
        wakeUntil(nowMs);
        const isQuiet = nowMs - (sentAt.at(-1) ?? Number.NEGATIVE_INFINITY) >= EVERY_MS;
        value++;
        step("changed", nowMs);
        if (isQuiet) expect(sentValue).toBe(value);
      }
      wakeUntil(nowMs + EVERY_MS);
      expect(sentValue).toBe(value);
      for (let n = 1; n < sentAt.length; n++) {
        expect(sentAt[n]! - sentAt[n - 1]!).toBeGreaterThanOrEqual(EVERY_MS);
      }
    }),
  );
});

test("[NTF3] a user who likes a post twice in a window is counted once", () => {
  const post = "1" as PostId;
  const [ann, bob] = [asUserId("1"), asUserId("2")];
  const startMs = monotonic(0);
  const liked = (likers: (typeof ann)[]) => ({ type: "liked" as const, post, likers });
  const first = stepLikes(NO_LIKES, liked([ann]), startMs);
  const second = stepLikes(first.windows, liked([ann, bob, bob]), startMs);
  const end = stepLikes(second.windows, { type: "time_up" }, later(startMs, LIKES_WINDOW_MS));
  expect(first.first).toEqual([{ post, liker: ann }]);
  expect(second.first).toEqual([]);
  expect(end.rest).toEqual([{ post, likers: [bob] }]);
});

test("[CNT1] a kind of line that is noted all the time is written at most once a second, with its count", async () => {
  const clock = new FakeClock();
  const lines = new CountedLines(clock);
  const written: { atMs: number; count: number }[] = [];
  for (let n = 0; n < 250; n++) {
    lines.note("refused", 1, null, (count) => written.push({ atMs: clock.nowMs(), count }));
    await clock.advance(10);
  }
  await clock.advance(1_000);
  lines.close();
  expect(written.reduce((sum, { count }) => sum + count, 0)).toBe(250);
  expect(written.length).toBeLessThanOrEqual(4);
  for (let n = 1; n < written.length; n++) {
    expect(written[n]!.atMs - written[n - 1]!.atMs).toBeGreaterThanOrEqual(1_000);
  }
});

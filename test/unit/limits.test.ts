import { describe, expect, test } from "vitest";
import { createHttpLimits, KeyedBuckets, TokenBucket } from "../../src/edge/limits.ts";

describe("a token bucket", () => {
  test("gives its burst at once, then at its rate, and never more than the burst", () => {
    const bucket = new TokenBucket(10, 3);
    const taken = (nowMs: number) => [1, 2, 3, 4, 5].filter(() => bucket.take(nowMs)).length;
    expect(taken(1000)).toBe(3);
    expect(taken(1099)).toBe(0);
    expect(taken(1100)).toBe(1);
    expect(taken(1300)).toBe(2);
    expect(taken(60_000)).toBe(3);
  });

  test("says when the next one is there, and is right", () => {
    const bucket = new TokenBucket(4, 1);
    expect(bucket.retryAfterMs(5000)).toBe(0);
    bucket.take(5000);
    expect(bucket.retryAfterMs(5000)).toBe(250);
    expect(bucket.take(5249)).toBe(false);
    expect(bucket.take(5250)).toBe(true);
  });

  test("a clock that steps back neither fills nor empties it", () => {
    const bucket = new TokenBucket(1, 1);
    bucket.take(10_000);
    expect(bucket.take(1000)).toBe(false);
    expect(bucket.take(11_000)).toBe(true);
  });
});

describe("buckets by key", () => {
  test("one key's use is not another's", () => {
    const buckets = new KeyedBuckets(1, 1);
    expect(buckets.take("a", 0)).toBe(0);
    expect(buckets.take("a", 0)).toBe(1000);
    expect(buckets.take("b", 0)).toBe(0);
  });

  test("a flood of keys is bounded, and those that are full again go first", () => {
    const buckets = new KeyedBuckets(1, 1, 10);
    for (let i = 0; i < 9; i++) buckets.take(`old${i}`, 0);
    buckets.take("busy", 4500);
    buckets.take("new", 5000);
    expect(buckets.size).toBe(2);
    expect(buckets.take("busy", 5000)).toBe(500);
    for (let i = 0; i < 1000; i++) buckets.take(`flood${i}`, 5000);
    expect(buckets.size).toBeLessThanOrEqual(10);
  });
});

describe("HTTP limits", () => {
  test("RATE_LIMITS=off lets everything through", async () => {
    const limits = createHttpLimits(false, { nowMs: () => 0, after: () => () => undefined });
    for (let i = 0; i < 1000; i++) expect(limits.authCall("a") ?? limits.userCall("a")).toBeNull();
    for (let i = 0; i < 20; i++) await limits.loginFailed("a");
    expect(await limits.loginBlocked("a")).toBeNull();
  });
});

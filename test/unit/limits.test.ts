import { beforeEach, describe, expect, test } from "vitest";
import { Tally } from "../../src/base/metrics.ts";
import { TokenBucket } from "../../src/base/token-bucket.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/config/limit-keys.ts";
import { KeyedBuckets } from "../../src/edge/limits/keyed-buckets.ts";
import { EdgeLimits } from "../../src/edge/limits/limits.ts";
import { monotonic } from "../../src/protocol/time.ts";
import { FakeClock } from "../support/fake-clock.ts";

describe("a token bucket", () => {
  test("gives its burst at once, then at its rate, and never more than the burst", () => {
    const bucket = new TokenBucket({ perS: 10, burst: 3 });
    const taken = (nowMs: number) =>
      [1, 2, 3, 4, 5].filter(() => bucket.take(monotonic(nowMs))).length;
    expect(taken(1000)).toBe(3);
    expect(taken(1099)).toBe(0);
    expect(taken(1100)).toBe(1);
    expect(taken(1300)).toBe(2);
    expect(taken(60_000)).toBe(3);
  });

  test("says when the next one is there, and is right", () => {
    const bucket = new TokenBucket({ perS: 4, burst: 1 });
    expect(bucket.retryAfterMs(monotonic(5000))).toBe(0);
    bucket.take(monotonic(5000));
    expect(bucket.retryAfterMs(monotonic(5000))).toBe(250);
    expect(bucket.take(monotonic(5249))).toBe(false);
    expect(bucket.take(monotonic(5250))).toBe(true);
  });

  test("a clock that steps back neither fills nor empties it", () => {
    const bucket = new TokenBucket({ perS: 1, burst: 1 });
    bucket.take(monotonic(10_000));
    expect(bucket.take(monotonic(1000))).toBe(false);
    expect(bucket.take(monotonic(11_000))).toBe(true);
  });

  test("a debt is paid before anything is given, and is never above one burst", () => {
    const bucket = new TokenBucket({ perS: 10, burst: 5 });
    bucket.debit(8, monotonic(1000));
    expect(bucket.retryAfterMs(monotonic(1000))).toBe(400);
    bucket.debit(1_000, monotonic(1000));
    expect(bucket.level(monotonic(1000))).toBe(-5);
    expect(bucket.retryAfterMs(monotonic(1000))).toBe(600);
    expect(bucket.take(monotonic(1599))).toBe(false);
    expect(bucket.take(monotonic(1600))).toBe(true);
  });

  test("what is given back is there again, and never more than the burst", () => {
    const bucket = new TokenBucket({ perS: 1, burst: 2 });
    bucket.take(monotonic(1000));
    bucket.take(monotonic(1000));
    bucket.giveBack();
    expect(bucket.take(monotonic(1000))).toBe(true);
    for (let n = 0; n < 5; n++) bucket.giveBack();
    expect([1, 2, 3].filter(() => bucket.take(monotonic(1000)))).toHaveLength(2);
  });
});

describe("buckets by key", () => {
  test("one key's use is not another's", () => {
    const buckets = new KeyedBuckets({ perS: 1, burst: 1 });
    expect(buckets.take("a", monotonic(0))).toBe(0);
    expect(buckets.take("a", monotonic(0))).toBe(1000);
    expect(buckets.take("b", monotonic(0))).toBe(0);
  });

  test("[KBK1] a flood of keys is bounded, and those that are full again go first", () => {
    const buckets = new KeyedBuckets({ perS: 1, burst: 1 }, undefined, 10);
    for (let i = 0; i < 9; i++) buckets.take(`old${i}`, monotonic(0));
    buckets.take("busy", monotonic(4500));
    buckets.take("new", monotonic(5000));
    expect(buckets.size).toBe(2);
    expect(buckets.take("busy", monotonic(5000))).toBe(500);
    for (let i = 0; i < 1000; i++) buckets.take(`flood${i}`, monotonic(5000));
    expect(buckets.size).toBeLessThanOrEqual(10);
  });

  test("[KBK1] keys that come once do not pile up to the bound", () => {
    const buckets = new KeyedBuckets({ perS: 1, burst: 1 });
    for (let i = 0; i < 40_000; i++) buckets.take(`visitor${i}`, monotonic(i * 10));
    expect(buckets.size).toBeLessThan(2_000);
  });
});

describe("limits of an edge", () => {
  let clock: FakeClock;
  let tally: Tally;

  beforeEach(() => {
    clock = new FakeClock();
    tally = new Tally();
  });

  const edgeWith = (some: Partial<Limits>) =>
    new EdgeLimits({ limits: { ...DEFAULT_LIMITS, ...some }, clock, tally });
  /** A login with the wrong password; whether it was let through. */
  const guesses = (limits: EdgeLimits, account: string, address: string, isKnown = false) => {
    const place = limits.loginTry(account, address, isKnown);
    if ("code" in place) return false;
    place.failed();
    return true;
  };

  test("RATE_LIMITS=off lets everything through", () => {
    const limits = new EdgeLimits({ limits: null, clock, tally });
    for (let i = 0; i < 20_000; i++) {
      expect(limits.authCall("a") ?? limits.userCall("a") ?? limits.httpCall("a")).toBeNull();
    }
    for (let i = 0; i < 20; i++) limits.endedForAbuse("a");
    expect(limits.handshake("a")).toBeNull();
    expect(guesses(limits, "ada", "1.2.3.4")).toBe(true);
  });

  test("[LGN3] an account's guesses are limited for each address, and for all of them together", () => {
    const limits = edgeWith({
      login: { perS: 1 / 60, burst: 3 },
      login_account: { perS: 1 / 6, burst: 10 },
    });
    for (let i = 0; i < 3; i++) expect(guesses(limits, "ada", "10.0.0.0")).toBe(true);
    expect(limits.loginTry("ada", "10.0.0.0", false)).toMatchObject({
      code: "rate_limited",
      retry_after_ms: 60_000,
    });
    for (let i = 1; i < 8; i++) expect(guesses(limits, "ada", `10.0.0.${i}`)).toBe(true);
    expect(limits.loginTry("ada", "10.0.1.1", false)).toMatchObject({
      code: "rate_limited",
      retry_after_ms: 6_000,
    });
    expect(guesses(limits, "ben", "10.0.0.1")).toBe(true);
  });

  test("[LGN3] guesses from elsewhere do not lock out an address from which the owner logged in", () => {
    const limits = edgeWith({
      login: { perS: 0.001, burst: 3 },
      login_account: { perS: 0.001, burst: 10 },
    });
    for (let i = 0; i < 40; i++) guesses(limits, "ada", `10.0.0.${i}`);
    expect(guesses(limits, "ada", "10.0.0.99")).toBe(false);
    for (let i = 0; i < 3; i++) expect(guesses(limits, "ada", "10.9.9.9", true)).toBe(true);
    expect(guesses(limits, "ada", "10.9.9.9", true)).toBe(false);
  });

  test("[LGN3] with the defaults an account has at most 100 guesses in an hour from elsewhere", () => {
    const limits = edgeWith({});
    let through = 0;
    for (let i = 0; i < 3_600; i++) {
      for (const n of [1, 2, 3]) if (guesses(limits, "ada", `10.${n}.${i % 250}.1`)) through++;
      clock.advance(1_000);
    }
    expect(through).toBeLessThanOrEqual(100);
  });

  test("an address' guesses are limited over whatever accounts", () => {
    const limits = edgeWith({ login_address: { perS: 1, burst: 20 } });
    for (let i = 0; i < 20; i++) expect(guesses(limits, `user${i}`, "10.0.0.1")).toBe(true);
    expect(guesses(limits, "ada", "10.0.0.1")).toBe(false);
    expect(guesses(limits, "ada", "10.0.0.2")).toBe(true);
  });

  test("a right password costs nothing, and a refusal gives back what it had taken", () => {
    const limits = edgeWith({
      login: { perS: 0.001, burst: 2 },
      login_address: { perS: 0.001, burst: 1 },
    });
    for (let i = 0; i < 50; i++) {
      const place = limits.loginTry("ada", "10.0.0.1", false);
      if ("code" in place) throw new Error("a right password was refused");
      place.succeeded();
    }
    expect(guesses(limits, "ben", "10.0.0.1")).toBe(true);
    for (let i = 0; i < 50; i++) expect(guesses(limits, "ada", "10.0.0.1")).toBe(false);
    expect(guesses(limits, "ada", "10.0.0.2")).toBe(true);
  });

  test("a test suite of one address passes with the defaults: 400 registrations and logins at once", () => {
    const limits = edgeWith({});
    for (let i = 0; i < 400; i++) {
      expect(limits.httpCall("127.0.0.1") ?? limits.authCall("127.0.0.1")).toBeNull();
    }
    for (let i = 0; i < 500; i++) expect(limits.userCall("1")).toBeNull();
    for (let i = 0; i < 100; i++) expect(limits.handshake("1")).toBeNull();
  });

  test("guesses sent all at once hold their places while they are checked", () => {
    const limits = edgeWith({ login: { perS: 0.001, burst: 3 } });
    const places = [1, 2, 3, 4, 5].map(() => limits.loginTry("ada", "10.0.0.1", false));
    expect(places.filter((place) => "code" in place)).toHaveLength(2);
  });

  test("[CST1] a call is charged whole or not at all, and the wait is for all of it", () => {
    const limits = edgeWith({
      http_user: { perS: 10, burst: 100 },
      add: { perS: 1, burst: 50 },
      http_address: { perS: 100, burst: 120 },
    });
    const cost = { http_user: 40, add: 30 };
    expect(limits.callCosts("1", cost, "a")).toBeNull();
    // 20 members are left, and 10 more are there in 10 s.
    expect(limits.callCosts("1", cost, "a")).toMatchObject({
      code: "rate_limited",
      retry_after_ms: 10_000,
    });
    expect(limits.callCosts("1", { http_user: 60 }, "b"), "nothing was taken").toBeNull();
    expect(limits.callCosts("2", { http_user: 80 }, "a"), "the address pays, too").toBeNull();
    expect(limits.callCosts("3", { http_user: 10 }, "a")).toMatchObject({ retry_after_ms: 100 });
  });

  test("[CST1] what costs more than a burst is let through when the bucket is full", () => {
    const limits = edgeWith({ add: { perS: 1, burst: 10 } });
    expect(limits.charge("1", { add: 999 }, null)).toBe(0);
    expect(limits.charge("1", { add: 999 }, null)).toBe(10_000);
  });
});

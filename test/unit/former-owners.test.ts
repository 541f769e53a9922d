import { expect, test } from "vitest";
import { FORMER_OWNER_MS, FormerOwners } from "../../src/edge/live/former-owners.ts";
import { hashOf, SHARDS, shardOf } from "../../src/runtime/shards.ts";
import { Placement } from "../../src/runtime/view.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { viewOf } from "../support/view-of.ts";

const KEY = "conversation:5";

test("[FOW1] a worker that lost an actor lately is among its owners when it dies", async () => {
  const clock = new FakeClock();
  const owners = new FormerOwners(clock);
  owners.ended(viewOf(1, ["w1"]));
  owners.ended(viewOf(2, ["w2"]));
  expect(owners.isAmong(new Set(["w1"]), KEY)).toBe(true);
  expect(owners.isAmong(new Set(["w2"]), KEY)).toBe(true);
  expect(owners.isAmong(new Set(["w3"]), KEY)).toBe(false);
});

test("[FOW1] and no longer once what it had begun must be over", async () => {
  const clock = new FakeClock();
  const owners = new FormerOwners(clock);
  owners.ended(viewOf(1, ["w1"]));
  await clock.advance(FORMER_OWNER_MS);
  owners.ended(viewOf(2, ["w2"]));
  expect(owners.isAmong(new Set(["w1"]), KEY)).toBe(false);
  expect(owners.isAmong(new Set(["w2"]), KEY)).toBe(true);
});

test("[FOW2] the owners from before this host was cut off count until it is back", async () => {
  const clock = new FakeClock();
  const owners = new FormerOwners(clock);
  owners.ended(viewOf(1, ["other"]));
  await clock.advance(2 * FORMER_OWNER_MS);
  owners.ended(new Placement({ ...viewOf(2, ["w1"]).view, away: ["other"] }));
  expect(owners.isAmong(new Set(["other"]), KEY)).toBe(true);
});

test("[FOW3] an owner that lost the actor for a while has begun again since", () => {
  const owners = new FormerOwners(new FakeClock());
  owners.ended(viewOf(1, ["w1"]));
  expect(owners.hasMovedSince(1, "w1", KEY)).toBe(false);
  owners.ended(viewOf(2, ["w2"]));
  expect(owners.hasMovedSince(1, "w1", KEY)).toBe(true);
  expect(owners.hasMovedSince(2, "w2", KEY)).toBe(false);
});

test("[SHX1] the shards of former owners are all in which they may have owned an actor", async () => {
  const clock = new FakeClock();
  const owners = new FormerOwners(clock);
  owners.ended(viewOf(1, ["w1", "w2", "w3"]));
  owners.ended(viewOf(2, ["w1", "w2", "w4"]));
  const shards = new Set(owners.shardsOf(new Set(["w3", "w4"])));
  for (let n = 0; n < 2_000; n++) {
    const key = `conversation:${n}`;
    if (owners.isAmong(new Set(["w3", "w4"]), key)) {
      expect(shards.has(shardOf(hashOf(key)))).toBe(true);
    }
  }
  expect(shards.size).toBeLessThan(SHARDS);
  expect([...shards]).toEqual([...shards].sort((a, b) => a - b));
  owners.ended(viewOf(3, ["w1"]));
  expect(owners.shardsOf(new Set(["w1"]))).toBeNull();
});

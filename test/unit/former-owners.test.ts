import { expect, test } from "vitest";
import { FORMER_OWNER_MS, FormerOwners } from "../../src/edge/live/former-owners.ts";
import { hashOf, SHARDS, shardOf } from "../../src/runtime/shards.ts";
import { Placement } from "../../src/runtime/view.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { viewOf } from "../support/view-of.ts";

const KEY = "conversation:5";
/** The view before the one that the workers are missing in. */
const BEFORE = viewOf(9, ["w9"]);

function isAmong(owners: FormerOwners, incarnation: string, before = BEFORE): boolean {
  return owners.orphansOf(new Set([incarnation]), before).isOrphan(KEY);
}

test("[FOW1] a worker that lost an actor lately is among its owners when it dies", async () => {
  const clock = new FakeClock();
  const owners = new FormerOwners(clock);
  owners.ended(viewOf(1, ["w1"]));
  owners.ended(viewOf(2, ["w2"]));
  expect(isAmong(owners, "w1")).toBe(true);
  expect(isAmong(owners, "w2")).toBe(true);
  expect(isAmong(owners, "w3")).toBe(false);
});

test("[FOW1] and no longer once what it had begun must be over", async () => {
  const clock = new FakeClock();
  const owners = new FormerOwners(clock);
  owners.ended(viewOf(1, ["w1"]));
  await clock.advance(FORMER_OWNER_MS);
  owners.ended(viewOf(2, ["w2"]));
  expect(isAmong(owners, "w1")).toBe(false);
  expect(isAmong(owners, "w2")).toBe(true);
});

test("[FOW2] the owners from before this host was cut off count until it is back", async () => {
  const clock = new FakeClock();
  const owners = new FormerOwners(clock);
  owners.ended(viewOf(1, ["other"]));
  await clock.advance(2 * FORMER_OWNER_MS);
  owners.ended(new Placement({ ...viewOf(2, ["w1"]).view, away: ["other"] }));
  expect(isAmong(owners, "other")).toBe(true);
});

test("[FOW4] a host that could not be reached, and is gone, may have run any actor", () => {
  const owners = new FormerOwners(new FakeClock());
  const before = new Placement({ ...viewOf(1, ["w1"]).view, away: ["other"] });
  owners.ended(viewOf(1, ["w1"]));
  expect(isAmong(owners, "other")).toBe(false);
  expect(isAmong(owners, "other", before)).toBe(true);
  expect(owners.orphansOf(new Set(["other"]), before).shards).toBeNull();
});

test("[FOW1] what is known of a death does not change with later views", () => {
  const owners = new FormerOwners(new FakeClock());
  owners.ended(viewOf(1, ["w1"]));
  const { isOrphan } = owners.orphansOf(new Set(["w1"]), BEFORE);
  for (let number = 2; number < 50; number++) owners.ended(viewOf(number, ["w2"]));
  expect(isOrphan(KEY)).toBe(true);
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
  const orphans = owners.orphansOf(new Set(["w3", "w4"]), BEFORE);
  const shards = new Set<number>(orphans.shards ?? []);
  for (let n = 0; n < 2_000; n++) {
    const key = `conversation:${n}`;
    if (orphans.isOrphan(key)) expect(shards.has(shardOf(hashOf(key)))).toBe(true);
  }
  expect(shards.size).toBeLessThan(SHARDS);
  expect([...shards]).toEqual([...shards].sort((a, b) => a - b));
  owners.ended(viewOf(3, ["w1"]));
  expect(owners.orphansOf(new Set(["w1"]), BEFORE).shards).toBeNull();
});

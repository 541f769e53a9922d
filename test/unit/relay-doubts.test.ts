/** Doubts and gaps: how hosts learn of events and frames that may not have arrived. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { memoryWorld, RelayHost } from "../support/relay-scene.ts";

let world: Awaited<ReturnType<typeof memoryWorld>>;
let a: RelayHost;
let b: RelayHost;
let c: RelayHost;

beforeEach(async () => {
  world = await memoryWorld();
  a = await RelayHost.starts("a", world);
  b = await RelayHost.starts("b", world);
  c = await RelayHost.starts("c", world);
  await world.until("all see each other", () => [a, b, c].every((host) => host.sees(a, b, c)));
  for (const topic of ["conversations:1", "conversations:2"]) {
    await Promise.all([b.relay.interest(topic, true), world.passes(10)]);
  }
  for (const host of [a, b, c]) host.forgets();
});

afterEach(async () => {
  world.network.heal();
  await Promise.all([...[a, b, c].map(({ relay }) => relay.close()), world.passes(5_000)]);
  expect(world.clock.pending).toBe(0);
});

const rejects = (topic: string) => {
  const isIt = (channel: string) => channel.endsWith(topic);
  world.network.faults = { ...world.network.faults, rejects: isIt };
};
const doubts = (host: RelayHost) =>
  host.told.flatMap((it) => (it.what === "doubt" ? [it.topics] : []));

test("[RDB1] what could not be published at once is published again, and nothing is in doubt", async () => {
  rejects("conversations:1");
  a.publishes("conversations:1", "one");
  await world.passes(50);
  a.publishes("conversations:1", "two");
  a.publishes("conversations:2", "other");
  world.network.heal();
  await world.passes(2_000);
  expect(b.names.toSorted()).toEqual(["one", "other", "two"]);
  expect(b.names.indexOf("one")).toBeLessThan(b.names.indexOf("two"));
  expect([a, b, c].map(doubts)).toEqual([[], [], []]);
});

test("[RLY8] what cannot be published is named to the others, and is no gap", async () => {
  rejects("conversations:1");
  a.publishes("conversations:1", "one");
  a.publishes("conversations:2", "other");
  await world.passes(2_000);
  expect(b.names).toEqual(["other"]);
  expect([a, b, c].map(doubts)).toEqual([[], [["conversations:1"]], [["conversations:1"]]]);
  expect([a, b, c].map(({ gaps }) => gaps)).toEqual([[], [], []]);
  // Said once.
  await world.passes(2_000);
  expect(doubts(b)).toHaveLength(1);
});

test("[RLY8] a host that was away names what it did not publish, and doubts everything itself", async () => {
  a.isCut(true);
  a.publishes("conversations:1", "lost");
  await world.passes(500);
  a.isCut(false);
  await world.until("the others are told", () => doubts(b).length > 0 && doubts(c).length > 0);
  await world.passes(1_000);
  expect(doubts(a)).toEqual([null]);
  expect([b, c].map(doubts)).toEqual([[["conversations:1"]], [["conversations:1"]]]);
  expect(a.gaps).toEqual([""]);
  expect([b, c].map(({ gaps }) => gaps)).toEqual([["a"], ["a"]]);
});

test("[RLY7] frames that one host does not take are a gap with that host alone", async () => {
  const bus = [...world.network.buses][1]!;
  const own = [...bus.heard].find((channel) => channel.endsWith("host:b"))!;
  bus.heard.delete(own);
  a.tells(b, "lost");
  await world.passes(5_500);
  bus.heard.add(own);
  await world.until("b hears of the gap", () => b.gaps.length > 0);
  expect(a.gaps).toEqual(["b"]);
  expect(b.gaps).toEqual(["a"]);
  expect(c.gaps).toEqual([]);
  expect([a, b, c].map(doubts)).toEqual([[], [], []]);
});

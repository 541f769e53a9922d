import { describe, expect, test } from "vitest";
import { hostId } from "../../src/primary/host-id.ts";
import { later, wallTime } from "../../src/protocol/time.ts";
import { hashOf, SHARDS, ShardMap, shardOf } from "../../src/runtime/shards.ts";
import { PLACEMENT, Placement, type View } from "../../src/runtime/view.ts";

const KEYS = Array.from({ length: 6_000 }, (_, n) => `${n % 2 ? "user" : "conversation"}:${n}`);

const named = (count: number, slots: number) =>
  Array.from({ length: count }, (_, n) => ({ name: `host${n}`, slots }));

function sharesOf(owners: Uint16Array, count: number): number[] {
  const shares = Array.from({ length: count }, () => 0);
  for (const owner of owners) shares[owner]!++;
  return shares;
}

/** Hosts with that many workers each; `dead` are not there. */
function viewOf(hosts: readonly string[], workers: number, dead: readonly string[] = []): View {
  const all = hosts.flatMap((host) => Array.from({ length: workers }, (_, n) => `${host}/${n}`));
  return {
    number: 1,
    workers: all.filter((slot) => !dead.includes(slot)).map((slot) => refOf(slot)),
    draining: [],
    away: [],
    placement: PLACEMENT,
    slots: Object.fromEntries(dead.map((slot) => [hostIn(slot), workers])),
  };
}

const refOf = (slot: string, incarnation = 1) => ({ slot, incarnation: `${slot}.${incarnation}` });
const hostIn = (owner: string | null) => owner?.split("/")[0] ?? "";

describe("the shard map", () => {
  test.each([
    [2, 2],
    [10, 1],
    [10, 8],
    [100, 4],
    [1_000, 1],
    [1_000, 8],
  ])(
    "[PLC6] of %i hosts with %i slots the fullest has 1.25 times its share at most",
    (count, slots) => {
      const shares = sharesOf(new ShardMap(named(count, slots)).owners, count);
      const share = SHARDS / count;
      expect(Math.max(...shares)).toBeLessThanOrEqual(1.25 * share);
      expect(Math.min(...shares)).toBeGreaterThan(0.4 * share);
      expect(shares.reduce((sum, one) => sum + one)).toBe(SHARDS);
    },
  );

  test.each([2, 10, 100, 1_000])(
    "[PLC2] a host that joins %i takes its share and moves little else",
    (count) => {
      const before = new ShardMap(named(count, 2)).owners;
      const after = new ShardMap(named(count + 1, 2)).owners;
      let taken = 0;
      let other = 0;
      for (let shard = 0; shard < SHARDS; shard++) {
        if (after[shard] === before[shard]) continue;
        if (after[shard] === count) taken++;
        else other++;
      }
      expect(taken).toBeLessThanOrEqual(1.25 * (SHARDS / (count + 1)));
      // Where hosts are full, a shard taken from one makes room there for another.
      expect(other).toBeLessThanOrEqual(SHARDS / 1_000);
    },
  );

  test("[PLC6] a host with twice the slots owns twice as much", () => {
    const hosts = [{ name: "large", slots: 16 }, ...named(10, 8)];
    const [large, ...others] = sharesOf(new ShardMap(hosts).owners, hosts.length);
    const share = (8 * SHARDS) / (16 + 10 * 8);
    expect(large! / share).toBeGreaterThan(1.9);
    expect(large! / share).toBeLessThan(2.1);
    for (const one of others) expect(Math.abs(one / share - 1)).toBeLessThan(0.1);
  });

  test("keys fall into all shards alike", () => {
    const groups = Array.from({ length: 64 }, () => 0);
    for (const key of KEYS) groups[shardOf(hashOf(key)) % 64]!++;
    const share = KEYS.length / 64;
    for (const one of groups) expect(Math.abs(one / share - 1)).toBeLessThan(0.5);
  });
});

describe("placement by shards", () => {
  const hosts = ["a", "b", "c", "d", "e"];

  test("[PLC1] in whatever order the view names its workers", () => {
    const view = viewOf(hosts, 3);
    const one = new Placement(view);
    const other = new Placement({ ...view, workers: [...view.workers].reverse() });
    for (const key of KEYS) expect(hostIn(other.ownerOf(key))).toBe(hostIn(one.ownerOf(key)));
  });

  test("[PLC1] whether the map was made anew or was there before", () => {
    const later = new Placement(viewOf(hosts, 2), new Placement(viewOf(["a", "b"], 2)));
    const again = new Placement(viewOf(hosts, 2), later);
    const anew = new Placement(viewOf(hosts, 2));
    for (const key of KEYS.slice(0, 2_000)) {
      expect(later.ownerOf(key)).toBe(anew.ownerOf(key));
      expect(again.ownerOf(key)).toBe(anew.ownerOf(key));
    }
  });

  test("[PLC2] a worker that dies moves actors of its host only", () => {
    const before = new Placement(viewOf(hosts, 4));
    const after = new Placement(viewOf(hosts, 4, ["b/2"]));
    for (const key of KEYS) {
      const owner = before.ownerOf(key);
      if (owner !== "b/2.1") expect(after.ownerOf(key)).toBe(owner);
      else expect(hostIn(after.ownerOf(key))).toBe("b");
    }
  });

  test("[PLC3] the workers of a host own about equally many", () => {
    const placement = new Placement(viewOf(hosts, 4));
    const owned = new Map<string, number>();
    for (const key of KEYS) {
      const owner = placement.ownerOf(key)!;
      owned.set(owner, (owned.get(owner) ?? 0) + 1);
    }
    expect(owned.size).toBe(20);
    for (const one of owned.values())
      expect(Math.abs(one / (KEYS.length / 20) - 1)).toBeLessThan(0.25);
  });

  test("two workers in one slot, in a roll, are one place", () => {
    const view = viewOf(hosts, 2);
    const workers = [...view.workers, refOf("b/1", 2)];
    const placement = new Placement({ ...view, workers });
    const before = new Placement(view);
    for (const key of KEYS.slice(0, 2_000)) {
      expect(placement.ownerOf(key)).toBe(before.ownerOf(key));
    }
  });
});

describe("a host that starts again", () => {
  const deployed = ["h1-1", "h2-1", "h3-1", "h4-1", "h5-1"];
  const nameOf = (owner: string | null) => hostIn(owner).split("-")[0];

  test("[PLC9] has the shards that it had, and an actor moves only away and back", () => {
    let view = viewOf(deployed, 2);
    const first = new Placement(view);
    const moves = new Map<string, number>();
    let before = first;
    const become = (hosts: readonly string[]) => {
      view = viewOf(hosts, 2);
      const now = new Placement(view, before);
      for (const key of KEYS) {
        if (now.ownerOf(key) !== before.ownerOf(key)) moves.set(key, (moves.get(key) ?? 0) + 1);
      }
      before = now;
    };
    let hosts = deployed;
    for (const host of deployed) {
      hosts = hosts.filter((one) => one !== host);
      become(hosts);
      hosts = [...hosts, host.replace("-1", "-2")];
      become(hosts);
    }
    for (const key of KEYS) {
      expect(nameOf(before.ownerOf(key))).toBe(nameOf(first.ownerOf(key)));
      // Away and back when its own host restarts, and never for another.
      expect(moves.get(key)).toBe(2);
    }
  });

  test("[PLC9] of two hosts of one name the first to start keeps it, and both own actors", () => {
    const before = new Placement(viewOf(["a-1", "b-1", "c-1"], 2));
    const after = new Placement(viewOf(["a-1", "a-2", "b-1", "c-1"], 2));
    let taken = 0;
    for (const key of KEYS) {
      if (hostIn(after.ownerOf(key)) === "a-2") taken++;
      else expect(after.ownerOf(key)).toBe(before.ownerOf(key));
    }
    expect(Math.abs(taken / (KEYS.length / 4) - 1)).toBeLessThan(0.2);
  });

  test("[PLC9] its id begins as before and ends as never before, later ones behind earlier ones", () => {
    const at = wallTime(Date.UTC(2026, 10, 30));
    const ids = Array.from({ length: 50 }, () => hostId("chat-1:3000", at));
    expect(new Set(ids).size).toBe(50);
    expect(new Set(ids.map((id) => id.split("-")[0])).size).toBe(1);
    expect(hostId("chat-2:3000", at).split("-")[0]).not.toBe(ids[0]!.split("-")[0]);
    for (const id of ids) expect(id).toMatch(/^[a-z0-9]{7}-[a-z0-9]{9}$/);
    const next = hostId("chat-1:3000", later(at, 60_000));
    expect([...ids, next].sort().at(-1)).toBe(next);
  });
});

describe("what has moved", () => {
  const hosts = ["a", "b", "c", "d", "e"];
  const changes: [string, View, View][] = [
    ["a host comes", viewOf(hosts.slice(0, 4), 2), viewOf(hosts, 2)],
    ["a host goes", viewOf(hosts, 2), viewOf(hosts.slice(1), 2)],
    ["a worker dies", viewOf(hosts, 2), viewOf(hosts, 2, ["c/1"])],
    ["a slot has a new worker", viewOf(hosts, 2), renewed(viewOf(hosts, 2), "d/0")],
    ["nothing", viewOf(hosts, 2), { ...viewOf(hosts, 2), draining: ["x"] }],
    ["the second host comes", viewOf(["a"], 2), viewOf(["a", "b"], 2)],
    ["the second host goes", viewOf(["a", "b"], 2), viewOf(["b"], 2)],
    ["a worker of the only host dies", viewOf(["a"], 2), viewOf(["a"], 2, ["a/0"])],
    ["the first worker comes", viewOf([], 0), viewOf(["a"], 1)],
  ];

  test.each(changes)("[PLC8] when %s: no actor of another shard", (_, first, second) => {
    const before = new Placement(first);
    const after = new Placement(second, before);
    const moved = after.movedSince(before);
    if (moved === null) return;
    const shards = new Set(moved);
    expect([...moved]).toEqual([...shards].sort((a, b) => a - b));
    for (const key of KEYS) {
      if (shards.has(shardOf(hashOf(key)))) continue;
      expect(after.ownerOf(key)).toBe(before.ownerOf(key));
    }
  });

  test("is little: of a host the shards that it owned or owns", () => {
    const before = new Placement(viewOf(hosts, 2));
    const one = new Placement(viewOf(hosts, 2, ["c/1"]), before);
    expect(one.movedSince(before)!.length).toBeLessThan(SHARDS / 4);
    const gone = new Placement(viewOf(hosts.slice(1), 2), before);
    expect(gone.movedSince(before)!.length).toBeLessThan(SHARDS / 4);
    const same = new Placement({ ...viewOf(hosts, 2), draining: ["x"] }, before);
    expect(same.movedSince(before)).toHaveLength(0);
  });

  test("[PLC7] is anything between a cluster with older hosts and one without", () => {
    const { placement: _, ...older } = viewOf(hosts, 2);
    expect(new Placement(viewOf(hosts, 2)).movedSince(new Placement(older))).toBeNull();
    expect(new Placement(older).movedSince(new Placement(older))).toBeNull();
  });

  test("[PLC5] is anything where hosts have different kinds of the application's actors", () => {
    const kinds = { poll: { version: 1, actions: [] } };
    const view = { ...viewOf(hosts, 2), kinds: Object.fromEntries(hosts.map((it) => [it, kinds])) };
    const before = new Placement(view);
    expect(new Placement({ ...view, number: 2 }).movedSince(before)).toHaveLength(0);
    const newer = { ...view.kinds, a: { poll: { version: 2, actions: [] } } };
    expect(new Placement({ ...view, kinds: newer }).movedSince(before)).toBeNull();
  });

  test("the shards of some workers are all in which they may own an actor", () => {
    const placement = new Placement(viewOf(hosts, 2));
    const theirs = new Set(placement.shardsOf(new Set(["b/0.1", "d/1.1"])));
    for (const key of KEYS) {
      const owner = placement.ownerOf(key)!;
      if (["b/0.1", "d/1.1"].includes(owner)) expect(theirs.has(shardOf(hashOf(key)))).toBe(true);
    }
    expect(theirs.size).toBeLessThan(SHARDS / 2);
    expect(placement.shardsOf(new Set(["x"]))).toHaveLength(0);
    expect(new Placement(viewOf(["a"], 2)).shardsOf(new Set(["a/0.1"]))).toBeNull();
  });
});

function renewed(view: View, slot: string): View {
  const workers = view.workers.map((ref) => (ref.slot === slot ? refOf(slot, 2) : ref));
  return { ...view, workers };
}

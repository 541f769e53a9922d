import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { ShardIndex } from "../../src/runtime/shard-index.ts";
import { hashOf, shardOf } from "../../src/runtime/shards.ts";
import { Slices } from "../../src/runtime/slices.ts";
import { PLACEMENT, Placement, type View } from "../../src/runtime/view.ts";
import { CountingEdge } from "../support/counting-edge.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

describe("an index by shard", () => {
  test("[SHX1] has what was added and not removed, in the shards of its keys", () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(400)), { maxLength: 600 });
    fc.assert(
      fc.property(steps, (changes) => {
        const index = new ShardIndex<string>((thing) => thing);
        const things = new Set<string>();
        for (const [isAdded, n] of changes) {
          const thing = `user:${n}`;
          if (!isAdded) index.delete(thing);
          else if (!things.has(thing)) index.add(thing);
          if (isAdded) things.add(thing);
          else things.delete(thing);
        }
        expect(new Set(index.of(null))).toEqual(things);
        expect(index.size).toBe(things.size);
        for (const thing of things) {
          expect(index.of(Uint16Array.of(shardOf(hashOf(thing))))).toContain(thing);
        }
        expect(index.of(new Uint16Array(0))).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });

  test("[SHX1] gives nothing else, and each once", () => {
    const index = new ShardIndex<string>((thing) => thing);
    for (let n = 0; n < 50_000; n++) index.add(`user:${n}`);
    const shards = Uint16Array.from({ length: 656 }, (_, n) => 100 * n);
    const found = index.of(shards);
    expect(new Set(found).size).toBe(found.length);
    const meant = new Set(shards);
    expect(found.every((thing) => meant.has(shardOf(hashOf(thing))))).toBe(true);
    expect(found.length).toBeGreaterThan(300);
    for (let n = 0; n < 50_000; n++) index.delete(`user:${n}`);
    expect(index.of(null)).toEqual([]);
  });
});

describe("slices", () => {
  test("[SLC1] the first is done at once, the others a turn of the event loop each", async () => {
    const clock = new FakeClock();
    const slices = new Slices(clock);
    const done: number[] = [];
    const end = vi.fn();
    const things = Array.from({ length: 2_500 }, (_, n) => n);
    slices.walk(things, (thing) => done.push(thing), end);
    expect(done).toHaveLength(1_000);
    await clock.advance(0);
    expect(done.length).toBeGreaterThan(1_000);
    await clock.advance(10);
    expect(done).toEqual(things);
    expect(end).toHaveBeenCalledOnce();
    slices.walk(things, () => undefined);
    slices.close();
    expect(clock.pending).toBe(0);
  });

  test("[SLC1] nothing to walk over is done at once", () => {
    const end = vi.fn();
    new Slices(new FakeClock()).walk([], () => undefined, end);
    expect(end).toHaveBeenCalledOnce();
  });
});

describe("an edge under a new view", () => {
  const hosts = Array.from({ length: 20 }, (_, n) => `host${n}`);

  function viewOf(number: number, names: readonly string[]): View {
    const workers = names.flatMap((name) =>
      [0, 1].map((n) => ({ incarnation: `${name}.${n}.1`, slot: `${name}/${n}` })),
    );
    return { number, workers, draining: [], away: [], placement: PLACEMENT };
  }

  async function edgeWith(
    users: number,
    conversations: number,
  ): Promise<[CountingEdge, FakeClock]> {
    const clock = new FakeClock();
    const edge = new CountingEdge("host0.0.1", clock, viewOf(1, hosts));
    for (let user = 1; user <= users; user++) {
      await edge.beginsAmongOnline({
        user: String(user),
        conversations: Array.from({ length: conversations }, (_, n) => String(100 * user + n)),
        followees: Array.from({ length: conversations }, (_, n) =>
          String(1_000_000 + 100 * user + n),
        ),
      });
    }
    await settled();
    edge.resets();
    return [edge, clock];
  }

  test("[SHX1] looks at what moved, not at all that it has", async () => {
    const [edge, clock] = await edgeWith(100, 20);
    const looks = vi.spyOn(Placement.prototype, "ownerOf");
    edge.takesView(viewOf(2, hosts.slice(0, 19)));
    const looked = looks.mock.calls.length;
    looks.mockRestore();
    // Of 100 users, 2,000 streams and 2,000 watches a twentieth moved.
    expect(looked).toBeLessThan(4_100 / 3);
    await clock.advance(20_000);
    expect(edge.counts.tells).toBeGreaterThan(0);
    expect(edge.counts.usersAsked).toBeGreaterThan(0);
    expect(edge.counts.usersAsked).toBeLessThan(2_100 / 8);
    edge.close();
  });

  test("[SLC1] announces many sessions in slices, each of them once", async () => {
    const [edge, clock] = await edgeWith(2_300, 0);
    // To another placement of everything: without the version it is that of older hosts.
    const { placement: _, ...older } = viewOf(2, hosts);
    edge.takesView(older);
    expect(edge.counts.tells).toBeLessThanOrEqual(1_000);
    await clock.advance(10);
    const firstOwners = new Placement(viewOf(1, hosts));
    const owners = new Placement(older);
    const moved = Array.from({ length: 2_300 }, (_, n) => `user:${n + 1}`).filter(
      (key) => owners.ownerOf(key) !== firstOwners.ownerOf(key),
    );
    expect(edge.counts.tells).toBe(moved.length);
    edge.close();
  });
});

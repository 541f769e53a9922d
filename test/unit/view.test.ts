import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PLACEMENT, Placement, type View } from "../../src/runtime/view.ts";

const KEYS = Array.from({ length: 4_000 }, (_, n) => `${n % 2 ? "user" : "conversation"}:${n + 1}`);

/** A placement in a cluster of which every host knows it, and in one with older hosts. */
const VERSIONS = [{ placement: PLACEMENT }, {}];

function wholeViewOf(slots: string[], number = 1, draining: string[] = []): View {
  const workers = [...slots].sort().map((slot) => ({ slot, incarnation: `${slot}@${number}` }));
  return { number, workers, draining, away: [], placement: PLACEMENT };
}

const slots = (count: number) => Array.from({ length: count }, (_, n) => `host/${n}`);
const slotOf = (placement: Placement, key: string) => placement.ownerOf(key)?.split("@")[0];

describe.each(VERSIONS)("placement %o", (version) => {
  const viewOf = (...args: Parameters<typeof wholeViewOf>): View => {
    const { placement: _, ...view } = wholeViewOf(...args);
    return { ...view, ...version };
  };

  test("[PLC1] the same view places every actor alike", () => {
    const one = new Placement(viewOf(slots(5)));
    const other = new Placement(JSON.parse(JSON.stringify(viewOf(slots(5)))) as View);
    for (const key of KEYS) expect(one.ownerOf(key)).toBe(other.ownerOf(key));
  });

  test("[PLC1] a worker that takes a dead one's slot takes its actors", () => {
    const before = new Placement(viewOf(slots(4), 1));
    const after = new Placement(viewOf(slots(4), 2));
    for (const key of KEYS) expect(slotOf(after, key)).toBe(slotOf(before, key));
  });

  test("[PLC2] a worker that comes takes only what it owns from then on", () => {
    const sized = fc.integer({ min: 1, max: 12 });
    fc.assert(
      fc.property(sized, (count) => {
        const before = new Placement(viewOf(slots(count)));
        const after = new Placement(viewOf(slots(count + 1)));
        for (const key of KEYS.slice(0, 500)) {
          const owner = slotOf(after, key);
          if (owner !== `host/${count}`) expect(owner).toBe(slotOf(before, key));
        }
      }),
      { numRuns: 20 },
    );
  });

  test("[PLC2] a worker that goes leaves the others' actors where they are", () => {
    const before = new Placement(viewOf(slots(6)));
    const after = new Placement(viewOf(slots(6).filter((slot) => slot !== "host/3")));
    for (const key of KEYS) {
      if (slotOf(before, key) !== "host/3") expect(slotOf(after, key)).toBe(slotOf(before, key));
    }
  });

  test.each([2, 3, 8, 16])("[PLC3] %i workers own about equally many", (count) => {
    const placement = new Placement(viewOf(slots(count)));
    const owned = new Map<string, number>();
    for (const key of KEYS) {
      const owner = placement.ownerOf(key)!;
      owned.set(owner, (owned.get(owner) ?? 0) + 1);
    }
    const fair = KEYS.length / count;
    expect(owned.size).toBe(count);
    for (const share of owned.values()) {
      expect(share).toBeGreaterThan(fair * 0.7);
      expect(share).toBeLessThan(fair * 1.3);
    }
  });

  test("[PLC1] without workers nobody owns anything", () => {
    expect(new Placement(viewOf([])).ownerOf("user:1")).toBeNull();
  });
});

describe("who lives", () => {
  const viewOf = wholeViewOf;

  test("[PLC4] a draining worker owns nothing and is not gone", () => {
    const before = new Placement(viewOf(["a", "b"], 1));
    const after = new Placement({ ...viewOf(["b"], 1), number: 2, draining: ["a@1"] });
    expect([...after.goneSince(before)]).toEqual([]);
    expect(after.has("a@1")).toBe(true);
    for (const key of KEYS.slice(0, 50)) expect(after.ownerOf(key)).toBe("b@1");
    expect([...new Placement(viewOf(["b"], 1)).goneSince(after)]).toEqual(["a@1"]);
  });

  test("[PLC4] alone is who has no neighbour, draining ones included", () => {
    expect(new Placement(viewOf(["a"])).isSolo).toBe(true);
    expect(new Placement(viewOf(["a"], 1, ["b@1"])).isSolo).toBe(false);
  });

  describe.each(VERSIONS)("of the application's actors %o", (version) => {
    const kinds = (version: number, ...actions: string[]) => ({ poll: { version, actions } });
    const view = {
      number: 1,
      workers: ["a/0", "a/1", "b/0", "c/0"].map((slot) => ({ slot, incarnation: `${slot}@1` })),
      draining: [],
      away: [],
      ...version,
    };
    const keys = Array.from({ length: 200 }, (_, n) => `app:poll:${n}`);
    const hostsOf = (placement: Placement) =>
      [...new Set(keys.map((key) => slotOf(placement, key)?.split("/")[0]))].sort();

    test("[PLC5] a kind is on hosts that have its highest version, and on all where none has it", () => {
      const rolling = { ...view, kinds: { a: kinds(1), b: kinds(2), c: kinds(2) } };
      expect(hostsOf(new Placement(rolling))).toEqual(["b", "c"]);
      expect(hostsOf(new Placement({ ...view, kinds: { a: kinds(1) } }))).toEqual(["a"]);
      expect(hostsOf(new Placement({ ...view, kinds: { a: {} } }))).toEqual(["a", "b", "c"]);
      // A host without a worker for actors has nothing to place them on.
      const drained = { ...rolling, workers: view.workers.slice(0, 2) };
      expect(hostsOf(new Placement(drained))).toEqual(["a"]);
      const whole = new Placement(view);
      const halfway = new Placement(rolling);
      for (const key of KEYS) expect(halfway.ownerOf(key)).toBe(whole.ownerOf(key));
    });

    test("[PLC5] a kind and its actions are announced while a host has them", () => {
      const placement = new Placement({
        ...view,
        kinds: { a: kinds(1, "vote"), b: kinds(2, "end") },
      });
      expect(placement.announces("poll", "vote")).toBe(true);
      expect(placement.announces("poll", "end")).toBe(true);
      expect(placement.announces("poll", "constructor")).toBe(false);
      expect(placement.announces("toString")).toBe(false);
      expect(new Placement(view).announces("poll")).toBe(false);
    });
  });
});

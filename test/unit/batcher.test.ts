import { describe, expect, test, vi } from "vitest";
import { Batcher } from "../../src/storage/batching/shared-reads.ts";
import { StorageFault } from "../../src/storage/postgres/fault.ts";

describe("calls gathered into statements", () => {
  test("a lone call goes at the end of its turn, those of one turn share a statement", async () => {
    const statements: number[][] = [];
    const batcher = new Batcher(
      async (keys: number[]) => {
        statements.push(keys);
        return keys.map((key) => key * 2);
      },
      { batchMax: 3, inFlightMax: 2, stormPaceMs: 60_000 },
    );
    expect(await Promise.all([1, 2, 3].map((key) => batcher.ask(key)))).toEqual([2, 4, 6]);
    expect(statements).toEqual([[1, 2, 3]]);
  });

  test("in a storm calls wait for the pace together, and who comes alone goes at once", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "performance"] });
    try {
      const statements: number[][] = [];
      const batcher = new Batcher(
        async (keys: number[]) => {
          statements.push(keys);
          return keys;
        },
        { batchMax: 100, inFlightMax: 1, stormPaceMs: 50 },
      );
      await batcher.ask(1);
      await batcher.ask(2);
      await Promise.all([batcher.ask(3), batcher.ask(4)]);
      const later = [batcher.ask(5), batcher.ask(6)];
      vi.advanceTimersByTime(49);
      expect(statements).toEqual([[1], [2], [3, 4]]);
      vi.advanceTimersByTime(1);
      expect(await Promise.all(later)).toEqual([5, 6]);
      expect(statements).toEqual([[1], [2], [3, 4], [5, 6]]);
    } finally {
      vi.useRealTimers();
    }
  });

  test("when the statement fails all of its calls fail, and the next goes on", async () => {
    let tries = 0;
    const batcher = new Batcher(
      async (keys: number[]) => {
        if (tries++ === 0) throw new Error("no route");
        return keys;
      },
      { batchMax: 10, inFlightMax: 1 },
    );
    const [one, two] = await Promise.allSettled([batcher.ask(1), batcher.ask(2)]);
    expect([one?.status, two?.status]).toEqual(["rejected", "rejected"]);
    expect(await batcher.ask(3)).toBe(3);
    expect(tries).toBe(2);
  });

  test("behind a database that does not answer nobody waits for ever, and no more than may", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    try {
      const statements: number[][] = [];
      let fail: () => void = () => undefined;
      const batcher = new Batcher(
        (keys: number[]) => {
          statements.push(keys);
          if (keys[0] !== 0) return Promise.resolve(keys);
          return new Promise<number[]>((_, reject) => {
            fail = () => reject(new StorageFault("too_slow", "timed out"));
          });
        },
        { batchMax: 10, inFlightMax: 1 },
      );
      const first = batcher.ask(0);
      await new Promise((turn) => setImmediate(turn));
      const waiting = Array.from({ length: 20_000 }, (_, n) => batcher.ask(n + 1));
      const tooMany = batcher.ask(20_001);
      await expect(tooMany).rejects.toBeInstanceOf(StorageFault);
      vi.advanceTimersByTime(5_000);
      fail();
      const outcomes = await Promise.allSettled([first, ...waiting]);
      expect(outcomes.every((one) => one.status === "rejected")).toBe(true);
      expect(statements).toEqual([[0]]);
      expect(await batcher.ask(7)).toBe(7);
    } finally {
      vi.useRealTimers();
    }
  });
});

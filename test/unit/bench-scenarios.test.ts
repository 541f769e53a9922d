/** What every scenario leans on: who talks with whom, what counts as measured, what fits. */
import { afterEach, describe, expect, it } from "vitest";
import { Meter, Unmeasured } from "../../bench/meter.ts";
import { compare, GROWTH_AIM } from "../../bench/report/comparison.ts";
import { Runner } from "../../bench/runner.ts";
import {
  clientsOf,
  groupsOf,
  neighbourhood,
  type Scenario,
  type Stage,
} from "../../bench/scenarios/scenario.ts";
import type { Stack } from "../../bench/stack.ts";
import { parseOpenFilesMax, whyTooMany } from "../../bench/support/open-files.ts";
import type { Resident, Town } from "../../bench/town.ts";

const PLAN = { seconds: 1, clients: null, perSecond: null };
const nobody = { name: "nobody", roots: () => [] };

const residents = (count: number): Resident[] =>
  Array.from({ length: count }, (_, i) => ({ id: String(i + 1), token: "" }));

/** A server of which only is asked whether it was stopped. */
function fakeStack(): Stack & { stops: number } {
  return {
    ...nobody,
    places: [],
    url: "",
    town: {} as Town,
    isOwn: true,
    workers: 1,
    databaseUrl: null,
    stops: 0,
    async stop() {
      this.stops++;
    },
  };
}

afterEach(() => Meter.cancel());

describe("a town", () => {
  it("[BEN21] no two talk with each other twice, however few there are", () => {
    for (let count = 1; count <= 30; count++) {
      const lists = neighbourhood(residents(count), 4, 20);
      const pairs = lists
        .slice(0, lists.length - groupsOf(residents(count), 20).length)
        .map((members) => members.map(({ id }) => Number(id)).sort((a, b) => a - b));
      for (const [one, other] of pairs) expect(one, `${count} residents`).not.toBe(other);
      expect(new Set(pairs.map(String)).size, `${count} residents`).toBe(pairs.length);
      if (count >= 5) expect(pairs.length, "four conversations each").toBe(2 * count);
    }
  });

  it("[BEN22] clients come in whole groups, and one group at least", () => {
    const stage = (clients: number | null): Stage => ({
      stack: fakeStack(),
      plan: { ...PLAN, clients },
      say: () => undefined,
      signal: new AbortController().signal,
    });
    expect(clientsOf(stage(null), 200, 20)).toBe(200);
    expect(clientsOf(stage(59), 200, 20)).toBe(40);
    expect(clientsOf(stage(1), 200, 20)).toBe(20);
    expect(clientsOf(stage(7), 200)).toBe(7);
  });
});

describe("what comes to nothing", () => {
  it("[BEN23] nothing counted is a sentence, not a division by zero", () => {
    const stop = (units: number) =>
      Meter.start(nobody, () => 0).stop("durable", "message", {
        units,
        seconds: 2,
        reasons: ["not_found"],
      });
    expect(() => stop(0)).toThrow(
      new Unmeasured("durable: not one message was counted in 2.0 s (not_found)."),
    );
    expect(() => stop(Number.NaN)).toThrow(Unmeasured);
    expect(stop(4).perSecond).toBe(2);
  });

  it("[BEN24] a measurement that comes to nothing is told, and the others go on", async () => {
    const stacks: ReturnType<typeof fakeStack>[] = [];
    const scenario = (name: string, units: number): Scenario => ({
      name,
      title: `how ${name} goes`,
      run: async ({ stack }) => Meter.start(stack, () => units).stop(name, "unit", { units }),
    });
    const contenders = ["one", "other"].map((name) => ({
      name,
      async start() {
        const stack = fakeStack();
        stacks.push(stack);
        return stack;
      },
    }));
    const runner = new Runner(PLAN, new AbortController().signal);
    const runs = [scenario("empty", 0), scenario("full", 5)].map((one) => ({
      scenario: one,
      contenders,
    }));
    await runner.all(runs, 1);
    expect(runner.unmeasured).toEqual([
      expect.stringMatching(/^empty one: empty: not one unit was counted/),
      expect.stringMatching(/^empty other: /),
    ]);
    expect(runner.outcomes).toMatchObject([
      { subject: "one", title: "how full goes" },
      { subject: "other" },
    ]);
    expect(stacks.map(({ stops }) => stops)).toEqual([1, 1, 1, 1]);
  });

  it("[BEN25] what has no ratio meets no aim", () => {
    const figure = { ...GROWTH_AIM[0]!, scenario: "growth", of: () => 5, aim: { atLeast: 1 } };
    const outcome = (subject: string) => {
      const found = Meter.start(nobody, () => 1).stop("growth", "message", { units: 1 });
      return { ...found, subject };
    };
    const outcomes = [outcome("many"), outcome("few")];
    const of = (second: number) =>
      compare(
        [{ ...figure, of: ({ subject }) => (subject === "many" ? 5 : second) }],
        outcomes,
        "many",
        "few",
      )[0];
    expect(of(5)?.isMet).toBe(true);
    expect(of(0)?.isMet).toBeNull();
  });
});

describe("open files", () => {
  it("[BEN26] clients that do not fit are refused with what to do", () => {
    const limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files   4096   20000   files\n";
    expect(parseOpenFilesMax(limits)).toBe(4096);
    expect(parseOpenFilesMax("Max open files  unlimited  unlimited  files")).toBe(
      Number.POSITIVE_INFINITY,
    );
    expect(whyTooMany(40_000, 4, 20_000)).toBeNull();
    expect(whyTooMany(40_000, 2, 20_000)).toMatch(/--workers 3/);
  });
});

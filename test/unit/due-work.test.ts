import { expect, it } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import { DueLooks, DueWork } from "../../src/edge/live/due-work.ts";
import type { DueKind } from "../../src/ports/edge.ts";
import { FakeClock } from "../support/fake-clock.ts";

const log = createLogger({ level: "silent" });

/** A worker that looks for two kinds. */
function scene() {
  const clock = new FakeClock();
  const found: string[] = [];
  const claims: { kind: DueKind; answer(items: string[]): void }[] = [];
  const work = (kind: DueKind) =>
    new DueWork<string>({
      kind,
      log,
      event: "waits",
      foundMax: 2,
      claim: () => new Promise((answer) => claims.push({ kind, answer })),
      take: (items) => found.push(...items),
    });
  const due: DueKind[] = [];
  let asked = 0;
  const looks = new DueLooks({
    clock,
    log,
    queries: {
      async dueKinds() {
        asked++;
        if (due.length === 0) throw new Error("storage is away");
        return due;
      },
    },
    works: [work("expiries"), work("streams")],
  });
  looks.start();
  return { clock, found, claims, due, looks, asked: () => asked };
}

it("[DUE1] while nothing is due nothing is claimed, and a look that fails is not the last", async () => {
  const { clock, claims, due, asked, looks } = scene();
  await clock.advance(1_000);
  expect([asked(), claims.length]).toEqual([2, 0]);
  due.push("summaries");
  await clock.advance(1_000);
  expect([asked(), claims.length]).toEqual([5, 0]);
  looks.close();
  await clock.advance(1_000);
  expect(asked()).toBe(5);
});

it("[DUE2] a claim that takes long keeps the other kind waiting no longer, and is not made twice", async () => {
  const { clock, found, claims, due, looks } = scene();
  due.push("expiries", "streams");
  await clock.advance(400);
  expect(claims.map(({ kind }) => kind)).toEqual(["expiries", "streams"]);
  claims[1]!.answer(["a"]);
  await clock.advance(400);
  expect(found).toEqual(["a"]);
  expect(claims.map(({ kind }) => kind)).toEqual(["expiries", "streams", "streams"]);
  // As many as a claim may have: the next one follows at once.
  claims[0]!.answer(["b", "c"]);
  await clock.advance(0);
  expect(claims.map(({ kind }) => kind).at(-1)).toBe("expiries");
  expect(claims).toHaveLength(4);
  expect(found).toEqual(["a", "b", "c"]);
  looks.close();
});

/** Work that takes turns: pages of one user, and what one session joins and leaves. */
import { expect, test } from "vitest";
import { type Done, PageTurns, Turns } from "../../src/edge/limits/turns.ts";
import { asUserId } from "../../src/protocol/schemas.ts";

const ANN = asUserId("1");
const BOB = asUserId("2");

/** What has begun, in order, each with what ends it. */
function begun() {
  const ends = new Map<string, Done>();
  const begin = (name: string) => (done: Done) => void ends.set(name, done);
  return { ends, begin, names: () => [...ends.keys()] };
}

test("[TRN1] two pages of a user are read at once, the others in their order", () => {
  const turns = new PageTurns();
  const { ends, begin, names } = begun();
  for (const name of ["a", "b", "c", "d"]) expect(turns.take(ANN, begin(name))).toBe(true);
  expect(names()).toEqual(["a", "b"]);
  ends.get("b")!();
  expect(names()).toEqual(["a", "b", "c"]);
  // Ended twice, it gives its place once.
  ends.get("b")!();
  expect(names()).toEqual(["a", "b", "c"]);
  ends.get("a")!();
  expect(names()).toEqual(["a", "b", "c", "d"]);
});

test("[TRN2] past the bound nothing waits", () => {
  const turns = new Turns<string>(1, 2);
  const { ends, begin, names } = begun();
  const taken = ["a", "b", "c", "d"].map((name) => turns.take("key", begin(name)));
  expect(taken).toEqual([true, true, true, false]);
  for (const name of ["a", "b", "c"]) ends.get(name)!();
  expect(names()).toEqual(["a", "b", "c"]);
  expect(turns.take("key", begin("e"))).toBe(true);
  expect(names()).toEqual(["a", "b", "c", "e"]);
});

test("[TRN3] nobody waits for another user, and work that fails gives its place", async () => {
  const turns = new PageTurns();
  const never = new Promise<never>(() => undefined);
  void turns.run(ANN, () => never);
  void turns.run(ANN, () => never);
  expect(await turns.run(BOB, async () => "read")).toBe("read");
  const failed = turns.run(BOB, () => Promise.reject(new Error("storage is away")));
  await expect(failed).rejects.toThrow("storage is away");
  expect(await turns.run(BOB, async () => "read again")).toBe("read again");
});

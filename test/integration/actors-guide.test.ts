/** [ACG] The guide "Actors of your own": each of its actors, with two clients. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { snippetPages } from "../support/snippets.ts";
import { troupeForFile } from "../support/suite.ts";

const ACTORS_DIR = mkdtempSync(join(tmpdir(), "troupe-guide-actors-"));
const page = snippetPages().find(({ file }) => file.endsWith("docs/actors.md"));
for (const kind of ["poll", "four", "auction"]) {
  const file = page?.snippets.find(({ text }) => text.includes(`kind: "${kind}",\n  version`));
  if (file === undefined) throw new Error(`the guide has no ${kind}.actor.ts`);
  writeFileSync(join(ACTORS_DIR, `${kind}.actor.ts`), file.text);
}
afterAll(() => rmSync(ACTORS_DIR, { recursive: true, force: true }));
const troupe = troupeForFile({ workers: 2, env: { ACTORS_DIR, RATE_LIMITS: "off" } });

it("[ACG1] a poll in a conversation is for its members", async () => {
  const [ann, bob, cid] = await troupe().users("ann", "bob", "cid");
  const [one, other, third] = await Promise.all([ann!, bob!, cid!].map((who) => who.connects()));
  const group = await ann!.startsGroup(bob!);
  const at = { kind: "poll", key: `lunch${group.id}` };
  const args = { question: "Pizza?" };
  await one!.does("create_actor", { ...at, args, conversation_id: group.id, call_id: "c" });
  await other!.does("watch_actor", at);
  await one!.does("call", { ...at, action: "vote", args: { choice: 3 }, call_id: "v" });
  expect(await other!.next("actor_event")).toMatchObject({ rev: 1, data: { 3: 1 } });
  expect((await third!.isRefused("watch_actor", at)).code).toBe("not_found");
});

it("[ACG2] four in a row is won by the one who has them", async () => {
  const [ann, bob] = await troupe().users("ann", "bob");
  const players = await Promise.all([ann!.connects(), bob!.connects()]);
  const [one, other] = players;
  const at = { kind: "four", key: `game${ann!.id}` };
  await one!.does("create_actor", { ...at, args: { against: bob!.id }, call_id: "c" });
  await other!.does("watch_actor", at);
  const drop = (n: number, column: number) => ({
    ...at,
    action: "drop",
    args: { column },
    call_id: `d${n}`,
  });
  expect((await other!.isRefused("call", drop(0, 0))).code).toBe("forbidden");
  for (let n = 0; n < 7; n++) await players[n % 2]!.does("call", drop(n + 1, n % 2));
  expect(await other!.next("actor_event", ({ name }) => name === "won")).toMatchObject({
    rev: 8,
    data: { player: 0 },
  });
  expect((await other!.isRefused("call", drop(9, 3))).code).toBe("conflict");
});

it("[ACG3] an auction ends at its time, and its bidders hear what is theirs", async () => {
  const [ann, bob] = await troupe().users("ann", "bob");
  const [one, other] = await Promise.all([ann!.connects(), bob!.connects()]);
  const at = { kind: "auction", key: `sale${ann!.id}` };
  const args = { item: "A lamp", lasts_ms: 1_500 };
  await one!.does("create_actor", { ...at, args, call_id: "c" });
  await one!.does("watch_actor", at);
  expect(
    (await one!.isRefused("call", { ...at, action: "bid", args: { amount: 5 }, call_id: "b" }))
      .code,
  ).toBe("forbidden");
  const bid = { ...at, action: "bid", args: { amount: 5 }, call_id: "b" };
  await other!.does("call", bid);
  // A late bid has moved the end by ten seconds.
  const isSold = ({ name }: { name?: string }) => name === "sold";
  expect(await one!.next("actor_event", isSold, 20_000)).toMatchObject({
    rev: 2,
    data: { amount: 5 },
  });
  expect(await one!.next("notification")).toMatchObject({ type: "auction_sold" });
  expect(await other!.next("notification")).toMatchObject({ type: "auction_won" });
  expect((await other!.isRefused("call", { ...bid, call_id: "late" })).code).toBe("gone");
}, 40_000);

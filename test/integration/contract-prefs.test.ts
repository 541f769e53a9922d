/** Preferences of a conversation and drafts, from outside. */
import { describe, expect, it } from "vitest";
import type { Prefs } from "../../src/protocol/prefs.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { expectRefusal, TIME } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import type { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const SILENCE_MS = 400;
const troupe = troupeForFile({ shared: true });

async function pair(): Promise<{ ann: Person; bob: Person; group: Conversation }> {
  const [ann, bob] = await troupe().users("ann", "bob");
  return { ann: ann!, bob: bob!, group: await ann!.startsGroup(bob!) };
}

const speaks = (person: Person) => person.connects({ contract: "1.1" });
const pathOf = ({ id }: { id: string }) => `/api/conversations/${id}/prefs`;
const prefsOf = async (person: Person, conversation: { id: string }) =>
  expectStatus(await person.api.get<Prefs>(pathOf(conversation)), 200);
const patches = async (person: Person, conversation: { id: string }, change: object) =>
  expectStatus(await person.api.patch<Prefs>(pathOf(conversation), change), 200);
const sets = (session: Session, { id }: { id: string }, change: object) =>
  session.does("set_prefs", { conversation_id: id, ...change });
const synced = async (session: Session, prefs_after_rev: number) =>
  (await session.does("sync", { conversations: [], complete: false, prefs_after_rev })).prefs;

describe("preferences", () => {
  it("[CTR-PRF1] are answered with their number; every other session of the user receives them", async () => {
    const { ann, bob, group } = await pair();
    const [phone, laptop, old] = [await speaks(ann), await speaks(ann), await ann.connects()];
    const bobs = await speaks(bob);
    expect(await prefsOf(ann, group)).toEqual({ conversation_id: group.id, prefs_rev: 0 });
    const first = await sets(phone, group, { pinned: true, muted_until: "forever" });
    const expected = {
      conversation_id: group.id,
      prefs_rev: 1,
      muted_until: "forever",
      pinned_at: expect.stringMatching(TIME),
    };
    expect(first).toEqual({ ok: true, ...expected });
    expect(await laptop.next("prefs_updated")).toEqual(expected);
    expect(await prefsOf(ann, group)).toEqual(expected);
    const second = await patches(ann, group, { level: "none", pinned: false });
    expect(second).toEqual({
      conversation_id: group.id,
      prefs_rev: 2,
      muted_until: "forever",
      level: "none",
    });
    for (const session of [phone, laptop]) {
      expect(await session.next("prefs_updated")).toEqual(second);
    }
    expect(await sets(phone, group, { level: "none" })).toEqual({ ok: true, ...second });
    for (const session of [phone, laptop, old, bobs]) {
      await session.never("prefs_updated", SILENCE_MS);
    }
  });

  it("[CTR-PRF2] sync answers what changed after a number, what was left included", async () => {
    const { ann, bob, group } = await pair();
    const other = await ann.startsGroup(bob);
    const session = await speaks(ann);
    await patches(ann, group, { archived: true });
    await patches(ann, other, { level: "mentions" });
    const third = await patches(ann, group, { archived: false });
    expect(await synced(session, 0)).toEqual([
      { conversation_id: other.id, prefs_rev: 2, level: "mentions" },
      third,
    ]);
    expect(await synced(session, 2)).toEqual([third]);
    expect(await synced(session, 3)).toEqual([]);
    for (let n = 0; n < 3; n++) await session.next("prefs_updated");
    const left = await ann.api.delete(`/api/conversations/${other.id}/members/${ann.id}`);
    expectStatus<unknown>(left, 204);
    const removed = { conversation_id: other.id, prefs_rev: 4, removed: true };
    expect(await session.next("prefs_updated")).toEqual(removed);
    expect(await synced(session, 3)).toEqual([removed]);
    expectRefusal(await ann.api.get(pathOf(other)), "not_found");
    const old = await ann.connects();
    expect(await synced(old, 0)).toBeUndefined();
  });

  it("[CTR-PRF3] what a conversation cannot be, and what no preference can be, is refused", async () => {
    const { ann, bob, group } = await pair();
    const direct = await ann.startsDirect(bob);
    expectRefusal(await ann.api.patch(pathOf(group), { hidden: true }), "conflict");
    expect(await patches(ann, direct, { hidden: true })).toMatchObject({ hidden_n: 0 });
    for (const change of [
      { muted_until: "2031-13-01T00:00:00.000Z" },
      { muted_until: "soon" },
      { level: "some" },
      { pinned: null },
      { draft: { body: "x".repeat(4001) } },
      { draft: { body: "\u0007" } },
      { draft: { body: "", data: { constructor: 1 } } },
      { draft: {} },
      { colour: "red" },
    ]) {
      expectRefusal(await ann.api.patch(pathOf(group), change), "invalid_payload");
    }
    expect((await prefsOf(ann, group)).prefs_rev).toBe(0);
  });
});

describe("drafts", () => {
  it("[CTR-DRF1] by socket become a change a second after the last one, which every session receives", async () => {
    const { ann, group } = await pair();
    const [phone, laptop] = [await speaks(ann), await speaks(ann)];
    expect(await sets(phone, group, { draft: { body: "H" } })).toEqual({
      ok: true,
      conversation_id: group.id,
      draft: { body: "H" },
    });
    const draft = { body: "Hi", reply_to_seq: 3, data: { a: [1] } };
    const beganMs = performance.now();
    const both = await sets(phone, group, { draft, level: "all" });
    expect(both).toMatchObject({ prefs_rev: 1, level: "all", draft });
    expect(await laptop.next("prefs_updated")).toMatchObject({ prefs_rev: 1, level: "all" });
    const changed = { conversation_id: group.id, prefs_rev: 2, level: "all", draft };
    for (const session of [phone, laptop]) {
      expect(await session.next("prefs_updated")).toEqual(changed);
    }
    expect(performance.now() - beganMs).toBeGreaterThan(950);
    expect(await prefsOf(ann, group)).toEqual(changed);
  });

  it("[CTR-DRF2] become a change when the session ends, and by HTTP at once", async () => {
    const { ann, group } = await pair();
    const [phone, laptop] = [await speaks(ann), await speaks(ann)];
    await sets(phone, group, { draft: { body: "Hi", reply_to_seq: null } });
    await phone.disconnects();
    const first = await laptop.next("prefs_updated");
    expect(first).toEqual({ conversation_id: group.id, prefs_rev: 1, draft: { body: "Hi" } });
    const second = await patches(ann, group, { draft: { body: "Hello", reply_to_seq: null } });
    expect(second).toEqual({ ...first, prefs_rev: 2, draft: { body: "Hello" } });
    expect(await laptop.next("prefs_updated")).toEqual(second);
  });

  it("[CTR-DRF3] go with the next send of the session that wrote them", async () => {
    const { ann, group } = await pair();
    const [phone, laptop] = [await speaks(ann), await speaks(ann)];
    await sets(phone, group, { draft: { body: "Hi" } });
    await laptop.next("prefs_updated");
    await laptop.sends(group.id, "from elsewhere");
    await phone.next("prefs_updated");
    await phone.never("prefs_updated", SILENCE_MS);
    await phone.sends(group.id, "Hi");
    const gone = { conversation_id: group.id, prefs_rev: 2 };
    for (const session of [phone, laptop]) {
      expect(await session.next("prefs_updated")).toEqual(gone);
    }
    await sets(phone, group, { draft: { body: "dropped" } });
    await phone.sends(group.id, "sent at once");
    await laptop.never("prefs_updated", 1_500);
    expect(await prefsOf(ann, group)).toEqual(gone);
  });
});

describe("a muted conversation", () => {
  it("[CTR-PRF4] is silent: neither a mention nor a reaction in it notifies", async () => {
    const { ann, bob, group } = await pair();
    const [session, bobs] = [await speaks(ann), await speaks(bob)];
    const message = await session.sends(group.id, "hello");
    await patches(ann, group, { muted_until: "forever" });
    const at = { conversation_id: group.id, seq: message.seq };
    await bobs.sends(group.id, `@${ann.user.username}, are you there?`);
    await bobs.does("react", { ...at, key: "👍", on: true });
    // Both are judged after they are answered, so the group stays muted until then.
    await session.never("notification", SILENCE_MS);
    await patches(ann, group, { muted_until: null });
    await bobs.sends(group.id, `@${ann.user.username}, now?`);
    expect(await session.next("notification")).toMatchObject({ seq: 1, type: "mention" });
    await session.never("notification", SILENCE_MS);
  });
});

/** The list of conversations and the totals, from outside. */
import { describe, expect, it } from "vitest";
import type { ConversationSummary, Totals } from "../../src/protocol/conversation-list.ts";
import { eventually } from "../support/eventually.ts";
import { expectRefusal, TIME } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ shared: true });

interface Page {
  items: ConversationSummary[];
  next_cursor: string | null;
}
const page = async (person: Person, query = "") =>
  expectStatus(await person.api.get<Page>(`/api/conversations${query}`), 200);
const ids = async (person: Person, query = "") =>
  (await page(person, query)).items.map(({ id }) => id);
const sets = async (person: Person, { id }: { id: string }, change: object) =>
  expectStatus(await person.api.patch<object>(`/api/conversations/${id}/prefs`, change), 200);

describe("the list of conversations", () => {
  it("[CTR-LST1] is filtered, and has each one's own preferences and mentions", async () => {
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const [plain, pinned, archived] = [
      await ann.startsGroup(bob),
      await ann.startsGroup(bob),
      await ann.startsGroup(bob),
    ];
    const direct = await ann.startsDirect(bob);
    await bob.posts(plain.id, `@${ann.user.username}, look`);
    await bob.posts(archived.id, "gone");
    await sets(ann, pinned, { pinned: true });
    await sets(ann, archived, { archived: true });
    await sets(ann, direct, { hidden: true });
    const { items } = await page(ann);
    expect(items.map(({ id }) => id)).toEqual([pinned.id, plain.id]);
    expect(items[0]).toMatchObject({
      prefs: { conversation_id: pinned.id, prefs_rev: 1, pinned_at: expect.stringMatching(TIME) },
    });
    expect(items[0]).not.toHaveProperty("mention_count");
    expect(items[1]).toMatchObject({ mention_count: 1, unread_count: 1 });
    expect(items[1]).not.toHaveProperty("prefs");
    expect(await ids(ann, "?filter=archived")).toEqual([archived.id]);
    expect(await ids(ann, "?filter=pinned")).toEqual([pinned.id]);
    expect(await ids(ann, "?filter=unread")).toEqual([archived.id, plain.id]);
    expect(await ids(ann, "?filter=all")).toHaveLength(4);
    expect(await ids(ann, "?filter=all&kind=direct")).toEqual([direct.id]);
    expect((await ids(bob)).sort()).toEqual((await ids(ann, "?filter=all")).sort());
    const few = (await page(ann, "?members=few&limit=1")).items[0]!;
    expect(few).toMatchObject({ member_count: 2, members: [{ user_id: ann.id }, {}] });
    for (const bad of ["filter=some", "kind=other", "members=all", "q=", "page=1"]) {
      expectRefusal(await ann.api.get(`/api/conversations?${bad}`), "invalid_payload");
    }
  });

  it("[CTR-LST2] finds by the beginnings of words of the title or the other's name", async () => {
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const group = await ann.startsGroup(bob);
    const title = "Été à Łódź";
    expectStatus(await ann.api.patch<object>(`/api/conversations/${group.id}`, { title }), 200);
    const direct = await ann.startsDirect(bob);
    const found = (q: string) => ids(ann, `?q=${encodeURIComponent(q)}`);
    expect(await found("lod ETE")).toEqual([group.id]);
    expect(await found("odz")).toEqual([]);
    expect(await found(bob.user.display_name.slice(0, 2))).toEqual([direct.id]);
  });
});

describe("totals", () => {
  it("[CTR-TOT1] are what a badge shows, over HTTP and in sync", async () => {
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const [one, two, muted] = [
      await ann.startsGroup(bob),
      await ann.startsGroup(bob),
      await ann.startsGroup(bob),
    ];
    for (const { id } of [one, one, two, muted]) await bob.posts(id, "hello");
    await bob.posts(one.id, `@${ann.user.username}`);
    await sets(ann, muted, { muted_until: "forever" });
    const session = await ann.connects({ contract: "1.1" });
    const askTotals = async () => expectStatus(await ann.api.get<Totals>("/api/me/totals"), 200);
    // The notification of the mention comes after the message.
    await eventually("the mention is counted", async () => (await askTotals()).notifications > 0);
    const totals = await askTotals();
    expect(totals).toEqual({
      messages: 4,
      mentions: 1,
      conversations: 2,
      notifications: 1,
      threads: 0,
    });
    const asked = { conversations: [], complete: false };
    expect(await session.does("sync", { ...asked, totals: true })).toMatchObject({ totals });
    expect(await session.does("sync", asked)).not.toHaveProperty("totals");
  });
});

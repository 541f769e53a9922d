/** [PRV] Privacy from outside: presence, receipts, and from whom one takes what. */
import { describe, expect, it } from "vitest";
import type { ConversationSummary } from "../../src/protocol/conversation-list.ts";
import type { Privacy } from "../../src/protocol/privacy.ts";
import type { Conversation, Status } from "../../src/protocol/schemas.ts";
import { expectRefusal } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import type { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ workers: 2, env: { PRESENCE_GRACE_MS: "300" } });

const three = async () => (await troupe().users("ann", "bob", "cat")) as [Person, Person, Person];
const sets = async (by: Person, patch: Partial<Privacy>) =>
  expectStatus(await by.api.patch<Privacy>("/api/me/privacy", patch), 200);
const watches = async (session: Session, other: Person) =>
  (await session.does("watch_presence", { user_ids: [other.id] })).statuses[0]!;
const reads = async (by: Person, other: Person) =>
  (await by.api.get<{ items: Status[] }>(`/api/presence?user_ids=${other.id}`)).body.items[0]!;
const hidden = ({ id }: Person): Status => ({ user_id: id, status: "offline", last_seen_at: null });
const statusesOf = (session: Session, other: Person) =>
  session.heard("user_status").filter(({ user_id }) => user_id === other.id);

describe("the settings", () => {
  it("[PRV6] they begin with the defaults, and a patch changes what it names", async () => {
    const [ann] = await three();
    const defaults = {
      ...{ presence: "everyone", last_seen: "everyone", receipts: true },
      ...{ direct: "everyone", add_consent: "anyone", discoverable: true },
    };
    const read = async () => (await ann.api.get<Privacy>("/api/me/privacy")).body;
    expect(await read()).toEqual(defaults);
    const changed = { ...defaults, presence: "contacts", discoverable: false };
    expect(await sets(ann, { presence: "contacts", discoverable: false })).toEqual(changed);
    expect(await read()).toEqual(changed);
    for (const wrong of [{ presence: "friends" }, { receipts: "no" }, { unknown: 1 }, [], null]) {
      expectRefusal(await ann.api.patch("/api/me/privacy", wrong), "invalid_payload");
    }
  });

  it("[PRV7] a direct conversation and an addition are for contacts only, where one says so", async () => {
    const [ann, bob, cat] = await three();
    await sets(bob, { direct: "contacts", add_consent: "contacts" });
    const direct = { member_ids: [bob.id] };
    expectRefusal(await ann.api.post("/api/conversations", direct), "forbidden");
    const named = { member_ids: [bob.id, cat.id], title: "All" };
    expectRefusal(await ann.api.post("/api/conversations", named), "forbidden");
    const group = await ann.startsGroup(cat);
    const members = `/api/conversations/${group.id}/members`;
    expectRefusal(await ann.api.post(members, { user_ids: [bob.id] }), "forbidden");
    await bob.follows(ann);
    expectStatus(await ann.api.post<Conversation>(members, { user_ids: [bob.id] }), 200);
    expectStatus(await ann.api.post<Conversation>("/api/conversations", direct), 201);
    // With a direct conversation in which both wrote, the one who follows nobody is a contact, too.
    const own = await bob.startsDirect(cat);
    const invited = await cat.startsGroup(ann);
    const path = `/api/conversations/${invited.id}/members`;
    expectRefusal(await cat.api.post(path, { user_ids: [bob.id] }), "forbidden");
    await bob.posts(own.id, "hello");
    await cat.posts(own.id, "hello yourself");
    expectStatus(await cat.api.post<Conversation>(path, { user_ids: [bob.id] }), 200);
  });
});

describe("presence", () => {
  it("[PRV8] [WCH11] a watcher who may not see it any more is told offline once, then nothing", async () => {
    const [ann, bob, cat] = await three();
    await ann.follows(cat);
    const [watching, contact] = [await bob.connects(), await cat.connects()];
    const home = await ann.connects();
    for (const each of [watching, contact]) {
      expect(await watches(each, ann)).toMatchObject({ status: "online" });
    }
    await sets(ann, { presence: "contacts" });
    expect(await watching.next("user_status", ({ user_id }) => user_id === ann.id)).toEqual(
      hidden(ann),
    );
    await home.does("set_status", { status: "away" });
    const seen = await contact.next("user_status", ({ status }) => status === "away");
    expect(seen.user_id).toBe(ann.id);
    expect(await reads(bob, ann)).toEqual(hidden(ann));
    expect(await reads(cat, ann)).toMatchObject({ status: "away" });
    // Pairwise: of those who may not see hers she sees nothing either.
    expect(await watches(home, bob)).toEqual(hidden(bob));
    expect(await watches(home, cat)).toMatchObject({ status: "online" });
    await home.does("set_status", { status: "online" });
    await contact.next("user_status", ({ user_id, status }) => {
      return user_id === ann.id && status === "online";
    });
    expect(statusesOf(watching, ann)).toEqual([hidden(ann)]);
    await ann.follows(bob);
    await watching.next("user_status", ({ status }) => status === "online");
  });

  it("[PRV9] the time last seen is a choice of its own", async () => {
    const [ann, bob] = await three();
    await sets(ann, { last_seen: "nobody" });
    const watching = await bob.connects();
    const home = await ann.connects();
    await watches(watching, ann);
    await home.disconnects();
    const gone = await watching.next("user_status", ({ status }) => status === "offline");
    expect(gone).toEqual(hidden(ann));
    expect(await reads(bob, ann)).toEqual(hidden(ann));
    await sets(ann, { last_seen: "everyone" });
    expect((await reads(bob, ann)).last_seen_at).not.toBeNull();
  });

  it("[PRV10] an invisible session counts for nothing and goes on seeing others", async () => {
    const [ann, bob] = await three();
    const watching = await bob.connects();
    const [home, phone] = [await ann.connects(), await ann.connects()];
    await watches(watching, ann);
    await home.does("set_status", { status: "invisible" });
    expect(await reads(bob, ann)).toMatchObject({ status: "online" });
    await phone.disconnects();
    const gone = await watching.next("user_status", ({ status }) => status === "offline");
    expect(await watches(home, bob)).toMatchObject({ status: "online" });
    await home.disconnects();
    await watching.never("user_status", 500);
    expect(await reads(bob, ann)).toEqual(gone);
    expect(statusesOf(watching, ann)).toHaveLength(1);
  });
});

describe("receipts", () => {
  it("[PRV3] others hear of deliveries only and see 0, one's own are exact", async () => {
    const [ann, bob, cat] = await three();
    const { id } = await ann.startsGroup(bob, cat);
    for (const body of ["1", "2", "3"]) await ann.posts(id, body);
    await sets(bob, { receipts: false });
    const [phone, laptop] = [await bob.connects(), await bob.connects()];
    const [anns, cats] = [await ann.connects(), await cat.connects()];
    const read = await phone.does("mark_read", { conversation_id: id, seq: 2 });
    expect(read).toMatchObject({ delivered_seq: 0, read_seq: 2, unread_count: 1 });
    const own = await laptop.next("receipt");
    expect(own).toMatchObject({ user_id: bob.id, delivered_seq: 0, read_seq: 2, unread_count: 1 });
    expect(await phone.marksDelivered(id, 3)).toMatchObject({ delivered_seq: 3, read_seq: 2 });
    for (const each of [anns, cats]) {
      const receipt = await each.next("receipt");
      expect(receipt).toEqual({
        ...{ conversation_id: id, user_id: bob.id, delivered_seq: 3, read_seq: 0 },
      });
      expect(each.heard("receipt")).toHaveLength(1);
      const joined = await each.does("join_conversation", { conversation_id: id });
      const shown = joined.conversation.members.find(({ user_id }) => user_id === bob.id);
      expect(shown).toMatchObject({ delivered_seq: 3, read_seq: 0 });
    }
    const joined = await phone.does("join_conversation", { conversation_id: id });
    const shown = joined.conversation.members.find(({ user_id }) => user_id === bob.id);
    expect(shown).toMatchObject({ delivered_seq: 3, read_seq: 2 });
    const titled = await bob.api.patch<Conversation>(`/api/conversations/${id}`, { title: "T" });
    expect(titled.body.members.find(({ user_id }) => user_id === bob.id)?.read_seq).toBe(2);
    const [listed] = await bob.lists<ConversationSummary>("/api/conversations");
    expect(listed).toMatchObject({ read_seq: 2, unread_count: 1 });
    await bob.posts(id, "mine");
    const again = await anns.does("join_conversation", { conversation_id: id });
    expect(again.conversation.members.find(({ user_id }) => user_id === bob.id)).toMatchObject({
      delivered_seq: 4,
      read_seq: 0,
    });
  });

  it("[PRV3] in a direct conversation one sees nothing of the other either", async () => {
    const [ann, bob] = await three();
    const { id } = await ann.startsDirect(bob);
    await ann.posts(id, "1");
    await bob.posts(id, "2");
    const [anns, bobs] = [await ann.connects(), await bob.connects()];
    await anns.does("join_conversation", { conversation_id: id });
    await sets(bob, { receipts: false });
    await anns.does("mark_read", { conversation_id: id, seq: 2 });
    expect(await bobs.next("receipt")).toMatchObject({
      ...{ user_id: ann.id, delivered_seq: 2, read_seq: 0 },
    });
    const seen = async (by: Session, of: Person) =>
      (await by.does("join_conversation", { conversation_id: id })).conversation.members.find(
        ({ user_id }) => user_id === of.id,
      )?.read_seq;
    expect([await seen(bobs, ann), await seen(anns, bob)]).toEqual([0, 0]);
    expect([await seen(anns, ann), await seen(bobs, bob)]).toEqual([2, 2]);
    await sets(bob, { receipts: true });
    expect([await seen(bobs, ann), await seen(anns, bob)]).toEqual([2, 2]);
  });
});

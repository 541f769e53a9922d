/** What users let others see, and from whom they take what: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { PRIVACY_DEFAULTS, type PrivacyPatch } from "../../src/protocol/privacy.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import {
  ADAPTERS,
  codeOf,
  everyChange,
  granted,
  newDirect,
  newGroup,
  newUsers,
  type OpenStorage,
  say,
} from "./adapters.ts";

describe.each(ADAPTERS)("privacy in $name", ({ open }) => {
  let storage: OpenStorage;
  let ann: UserId;
  let bob: UserId;
  let cat: UserId;

  beforeAll(async () => {
    storage = await open();
  });
  afterAll(() => storage?.close());

  const meet = async () => {
    [ann, bob, cat] = (await newUsers(storage, 3)) as [UserId, UserId, UserId];
  };
  const sets = (user: UserId, patch: PrivacyPatch) => storage.users.setPrivacy(user, patch);
  const follow = (by: UserId, user: UserId) => granted(storage.graph.follow(by, user, true));
  const sight = async (viewer: UserId, user: UserId) => {
    const [one] = await storage.queries.sights([{ viewer, user }]);
    return [one!.presence, one!.last_seen];
  };
  const makes = (kind: "direct" | "group", by: UserId, ...others: UserId[]) =>
    storage.conversations.create(kind, by, [by, ...others], kind === "group" ? "G" : null);
  const adds = async (group: ConversationId, by: UserId | null, user: UserId) => {
    const call = { by, does: "add", userIds: [user] } as const;
    const { outcomes } = await storage.conversations.change(group, [{ ...call, userIds: [user] }]);
    return codeOf(Promise.resolve(outcomes[0]!));
  };
  const readsIn = (conversation: Conversation | null) =>
    conversation?.members.map(({ read_seq, delivered_seq }) => [delivered_seq, read_seq]);
  const loaded = async (id: ConversationId) => readsIn(await storage.conversations.load(id));
  const seenBy = async (reader: UserId, id: ConversationId) =>
    readsIn(await storage.queries.conversation(reader, id));
  const mark = (conversationId: ConversationId, userId: UserId, seq: number, read = true) =>
    granted(storage.conversations.mark({ conversationId, userId, seq, read }));

  it("[PRV4] what is set stays, what is left out is the default", async () => {
    await meet();
    expect(await storage.users.privacy(ann)).toEqual(PRIVACY_DEFAULTS);
    const set = await sets(ann, { presence: "contacts", discoverable: false });
    const expected = { ...PRIVACY_DEFAULTS, presence: "contacts", discoverable: false };
    expect(set).toEqual({ privacy: expected, conversationIds: [] });
    await sets(ann, { direct: "contacts" });
    expect(await storage.users.privacy(ann)).toEqual({ ...expected, direct: "contacts" });
    expect((await storage.users.lastSeen(ann))?.isReserved).toBe(true);
    expect((await storage.queries.openSession(ann))?.isReserved).toBe(true);
    expect((await storage.users.lastSeen(bob))?.isReserved).toBe(false);
  });

  it("[PRV1] [PRV2] contacts are those followed and those with whom both wrote; sight is pairwise", async () => {
    await meet();
    expect(await sight(bob, ann)).toEqual([true, true]);
    await sets(ann, { presence: "contacts", last_seen: "nobody" });
    expect(await sight(bob, ann)).toEqual([false, false]);
    expect(await sight(ann, bob)).toEqual([false, false]);
    expect(await sight(ann, ann)).toEqual([true, true]);
    // Being followed makes nobody a contact.
    await follow(bob, ann);
    expect(await sight(bob, ann)).toEqual([false, false]);
    await follow(ann, bob);
    expect(await sight(bob, ann)).toEqual([true, false]);
    expect(await sight(ann, bob)).toEqual([true, false]);
    const direct = await newDirect(storage, [ann, cat]);
    await granted(say(storage, direct, cat, "first"));
    expect(await sight(cat, ann)).toEqual([false, false]);
    await granted(say(storage, direct, ann, "second"));
    expect(await sight(cat, ann)).toEqual([true, false]);
  });

  it("[PRV11] the directory does not name who is not discoverable", async () => {
    await meet();
    const found = async () => {
      const { username } = (await storage.accounts.byId(bob))!;
      return (await storage.queries.people.search(ann, username, "all", 10)).map(({ id }) => id);
    };
    expect(await found()).toContain(bob);
    await sets(bob, { discoverable: false });
    expect(await found()).not.toContain(bob);
  });

  it("[PRV5] who takes it from contacts only is not written to first, or added, by others", async () => {
    await meet();
    await sets(bob, { direct: "contacts", add_consent: "contacts" });
    expect(await codeOf(makes("direct", ann, bob))).toBe("forbidden");
    expect(await codeOf(makes("group", ann, bob))).toBe("forbidden");
    const group = await newGroup(storage, [ann, cat]);
    expect(await adds(group, ann, bob)).toBe("forbidden");
    expect(await codeOf(makes("direct", bob, ann))).toBe("");
    // It exists now.
    expect(await codeOf(makes("direct", ann, bob))).toBe("");
    await follow(bob, ann);
    expect(await adds(group, ann, bob)).toBe("");
    await sets(cat, { direct: "contacts", add_consent: "contacts" });
    const byService = { by: null, externalId: `x:${cat}` };
    const named = storage.conversations.create("direct", ann, [ann, cat], null, byService);
    expect(await codeOf(named)).toBe("");
    expect(await adds(await newGroup(storage, [ann, bob]), null, cat)).toBe("");
  });

  it("[PRV3] [MRK1] others see hidden reads as 0, the user's own are exact, and reading delivers nothing", async () => {
    await meet();
    const group = await newGroup(storage, [ann, bob, cat]);
    for (const body of ["1", "2", "3"]) await granted(say(storage, group, ann, body));
    await mark(group, bob, 2);
    const { conversationIds } = await sets(bob, { receipts: false });
    expect(conversationIds).toEqual([group]);
    expect(await storage.conversations.reserves(group)).toEqual({
      isApart: false,
      maskedIds: [bob],
    });
    expect(await loaded(group)).toEqual([
      [3, 3],
      [2, 0],
      [0, 0],
    ]);
    const read = await mark(group, bob, 3);
    expect(read).toMatchObject({ read_seq: 3, delivered_seq: 2, changed: true });
    expect(read).toMatchObject({ mask: 1, isDelivery: false, own: { read_seq: 3 } });
    expect(await mark(group, bob, 3, false)).toMatchObject({ delivered_seq: 3, isDelivery: true });
    expect(await mark(group, cat, 1)).not.toHaveProperty("mask");
    expect(await loaded(group)).toEqual([
      [3, 3],
      [3, 0],
      [1, 1],
    ]);
    expect(await seenBy(cat, group)).toEqual([
      [3, 3],
      [3, 0],
      [1, 1],
    ]);
    expect(await seenBy(bob, group)).toEqual([
      [3, 3],
      [3, 3],
      [1, 1],
    ]);
    const page = await storage.queries.members(cat, group, 10, null);
    expect(page.is === "page" && page.items.map(({ read_seq }) => read_seq)).toEqual([3, 0, 1]);
    const list = await storage.queries.conversations(bob, 10, null);
    expect(list?.items[0]).toMatchObject({ read_seq: 3, unread_count: 0 });
    const request = { userId: cat, after: new Map(), complete: true };
    const synced = (await storage.queries.sync(request)).conversations[0]!;
    expect(readsIn(synced.conversation)?.[1]).toEqual([3, 0]);
    const title = { by: ann, does: "update", title: "T" } as const;
    const changed = await storage.conversations.change(group, [title]);
    expect(changed.maskedIds).toEqual([bob]);
    expect(readsIn(changed.conversation)?.[1]).toEqual([3, 0]);
    for (const { name, body } of await everyChange(storage, group)) {
      if (name !== "conversation_updated") continue;
      expect(readsIn(JSON.parse(body) as Conversation)?.[1]?.[1]).toBe(0);
    }
    await sets(bob, { receipts: true });
    expect(await loaded(group)).toEqual([
      [3, 3],
      [3, 3],
      [1, 1],
    ]);
  });

  it("[PRV3] in a direct conversation neither sees it of the other, also in one that is made later", async () => {
    await meet();
    await sets(bob, { receipts: false });
    const direct = await newDirect(storage, [ann, bob]);
    const group = await newGroup(storage, [ann]);
    expect(await adds(group, ann, bob)).toBe("");
    for (const id of [direct, group]) {
      await granted(say(storage, id, ann, "1"));
      await granted(say(storage, id, bob, "2"));
      await mark(id, ann, 2);
    }
    expect(await seenBy(ann, direct)).toEqual([
      [2, 2],
      [2, 0],
    ]);
    expect(await seenBy(bob, direct)).toEqual([
      [2, 0],
      [2, 2],
    ]);
    expect(await seenBy(bob, group)).toEqual([
      [2, 2],
      [2, 2],
    ]);
    expect(await seenBy(ann, group)).toEqual([
      [2, 2],
      [2, 0],
    ]);
    const request = { userId: bob, after: new Map([[direct, 1]]), complete: false };
    expect((await storage.queries.sync(request)).receipts).toMatchObject([
      { user_id: ann, delivered_seq: 2, read_seq: 0 },
    ]);
  });
});

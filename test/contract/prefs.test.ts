/** PrefsStore, and what is read of preferences: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AskedPrefs } from "../../actors/prefs-ports.ts";
import type { ConversationId, SessionId, UserId } from "../../src/protocol/ids.ts";
import { PINNED_MAX, type PrefsChange } from "../../src/protocol/prefs.ts";
import {
  ADAPTERS,
  codeOf,
  granted,
  newDirect,
  newGroup,
  newUsers,
  type OpenStorage,
  say,
} from "./adapters.ts";

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const PHONE = "phone" as SessionId;
const LAPTOP = "laptop" as SessionId;

describe.each(ADAPTERS)("preferences in $name", ({ open }) => {
  let storage: OpenStorage;
  let alice: UserId;
  let bob: UserId;
  let group: ConversationId;

  beforeAll(async () => {
    storage = await open();
  });
  afterAll(() => storage?.close());

  const meet = async () => {
    [alice, bob] = (await newUsers(storage, 2)) as [UserId, UserId];
    group = await newGroup(storage, [alice, bob]);
  };
  const asked = (change: PrefsChange, more: Partial<AskedPrefs> = {}): AskedPrefs => ({
    userId: alice,
    conversationId: group,
    change,
    session: "",
    draftBy: "",
    ...more,
  });
  const set = async (change: PrefsChange, more: Partial<AskedPrefs> = {}) =>
    granted(storage.prefs.change(asked(change, more)));
  const refused = (change: PrefsChange, more: Partial<AskedPrefs> = {}) =>
    codeOf(storage.prefs.change(asked(change, more)));
  const streamOf = async (user: UserId, after = 0, limit = 100) =>
    (await storage.queries.prefsAfter(user, after, limit)).map(({ prefs }) => prefs);
  const leave = (user: UserId, id: ConversationId) =>
    storage.conversations.change(id, [{ does: "remove", by: user, userId: user }]);

  it("[PRF4] [PRF1] every change takes the next number of the user's own stream, what changes nothing none", async () => {
    await meet();
    expect(await storage.queries.prefs(alice, group)).toEqual({
      conversation_id: group,
      prefs_rev: 0,
    });
    const until = "2031-05-06T07:08:09.123Z";
    const first = await set({ muted_until: until, level: "mentions", pinned: true });
    expect(first).toEqual({
      changed: true,
      prefs: {
        conversation_id: group,
        prefs_rev: 1,
        muted_until: until,
        level: "mentions",
        pinned_at: expect.stringMatching(ISO),
      },
    });
    expect(await set({ muted_until: until, pinned: true })).toEqual({ ...first, changed: false });
    const second = await set({ muted_until: "forever", level: null });
    expect(second.prefs).toEqual({
      conversation_id: group,
      prefs_rev: 2,
      muted_until: "forever",
      pinned_at: first.prefs.pinned_at,
    });
    const other = await newGroup(storage, [alice, bob]);
    expect((await set({ archived: true }, { conversationId: other })).prefs.prefs_rev).toBe(3);
    expect((await set({ pinned: true }, { userId: bob })).prefs.prefs_rev).toBe(1);
    expect((await set({ muted_until: null, pinned: false })).prefs).toEqual({
      conversation_id: group,
      prefs_rev: 4,
    });
    expect((await streamOf(alice)).map((prefs) => prefs.prefs_rev)).toEqual([3, 4]);
    expect((await streamOf(alice, 3)).map((prefs) => prefs.prefs_rev)).toEqual([4]);
    expect((await streamOf(alice, 0, 1)).map((prefs) => prefs.prefs_rev)).toEqual([3]);
    expect(await storage.queries.prefs(alice, group)).toEqual((await streamOf(alice, 3))[0]);
    expect(await storage.queries.prefsRevs([alice, bob])).toEqual(
      new Map([
        [alice, 4],
        [bob, 1],
      ]),
    );
    expect((await storage.queries.openSession(alice))?.lastPrefsRev).toBe(4);
  });

  it("[PRF5] changes of one user that come at once take 1, 2, 3 … without a gap", async () => {
    await meet();
    const ids = await Promise.all(Array.from({ length: 8 }, () => newGroup(storage, [alice, bob])));
    const ports = [storage, storage.host()];
    const made = await Promise.all(
      ids.flatMap((conversationId, i) =>
        [true, false].map((isOn) =>
          granted(
            ports[Number(isOn)]!.prefs.change(
              asked(isOn ? { archived: true } : { level: "none" }, {
                conversationId,
                userId: i % 4 === 3 ? bob : alice,
              }),
            ),
          ),
        ),
      ),
    );
    const revsOf = (user: UserId) =>
      made
        .filter((_, i) => (Math.floor(i / 2) % 4 === 3 ? bob : alice) === user)
        .map(({ prefs }) => prefs.prefs_rev)
        .sort((a, b) => a - b);
    expect(revsOf(alice)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(revsOf(bob)).toEqual([1, 2, 3, 4]);
  });

  it("[PRF6] archiving and hiding keep how many messages there were; only a direct one is hidden", async () => {
    await meet();
    const direct = await newDirect(storage, [alice, bob]);
    for (const body of ["one", "two"]) await say(storage, direct, bob, body);
    const hidden = await set({ hidden: true, archived: true }, { conversationId: direct });
    expect(hidden.prefs).toMatchObject({ hidden_n: 2, archived_n: 2 });
    await say(storage, direct, bob, "three");
    const again = await set({ archived: true }, { conversationId: direct });
    expect(again.prefs).toMatchObject({ hidden_n: 2, archived_n: 3, prefs_rev: 2 });
    const shown = await set({ hidden: false, archived: false }, { conversationId: direct });
    expect(shown.prefs).toEqual({ conversation_id: direct, prefs_rev: 3 });
    expect(await refused({ hidden: true })).toBe("conflict");
  });

  it("[PRF7] at most 20 are pinned; one that is pinned stays where it is", async () => {
    await meet();
    for (let i = 0; i < PINNED_MAX; i++) {
      const conversationId = await newGroup(storage, [alice, bob]);
      await set({ pinned: true }, { conversationId });
      if (i === 0) group = conversationId;
    }
    const another = await newGroup(storage, [alice, bob]);
    expect(await refused({ pinned: true, level: "none" }, { conversationId: another })).toBe(
      "conflict",
    );
    expect((await storage.queries.prefs(alice, another))?.prefs_rev).toBe(0);
    expect((await set({ pinned: true })).changed).toBe(false);
    await set({ pinned: false });
    await set({ pinned: true }, { conversationId: another });
  });

  it("[PRF8] a draft comes back as it was; a session's send removes only what that session wrote last", async () => {
    await meet();
    const draft = { body: "Ä 𝒳 \" ' \\ \n", reply_to_seq: 1, data: { z: [1.5, null], a: "ü" } };
    const written = await set({ draft }, { draftBy: PHONE });
    expect(written.prefs).toEqual({ conversation_id: group, prefs_rev: 1, draft });
    const end = (draftBy: SessionId) => set({ draft: null }, { draftBy, isOwnDraftOnly: true });
    expect(await end(LAPTOP)).toMatchObject({ changed: false, prefs: { draft } });
    const same = await set({ draft }, { draftBy: LAPTOP });
    expect(same).toMatchObject({ changed: false });
    expect((await end(PHONE)).changed).toBe(false);
    expect(await end(LAPTOP)).toEqual({
      changed: true,
      prefs: { conversation_id: group, prefs_rev: 2 },
    });
    await set({ draft: { body: "" } }, { session: PHONE });
    expect((await end(PHONE)).changed).toBe(false);
    const [stored] = await storage.queries.prefsAfter(alice, 2, 10);
    expect(stored).toMatchObject({ setBy: PHONE, prefs: { draft: { body: "" } } });
  });

  it("[PRF9] [PRF3] who leaves or is removed loses the preferences, and the stream says so", async () => {
    await meet();
    await set({ pinned: true });
    await leave(alice, group);
    const removed = { conversation_id: group, prefs_rev: 2, removed: true };
    expect(await streamOf(alice)).toEqual([removed]);
    expect(await storage.prefs.forgotten(group, [alice, bob])).toEqual([
      { userId: alice, prefs: removed },
    ]);
    expect(await storage.queries.prefs(alice, group)).toBeNull();
    expect(await refused({ pinned: true })).toBe("not_found");
    const plain = await newGroup(storage, [alice, bob]);
    await leave(alice, plain);
    expect(await storage.queries.prefsRevs([alice])).toEqual(new Map([[alice, 2]]));
    const others = await newGroup(storage, [bob]);
    expect(await refused({ pinned: true }, { conversationId: others })).toBe("not_found");
  });

  it("[PRF11] a muted conversation notifies of nothing, and each level of what it names", async () => {
    await meet();
    const notifies = async (type: string, conversationId?: ConversationId) => {
      const made = await granted(
        storage.notifications.add({
          userId: alice,
          type,
          message: "Bob mentioned you.",
          actorId: bob,
          postId: null,
          commentId: null,
          data: null,
          ...(conversationId !== undefined && { conversationId }),
        }),
      );
      return made !== null;
    };
    const notified = async () => [
      await notifies("mention", group),
      await notifies("reaction", group),
      await notifies("reply", group),
      await notifies("mention"),
    ];
    expect(await notified()).toEqual([true, true, true, true]);
    await set({ level: "mentions" });
    expect(await notified()).toEqual([true, true, false, true]);
    await set({ level: "none" });
    expect(await notified()).toEqual([false, false, false, true]);
    await set({ level: "all", muted_until: "forever" });
    expect(await notified()).toEqual([false, false, false, true]);
    await set({ muted_until: "2001-02-03T04:05:06.789Z" });
    expect(await notified()).toEqual([true, true, true, true]);
    const until = new Date(Date.now() + 60_000).toISOString();
    await set({ muted_until: until });
    expect(await notified()).toEqual([false, false, false, true]);
  });

  it("[PRF10] who comes back begins without preferences, and the stream goes on", async () => {
    const [owner, guest] = (await newUsers(storage, 2)) as [UserId, UserId];
    const id = await newGroup(storage, [owner, guest]);
    await set({ level: "none", pinned: true }, { userId: guest, conversationId: id });
    await storage.conversations.change(id, [{ does: "remove", by: owner, userId: guest }]);
    await storage.conversations.change(id, [{ does: "add", by: owner, userIds: [guest] }]);
    expect(await storage.queries.prefs(guest, id)).toEqual({ conversation_id: id, prefs_rev: 0 });
    const { prefs } = await set({ archived: true }, { userId: guest, conversationId: id });
    expect(prefs).toEqual({ conversation_id: id, prefs_rev: 3, archived_n: 0 });
    expect(await streamOf(guest)).toEqual([prefs]);
  });
});

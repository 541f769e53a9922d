/** What is unread, marked unread and cleared: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AskedPrefs } from "../../actors/prefs-ports.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { PrefsChange } from "../../src/protocol/prefs.ts";
import { countsAsUnread, unreadCount } from "../../src/protocol/unread.ts";
import { type Chance, chanceFrom, seedFor } from "../support/random.ts";
import { ADAPTERS, codeOf, granted, newGroup, newUsers, type OpenStorage } from "./adapters.ts";

const RANDOM_STEPS = 120;

describe.each(ADAPTERS)("unread in $name", ({ open }) => {
  let storage: OpenStorage;
  let ann: UserId;
  let bob: UserId;
  let room: ConversationId;
  let sent = 0;

  beforeAll(async () => {
    storage = await open();
  });
  afterAll(() => storage?.close());

  const meet = async () => {
    [ann, bob] = (await newUsers(storage, 2)) as [UserId, UserId];
    room = await newGroup(storage, [ann, bob]);
  };
  const send = (senderId: UserId, silent = false, replyToSeq: number | null = null) =>
    storage.conversations.append({
      conversationId: room,
      senderId,
      clientId: `u${++sent}`,
      body: "x",
      replyToSeq,
      ...(silent && { content: { silent: true } }),
    });
  const says = async (senderId: UserId, ...silents: boolean[]) => {
    for (const silent of silents) await granted(send(senderId, silent));
  };
  const read = (seq: number, userId = ann) =>
    granted(storage.conversations.mark({ conversationId: room, userId, seq, read: true }));
  const set = async (change: PrefsChange, more: Partial<AskedPrefs> = {}) => {
    const asked = { userId: ann, conversationId: room, change, session: "", draftBy: "" } as const;
    return (await granted(storage.prefs.change({ ...asked, ...more }))).prefs;
  };
  const standing = async (user = ann) => (await storage.queries.standing(user, room))!;
  const shown = async (user = ann) => {
    const window = { beforeSeq: null, afterSeq: null, limit: 100 };
    const page = (await storage.queries.history(user, room, window))!.value();
    return page.items.map(({ seq }) => seq);
  };

  it("[MKU1] what is marked unread is at most the read point, and counts from that message", async () => {
    await meet();
    await says(bob, false, true, false, false);
    expect(await read(4)).toMatchObject({ own: { read_seq: 4, read_n: 3 } });
    expect(await set({ unread_from_seq: 3 })).toEqual({
      conversation_id: room,
      prefs_rev: 1,
      unread_from_seq: 3,
    });
    expect(await standing()).toMatchObject({ read_seq: 4, unread_from_n: 1, unread_count: 2 });
    expect(await set({ unread_from_seq: 9 })).toMatchObject({ prefs_rev: 2, unread_from_seq: 4 });
    expect(await standing()).toMatchObject({ unread_count: 1 });
    expect((await standing(bob)).unread_count).toBe(0);
    expect(await set({ unread_from_seq: 4 })).toMatchObject({ prefs_rev: 2 });
  });

  it("[MKU2] a read mark at or past it takes it away as the next change of the user's preferences", async () => {
    await meet();
    await says(bob, false, false, false);
    await read(3);
    await set({ unread_from_seq: 2, pinned: true });
    const before = await read(1);
    expect(before).toMatchObject({ changed: false, own: { unread_from_n: 1 } });
    expect(before.unmarked).toBeUndefined();
    const delivered = { conversationId: room, userId: ann, seq: 3, read: false };
    expect(await granted(storage.conversations.mark(delivered))).not.toHaveProperty("unmarked");
    const at = await read(2);
    expect(at).toMatchObject({ changed: false, read_seq: 3 });
    expect(at.own).not.toHaveProperty("unread_from_n");
    expect(at.unmarked).toMatchObject({ prefs_rev: 2, pinned_at: expect.any(String) });
    expect(at.unmarked).not.toHaveProperty("unread_from_seq");
    expect(await storage.queries.prefs(ann, room)).toEqual(at.unmarked);
    expect(await storage.queries.prefsAfter(ann, 1, 10)).toEqual([
      { prefs: at.unmarked, setBy: "" },
    ]);
    expect(await read(3)).not.toHaveProperty("unmarked");
    expect((await standing()).unread_count).toBe(0);
  });

  it("[MKU3] one's own send takes it away, another's does not", async () => {
    await meet();
    await says(bob, false, false);
    await read(2);
    await set({ unread_from_seq: 1 });
    expect(await granted(send(bob))).not.toHaveProperty("unmarked");
    expect((await standing()).unread_count).toBe(3);
    const own = await granted(send(ann));
    expect(own.unmarked).toEqual({ conversation_id: room, prefs_rev: 2 });
    expect(await storage.queries.prefsRevs([ann])).toEqual(new Map([[ann, 2]]));
    expect((await standing()).unread_count).toBe(0);
    expect(await granted(send(ann))).not.toHaveProperty("unmarked");
  });

  it("[MKU4] several marks that end in one batch take a number each", async () => {
    await meet();
    const rooms = [room, await newGroup(storage, [ann, bob]), await newGroup(storage, [ann, bob])];
    for (room of rooms) {
      await says(bob, false, false);
      await read(2);
      await set({ unread_from_seq: 1 });
    }
    const done = await Promise.all(
      rooms.map((id, n) => {
        if (n === 0) {
          const message = { conversationId: id, senderId: ann, body: "x", replyToSeq: null };
          return granted(storage.conversations.append({ ...message, clientId: "last" }));
        }
        return granted(
          storage.conversations.mark({ conversationId: id, userId: ann, seq: 2, read: true }),
        );
      }),
    );
    const revs = done.map(({ unmarked }) => unmarked!.prefs_rev);
    expect(revs.sort()).toEqual([4, 5, 6]);
    const stored = await storage.queries.prefsAfter(ann, 3, 10);
    expect(stored.map(({ prefs }) => prefs.prefs_rev)).toEqual([4, 5, 6]);
  });

  it("[MKU5] what is cleared only rises, hides what is older from that user's reads, and counts no more", async () => {
    await meet();
    await says(bob, false, true, false, false);
    const cleared = await set({ cleared_before_seq: 4 });
    expect(cleared).toMatchObject({ prefs_rev: 1, cleared_before_seq: 4 });
    expect(await set({ cleared_before_seq: 2 })).toEqual(cleared);
    expect(await shown()).toEqual([4]);
    expect(await shown(bob)).toEqual([1, 2, 3, 4]);
    expect(await standing()).toMatchObject({ cleared_n: 2, unread_count: 1 });
    expect(await storage.conversations.clearedBefore(room)).toEqual(new Map([[ann, 4]]));

    const { queries, conversations } = storage;
    const after = new Map([[room, 1]]);
    const synced = await queries.sync({ userId: ann, after, complete: false });
    expect(synced.conversations[0]!.messages.map(({ seq }) => seq)).toEqual([4]);
    const fresh = await queries.sync({ userId: ann, after: new Map(), complete: true });
    expect(fresh.conversations[0]!.messages.map(({ seq }) => seq)).toEqual([4]);
    await granted(conversations.revise(room, 1, bob, { does: "pin" }));
    expect(await queries.pins(ann, room)).toEqual([]);
    expect(await queries.pins(bob, room)).toHaveLength(1);
    const place = { id: room, seq: 3, key: null };
    expect(await queries.reactors(ann, place, 10, null)).toEqual({ is: "message_not_found" });
    expect(await codeOf(conversations.revise(room, 3, ann, { does: "pin" }))).toBe("not_found");
    expect(await codeOf(send(ann, false, 3))).toBe("invalid_payload");
    const call = { by: ann, key: "+", on: true, isOnly: false, isForAll: false, isAllowed: true };
    const flush = await storage.reactions.react(room, 3, [call]);
    expect(flush.outcomes[0]).toMatchObject({ ok: false, error: { code: "not_found" } });

    expect(await set({ cleared_before_seq: 99 })).toMatchObject({ cleared_before_seq: 5 });
    const list = (await queries.conversations(ann, 10, null))!.items;
    expect(list.find(({ id }) => id === room)).toMatchObject({ last_message: null });
    expect((await standing()).unread_count).toBe(0);
    await granted(send(bob));
    expect(await shown()).toEqual([5]);
    expect((await standing()).unread_count).toBe(1);
  });

  it("[MKU6] who comes back has neither cleared anything nor marked it", async () => {
    await meet();
    await says(bob, false, false);
    await read(2);
    await set({ cleared_before_seq: 2, unread_from_seq: 1 });
    const calls = [{ does: "remove", by: ann, userId: ann } as const];
    await storage.conversations.change(room, calls);
    expect((await storage.queries.prefsAfter(ann, 0, 10))[0]!.prefs).toMatchObject({
      removed: true,
      prefs_rev: 2,
    });
    await storage.conversations.change(room, [{ does: "add", by: null, userIds: [ann] }]);
    expect(await shown()).toEqual([1, 2]);
    expect(await storage.conversations.clearedBefore(room)).toEqual(new Map());
    expect(await storage.queries.prefs(ann, room)).toEqual({ conversation_id: room, prefs_rev: 0 });
  });

  it("[MKU7] after any history the count is that of the messages, and recount finds no difference", async () => {
    await meet();
    const seed = seedFor("unread in storage");
    const chance = chanceFrom(seed);
    for (let step = 0; step < RANDOM_STEPS; step++) {
      await randomStep(chance);
      await compares(`TEST_SEED=${seed} step ${step}`);
    }
    expect(await storage.recount.recount(false)).toEqual([]);
  });

  async function randomStep(chance: Chance): Promise<void> {
    const { last_seq } = await standing();
    const seq = 1 + chance(Math.max(1, last_seq));
    switch (chance(9)) {
      case 0:
      case 1:
      case 2:
        await granted(send(bob, chance(3) === 0));
        return;
      case 3:
        await granted(send(ann, chance(3) === 0));
        return;
      case 4:
        await storage.conversations.revise(room, seq, bob, {
          does: "delete",
          any: true,
          system: true,
          spared: [],
        });
        return;
      case 5:
        if (chance(4) === 0) await set({ cleared_before_seq: Math.max(1, seq - 2) });
        return;
      case 6:
        await set({ unread_from_seq: seq });
        return;
      default:
        if (last_seq > 0) await read(seq);
    }
  }

  /** The number in every answer against the messages themselves. */
  async function compares(when: string): Promise<void> {
    const everything = { beforeSeq: null, afterSeq: 0, limit: 1_000 };
    const messages = (await storage.queries.history(bob, room, everything))!.value().items;
    const prefs = (await storage.queries.prefs(ann, room))!;
    const own = await standing();
    const from = prefs.unread_from_seq ?? own.read_seq + 1;
    const counted = messages.filter(
      (message) =>
        countsAsUnread(message) &&
        message.seq >= from &&
        message.seq >= (prefs.cleared_before_seq ?? 1),
    ).length;
    expect(own.unread_count, when).toBe(counted);
    expect(unreadCount(own, own), when).toBe(counted);
    const listed = (await storage.queries.conversations(ann, 10, null))!.items;
    expect(listed.find(({ id }) => id === room)?.unread_count, when).toBe(counted);
    const opening = (await storage.queries.openSession(ann))!.unread;
    const unread = opening.find(({ conversation_id }) => conversation_id === room);
    expect(unread?.unread_count ?? 0, when).toBe(counted);
    const synced = await storage.queries.sync({
      userId: ann,
      after: new Map(),
      complete: true,
    });
    const entry = synced.conversations.find(({ conversation_id }) => conversation_id === room);
    expect(entry?.unread_count, when).toBe(counted);
  }
});

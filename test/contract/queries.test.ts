/** Queries: one suite for both storages. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { asConversationId, asUserId } from "../../src/protocol/schemas.ts";
import { addMembers, removeMember, retitle } from "../support/group-changes.ts";
import { edits, removes } from "../support/message-changes.ts";
import {
  ADAPTERS,
  granted,
  newDirect,
  newGroup,
  newUsers,
  type OpenStorage,
  say,
} from "./adapters.ts";

const NOWHERE = asConversationId("999999999");

describe.each(ADAPTERS)("queries in $name", ({ open }) => {
  let storage: OpenStorage;
  let alice: UserId;
  let bob: UserId;
  let carol: UserId;
  let group: ConversationId;
  let direct: ConversationId;

  beforeAll(async () => {
    storage = await open();
  });
  afterAll(() => storage?.close());

  /** A group of alice, bob, carol with "g1".."g3", and alice's and bob's direct one with "d1". */
  const talk = async () => {
    [alice, bob, carol] = (await newUsers(storage, 3)) as [UserId, UserId, UserId];
    group = await newGroup(storage, [alice, bob, carol]);
    direct = await newDirect(storage, [alice, bob]);
    for (const body of ["g1", "g2", "g3"]) await granted(say(storage, group, alice, body));
    await granted(say(storage, direct, bob, "d1"));
  };
  const sync = (after: [ConversationId, number][], complete = true, userId = alice) =>
    storage.queries.sync({ userId, after: new Map(after), complete });

  it("[SOP1] a session opens with its conversations and what is unread", async () => {
    await talk();
    const [opened, none] = await Promise.all([
      storage.queries.openSession(alice),
      storage.queries.openSession(asUserId("999999999")),
    ]);
    expect(none).toBeNull();
    expect(opened).toMatchObject({ suspended: false, user: { id: alice } });
    // Both may have been active in the same millisecond; their order is live-set.test.ts's.
    expect(opened!.conversations).toHaveLength(2);
    expect(opened!.conversations).toContainEqual({ id: direct, rev: 2, peer: bob });
    expect(opened!.conversations).toContainEqual({ id: group, rev: 4, peer: null });
    expect(opened!.unread).toEqual([
      { conversation_id: direct, last_seq: 1, read_seq: 0, unread_count: 1 },
    ]);
    await storage.conversations.mark({ conversationId: group, userId: bob, seq: 2, read: true });
    expect((await storage.queries.openSession(bob))!.unread).toEqual([
      { conversation_id: group, last_seq: 3, read_seq: 2, unread_count: 1 },
    ]);
    const [lonely] = await newUsers(storage, 1);
    expect(await storage.queries.openSession(lonely!)).toMatchObject({
      conversations: [],
      unread: [],
    });
  });

  it("[GAP7] users whose conversations, follows or blocks changed are found for a while", async () => {
    const users = (await newUsers(storage, 8)) as UserId[];
    const [ann, ben, cid, dan, eve, fay] = users as [
      UserId,
      UserId,
      UserId,
      UserId,
      UserId,
      UserId,
    ];
    const changed = async (ageMs = 60_000) =>
      (await storage.queries.changedUsers(users, ageMs)).toSorted();
    expect(await changed()).toEqual([]);
    await newDirect(storage, [ann, ben]);
    expect(await changed()).toEqual([ann, ben].toSorted());
    const room = await newGroup(storage, [cid]);
    await granted(addMembers(storage.conversations, room, cid, [dan, cid]));
    await granted(storage.graph.follow(eve, ann, true));
    expect(await changed()).toEqual([ann, ben, cid, dan, eve].toSorted());
    await granted(storage.graph.block(fay, users[6]!, true));
    expect(await changed()).toEqual(users.slice(0, 7).toSorted());
    // Only the users who were asked for are named, and only those with a change.
    expect(await storage.queries.changedUsers([ann, users[7]!], 60_000)).toEqual([ann]);
    expect(await changed(-1_000)).toEqual([]);
    await storage.prune(-60_000);
    expect(await changed()).toEqual([]);
    await granted(storage.graph.follow(eve, ann, true));
    expect(await changed()).toEqual([]);
    await granted(storage.graph.follow(eve, ann, false));
    await granted(storage.graph.block(fay, users[6]!, false));
    expect(await changed()).toEqual([eve, fay, users[6]!].toSorted());
  });

  it("[GAP1] revs and changes tell an edge what it missed, by rising rev", async () => {
    await talk();
    expect(await storage.queries.revs([group, NOWHERE, direct])).toEqual(
      new Map([
        [group, 4],
        [direct, 2],
      ]),
    );
    await granted(retitle(storage.conversations, group, bob, "New"));
    await granted(edits(storage.conversations, group, 1, alice, "g1!"));
    const { message } = await granted(say(storage, group, carol, "g4"));
    const { changes } = await storage.queries.changes(group, 2, 10);
    expect(changes.map(({ name, rev }) => [name, rev])).toEqual([
      ["message", 3],
      ["message", 4],
      ["conversation_updated", 5],
      ["message_updated", 6],
      ["message", 7],
    ]);
    expect(JSON.parse(changes[4]!.body)).toEqual(message);
    const now = await storage.conversations.load(group);
    expect(now).toMatchObject({ rev: 7, last_seq: 4 });
    const cursors = now!.members.map((member) => ({
      ...member,
      delivered_seq: Math.min(3, member.delivered_seq),
      read_seq: Math.min(3, member.read_seq),
    }));
    expect(JSON.parse(changes[2]!.body)).toEqual({ ...now, rev: 5, last_seq: 3, members: cursors });
    const none = { changes: [], hasMore: false, forgotten: null };
    expect(await storage.queries.changes(group, 2, 3)).toEqual({
      changes: changes.slice(0, 3),
      hasMore: true,
      forgotten: null,
    });
    expect(await storage.queries.changes(group, 7, 10)).toEqual(none);
    expect(await storage.queries.changes(NOWHERE, 0, 10)).toEqual(none);
  });

  it("[HTTP1] only members see a conversation and its history", async () => {
    await talk();
    const load = await storage.conversations.load(direct);
    expect(await storage.queries.conversation(alice, direct)).toEqual(load);
    expect(await storage.queries.conversation(carol, direct)).toBeNull();
    expect(await storage.queries.conversation(alice, NOWHERE)).toBeNull();
    const window = { beforeSeq: null, afterSeq: null, limit: 10 };
    expect(await storage.queries.history(carol, direct, window)).toBeNull();
    const read = await storage.queries.history(alice, direct, window);
    const [sent] = (await storage.queries.changes(direct, 0, 10)).changes.slice(-1);
    expect(read?.value()).toEqual({ items: [JSON.parse(sent!.body)], has_more: false });
  });

  it("[HTTP2] history pages by seq in both directions", async () => {
    await talk();
    for (const body of ["g4", "g5"]) await granted(say(storage, group, bob, body));
    const page = async (beforeSeq: number | null, afterSeq: number | null, limit: number) => {
      const read = await storage.queries.history(carol, group, { beforeSeq, afterSeq, limit });
      const { items, has_more } = read!.value();
      return [items.map(({ seq }) => seq), has_more];
    };
    expect(await page(null, null, 2)).toEqual([[4, 5], true]);
    expect(await page(4, null, 2)).toEqual([[2, 3], true]);
    expect(await page(2, null, 2)).toEqual([[1], false]);
    expect(await page(1, null, 2)).toEqual([[], false]);
    expect(await page(null, 0, 2)).toEqual([[1, 2], true]);
    expect(await page(null, 3, 2)).toEqual([[4, 5], false]);
    expect(await page(null, 5, 2)).toEqual([[], false]);
    expect(await page(5, 1, 2)).toEqual([[3, 4], true]);
    expect(await page(5, 1, 3)).toEqual([[2, 3, 4], false]);
  });

  it("[HIS1, HIS2] a window read again is what it is after every change", async () => {
    await talk();
    const { conversations, queries } = storage;
    const windows = [
      { beforeSeq: null, afterSeq: null, limit: 2 },
      { beforeSeq: 3, afterSeq: null, limit: 10 },
      { beforeSeq: null, afterSeq: 1, limit: 10 },
    ];
    const seen = () =>
      Promise.all(
        windows.map(async (window) => (await queries.history(alice, group, window))!.value().items),
      );
    await seen();
    await granted(edits(conversations, group, 2, alice, "g2!"));
    expect((await seen()).map((items) => items.map(({ body }) => body))).toEqual([
      ["g2!", "g3"],
      ["g1", "g2!"],
      ["g2!", "g3"],
    ]);
    await granted(say(storage, group, bob, "g4"));
    expect((await seen())[0]!.map(({ body }) => body)).toEqual(["g3", "g4"]);
    await granted(removes(conversations, group, 1, alice));
    const [, [first]] = (await seen()) as [unknown, [{ deleted_at: string | null }]];
    expect(first.deleted_at).not.toBeNull();
    await granted(retitle(conversations, group, bob, "New"));
    expect(await seen()).toEqual(await seen());
    await granted(removeMember(conversations, group, bob, bob));
    for (const window of windows) {
      expect(await queries.history(carol, group, window)).not.toBeNull();
      expect(await queries.history(bob, group, window)).toBeNull();
    }
  });

  it("[HIS2] what was committed before a read is in it, however many read at once", async () => {
    await talk();
    const window = { beforeSeq: null, afterSeq: null, limit: 5 };
    const read = async (user: UserId) =>
      (await storage.queries.history(user, group, window))!.value().items.at(-1)!.seq;
    const readers = Array.from({ length: 6 }, async (_, i) => {
      for (let n = 0; n < 20; n++) {
        const { message } = await granted(say(storage, group, alice, `r${i} ${n}`));
        const seqs = await Promise.all([read(alice), read(bob), read(carol)]);
        for (const seq of seqs) expect(seq).toBeGreaterThanOrEqual(message.seq);
      }
    });
    await Promise.all(readers);
    expect(await read(bob)).toBe(3 + 6 * 20);
  });

  it("[HTTP3] the list of conversations pages by activity, each item with its unread count", async () => {
    await talk();
    const empty = await newGroup(storage, [bob]);
    const first = await storage.queries.conversations(bob, 2, null);
    expect(first!.items.map(({ id }) => id)).toEqual([empty, direct]);
    expect(first!.items[0]).toMatchObject({ last_message: null, unread_count: 0, read_seq: 0 });
    const second = await storage.queries.conversations(bob, 2, first!.next_cursor);
    expect(second!.items).toEqual([
      {
        ...(await storage.queries.conversation(bob, group)),
        last_message: (await storage.conversations.newest(group, 1))[0],
        unread_count: 3,
        read_seq: 0,
      },
    ]);
    expect(second!.next_cursor).toBeNull();
    for (const bad of ["", "x", "MQ", `${first!.next_cursor}A`, "1.1", "LTEuMQ"]) {
      expect(await storage.queries.conversations(bob, 2, bad)).toBeUndefined();
    }
  });

  it("[MCU1] cursors are found of those who have read lately, but by a send of their own", async () => {
    await talk();
    const asked = [group, direct];
    expect(await storage.queries.movedCursors(asked, 60_000)).toEqual([]);
    await granted(
      storage.conversations.mark({ conversationId: group, userId: bob, seq: 2, read: true }),
    );
    const receipt = { conversation_id: group, user_id: bob, delivered_seq: 2, read_seq: 2 };
    const own = expect.objectContaining({ read_seq: 2 });
    expect(await storage.queries.movedCursors(asked, 60_000)).toEqual([
      { receipt, own, isMasked: false },
    ]);
    expect(await storage.queries.movedCursors([direct], 60_000)).toEqual([]);
  });

  it("[SYN1] nothing new is an empty answer but for receipts", async () => {
    await talk();
    await granted(
      storage.conversations.mark({ conversationId: direct, userId: alice, seq: 1, read: true }),
    );
    expect(
      await sync(
        [
          [group, 4],
          [direct, 2],
        ],
        true,
        bob,
      ),
    ).toEqual({
      conversations: [],
      receipts: [{ conversation_id: direct, user_id: alice, delivered_seq: 1, read_seq: 1 }],
      removed: [],
      has_more: false,
    });
  });

  it("[SYN2] a listed conversation answers what changed after its rev", async () => {
    await talk();
    await granted(removes(storage.conversations, group, 1, alice));
    const answer = await sync([[group, 3]], false);
    expect(answer).toMatchObject({ removed: [], receipts: [], has_more: false });
    expect(answer.conversations).toEqual([
      {
        conversation_id: group,
        rev: 5,
        messages: await storage.conversations.changedAfter(group, 3, 10),
        conversation: null,
        has_more: false,
        reset: false,
        read_seq: 3,
        unread_count: 0,
      },
    ]);
    await granted(retitle(storage.conversations, group, alice, "New"));
    const [changed] = (await sync([[group, 5]], false)).conversations;
    expect(changed).toMatchObject({ rev: 6, messages: [], conversation: { title: "New" } });
  });

  it("[SYN3] what the client did not list comes fresh, and what it is not in is removed", async () => {
    await talk();
    const foreign = await newGroup(storage, [carol]);
    const answer = await sync([
      [direct, 2],
      [foreign, 1],
      [NOWHERE, 4],
    ]);
    expect([...answer.removed].sort()).toEqual([foreign, NOWHERE].sort());
    expect(answer.conversations).toEqual([
      {
        conversation_id: group,
        rev: 4,
        messages: await storage.conversations.newest(group, 50),
        conversation: await storage.conversations.load(group),
        has_more: false,
        reset: false,
        read_seq: 3,
        unread_count: 0,
      },
    ]);
    expect((await sync([[direct, 2]], false)).conversations).toEqual([]);
    await granted(removeMember(storage.conversations, group, alice, bob));
    expect(await sync([[group, 4]], false, bob)).toMatchObject({ removed: [group] });
  });

  it("[SYN4] a rev that is not there yet resets the client", async () => {
    await talk();
    const [reset] = (await sync([[group, 99]], false)).conversations;
    expect(reset).toEqual({
      conversation_id: group,
      rev: 4,
      messages: await storage.conversations.newest(group, 50),
      conversation: await storage.conversations.load(group),
      has_more: false,
      reset: true,
      read_seq: 3,
      unread_count: 0,
    });
  });

  it("[SYN5] asking again until has_more is false gives everything, within the sizes", async () => {
    await talk();
    const long = "x".repeat(3000);
    const sends = Array.from({ length: 450 }, (_, i) =>
      granted(say(storage, group, bob, `${i} ${i % 5 ? "" : long}`)),
    );
    await Promise.all(sends);
    const groups: ConversationId[] = [];
    for (let g = 0; g < 30; g++) {
      const id = await newGroup(storage, [alice, bob]);
      groups.push(id);
      const texts = Array.from({ length: 60 }, (_, i) => `m${i}`);
      await Promise.all(texts.map((text) => granted(say(storage, id, bob, text))));
    }

    const held = new Map<ConversationId, number>([[group, 0]]);
    const seqs = new Map<string, Set<number>>();
    for (let round = 1; ; round++) {
      const answer = await sync([...held]);
      const size = JSON.stringify(answer).length;
      const messages = answer.conversations.flatMap((conversation) => conversation.messages);
      expect(messages.length).toBeLessThanOrEqual(1000);
      expect(size).toBeLessThan(300 * 1024);
      for (const synced of answer.conversations) {
        expect(synced.messages.length).toBeLessThanOrEqual(200);
        const known = seqs.get(synced.conversation_id) ?? new Set();
        for (const message of synced.messages) known.add(message.seq);
        seqs.set(synced.conversation_id, known);
        held.set(asConversationId(synced.conversation_id), synced.rev);
      }
      if (!answer.has_more) break;
      expect(answer.conversations.length, `progress in round ${round}`).toBeGreaterThan(0);
    }
    expect(seqs.get(group)?.size).toBe(453);
    for (const id of groups) expect(seqs.get(id)?.size).toBe(50);
    expect(await storage.queries.revs([...held.keys()])).toEqual(held);
  });

  it("[SYN6] one conversation larger than an answer comes in parts", async () => {
    await talk();
    const wide = "\u{1f600}".repeat(4000);
    const sends = Array.from({ length: 40 }, (_, i) =>
      granted(say(storage, direct, bob, wide, { clientId: `wide ${i}` })),
    );
    await Promise.all(sends);
    const seqs: number[] = [];
    for (let after = 2, hasMore = true; hasMore; ) {
      const answer = await sync([[direct, after]], false);
      const [synced] = answer.conversations;
      expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThan(300 * 1024);
      expect(answer.has_more).toBe(synced!.has_more);
      expect(synced!.rev).toBe(synced!.messages.at(-1)!.rev);
      seqs.push(...synced!.messages.map(({ seq }) => seq));
      after = synced!.rev;
      hasMore = answer.has_more;
    }
    expect(seqs).toEqual(Array.from({ length: 40 }, (_, i) => i + 2));
    const [fresh] = (await sync([[group, 4]])).conversations;
    expect(fresh).toMatchObject({ conversation_id: direct, has_more: false, rev: 42 });
    expect(fresh!.messages.at(-1)!.seq).toBe(41);
  });

  it("[SYN7] of those who ask at once each gets what they would get alone", async () => {
    await talk();
    const outsider = (await newUsers(storage, 1))[0]!;
    // More than one statement takes, of people and of requests that have little in common.
    const asks = [alice, bob, carol, outsider].flatMap((userId) => [
      () => sync([], true, userId),
      () => sync([[group, 2]], true, userId),
      () => sync([[direct, 1]], false, userId),
      () =>
        sync(
          [
            [group, 99],
            [NOWHERE, 0],
          ],
          false,
          userId,
        ),
      () =>
        sync(
          [
            [direct, 2],
            [group, 4],
          ],
          true,
          userId,
        ),
    ]);
    const alone: unknown[] = [];
    for (const ask of asks) alone.push(await ask());
    expect(new Set(alone.map((answer) => JSON.stringify(answer))).size).toBeGreaterThan(10);
    expect(await Promise.all(asks.map((ask) => ask()))).toEqual(alone);
  });

  it("[OPS1] a ping is answered", async () => {
    await expect(storage.queries.ping()).resolves.toBeUndefined();
  });
});

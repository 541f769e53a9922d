/** ConversationStore and UserStore: one suite for both storages. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { asConversationId, asUserId } from "../../src/protocol/schemas.ts";
import { addMembers, removeMember, retitle } from "../support/group-changes.ts";
import { edits, removes } from "../support/message-changes.ts";
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

const NOBODY = asUserId("999999999");
const NOWHERE = asConversationId("999999999");
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Resolves as late after storage as `granted` does. */
async function committed<T>(change: Promise<T>): Promise<T> {
  return await change;
}

describe.each(ADAPTERS)("conversations in $name", ({ open }) => {
  let storage: OpenStorage;
  let alice: UserId;
  let bob: UserId;
  let carol: UserId;
  let group: ConversationId;

  beforeAll(async () => {
    storage = await open();
    [alice, bob, carol] = (await newUsers(storage, 3)) as [UserId, UserId, UserId];
  });
  afterAll(() => storage?.close());

  const freshGroup = async () => {
    group = await newGroup(storage, [alice, bob]);
    return storage.conversations;
  };

  it("[GRP1] a new group has its members, rev 1 and no messages", async () => {
    const made = await granted(
      storage.conversations.create("group", bob, [alice, bob, carol], "Trip"),
    );
    expect(made.created).toBe(true);
    expect(made.conversation).toMatchObject({
      kind: "group",
      title: "Trip",
      owner_id: bob,
      last_seq: 0,
      rev: 1,
      members: [alice, bob, carol].map((user_id) => ({ user_id, delivered_seq: 0, read_seq: 0 })),
    });
    expect(made.conversation.created_at).toMatch(ISO);
    const id = asConversationId(made.conversation.id);
    expect(await storage.conversations.load(id)).toEqual(made.conversation);
    expect(await storage.conversations.load(NOWHERE)).toBeNull();
    const unknown = storage.conversations.create("group", bob, [bob, NOBODY], null);
    expect(await codeOf(unknown)).toBe("not_found");
  });

  it("[GRP2] a pair has one direct conversation, also when two hosts make it at once", async () => {
    const [dave, erin] = (await newUsers(storage, 2)) as [UserId, UserId];
    const other = storage.host();
    const tries = await Promise.all(
      [0, 1, 2, 3, 4, 5].map((i) =>
        granted(
          (i % 2 ? storage : other).conversations.create(
            "direct",
            i % 3 ? dave : erin,
            i % 2 ? [dave, erin] : [erin, dave],
            null,
          ),
        ),
      ),
    );
    expect(new Set(tries.map((made) => made.conversation.id)).size).toBe(1);
    expect(tries.filter((made) => made.created)).toHaveLength(1);
    expect(tries[0]!.conversation).toMatchObject({ kind: "direct", owner_id: null, title: null });
    expect(tries[0]!.conversation.members.map((member) => member.user_id)).toEqual([dave, erin]);
  });

  it("[MSG1] messages take seq and rev in the order of the calls", async () => {
    const store = await freshGroup();
    const sent = await Promise.all(
      ["a", "b", "c"].map((body) => granted(say(storage, group, alice, body))),
    );
    expect(sent.map(({ message }) => [message.body, message.seq, message.rev])).toEqual([
      ["a", 1, 2],
      ["b", 2, 3],
      ["c", 3, 4],
    ]);
    expect(sent[0]!.message).toMatchObject({
      conversation_id: group,
      sender_id: alice,
      client_id: "a",
      reply_to_seq: null,
      edited_at: null,
      deleted_at: null,
    });
    expect(sent[0]!.message.created_at).toMatch(ISO);
    expect(await store.newest(group, 2)).toEqual([sent[1]!.message, sent[2]!.message]);
    expect(await store.load(group)).toMatchObject({ last_seq: 3, rev: 4 });
  });

  it("[MSG2] a repeated client_id answers the first message as it is now", async () => {
    const store = await freshGroup();
    const [first, again] = await Promise.all([
      granted(say(storage, group, alice, "hi", { clientId: "x" })),
      granted(say(storage, group, alice, "other", { clientId: "x" })),
    ]);
    expect(first!.duplicate).toBe(false);
    expect(again).toEqual({ message: first!.message, duplicate: true });
    const edited = await granted(edits(store, group, 1, alice, "hello"));
    expect(await granted(say(storage, group, alice, "third", { clientId: "x" }))).toEqual({
      message: edited,
      duplicate: true,
    });
    // Another's client_id is another's message, and a repetition with a bad reply is still one.
    expect((await granted(say(storage, group, bob, "x"))).message.seq).toBe(2);
    const replied = say(storage, group, bob, "x", { replyToSeq: 77 });
    expect((await granted(replied)).duplicate).toBe(true);
    expect(await store.load(group)).toMatchObject({ last_seq: 2, rev: 4 });
  });

  it("[MSG3] a refused send takes no number and leaves its neighbours alone", async () => {
    await freshGroup();
    const outcomes = await Promise.all([
      codeOf(say(storage, group, alice, "one")),
      codeOf(say(storage, group, carol, "outsider")),
      codeOf(say(storage, NOWHERE, alice, "nowhere")),
      codeOf(say(storage, group, alice, "bad reply", { replyToSeq: 9 })),
      codeOf(say(storage, group, bob, "two")),
    ]);
    expect(outcomes).toEqual(["", "not_found", "not_found", "invalid_payload", ""]);
    const newest = await storage.conversations.newest(group, 10);
    expect(newest.map(({ seq, body }) => [seq, body])).toEqual([
      [1, "one"],
      [2, "two"],
    ]);
    const reply = await granted(say(storage, group, bob, "re", { replyToSeq: 1 }));
    expect(reply.message.reply_to_seq).toBe(1);
    // A refused client_id is free again.
    expect((await granted(say(storage, group, alice, "bad reply"))).duplicate).toBe(false);
  });

  it("[MSG4] text comes back exactly as it went", async () => {
    await freshGroup();
    const body = "tab\there\nÄ 𝒳 \u{1f469}\u200d\u{1f52c} \\ \" ' {} NULL \u2028 ümlaut";
    const { message } = await granted(say(storage, group, alice, body, { clientId: "\\\"'~ " }));
    expect(message.body).toBe(body);
    expect(await storage.conversations.newest(group, 1)).toEqual([message]);
    const again = await granted(say(storage, group, alice, "?", { clientId: "\\\"'~ " }));
    expect(again).toEqual({ message, duplicate: true });
  });

  it("[GRP8] cursors rise only, and a send moves the sender's own", async () => {
    const store = await freshGroup();
    for (const body of ["a", "b", "c"]) await granted(say(storage, group, alice, body));
    const mark = (seq: number, read: boolean, userId = bob) =>
      store.mark({ conversationId: group, userId, seq, read });
    const marks = [mark(2, false), mark(1, true), mark(1, true), mark(0, true), mark(3, true)];
    expect(await Promise.all(marks.map(granted))).toEqual([
      { delivered_seq: 2, read_seq: 0, changed: true, own: { read_seq: 0 } },
      { delivered_seq: 2, read_seq: 1, changed: true, own: { read_seq: 1 } },
      { delivered_seq: 2, read_seq: 1, changed: false, own: { read_seq: 1 } },
      { delivered_seq: 2, read_seq: 1, changed: false, own: { read_seq: 1 } },
      { delivered_seq: 3, read_seq: 3, changed: true, own: { read_seq: 3 } },
    ]);
    expect(await granted(mark(1, false))).toEqual({
      delivered_seq: 3,
      read_seq: 3,
      changed: false,
      own: { read_seq: 3 },
    });
    expect(await codeOf(mark(1, true, carol))).toBe("not_found");
    expect((await store.load(group))?.members).toEqual([
      { user_id: alice, delivered_seq: 3, read_seq: 3 },
      { user_id: bob, delivered_seq: 3, read_seq: 3 },
    ]);
  });

  it("[MSG5] an edit takes the next rev and keeps seq; only its sender makes it", async () => {
    const store = await freshGroup();
    const { message } = await granted(say(storage, group, alice, "a"));
    await granted(say(storage, group, bob, "b"));
    const edited = await granted(edits(store, group, 1, alice, "A"));
    expect(edited).toEqual({ ...message, rev: 4, body: "A", edited_at: edited.edited_at });
    expect(edited.edited_at).toMatch(ISO);
    expect(await codeOf(edits(store, group, 1, bob, "mine"))).toBe("forbidden");
    expect(await codeOf(edits(store, group, 1, carol, "mine"))).toBe("not_found");
    expect(await codeOf(edits(store, group, 9, alice, "?"))).toBe("not_found");
    expect(await store.changedAfter(group, 2, 10)).toMatchObject([
      { seq: 2, rev: 3 },
      { seq: 1, rev: 4 },
    ]);
    expect(await store.changedAfter(group, 2, 1)).toMatchObject([{ seq: 2 }]);
  });

  it("[MSG6] a deletion empties the body; again it changes nothing, and no edit follows", async () => {
    const store = await freshGroup();
    await granted(say(storage, group, alice, "a"));
    const { message, changed } = await granted(removes(store, group, 1, alice));
    expect(changed).toBe(true);
    expect(message).toMatchObject({ seq: 1, rev: 3, body: "" });
    expect(message.deleted_at).toMatch(ISO);
    expect(await granted(removes(store, group, 1, alice))).toEqual({ message, changed: false });
    expect(await codeOf(edits(store, group, 1, alice, "back"))).toBe("conflict");
    expect(await codeOf(removes(store, group, 1, bob))).toBe("forbidden");
    expect(await codeOf(removes(store, group, 2, alice))).toBe("not_found");
    expect(await store.load(group)).toMatchObject({ last_seq: 1, rev: 3 });
  });

  it("[GRP3] a title changes once, by any member, never of a direct conversation", async () => {
    const store = await freshGroup();
    const renamed = await granted(retitle(store, group, bob, "New"));
    expect(renamed).toMatchObject({ changed: true, conversation: { title: "New", rev: 2 } });
    expect(await granted(retitle(store, group, alice, "New"))).toEqual({
      conversation: renamed.conversation,
      changed: false,
    });
    expect(await codeOf(retitle(store, group, carol, "Mine"))).toBe("not_found");
    const direct = await newDirect(storage, [alice, bob]);
    expect(await codeOf(retitle(store, direct, alice, "Us"))).toBe("conflict");
    expect(await codeOf(addMembers(store, direct, alice, [carol]))).toBe("conflict");
    expect(await codeOf(removeMember(store, direct, alice, alice))).toBe("conflict");
  });

  it("[GRP4] members are added once, with one rev a change, up to 1,000", async () => {
    const store = await freshGroup();
    await granted(say(storage, group, alice, "before"));
    const added = await granted(addMembers(store, group, bob, [carol, carol, alice]));
    expect(added).toMatchObject({ changed: true, conversation: { rev: 3, last_seq: 1 } });
    expect(added.conversation.members.map((member) => member.user_id)).toEqual([alice, bob, carol]);
    expect(added.conversation.members[2]).toMatchObject({ delivered_seq: 0, read_seq: 0 });
    expect((await granted(addMembers(store, group, bob, [carol]))).changed).toBe(false);
    expect(await codeOf(addMembers(store, group, bob, [NOBODY]))).toBe("not_found");
    const outsider = (await newUsers(storage, 1))[0]!;
    expect(await codeOf(addMembers(store, group, outsider, [outsider]))).toBe("not_found");
    expect((await granted(say(storage, group, carol, "hello"))).message.seq).toBe(2);
  });

  it("[GRP5] the owner removes, anyone leaves, and ownership passes by standing", async () => {
    const store = await freshGroup();
    await granted(addMembers(store, group, alice, [carol]));
    expect(await codeOf(removeMember(store, group, bob, carol))).toBe("forbidden");
    expect(await removeMember(store, group, alice, NOBODY)).toMatchObject({
      error: { code: "not_found", message: "That user is not a member of this conversation." },
    });
    expect(await granted(removeMember(store, group, alice, alice))).toMatchObject({
      changed: true,
      conversation: { owner_id: bob, rev: 3 },
    });
    expect(await codeOf(say(storage, group, alice, "gone"))).toBe("not_found");
    expect((await granted(removeMember(store, group, bob, carol))).conversation.rev).toBe(4);
    expect(await granted(removeMember(store, group, bob, bob))).toMatchObject({
      conversation: { owner_id: null, members: [], rev: 5 },
    });
    expect(await codeOf(removeMember(store, group, bob, bob))).toBe("not_found");
  });

  it("[GRP6] writes of every kind resolve in the order of their rev", async () => {
    const store = await freshGroup();
    await granted(say(storage, group, alice, "first"));
    const revs: number[] = [];
    const note = (rev: number) => void revs.push(rev);
    await Promise.all([
      granted(say(storage, group, alice, "a")).then(({ message }) => note(message.rev)),
      granted(
        store.revise(group, 1, alice, { does: "edit", body: "e", names: [], all: false }),
      ).then(({ message }) => note(message.rev)),
      granted(say(storage, group, bob, "b")).then(({ message }) => note(message.rev)),
      committed(store.change(group, [{ by: bob, does: "update", title: "t" }])).then((change) =>
        note(change.conversation!.rev),
      ),
      granted(store.mark({ conversationId: group, userId: bob, seq: 1, read: true })),
      granted(say(storage, group, bob, "c")).then(({ message }) => note(message.rev)),
      granted(
        store.revise(group, 1, alice, { does: "delete", any: false, system: false, spared: [] }),
      ).then(({ message }) => note(message.rev)),
    ]);
    expect(revs).toEqual([3, 4, 5, 6, 7, 8]);
  });

  it("[GRP7] last_seen_at keeps its milliseconds and never goes back", async () => {
    const [user, other] = (await newUsers(storage, 2)) as [UserId, UserId];
    expect(await storage.users.lastSeen(user)).toEqual({ at: null, isReserved: false });
    expect(await storage.users.lastSeen(NOBODY)).toBeUndefined();
    await Promise.all([
      storage.users.saveLastSeen(user, "2026-01-02T03:04:05.070Z"),
      storage.users.saveLastSeen(user, "2026-01-02T03:04:05.069Z"),
      storage.users.saveLastSeen(other, "2026-01-02T03:04:05.000Z"),
      storage.users.saveLastSeen(NOBODY, "2026-01-02T03:04:05.000Z"),
    ]);
    await storage.users.saveLastSeen(user, "2025-01-01T00:00:00.000Z");
    expect((await storage.users.lastSeen(user))?.at).toBe("2026-01-02T03:04:05.070Z");
    expect(await storage.queries.lastSeen([user, other, carol, NOBODY])).toEqual(
      new Map([
        [user, "2026-01-02T03:04:05.070Z"],
        [other, "2026-01-02T03:04:05.000Z"],
        [carol, null],
      ]),
    );
  });
});

/**
 * Which conversations are live in a session, what changed in the others, and who may be taken
 * into a group: one suite for both storages.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import {
  AUTOMATIC_WATCHES_MAX,
  LIVE_CONVERSATIONS_MAX,
} from "../../src/protocol/session-bounds.ts";
import { eventually } from "../support/eventually.ts";
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

describe.each(ADAPTERS)("live conversations in $name", ({ open }) => {
  let storage: OpenStorage;
  let alice: UserId;
  let bob: UserId;
  let carol: UserId;

  beforeAll(async () => {
    storage = await open();
  });
  beforeEach(async () => {
    [alice, bob, carol] = (await newUsers(storage, 3)) as [UserId, UserId, UserId];
  });
  afterAll(() => storage?.close());

  const opening = async (user: UserId) => (await storage.queries.openSession(user))!;
  const ranked = async (user: UserId) => (await opening(user)).conversations.map(({ id }) => id);
  const activity = async (sinceMs: number, user = alice) => {
    const { found } = await storage.queries.activity([{ user, sinceMs }]);
    return found;
  };
  /** The database's time, later than everything before the call and earlier than what follows. */
  const now = async () => {
    const { readAtMs } = await opening(alice);
    await eventually("the clock moves on", async () => {
      return (await opening(alice)).readAtMs > readAtMs + 1;
    });
    return readAtMs + 1;
  };

  it("[LIV2] what others do moves no conversation up, what the user does moves it to the top", async () => {
    const sent = await newGroup(storage, [bob, alice]);
    const read = await newGroup(storage, [bob, alice]);
    const opened = await newGroup(storage, [bob, alice]);
    const direct = await newDirect(storage, [bob, alice]);
    const foreign: ConversationId[] = [];
    for (let n = 0; n < 3; n++) foreign.unshift(await newGroup(storage, [carol, alice]));
    await now();
    await granted(say(storage, sent, alice, "hello"));
    await granted(say(storage, read, bob, "hello"));
    await now();
    const mark = { conversationId: read, userId: alice, seq: 1 };
    await granted(storage.conversations.mark({ ...mark, read: true }));
    await now();
    await storage.conversations.opened(opened, alice);
    await now();
    await granted(say(storage, direct, bob, "to you"));
    await now();
    for (const id of foreign) {
      await granted(say(storage, id, carol, "spam"));
      await granted(retitle(storage.conversations, id, carol, "Spam"));
    }
    expect((await ranked(alice)).slice(0, 4)).toEqual([direct, opened, read, sent]);
    expect((await ranked(alice)).slice(4).toSorted()).toEqual(foreign.toSorted());
  });

  it("[LIV2] the maker of a group is active in it, and a mark of delivery is nobody's doing", async () => {
    const foreign = await newGroup(storage, [bob, alice]);
    const own = await newGroup(storage, [alice, bob]);
    await granted(say(storage, foreign, bob, "hello"));
    const mark = { conversationId: foreign, userId: alice, seq: 1, read: false };
    await granted(storage.conversations.mark(mark));
    await storage.conversations.opened(foreign, carol);
    expect(await ranked(alice)).toEqual([own, foreign]);
  });

  it("[LIV3] an opening names at most 500 conversations and 500 unread ones, and says of more", async () => {
    const first = await newGroup(storage, [alice, bob]);
    await granted(say(storage, first, alice, "mine"));
    await granted(say(storage, first, bob, "yours"));
    expect(await opening(alice)).toMatchObject({
      hasMoreConversations: false,
      hasMoreUnread: false,
    });
    const spam: ConversationId[] = [];
    for (let n = 0; n < LIVE_CONVERSATIONS_MAX; n++) {
      spam.push(await newGroup(storage, [carol, alice]));
    }
    await Promise.all(spam.map((id) => granted(say(storage, id, carol, "spam"))));
    const { conversations, unread, ...more } = await opening(alice);
    expect(conversations).toHaveLength(500);
    expect(conversations[0]!.id).toBe(first);
    expect(unread).toHaveLength(500);
    expect(unread[0]).toEqual({
      conversation_id: first,
      last_seq: 2,
      read_seq: 1,
      unread_count: 1,
    });
    expect(more).toMatchObject({ hasMoreConversations: true, hasMoreUnread: true });
    const mark = { conversationId: spam[0]!, userId: alice, seq: 1, read: true };
    await granted(storage.conversations.mark(mark));
    expect((await opening(alice)).hasMoreUnread).toBe(false);
  }, 60_000);

  it("[CAC4] every kind of change of a conversation is found, by the time since when", async () => {
    const [said, edited, deleted, retitled, joined, quiet] = (await Promise.all(
      Array.from({ length: 6 }, () => newGroup(storage, [bob, alice])),
    )) as ConversationId[];
    await granted(say(storage, edited!, bob, "one"));
    await granted(say(storage, deleted!, bob, "one"));
    const since = await now();
    expect(await activity(since)).toEqual([]);
    await granted(say(storage, said!, bob, "one"));
    await granted(edits(storage.conversations, edited!, 1, bob, "two"));
    await granted(removes(storage.conversations, deleted!, 1, bob));
    await granted(retitle(storage.conversations, retitled!, bob, "New"));
    await granted(addMembers(storage.conversations, joined!, bob, [carol]));
    const found = await activity(since);
    expect(found.map(({ conversation_id }) => conversation_id).toSorted()).toEqual(
      [said, edited, deleted, retitled, joined].toSorted(),
    );
    expect(found.map(({ conversation_id }) => conversation_id)).not.toContain(quiet);
    expect(found.every(({ user, isOwn }) => user === alice && !isOwn)).toBe(true);
    expect(found.find((one) => one.conversation_id === edited)).toMatchObject({
      last_seq: 1,
      rev: 3,
      read_seq: 0,
      unread_count: 1,
    });
    expect(await activity(await now())).toEqual([]);
  });

  it("[CAC5] own activity is found as such, also where nothing changed for others", async () => {
    const read = await newGroup(storage, [bob, alice]);
    const opened = await newGroup(storage, [bob, alice]);
    const direct = await newDirect(storage, [bob, alice]);
    await granted(say(storage, read, bob, "one"));
    const since = await now();
    const mark = { conversationId: read, userId: alice, seq: 1, read: true };
    await granted(storage.conversations.mark(mark));
    await storage.conversations.opened(opened, alice);
    await granted(say(storage, direct, bob, "to you"));
    const own = await activity(since);
    expect(own.map(({ conversation_id, isOwn }) => [conversation_id, isOwn]).toSorted()).toEqual(
      [read, opened, direct].map((id) => [id, true]).toSorted(),
    );
    expect(await activity(since, bob)).toMatchObject([{ conversation_id: direct, isOwn: true }]);
    const { found } = await storage.queries.activity([
      { user: carol, sinceMs: since },
      { user: bob, sinceMs: since },
    ]);
    expect(found).toMatchObject([{ user: bob, conversation_id: direct }]);
  });

  it("[WCH9] an opening names those followed last, and no more than are watched", async () => {
    const others = await newUsers(storage, AUTOMATIC_WATCHES_MAX + 3);
    for (const other of others) await granted(storage.graph.follow(alice, other, true));
    const { followees } = await opening(alice);
    expect(followees).toHaveLength(AUTOMATIC_WATCHES_MAX);
    const dropped = new Set(others.slice(0, 3));
    expect(followees.filter((user) => dropped.has(user)).length).toBeLessThanOrEqual(3);
    expect(followees).toContain(others.at(-1)!);
  }, 60_000);

  it("[CNS1] nobody is taken into a group by who is apart from them, either way round", async () => {
    const store = storage.conversations;
    await granted(storage.graph.block(alice, bob, true));
    const made = (by: UserId, members: UserId[]) => store.create("group", by, members, "Group");
    expect(await codeOf(made(bob, [bob, alice]))).toBe("forbidden");
    expect(await codeOf(made(bob, [bob, carol, alice]))).toBe("forbidden");
    expect(await codeOf(made(alice, [alice, bob]))).toBe("forbidden");
    const group = await newGroup(storage, [bob, carol]);
    expect(await codeOf(addMembers(store, group, bob, [alice]))).toBe("forbidden");
    const [dora] = (await newUsers(storage, 1)) as [UserId];
    expect(await codeOf(addMembers(store, group, bob, [dora, alice]))).toBe("forbidden");
    expect((await store.load(group))!.members).toHaveLength(2);
    // Between the one who adds and the one who is added there is no block.
    await granted(addMembers(store, group, carol, [alice]));
    expect((await granted(addMembers(store, group, bob, [alice]))).changed).toBe(false);
    await granted(storage.graph.block(alice, bob, false));
    expect(await codeOf(made(bob, [bob, alice]))).toBe("");
  });

  it("[CNS2] who left a group is not added again, who was removed may be", async () => {
    const store = storage.conversations;
    const group = await newGroup(storage, [alice, bob, carol]);
    await granted(removeMember(store, group, bob, bob));
    expect(await codeOf(addMembers(store, group, alice, [bob]))).toBe("forbidden");
    expect(await codeOf(addMembers(store, group, carol, [bob]))).toBe("forbidden");
    await granted(removeMember(store, group, alice, carol));
    expect((await granted(addMembers(store, group, alice, [carol]))).changed).toBe(true);
    // It concerns that group alone.
    const other = await newGroup(storage, [alice, carol]);
    expect((await granted(addMembers(store, other, alice, [bob]))).changed).toBe(true);
  });

  it("[CNS3] a refusal of one who adds leaves the others of the same change as they are", async () => {
    const store = storage.conversations;
    const [dora, erin] = (await newUsers(storage, 2)) as [UserId, UserId];
    const group = await newGroup(storage, [alice, bob, carol]);
    await granted(storage.graph.block(dora, bob, true));
    const { outcomes, addedIds, removedIds, conversation } = await store.change(group, [
      { by: bob, does: "add", userIds: [erin, dora] },
      { by: carol, does: "remove", userId: carol },
      { by: alice, does: "add", userIds: [carol] },
      { by: alice, does: "add", userIds: [dora] },
    ]);
    expect(outcomes.map((one) => (one.ok ? "" : one.error.code))).toEqual([
      "forbidden",
      "",
      "forbidden",
      "",
    ]);
    expect([addedIds, removedIds]).toEqual([[dora], [carol]]);
    expect(conversation!.members.map(({ user_id }) => user_id)).toEqual([alice, bob, dora]);
  });
});

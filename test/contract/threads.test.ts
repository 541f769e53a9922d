/** ThreadStore, ThreadQueries and what threads change in the other ports; for both storages. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { PrefsChange } from "../../src/protocol/prefs.ts";
import { asConversationId, type Conversation } from "../../src/protocol/schemas.ts";
import { ADAPTERS, granted, newGroup, newUsers, type OpenStorage, say } from "./adapters.ts";

describe.each(ADAPTERS)("threads in $name", ({ open }) => {
  let storage: OpenStorage;
  let owner: UserId;
  let other: UserId;
  let third: UserId;
  let stranger: UserId;
  let group: ConversationId;
  let thread: ConversationId;

  beforeAll(async () => {
    storage = await open();
    [owner, other, third, stranger] = (await newUsers(storage, 4)) as [
      UserId,
      UserId,
      UserId,
      UserId,
    ];
  });
  afterAll(() => storage?.close());
  beforeEach(async () => {
    group = await newGroup(storage, [owner, other, third]);
    await granted(say(storage, group, other, "the root"));
    const made = await granted(storage.threads.create(group, 1, owner));
    thread = asConversationId(made.thread.id);
    expect(made).toMatchObject({ created: true, follower: other });
  });

  const seen = async (user: UserId) =>
    (await storage.queries.conversation(user, thread)) as Conversation;
  const code = async (asked: Promise<{ ok: boolean; error?: { code: string } }>) =>
    (await asked).error?.code ?? "ok";
  const remove = (userId: UserId) =>
    storage.conversations.change(group, [{ by: owner, does: "remove", userId }]);

  it("[TST1] a message has one thread, which its sender follows", async () => {
    const again = await granted(storage.threads.create(group, 1, third));
    expect(again).toMatchObject({ created: false, follower: null, thread: { id: thread } });
    expect(await code(storage.threads.create(group, 2, owner))).toBe("not_found");
    expect(await code(storage.threads.create(group, 1, stranger))).toBe("not_found");
    await granted(say(storage, thread, owner, "a reply"));
    expect(await code(storage.threads.create(thread, 1, owner))).toBe("conflict");
    expect(await seen(third)).toMatchObject({
      kind: "thread",
      owner_id: owner,
      members: [],
      member_count: 2,
      parent: { conversation_id: group, seq: 1 },
    });
    expect(await storage.queries.conversation(stranger, thread)).toBeNull();
  });

  it("[TST10] threads in which streams are open are found by their parent", async () => {
    const parent = asConversationId(group);
    expect(await storage.streams.openThreads(parent)).toEqual([]);
    const opening = {
      conversationId: thread,
      senderId: owner,
      clientId: "s",
      body: "",
      replyToSeq: null,
    };
    await granted(storage.conversations.append({ ...opening, content: { isStream: true } }));
    expect(await storage.streams.openThreads(parent)).toEqual([thread]);
    expect(await storage.streams.openThreads(thread)).toEqual([]);
    const end = { state: "done" as const, names: [], all: false };
    await storage.streams.write(thread, 1, { from: 0, text: "", end });
    expect(await storage.streams.openThreads(parent)).toEqual([]);
  });

  it("[TST11] whoever may read a thread has preferences of it, until they may not any more", async () => {
    const set = (userId: UserId, change: PrefsChange) =>
      storage.prefs.change({ userId, conversationId: thread, change, session: "", draftBy: "" });
    const draft = { body: "not yet" };
    const change: PrefsChange = { muted_until: "forever", draft, unread_from_seq: 1 };
    const made = await granted(set(third, { ...change, cleared_before_seq: 1 }));
    const { prefs_rev } = made.prefs;
    const prefs = { conversation_id: thread, prefs_rev, muted_until: "forever", draft };
    expect(made).toEqual({ prefs, changed: true });
    expect(await granted(set(third, change))).toEqual({ prefs, changed: false });
    expect(await storage.queries.prefs(third, thread)).toEqual(prefs);
    expect(await code(set(third, { hidden: true }))).toBe("conflict");
    expect(await code(set(stranger, { pinned: true }))).toBe("not_found");
    // A follower's mark is in the membership.
    expect(await granted(set(other, { unread_from_seq: 1 }))).toMatchObject({ changed: true });
    await remove(third);
    expect(await code(set(third, { pinned: true }))).toBe("not_found");
    const after = await storage.queries.prefsAfter(third, prefs_rev, 10);
    expect(after.map((one) => one.prefs)).toEqual([
      { conversation_id: thread, prefs_rev: prefs_rev + 1, removed: true },
    ]);
  });

  it("[TST2] senders and those mentioned follow since their message, having read what was before", async () => {
    await granted(say(storage, thread, other, "one"));
    const name = (await storage.accounts.byId(third))!.username;
    const asked = { senderId: owner, clientId: "m", body: "hey", replyToSeq: null };
    const content = { names: [name] };
    const sent = await granted(
      storage.conversations.append({ ...asked, conversationId: thread, content }),
    );
    const followed = [...(sent.followed ?? [])].sort((a, b) => Number(a.userId) - Number(b.userId));
    expect(followed).toEqual([
      { userId: owner, readSeq: 2 },
      { userId: third, readSeq: 1 },
    ]);
    expect((await seen(third)).members).toEqual([
      { user_id: third, delivered_seq: 1, read_seq: 1 },
    ]);
    const page = await storage.queries.threads(third, true, 10, null);
    expect(page?.items).toMatchObject([{ id: thread, unread_count: 1, last_message: { seq: 2 } }]);
    expect(await storage.queries.totals(third)).toMatchObject({ threads: 1 });
    const cleared = { change: { cleared_before_seq: 3 }, session: "", draftBy: "" } as const;
    await granted(storage.prefs.change({ userId: third, conversationId: thread, ...cleared }));
    const hidden = await storage.queries.threads(third, false, 10, null);
    expect(hidden?.items).toMatchObject([{ id: thread, unread_count: 0, last_message: null }]);
    expect(await storage.queries.totals(third)).toMatchObject({ threads: 0 });
    expect(await code(say(storage, thread, stranger, "x"))).toBe("not_found");
    const list = await storage.queries.conversations(third, 10, null);
    expect(list?.items.map(({ id }) => id)).not.toContain(thread);
  });

  it("[TST3] follow and unfollow, by readers only", async () => {
    await granted(say(storage, thread, other, "one"));
    const follow = (user: UserId, on: boolean) => storage.threads.follow(thread, user, on, null);
    const standing = { rev: 2, last_seq: 1 };
    expect(await granted(follow(third, true))).toEqual({ ...standing, changed: true });
    expect(await granted(follow(third, true))).toEqual({ ...standing, changed: false });
    expect((await seen(third)).members).toEqual([
      { user_id: third, delivered_seq: 1, read_seq: 1 },
    ]);
    await granted(
      storage.conversations.append({
        ...{ conversationId: thread, senderId: other, clientId: "q", body: "hush" },
        ...{ replyToSeq: null, content: { silent: true } },
      }),
    );
    const quiet = { rev: 3, last_seq: 2, last_n: 1 };
    expect(await granted(follow(third, false))).toEqual({ ...quiet, changed: true });
    expect(await code(follow(stranger, true))).toBe("not_found");
    expect(await code(storage.threads.follow(group, third, true, null))).toBe("not_found");
    expect((await seen(third)).member_count).toBe(1);
  });

  it("[TST4] [THR5] whoever leaves the parent follows nothing there, and threads go with their parent", async () => {
    await granted(say(storage, thread, third, "one"));
    const change = await remove(third);
    expect(change.hasThreads).toBe(true);
    expect(await storage.queries.conversation(third, thread)).toBeNull();
    expect((await storage.conversations.load(thread))!.members.map((it) => it.user_id)).toEqual([
      other,
    ]);
    expect((await seen(owner)).member_count).toBe(1);
    expect(await storage.queries.readableThreads(third, [thread])).toEqual([]);
    expect(await storage.queries.readableThreads(owner, [thread])).toEqual([thread]);
    expect(await code(storage.threads.follow(thread, third, true, null))).toBe("not_found");
    const deleted = await storage.conversations.change(group, [{ by: owner, does: "delete" }]);
    expect(deleted.hasThreads).toBe(true);
    expect(await storage.conversations.load(thread)).toBeNull();
    expect(await storage.queries.conversation(other, thread)).toBeNull();
    const { changes } = await storage.queries.changes(thread, 2, 10);
    expect(changes).toMatchObject([{ name: "conversation_deleted", rev: 3 }]);
  });

  it("[TST10] who may not see the root is not mentioned in its thread, and does not follow it", async () => {
    const patch = { does: "update", by: owner, settings: { history: "joined" } } as const;
    await storage.conversations.change(group, [patch]);
    await storage.conversations.change(group, [{ by: owner, does: "add", userIds: [stranger] }]);
    const names = await Promise.all(
      [stranger, third].map(async (user) => (await storage.accounts.byId(user))!.username),
    );
    const asked = { senderId: other, clientId: "h", body: "hey", replyToSeq: null };
    const { message, followed } = await granted(
      storage.conversations.append({ ...asked, conversationId: thread, content: { names } }),
    );
    expect(message.mentions).toEqual([third]);
    expect(followed?.map(({ userId }) => userId)).toEqual([third]);
    const edit = { does: "edit", body: "hey you", names, all: false } as const;
    const edited = await granted(storage.conversations.revise(thread, 1, other, edit));
    expect(edited.message.mentions).toEqual([third]);
  });

  it("[TST5] a summary counts replies that are left, and takes a rev where it differs", async () => {
    expect(await storage.threads.summarize(group, 1)).toBeNull();
    await granted(say(storage, thread, other, "one"));
    await granted(say(storage, thread, third, "two"));
    const first = await storage.threads.summarize(group, 1);
    expect(first).toMatchObject({
      changed: true,
      message: {
        rev: 3,
        edited_at: null,
        thread: { conversation_id: thread, reply_count: 2, last_user_ids: [third, other] },
      },
    });
    expect((await storage.threads.summarize(group, 1))?.changed).toBe(false);
    const gone = { does: "delete" as const, any: false, system: false, spared: [] };
    await granted(storage.conversations.revise(thread, 2, third, gone));
    await granted(say(storage, thread, owner, "three"));
    await granted(storage.conversations.revise(thread, 3, owner, gone));
    const second = await storage.threads.summarize(group, 1);
    expect(second?.message.thread).toMatchObject({ reply_count: 1, last_user_ids: [other] });
    expect(await storage.recount.recount(false)).toEqual([]);
    await granted(storage.conversations.revise(group, 1, other, gone));
    const last = await storage.queries.history(owner, group, {
      beforeSeq: null,
      afterSeq: 0,
      limit: 1,
    });
    expect(last?.value().items[0]).toMatchObject({ body: "", thread: { reply_count: 1 } });
  });

  it("[TST5] [GAP2] a deleted root is told as deleted at each of its revs", async () => {
    await granted(say(storage, thread, other, "one"));
    const gone = { does: "delete" as const, any: false, system: false, spared: [] };
    const deleted = await granted(storage.conversations.revise(group, 1, other, gone));
    const summary = await storage.threads.summarize(group, 1);
    expect(summary?.changed).toBe(true);
    const { changes } = await storage.queries.changes(group, deleted.message.rev - 1, 10);
    const told = changes.map(({ body }) => JSON.parse(body));
    expect(told).toEqual([deleted.message, summary?.message]);
    expect(told[0].deleted_at).not.toBeNull();
  });

  it("[TST8] preferences of a thread are its own, with what is marked unread there", async () => {
    await granted(say(storage, group, owner, "in the parent"));
    await granted(say(storage, thread, owner, "one"));
    const marks = (conversationId: ConversationId, seq: number) =>
      granted(
        storage.prefs.change({
          userId: other,
          conversationId,
          change: { unread_from_seq: seq },
          session: "",
          draftBy: "",
        }),
      );
    await granted(
      storage.conversations.mark({ conversationId: group, userId: other, seq: 2, read: true }),
    );
    await marks(group, 2);
    expect(await storage.queries.prefs(other, thread)).toMatchObject({ prefs_rev: 0 });
    const { prefs } = await marks(thread, 0);
    expect(await storage.queries.prefs(other, thread)).toEqual(prefs);
    expect(prefs.unread_from_seq).toBe(0);
  });

  it("[TST9] readers among users are members of the parent, and all where it is deleted", async () => {
    const among = async () =>
      (await storage.queries.threadReaders(thread, [owner, third, stranger])).sort();
    expect(await among()).toEqual([owner, third].sort());
    await remove(third);
    expect(await among()).toEqual([owner]);
    await storage.conversations.change(group, [{ by: owner, does: "delete" }]);
    expect(await among()).toEqual([owner, third, stranger].sort());
  });

  it("[TST6] sync answers followed threads, and listed ones that may be read", async () => {
    await granted(say(storage, thread, other, "one"));
    const asked = (userId: UserId, after: [ConversationId, number][], withoutThreads = false) =>
      storage.queries.sync({ userId, after: new Map(after), complete: true, withoutThreads });
    const fresh = (await asked(other, [])).conversations.find(
      (it) => it.conversation_id === thread,
    );
    expect(fresh).toMatchObject({ rev: 2, conversation: { kind: "thread", owner_id: owner } });
    const former = await asked(other, [], true);
    expect(former.conversations.map((it) => it.conversation_id)).not.toContain(thread);
    const unfollowed = await asked(third, [[thread, 1]]);
    expect(unfollowed.removed).toEqual([]);
    expect(unfollowed.conversations.find((it) => it.conversation_id === thread)).toMatchObject({
      rev: 2,
      unread_count: 0,
      messages: [{ body: "one" }],
      conversation: null,
    });
    expect((await asked(stranger, [[thread, 1]])).removed).toEqual([thread]);
  });

  it("[TST7] a session begins with its followed threads beside its conversations", async () => {
    await granted(say(storage, thread, third, "one"));
    const opening = await storage.queries.openSession(other);
    expect(opening?.threads).toContainEqual({ id: thread, rev: 2, parent: group });
    expect(opening?.conversations.map(({ id }) => id)).not.toContain(thread);
    expect(opening?.unreadThreads).toContainEqual(
      expect.objectContaining({ conversation_id: thread, unread_count: 1 }),
    );
    expect(opening?.unread.map((it) => it.conversation_id)).not.toContain(thread);
  });
});

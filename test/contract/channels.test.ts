/** Channels in storage: memberships that are no changes, and what reads show; for both storages. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ConversationCall } from "../../actors/ports.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { asConversationId, type Conversation } from "../../src/protocol/schemas.ts";
import { ADAPTERS, granted, newUsers, type OpenStorage, say } from "./adapters.ts";

describe.each(ADAPTERS)("channels in $name", ({ open }) => {
  let storage: OpenStorage;
  let owner: UserId;
  let other: UserId;
  let third: UserId;
  let stranger: UserId;
  let channel: ConversationId;

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

  const make = async (audience: "members" | "anyone", members: UserId[]) => {
    const made = await granted(
      storage.conversations.create("channel", owner, [owner, ...members], "News", {
        audience,
        extras: { settings: { join: "open" } },
      }),
    );
    return asConversationId(made.conversation.id);
  };
  beforeEach(async () => {
    channel = await make("members", [other]);
  });

  const change = (...calls: ConversationCall[]) => storage.conversations.change(channel, calls);
  const seen = (user: UserId) => storage.queries.conversation(user, channel);
  const known = async () => (await storage.conversations.load(channel)) as Conversation;

  it("[CHS1] its actor loads the owner and moderators only, and each member sees their own entry", async () => {
    expect(await known()).toMatchObject({
      kind: "channel",
      audience: "members",
      members: [{ user_id: owner }],
      member_count: 2,
    });
    expect(await seen(other)).toMatchObject({
      members: [{ user_id: other, delivered_seq: 0, read_seq: 0 }],
      members_partial: true,
      member_count: 2,
    });
    expect(await seen(stranger)).toBeNull();
  });

  it("[CHS2] who joins, leaves or is silenced takes no rev; a moderator does", async () => {
    const joined = await change({ by: third, does: "join" });
    expect(joined).toMatchObject({
      changed: false,
      addedIds: [],
      quiet: { joinedIds: [third], leftIds: [], memberCount: 3 },
    });
    const silence = { does: "member", userId: third, silenced_until: "2999-01-01T00:00:00.000Z" };
    const silenced = await change({ by: owner, ...silence } as ConversationCall);
    expect(silenced).toMatchObject({ changed: false, quiet: { changedIds: [third] } });
    expect((await known()).rev).toBe(1);
    const raised = await change({ by: owner, does: "member", userId: third, role: "moderator" });
    expect(raised).toMatchObject({ changed: true, changedIds: [third] });
    expect((await known()).members.map(({ user_id }) => user_id).sort()).toEqual(
      [owner, third].sort(),
    );
    const gone = await change(
      { by: other, does: "remove", userId: other },
      { by: third, does: "remove", userId: third },
    );
    expect(gone).toMatchObject({
      changed: true,
      removedIds: [third],
      quiet: { leftIds: [other], memberCount: 1 },
    });
    expect(await known()).toMatchObject({ rev: 3, member_count: 1 });
  });

  it("[CHS3] joining and leaving are changes of the user's preferences", async () => {
    const [before = 0] = (await storage.queries.prefsRevs([third])).values();
    await change({ by: third, does: "join" });
    const begun = await storage.prefs.begun(channel, [third, stranger]);
    expect(begun).toEqual([
      { userId: third, prefs: { conversation_id: channel, prefs_rev: before + 1 } },
    ]);
    await change({ by: third, does: "remove", userId: third });
    const after = await storage.queries.prefsAfter(third, before, 10);
    expect(after.map(({ prefs }) => prefs)).toEqual([
      { conversation_id: channel, prefs_rev: before + 2, removed: true },
    ]);
  });

  it("[CHS4] anyone but the banned reads a channel that is open to anyone", async () => {
    channel = await make("anyone", []);
    await granted(say(storage, channel, owner, "hello"));
    const window = { beforeSeq: null, afterSeq: null, limit: 10 };
    expect(await seen(stranger)).toMatchObject({ members: [], member_count: 1 });
    expect((await storage.queries.history(stranger, channel, window))?.value().items).toHaveLength(
      1,
    );
    const synced = async () =>
      storage.queries.sync({ userId: stranger, after: new Map([[channel, 1]]), complete: true });
    expect((await synced()).conversations).toMatchObject([{ conversation_id: channel, rev: 2 }]);
    expect(await storage.channels.standing(channel, stranger)).toMatchObject({
      member: null,
      isBanned: false,
    });
    const ban = { until: null, reason: null };
    await change({ by: owner, does: "ban", userId: stranger, ...ban });
    expect(await seen(stranger)).toBeNull();
    expect(await storage.queries.history(stranger, channel, window)).toBeNull();
    expect((await synced()).removed).toEqual([channel]);
    expect(await storage.channels.standing(channel, stranger)).toMatchObject({ isBanned: true });
  });

  it("[CHS5] sync tells of unlisted channels without messages, and starts anew far behind", async () => {
    await granted(say(storage, channel, owner, "one"));
    const ask = (after: [ConversationId, number][], more = {}) =>
      storage.queries.sync({ userId: other, after: new Map(after), complete: true, ...more });
    const own = (answer: Awaited<ReturnType<typeof ask>>) =>
      answer.conversations.filter(({ conversation_id }) => conversation_id === channel);
    expect(own(await ask([]))).toMatchObject([
      { messages: [], reset: false, unread_count: 1, conversation: { member_count: 2 } },
    ]);
    expect(own(await ask([[channel, 1]]))).toMatchObject([
      { messages: [{ body: "one" }], reset: false, conversation: null },
    ]);
    expect(own(await ask([], { withoutThreads: true }))).toEqual([]);
    for (let n = 0; n < 200; n++) await say(storage, channel, owner, `more ${n}`);
    const [far] = own(await ask([[channel, 1]]));
    expect(far).toMatchObject({ reset: true, rev: 202, has_more: false });
    expect(far?.messages.map(({ seq }) => seq)).toEqual(
      Array.from({ length: 50 }, (_, n) => 152 + n),
    );
    expect(own(await ask([[channel, 2]]))).toMatchObject([{ reset: false }]);
  });

  it("[CHS6] members are listed by moderators, and a session begins with its user's channels", async () => {
    const list = (user: UserId) => storage.queries.members(user, channel, 10, null);
    expect(await list(other)).toEqual({ is: "forbidden" });
    expect(await list(owner)).toMatchObject({ is: "page", next_cursor: null });
    await granted(say(storage, channel, owner, "one"));
    const opening = await storage.queries.openSession(other);
    expect(opening?.channels).toContainEqual(
      expect.objectContaining({ conversation_id: channel, rev: 2, unread_count: 1, read_seq: 0 }),
    );
    const ids = opening?.conversations.map(({ id }) => id) ?? [];
    expect(ids).not.toContain(channel);
    const page = await storage.queries.conversations(other, 10, null, { kind: "channel" });
    expect(page?.items).toContainEqual(
      expect.objectContaining({ id: channel, unread_count: 1, member_count: 2 }),
    );
  });

  it("[CHS7] an owner who leaves is followed by a moderator, else by the longest standing member", async () => {
    await change({ by: third, does: "join" });
    await change({ by: owner, does: "member", userId: third, role: "moderator" });
    await change({ by: owner, does: "remove", userId: owner });
    expect((await known()).owner_id).toBe(third);
    await change({ by: third, does: "remove", userId: third });
    expect((await known()).owner_id).toBe(other);
    await change({ by: other, does: "delete" });
    expect(await storage.conversations.load(channel)).toBeNull();
    expect(await seen(other)).toBeNull();
  });
});

/** ReactionStore and what edges read of reactions: one suite for both storages. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ReactionCall, ReactionFlush } from "../../actors/ports.ts";
import { translationIn } from "../../src/protocol/contract.ts";
import type { ServerPayload } from "../../src/protocol/events.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Message } from "../../src/protocol/schemas.ts";
import { addMembers } from "../support/group-changes.ts";
import { edits, removes } from "../support/message-changes.ts";
import {
  ADAPTERS,
  everyChange,
  granted,
  newDirect,
  newGroup,
  newUsers,
  type OpenStorage,
  say,
} from "./adapters.ts";

const call = (by: UserId, key: string, on = true, rest: Partial<ReactionCall> = {}) => ({
  by,
  key,
  on,
  isOnly: false,
  isForAll: false,
  isAllowed: true,
  ...rest,
});

const eventOf = ({ change }: ReactionFlush) =>
  change === null ? null : (JSON.parse(change.event) as ServerPayload<"reaction">);
const codesOf = ({ outcomes }: ReactionFlush) =>
  outcomes.map((outcome) => (outcome.ok ? outcome.value.changed : outcome.error.code));
const seqOf = async (sent: ReturnType<typeof say>) => (await granted(sent)).message.seq;

describe.each(ADAPTERS)("reactions in $name", ({ open }) => {
  let storage: OpenStorage;
  let users: UserId[];
  let alice: UserId;
  let bob: UserId;
  let carol: UserId;
  let group: ConversationId;
  let seq: number;

  beforeAll(async () => {
    storage = await open();
    users = await newUsers(storage, 60);
    [alice, bob, carol] = users as [UserId, UserId, UserId];
  });
  afterAll(() => storage?.close());
  beforeEach(async () => {
    group = await newGroup(storage, users);
    seq = await seqOf(say(storage, group, alice, "hello"));
  });

  const react = (...calls: ReactionCall[]) => storage.reactions.react(group, seq, calls);
  const stored = async () => (await storage.conversations.newest(group, 1))[0]!;
  const summary = async () => (await stored()).reactions?.map(({ key, count }) => [key, count]);

  it("[RCT1] a flush takes one rev, and tells the keys as they are and every change", async () => {
    const flush = await react(call(bob, "👍"), call(carol, "👍"), call(bob, "🎉"));
    expect(codesOf(flush)).toEqual([true, true, true]);
    const { rev } = flush.change!;
    expect(rev).toBe(3);
    expect(eventOf(flush)).toEqual({
      conversation_id: group,
      seq,
      rev,
      changed: [
        { key: "👍", count: 2, last_user_ids: [carol, bob] },
        { key: "🎉", count: 1, last_user_ids: [bob] },
      ],
      changes: [
        { user_id: bob, key: "👍", on: true },
        { user_id: carol, key: "👍", on: true },
        { user_id: bob, key: "🎉", on: true },
      ],
    });
    expect(flush.own).toEqual(
      new Map([
        [bob, ["👍", "🎉"]],
        [carol, ["👍"]],
      ]),
    );
    expect(flush.message).toEqual({ ...(await stored()), rev, edited_at: null });
    expect(flush.message?.reactions).toEqual(eventOf(flush)?.changed);
    expect((await storage.queries.revs([group])).get(group)).toBe(rev);
  });

  it("[RCT2] what changes nothing takes no rev", async () => {
    expect((await react(call(bob, "👍", false))).change).toBeNull();
    await react(call(bob, "👍"));
    const again = await react(call(bob, "👍"));
    expect(again.change).toBeNull();
    expect(codesOf(again)).toEqual([false]);
    expect(again.own.get(bob)).toEqual(["👍"]);
    expect((await react(call(bob, "👍", true, { isOnly: true }))).change).toBeNull();
    expect(await summary()).toEqual([["👍", 1]]);
  });

  it("[RCT3] a key that is gone loses its place, within a flush it keeps it", async () => {
    await react(call(bob, "a"), call(bob, "b"), call(bob, "c"));
    const gone = await react(call(bob, "a", false));
    expect(eventOf(gone)?.changed).toEqual([{ key: "a", count: 0, last_user_ids: [] }]);
    await react(call(carol, "a"));
    expect(await summary()).toEqual([
      ["b", 1],
      ["c", 1],
      ["a", 1],
    ]);
    const back = await react(call(bob, "b", false), call(carol, "b"));
    expect(eventOf(back)?.changed).toEqual([{ key: "b", count: 1, last_user_ids: [carol] }]);
    expect((await summary())?.[0]).toEqual(["b", 1]);
    const never = await react(call(bob, "z"), call(bob, "z", false));
    expect(eventOf(never)).toMatchObject({ changed: [], changes: [{ on: true }, { on: false }] });
    await react(call(bob, "c", false), call(carol, "a", false), call(carol, "b", false));
    expect(await summary()).toBeUndefined();
    expect(Object.keys(await stored())).not.toContain("reactions");
  });

  it("[RCT4] keys that differ in U+FE0F only are one, in the form first used", async () => {
    await react(call(bob, "❤"), call(carol, "❤\ufe0f"));
    expect(await summary()).toEqual([["❤", 2]]);
    const off = await react(call(bob, "❤\ufe0f", false));
    expect(eventOf(off)?.changes).toEqual([{ user_id: bob, key: "❤", on: false }]);
    await react(call(carol, "❤", false));
    await react(call(carol, "❤\ufe0f"));
    expect(await summary()).toEqual([["❤\ufe0f", 1]]);
  });

  it("[RCT5] the last five users are named, the newest first, also after one of them goes", async () => {
    const seven = users.slice(0, 7);
    await react(...seven.map((user) => call(user, "👍")));
    const newest = seven.toReversed();
    expect((await stored()).reactions?.[0]).toEqual({
      key: "👍",
      count: 7,
      last_user_ids: newest.slice(0, 5),
    });
    await react(call(seven[6]!, "👍", false));
    expect((await stored()).reactions?.[0]?.last_user_ids).toEqual(newest.slice(1, 6));
  });

  it("[RCT6] `only` takes the user's other reactions away in the same change", async () => {
    await react(call(bob, "a"), call(bob, "b"), call(carol, "a"));
    const only = await react(call(bob, "c", true, { isOnly: true }));
    expect(eventOf(only)?.changes).toEqual([
      { user_id: bob, key: "a", on: false },
      { user_id: bob, key: "b", on: false },
      { user_id: bob, key: "c", on: true },
    ]);
    expect(only.own.get(bob)).toEqual(["c"]);
    expect(await summary()).toEqual([
      ["a", 1],
      ["c", 1],
    ]);
  });

  it("[RCT7] a message has at most 20 keys", async () => {
    const keys = Array.from({ length: 20 }, (_, n) => `k${n}`);
    await react(...keys.map((key) => call(bob, key)));
    const full = await react(call(carol, "more"), call(carol, "k3"));
    expect(codesOf(full)).toEqual(["conflict", true]);
    const last = await react(call(bob, "more", true, { isOnly: true }));
    expect(codesOf(last)).toEqual([true]);
    expect(await summary()).toEqual([
      ["k3", 1],
      ["more", 1],
    ]);
  });

  it("[RCT8] a flush holds at most 50 changes, and leaves the other calls", async () => {
    const flush = await react(...users.map((user) => call(user, "👍")));
    expect(flush.outcomes).toHaveLength(50);
    expect(flush.more).toBe(false);
    expect(eventOf(flush)?.changes).toHaveLength(50);
    await react(...users.slice(50).map((user) => call(user, "👍")));
    const all = call(alice, "👍", false, { isForAll: true });
    const part = await react(call(alice, "🎉"), all, call(bob, "🎉"));
    expect(codesOf(part)).toEqual([true, true]);
    expect(part.more).toBe(true);
    expect(eventOf(part)?.changes).toHaveLength(50);
    const rest = await react(all, call(bob, "🎉"));
    expect(codesOf(rest)).toEqual([true, true]);
    expect(rest.more).toBe(false);
    expect(await summary()).toEqual([["🎉", 2]]);
  });

  it("[RCT9] refusals concern their own call only", async () => {
    const [stranger] = (await newUsers(storage, 1)) as [UserId];
    const flush = await react(
      call(stranger, "👍"),
      call(bob, "👍", true, { isAllowed: false }),
      call(bob, "👍", false, { isAllowed: false }),
      call(bob, "👍", false, { isForAll: true, isAllowed: false }),
      call(bob, "👍"),
    );
    expect(codesOf(flush)).toEqual(["not_found", "forbidden", false, "forbidden", true]);
    const nowhere = await storage.reactions.react(group, 99, [call(bob, "👍")]);
    expect(codesOf(nowhere)).toEqual(["not_found"]);
    expect(nowhere.message).toBeNull();
    await granted(removes(storage.conversations, group, seq, alice));
    expect(codesOf(await react(call(bob, "👍", false), call(bob, "👍")))).toEqual([
      "conflict",
      "conflict",
    ]);
  });

  it("[RCT9] under a block nobody reacts, and nobody takes a reaction away", async () => {
    const pair = (await newUsers(storage, 2)) as [UserId, UserId];
    const direct = await newDirect(storage, pair);
    const at = await seqOf(say(storage, direct, pair[0], "hi"));
    await storage.reactions.react(direct, at, [call(pair[1], "👍")]);
    await storage.graph.block(pair[0], pair[1], true);
    const calls = [call(pair[1], "👍", false), call(pair[0], "👍")];
    expect(codesOf(await storage.reactions.react(direct, at, calls))).toEqual([
      "forbidden",
      "forbidden",
    ]);
  });

  it("[RCT10] deletion takes reactions away, in answers and in rows", async () => {
    await react(call(bob, "👍"));
    const { message } = await granted(removes(storage.conversations, group, seq, alice));
    expect(message).not.toHaveProperty("reactions");
    expect(await storage.reactions.own(group, bob, [seq])).toEqual([]);
    const page = await storage.queries.reactors(bob, { id: group, seq, key: null }, 10, null);
    expect(page).toEqual({ is: "page", items: [], next_cursor: null });
  });

  it("[RCT11] one's own come with history and sync, and only one's own", async () => {
    await granted(say(storage, group, alice, "second"));
    await react(call(bob, "a"), call(carol, "b"), call(bob, "b"));
    const window = { beforeSeq: null, afterSeq: null, limit: 50 };
    const read = async (user: UserId) =>
      (await storage.queries.history(user, group, window))!.value();
    expect((await read(bob)).own_reactions).toEqual([{ seq, keys: ["a", "b"] }]);
    expect((await read(carol)).own_reactions).toEqual([{ seq, keys: ["b"] }]);
    expect(await read(alice)).not.toHaveProperty("own_reactions");
    expect((await read(bob)).own_reactions).toEqual([{ seq, keys: ["a", "b"] }]);
    const after = new Map([[group, 1]]);
    const synced = async (userId: UserId) =>
      (await storage.queries.sync({ userId, after, complete: false })).conversations[0]!;
    expect((await synced(bob)).own_reactions).toEqual([{ seq, keys: ["a", "b"] }]);
    expect(await synced(alice)).not.toHaveProperty("own_reactions");
    expect((await synced(alice)).messages.at(-1)?.reactions).toHaveLength(2);
    expect(await storage.reactions.own(group, carol, [seq, seq + 1])).toEqual([
      { seq, keys: ["b"] },
    ]);
  });

  it("[RCT12] who reacted is listed newest first, by key and by pages", async () => {
    await react(call(alice, "a"), call(bob, "❤"), call(carol, "a"), call(bob, "a"));
    const list = (key: string | null, limit: number, cursor: string | null = null) =>
      storage.queries.reactors(bob, { id: group, seq, key }, limit, cursor);
    const of = (page: Awaited<ReturnType<typeof list>>) => {
      if (page.is !== "page") throw new Error(page.is);
      return page.items.map(({ user_id, key }) => [user_id, key]);
    };
    const first = await list(null, 3);
    expect(of(first)).toEqual([
      [bob, "a"],
      [carol, "a"],
      [bob, "❤"],
    ]);
    const cursor = first.is === "page" ? first.next_cursor : null;
    const second = await list(null, 3, cursor);
    expect(of(second)).toEqual([[alice, "a"]]);
    expect(second).toMatchObject({ next_cursor: null });
    expect(of(await list("❤\ufe0f", 10))).toEqual([[bob, "❤"]]);
    expect(of(await list("none", 10))).toEqual([]);
    expect(await list(null, 3, "bad")).toEqual({ is: "bad_cursor" });
    const [stranger] = (await newUsers(storage, 1)) as [UserId];
    const asked = { id: group, seq, key: null };
    expect(await storage.queries.reactors(stranger, asked, 3, null)).toEqual({ is: "not_found" });
    const beyond = { ...asked, seq: 99 };
    expect(await storage.queries.reactors(bob, beyond, 3, null)).toEqual({
      is: "message_not_found",
    });
  });

  it("[RCT13] a repair tells every flush again, and to version 1 the message at its rev", async () => {
    await react(call(bob, "a"));
    await react(call(carol, "a"));
    await granted(edits(storage.conversations, group, seq, alice, "edited"));
    await react(call(carol, "a", false));
    const changes = (await everyChange(storage, group)).filter(({ rev }) => rev > 1);
    expect(changes.map(({ name, rev }) => [name, rev])).toEqual([
      ["message", 2],
      ["reaction", 3],
      ["reaction", 4],
      ["message_updated", 5],
      ["reaction", 6],
    ]);
    const { body, former } = translationIn(changes[2]!.body);
    expect(JSON.parse(body)).toEqual({
      conversation_id: group,
      seq,
      rev: 4,
      changed: [{ key: "a", count: 2, last_user_ids: [carol, bob] }],
      changes: [{ user_id: carol, key: "a", on: true }],
    });
    expect(former?.name).toBe("message_updated");
    expect(JSON.parse(former!.body) as Message).toMatchObject({ seq, rev: 4 });
    expect(await everyChange(storage, group, 1, 1)).toEqual(changes);
    expect(await everyChange(storage, group, 1, 2)).toEqual(changes);
  });

  it("[RCT16] a message that is hidden from a member takes no reaction of theirs", async () => {
    const [late] = (await newUsers(storage, 1)) as [UserId];
    const joined = { by: alice, does: "update" as const, settings: { history: "joined" as const } };
    const { outcomes } = await storage.conversations.change(group, [joined]);
    expect(outcomes).toEqual([{ ok: true, value: { changed: true } }]);
    await granted(addMembers(storage.conversations, group, alice, [late]));
    expect(codesOf(await react(call(late, "a"), call(bob, "a")))).toEqual(["not_found", true]);
    const asked = { id: group, seq, key: null };
    expect(await storage.queries.reactors(late, asked, 3, null)).toEqual({
      is: "message_not_found",
    });
    const next = await seqOf(say(storage, group, alice, "later"));
    expect(codesOf(await storage.reactions.react(group, next, [call(late, "a")]))).toEqual([true]);
  });

  it("[RCT14] what was pruned is told as the message stands, which is no new message", async () => {
    await react(call(bob, "a"));
    await storage.prune(-1000);
    const changes = (await everyChange(storage, group)).filter(({ rev }) => rev > 1);
    expect(changes.map(({ name, rev }) => [name, rev])).toEqual([["message_updated", 3]]);
    await react(call(bob, "a", false));
    await storage.prune(-1000);
    const later = (await everyChange(storage, group)).filter(({ rev }) => rev > 1);
    expect(later.map(({ name, rev }) => [name, rev])).toEqual([["message_updated", 4]]);
  });

  it("[RCT15] a session that does not hear it live learns that something changed", async () => {
    await react(call(bob, "a"));
    const { readAtMs } = await storage.queries.activity([]);
    await react(call(carol, "a"));
    const { found } = await storage.queries.activity([{ user: alice, sinceMs: readAtMs - 1 }]);
    expect(found).toContainEqual(
      expect.objectContaining({ user: alice, conversation_id: group, rev: 4 }),
    );
  });
});

/** GraphStore, and blocks in direct conversations: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { asConversationId, asUserId } from "../../src/protocol/schemas.ts";
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

describe.each(ADAPTERS)("the graph in $name", ({ open }) => {
  let storage: OpenStorage;
  let alice: UserId;
  let bob: UserId;
  let carol: UserId;

  beforeAll(async () => {
    storage = await open();
  });
  afterAll(() => storage?.close());

  const meet = async () => {
    [alice, bob, carol] = (await newUsers(storage, 3)) as [UserId, UserId, UserId];
  };
  const follow = (by: UserId, user: UserId, following = true) =>
    granted(storage.graph.follow(by, user, following));
  const block = (by: UserId, user: UserId, blocked = true) =>
    granted(storage.graph.block(by, user, blocked));
  const opening = async (user: UserId) => (await storage.queries.openSession(user))!;

  it("[FLW1] following is idempotent, and a session opens with whom its user follows", async () => {
    await meet();
    expect(await follow(alice, bob)).toEqual({ changed: true });
    expect(await follow(alice, bob)).toEqual({ changed: false });
    await follow(alice, carol);
    expect((await opening(alice)).followees.toSorted()).toEqual([bob, carol].toSorted());
    expect((await opening(bob)).followees).toEqual([]);
    expect(await follow(alice, bob, false)).toEqual({ changed: true });
    expect(await follow(alice, bob, false)).toEqual({ changed: false });
    expect((await opening(alice)).followees).toEqual([carol]);
  });

  it("[FLW2] of many follows at once, from two hosts, one changes something", async () => {
    await meet();
    const hosts = [storage.graph, storage.host().graph];
    for (const following of [true, false]) {
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, i) => granted(hosts[i % 2]!.follow(alice, bob, following))),
      );
      expect(outcomes.filter(({ changed }) => changed)).toHaveLength(1);
    }
  });

  it("[FLW3] nobody follows or blocks themselves or who is not there", async () => {
    await meet();
    const outcomes = await Promise.all([
      codeOf(storage.graph.follow(alice, alice, true)),
      codeOf(storage.graph.follow(alice, NOBODY, true)),
      codeOf(storage.graph.follow(alice, NOBODY, false)),
      codeOf(storage.graph.block(alice, alice, true)),
      codeOf(storage.graph.block(alice, NOBODY, true)),
    ]);
    expect(outcomes).toEqual([
      "invalid_payload",
      "not_found",
      "not_found",
      "invalid_payload",
      "not_found",
    ]);
  });

  it("[BLK2] a block ends follows both ways, and allows none until the last one is lifted", async () => {
    await meet();
    await follow(alice, bob);
    await follow(bob, alice);
    await follow(carol, alice);
    expect(await block(alice, bob)).toEqual({ changed: true, isBlocked: true, direct: null });
    expect(await block(alice, bob)).toMatchObject({ changed: false, isBlocked: true });
    expect((await opening(alice)).followees).toEqual([]);
    expect((await opening(bob)).followees).toEqual([]);
    expect((await opening(carol)).followees).toEqual([alice]);
    for (const [by, user] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      expect(await codeOf(storage.graph.follow(by, user, true))).toBe("forbidden");
      expect(await follow(by, user, false)).toEqual({ changed: false });
    }
    expect(await block(bob, alice)).toMatchObject({ changed: true, isBlocked: true });
    expect(await block(alice, bob, false)).toMatchObject({ changed: true, isBlocked: true });
    expect(await block(bob, alice, false)).toMatchObject({ changed: true, isBlocked: false });
    expect(await block(bob, alice, false)).toMatchObject({ changed: false, isBlocked: false });
    expect(await follow(alice, bob)).toEqual({ changed: true });
  });

  it("[BLK3] no follow stands beside a block, whichever came first", async () => {
    const other = storage.host().graph;
    for (let round = 0; round < 15; round++) {
      await meet();
      const outcomes = await Promise.all([
        storage.graph.follow(alice, bob, true),
        other.block(bob, alice, true),
        storage.graph.follow(bob, alice, true),
        other.follow(alice, bob, true),
      ]);
      expect(outcomes[1].ok).toBe(true);
      expect((await opening(alice)).followees).toEqual([]);
      expect((await opening(bob)).followees).toEqual([]);
    }
  });

  it("[BLK4] blockedAmong and a session's opening name both sides of a block", async () => {
    await meet();
    const [dave, erin] = (await newUsers(storage, 2)) as [UserId, UserId];
    await block(alice, bob);
    await block(carol, alice);
    await block(dave, alice);
    await block(alice, dave);
    const all = [dave, erin, carol, NOBODY, bob, alice];
    for (const ask of [storage.graph, storage.queries]) {
      expect(await ask.blockedAmong(alice, all)).toEqual([dave, carol, bob]);
      expect(await ask.blockedAmong(bob, all)).toEqual([alice]);
      expect(await ask.blockedAmong(erin, all)).toEqual([]);
      expect(await ask.blockedAmong(alice, [])).toEqual([]);
    }
    expect((await opening(alice)).blocked.toSorted()).toEqual([bob, carol, dave].toSorted());
    expect((await opening(erin)).blocked).toEqual([]);
  });

  it("[MEN1] names find their users, and users their names for show", async () => {
    await meet();
    const names = await Promise.all(
      [alice, bob].map(async (id) => (await storage.accounts.byId(id))!.username),
    );
    const [found, none] = await Promise.all([
      storage.graph.idsByName([...names, "no.such.user", names[0]!]),
      storage.graph.idsByName([]),
    ]);
    expect(found).toEqual(
      new Map([
        [names[0], alice],
        [names[1], bob],
      ]),
    );
    expect(none.size).toBe(0);
    expect(await storage.graph.idsByName([names[0]!.toUpperCase()])).toEqual(new Map());
    await granted(storage.accounts.changeUser(alice, { display_name: "Alice A." }));
    const shown = await Promise.all([alice, NOBODY].map((id) => storage.graph.displayName(id)));
    expect(shown).toEqual(["Alice A.", null]);
  });

  it("[BLK5] under a block a direct conversation takes no sends, marks and edits", async () => {
    await meet();
    const direct = await newDirect(storage, [alice, bob]);
    const group = await newGroup(storage, [alice, bob]);
    await granted(say(storage, direct, alice, "before"));
    await granted(say(storage, direct, bob, "bob's"));
    const apart = async (id: ConversationId) => (await storage.conversations.reserves(id)).isApart;
    expect(await apart(direct)).toBe(false);
    expect(await block(bob, alice)).toMatchObject({ direct });
    const asked = [direct, group, NOWHERE].map(apart);
    expect(await Promise.all(asked)).toEqual([true, false, false]);

    const before = await storage.conversations.load(direct);
    const mark = (userId: UserId) =>
      storage.conversations.mark({ conversationId: direct, userId, seq: 2, read: true });
    const outcomes = await Promise.all([
      codeOf(say(storage, direct, alice, "after")),
      codeOf(say(storage, group, alice, "in the group")),
      codeOf(say(storage, direct, bob, "after")),
      codeOf(say(storage, direct, carol, "outsider")),
      codeOf(mark(alice)),
      codeOf(mark(bob)),
      codeOf(mark(carol)),
      codeOf(edits(storage.conversations, direct, 1, alice, "changed")),
      codeOf(edits(storage.conversations, direct, 2, alice, "another's")),
      codeOf(edits(storage.conversations, direct, 9, alice, "nothing")),
      codeOf(edits(storage.conversations, group, 1, alice, "edited")),
    ]);
    expect(outcomes).toEqual([
      ...["forbidden", "", "forbidden", "not_found"],
      ...["forbidden", "forbidden", "not_found"],
      ...["forbidden", "forbidden", "not_found", ""],
    ]);
    expect(await storage.conversations.load(direct)).toEqual(before);

    // Heard of or not, it was sent before the block.
    const repeated = await granted(say(storage, direct, alice, "before"));
    expect(repeated).toMatchObject({ duplicate: true, message: { seq: 1 } });
    const removed = await granted(removes(storage.conversations, direct, 1, alice));
    expect(removed).toMatchObject({ changed: true, message: { body: "" } });
    expect(await codeOf(edits(storage.conversations, direct, 1, alice, "?"))).toBe("forbidden");

    await block(bob, alice, false);
    expect(await codeOf(say(storage, direct, alice, "again"))).toBe("");
    expect(await codeOf(mark(bob))).toBe("");
    expect(await codeOf(edits(storage.conversations, direct, 2, bob, "edited"))).toBe("");
  });

  it("[BLK6] under a block no conversation is made with the other, and the old one is answered", async () => {
    await meet();
    await block(alice, bob);
    const make = (by: UserId, users: UserId[]) =>
      storage.conversations.create("direct", by, users, null);
    expect(await codeOf(make(alice, [alice, bob]))).toBe("forbidden");
    expect(await codeOf(make(bob, [bob, alice]))).toBe("forbidden");
    const group = storage.conversations.create("group", alice, [alice, bob], "G");
    expect(await codeOf(group)).toBe("forbidden");
    const old = await newDirect(storage, [alice, carol]);
    await block(carol, alice);
    expect(await granted(make(alice, [alice, carol]))).toMatchObject({
      created: false,
      conversation: { id: old },
    });
    await block(alice, bob, false);
    expect(await granted(make(alice, [alice, bob]))).toMatchObject({ created: true });
  });

  it("[BLK7] what commits beside a block came before it: nothing after its answer", async () => {
    const other = storage.host();
    for (let round = 0; round < 10; round++) {
      await meet();
      const direct = await newDirect(storage, [alice, bob]);
      let sent = 0;
      const sends = Array.from({ length: 12 }, (_, i) => say(other, direct, alice, `m${i}`));
      const counting = Promise.all(
        sends.map(async (send) => {
          if ((await send).ok) sent++;
        }),
      );
      await granted(storage.graph.block(bob, alice, true));
      const atBlock = (await storage.conversations.load(direct))!.last_seq;
      await counting;
      expect((await storage.conversations.load(direct))!.last_seq).toBe(atBlock);
      expect(sent).toBe(atBlock);
    }
  });
});

/** Groups of more than 100 members, and gathered changes: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConversationCall } from "../../actors/ports.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { addMembers, removeMember, retitle } from "../support/group-changes.ts";
import {
  ADAPTERS,
  everyChange,
  granted,
  newGroup,
  newUsers,
  type OpenStorage,
} from "./adapters.ts";

const idsOf = ({ members }: Pick<Conversation, "members">) => members.map((one) => one.user_id);

describe.each(ADAPTERS)("large groups in $name", ({ open }) => {
  let storage: OpenStorage;
  let users: UserId[];

  beforeAll(async () => {
    storage = await open();
    users = await newUsers(storage, 120);
  });
  afterAll(() => storage?.close());

  const pagesOf = async (reader: UserId, id: ConversationId, limit: number) => {
    const ids: string[] = [];
    for (let cursor: string | null = null; ; ) {
      const page = await storage.queries.members(reader, id, limit, cursor);
      if (page.is !== "page") throw new Error(page.is);
      ids.push(...idsOf({ members: page.items }));
      cursor = page.next_cursor;
      if (cursor === null) return ids;
    }
  };

  it("[MEM1] of 100 members all are shown, of 101 the reader in lists and sync, else the first 100", async () => {
    const group = await newGroup(storage, users.slice(0, 100));
    const [owner, last] = [users[0]!, users[99]!];
    const listed = async (reader: UserId) =>
      (await storage.queries.conversations(reader, 1, null))!.items[0]!;
    const synced = async (reader: UserId, rev: number) => {
      const after = new Map([[group, rev]]);
      const answer = await storage.queries.sync({ userId: reader, after, complete: false });
      return answer.conversations[0]?.conversation;
    };
    const whole = (await storage.conversations.load(group))!;
    expect(whole).not.toHaveProperty("member_count");
    expect(await listed(last)).toMatchObject(whole);
    expect(await storage.queries.conversation(last, group)).toEqual(whole);

    await granted(addMembers(storage.conversations, group, owner, [users[100]!]));
    const large = (await storage.conversations.load(group))!;
    const part = { ...large, members_partial: true, member_count: 101 };
    const own = large.members.filter(({ user_id }) => user_id === last);
    expect(await listed(last)).toMatchObject({ ...part, members: own });
    expect((await listed(last)).members).toEqual(own);
    expect(await synced(last, 1)).toEqual({ ...part, members: own });
    expect(await storage.queries.conversation(last, group)).toEqual({
      ...part,
      members: large.members.slice(0, 100),
    });

    await granted(removeMember(storage.conversations, group, owner, users[50]!));
    const again = (await storage.conversations.load(group))!;
    expect(await storage.queries.conversation(last, group)).toEqual(again);
    expect(await synced(last, 1)).toEqual(again);
  });

  it("[MEM2] the pages hold every member once, in the order of joining, whoever leaves meanwhile", async () => {
    const group = await newGroup(storage, users.slice(0, 110));
    await granted(addMembers(storage.conversations, group, users[0]!, users.slice(110, 115)));
    const all = idsOf((await storage.conversations.load(group))!);
    expect(await pagesOf(users[5]!, group, 100)).toEqual(all);
    expect(await pagesOf(users[5]!, group, 7)).toEqual(all);
    const first = await storage.queries.members(users[5]!, group, 10, null);
    if (first.is !== "page") throw new Error(first.is);
    await granted(removeMember(storage.conversations, group, users[0]!, users[9]!));
    const rest = await storage.queries.members(users[5]!, group, 100, first.next_cursor);
    if (rest.is !== "page") throw new Error(rest.is);
    expect(idsOf({ members: rest.items })).toEqual(all.slice(10, 110));
    expect(await storage.queries.members(users[9]!, group, 10, null)).toEqual({ is: "not_found" });
    expect(await storage.queries.members(users[5]!, group, 10, "x")).toEqual({ is: "bad_cursor" });
  });

  it("[MEM3] a repair tells of a large group who came and who went, and all where that is forgotten", async () => {
    const group = await newGroup(storage, users.slice(0, 110));
    const [owner, new1, gone] = [users[0]!, users[110]!, users[60]!];
    await granted(addMembers(storage.conversations, group, owner, [new1]));
    await granted(removeMember(storage.conversations, group, owner, gone));
    await granted(retitle(storage.conversations, group, owner, "New"));
    const told = (await everyChange(storage, group, 1)).map(({ body, memberIds }) => ({
      ...(JSON.parse(body) as Conversation),
      memberIds,
    }));
    expect(told.map((one) => [idsOf(one), one.removed_user_ids, one.member_count])).toEqual([
      [[new1], undefined, 111],
      [[], [gone], 110],
      [[], undefined, 110],
    ]);
    expect(told.every((one) => one.memberIds === undefined)).toBe(true);
    const joined = await storage.queries.joiningChange(new1, group);
    expect(joined?.rev).toBe(2);
    await storage.prune(-1_000);
    const { changes, forgotten } = await storage.queries.changes(group, 1, 10);
    expect(changes).toHaveLength(1);
    expect(forgotten).toEqual(changes[0]);
    expect(changes[0]!.memberIds).toEqual(idsOf((await storage.conversations.load(group))!));
  });

  it("[MEM4] calls of one change take one rev; each is answered for itself, and undone as one", async () => {
    const [ann, bob, cleo, dora, eve] = users as [UserId, UserId, UserId, UserId, UserId];
    const group = await newGroup(storage, [ann, bob, cleo, dora]);
    const before = await storage.conversations.load(group);
    const calls: ConversationCall[] = [
      { by: bob, does: "update", title: "One" },
      { by: eve, does: "update", title: "Not mine" },
      { by: bob, does: "remove", userId: dora },
      { by: ann, does: "remove", userId: bob },
      { by: bob, does: "update", title: "Too late" },
      { by: ann, does: "add", userIds: [eve, cleo] },
      { by: ann, does: "add", userIds: ["9007199254740993" as UserId] },
      { by: ann, does: "remove", userId: ann },
      { by: cleo, does: "remove", userId: dora },
      { by: cleo, does: "update", title: "Two" },
    ];
    const change = await storage.conversations.change(group, calls);
    const outcomes = change.outcomes.map((one) => (one.ok ? one.value.changed : one.error.code));
    expect(outcomes).toEqual([
      true,
      "not_found",
      "forbidden",
      true,
      "not_found",
      true,
      "not_found",
      true,
      true,
      true,
    ]);
    expect(change).toMatchObject({
      changed: true,
      addedIds: [eve],
      conversation: { rev: 2, title: "Two", owner_id: cleo },
    });
    expect(change.removedIds.toSorted()).toEqual([ann, bob, dora].toSorted());
    expect(idsOf(change.conversation!)).toEqual([cleo, eve]);
    const told = (await everyChange(storage, group, 0)).map(({ body }) => JSON.parse(body));
    expect(told).toEqual([before, change.conversation]);

    const nothing = await storage.conversations.change(group, [
      { by: cleo, does: "update", title: "Two" },
      { by: cleo, does: "add", userIds: [eve] },
    ]);
    expect(nothing).toMatchObject({ changed: false, addedIds: [], removedIds: [] });
    expect(nothing.conversation?.rev).toBe(2);
    const nowhere = await storage.conversations.change(
      "9999999" as ConversationId,
      calls.slice(0, 1),
    );
    expect(nowhere).toMatchObject({ changed: false, conversation: null });
    expect(nowhere.outcomes[0]).toMatchObject({ ok: false, error: { code: "not_found" } });
    expect(await storage.recount.recount(false)).toEqual([]);
  });
});

/** What later changes replaced, told again in order: one suite for both storages. */

import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Change } from "../../src/ports/edge.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { addMembers, type OneChange, removeMember, retitle } from "../support/group-changes.ts";
import { edits, removes } from "../support/message-changes.ts";
import {
  ADAPTERS,
  everyChange,
  granted,
  newGroup,
  newUsers,
  type OpenStorage,
  say,
} from "./adapters.ts";

/** The published body of a change, without cursors, for a repair sends the present ones. */
const published = (change: Conversation | Message): string => {
  if (!("members" in change)) return JSON.stringify(change);
  return JSON.stringify({ ...change, members: change.members.map(({ user_id }) => user_id) });
};
const told = ({ body }: Change) => published(JSON.parse(body) as Conversation | Message);

describe.each(ADAPTERS)("replaced revs in $name", ({ open }) => {
  let storage: OpenStorage;
  let alice: UserId;
  let bob: UserId;
  let carol: UserId;
  let dora: UserId;
  let group: ConversationId;

  beforeAll(async () => {
    storage = await open();
    [alice, bob, carol, dora] = (await newUsers(storage, 4)) as [UserId, UserId, UserId, UserId];
  });
  beforeEach(async () => {
    group = await newGroup(storage, [alice, bob, carol]);
  });
  afterAll(() => storage?.close());

  it("[GAP2] an edited and deleted message is told with each of its revs", async () => {
    const { conversations } = storage;
    const sent = await granted(say(storage, group, alice, "first"));
    const edited = await granted(edits(conversations, group, 1, alice, "second"));
    const again = await granted(edits(conversations, group, 1, alice, "third"));
    const deleted = await granted(removes(conversations, group, 1, alice));
    const { changes } = await storage.queries.changes(group, 1, 10);
    expect(changes.map(({ name, rev }) => [name, rev])).toEqual([
      ["message", 2],
      ["message_updated", 3],
      ["message_updated", 4],
      ["message_updated", 5],
    ]);
    const bodies = changes.map(({ body }) => JSON.parse(body));
    expect(bodies).toEqual([sent.message, edited, again, deleted.message]);
  });

  it("[GAP2] members and title are told as they were at each rev", async () => {
    const { conversations } = storage;
    const published = [await conversations.load(group)];
    const does = async (change: OneChange) => {
      published.push((await granted(change)).conversation);
    };
    await does(retitle(conversations, group, bob, "New"));
    await does(addMembers(conversations, group, bob, [dora]));
    await does(removeMember(conversations, group, alice, alice));
    await does(removeMember(conversations, group, bob, carol));
    await does(addMembers(conversations, group, bob, [carol]));
    await does(retitle(conversations, group, bob, "Newer"));
    expect(published.map((one) => one?.owner_id)).toEqual([
      alice,
      alice,
      alice,
      bob,
      bob,
      bob,
      bob,
    ]);
    const { changes } = await storage.queries.changes(group, 0, 10);
    expect(changes.map(({ body }) => JSON.parse(body))).toEqual(published);
  });

  it("[GAP2] any history is told rev by rev as it was published, from any rev and in any pages", async () => {
    const { conversations } = storage;
    const users = [alice, bob, carol, dora];
    const step = fc.record({
      what: fc.constantFrom("say", "edit", "edit", "delete", "retitle", "add", "remove", "mark"),
      by: fc.nat(3),
      whom: fc.nat(3),
      seq: fc.integer({ min: 1, max: 4 }),
    });
    const plans = fc.array(step, { minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(
        plans,
        fc.nat(60),
        fc.integer({ min: 1, max: 7 }),
        async (plan, from, page) => {
          const id = await newGroup(storage, users.slice(0, 3));
          const all: (Conversation | Message)[] = [(await conversations.load(id))!];
          for (const [n, { what, by, whom, seq }] of plan.entries()) {
            const user = users[by]!;
            if (what === "mark") {
              await conversations.mark({ conversationId: id, userId: user, seq: 1, read: true });
            } else if (what === "say") {
              const said = await say(storage, id, user, `text ${n}`);
              if (said.ok) all.push(said.value.message);
            } else if (what === "edit") {
              const edited = await edits(conversations, id, seq, user, `edit ${n}`);
              if (edited.ok) all.push(edited.value);
            } else if (what === "delete") {
              const deleted = await removes(conversations, id, seq, user);
              if (deleted.ok && deleted.value.changed) all.push(deleted.value.message);
            } else {
              const changed = await (what === "retitle"
                ? retitle(conversations, id, user, `title ${whom}`)
                : what === "add"
                  ? addMembers(conversations, id, user, [users[whom]!, users[seq - 1]!])
                  : removeMember(conversations, id, user, users[whom]!));
              if (changed.ok && changed.value.changed) all.push(changed.value.conversation);
            }
          }
          const after = from % (all.length + 1);
          const changes = await everyChange(storage, id, after, page);
          expect(changes.map(({ rev }) => rev)).toEqual(all.slice(after).map(({ rev }) => rev));
          expect(changes.map(told)).toEqual(all.slice(after).map(published));
        },
      ),
      { numRuns: 25 },
    );
  });

  it("[GAP2] more changes of members than a page may hold come in pages, none skipped", async () => {
    const titles = Array.from({ length: 50 }, (_, n) => `title ${n}`);
    for (const title of titles) await granted(retitle(storage.conversations, group, bob, title));
    await granted(say(storage, group, alice, "last"));
    const first = await storage.queries.changes(group, 1, 500);
    expect(first.changes.length).toBeLessThan(50);
    expect(first.hasMore).toBe(true);
    const revs = (await everyChange(storage, group, 1)).map(({ rev }) => rev);
    expect(revs).toEqual(Array.from({ length: 51 }, (_, n) => n + 2));
  });

  it("[GAP5] a member is told what took them in, under its own rev, and nobody else is", async () => {
    const { conversations, queries } = storage;
    const [made] = (await queries.changes(group, 0, 1)).changes;
    expect(await queries.joiningChange(alice, group)).toEqual(made);
    expect(await queries.joiningChange(dora, group)).toBeNull();
    await granted(say(storage, group, alice, "before"));
    const { conversation } = await granted(addMembers(conversations, group, alice, [dora]));
    await granted(say(storage, group, alice, "after"));
    const change = await queries.joiningChange(dora, group);
    expect(change).toMatchObject({ name: "conversation_updated", rev: conversation.rev });
    expect(JSON.parse(change!.body)).toMatchObject({ rev: 3, last_seq: 1 });
    expect([change]).toEqual((await queries.changes(group, 2, 1)).changes);
    await storage.prune(-60_000);
    expect((await queries.joiningChange(dora, group))?.rev).toBe(3);
  });

  it("[GAP5] what took a member in is told as it was, whatever changed since", async () => {
    const { conversations, queries } = storage;
    await granted(removeMember(conversations, group, alice, bob));
    await granted(say(storage, group, alice, "without bob"));
    const joined = await granted(addMembers(conversations, group, alice, [bob]));
    await granted(say(storage, group, alice, "with bob"));
    await granted(addMembers(conversations, group, alice, [dora]));
    await granted(retitle(conversations, group, carol, "New"));
    await granted(removeMember(conversations, group, carol, carol));
    const change = await queries.joiningChange(bob, group);
    expect(change?.rev).toBe(joined.conversation.rev);
    expect(JSON.parse(change!.body)).toEqual(joined.conversation);
    expect((await queries.joiningChange(dora, group))?.rev).toBe(joined.conversation.rev + 2);
    expect((await queries.joiningChange(alice, group))?.rev).toBe(1);
    // Once the joining change is forgotten, the oldest known change answers: all since then follows.
    await storage.prune(-60_000);
    const last = await granted(retitle(conversations, group, bob, "Newest"));
    expect((await queries.joiningChange(bob, group))?.rev).toBe(last.conversation.rev - 1);
  });

  it("[GAP3] what was replaced is forgotten in time; then a gap is told as things stand", async () => {
    const { conversations } = storage;
    await granted(say(storage, group, alice, "secret", { clientId: "c1" }));
    await granted(edits(conversations, group, 1, alice, "less so"));
    await granted(removes(conversations, group, 1, alice));
    await granted(removeMember(conversations, group, bob, bob));
    await granted(retitle(conversations, group, carol, "New"));
    await granted(retitle(conversations, group, carol, "Newer"));
    const before = await storage.queries.changes(group, 1, 10);
    expect(before.changes.map(({ rev }) => rev)).toEqual([2, 3, 4, 5, 6, 7]);
    expect(before.forgotten).toBeNull();
    await storage.prune(60_000);
    expect(await storage.queries.changes(group, 1, 10)).toEqual(before);

    expect(await storage.prune(-60_000)).toBeGreaterThanOrEqual(5);
    expect(await storage.prune(-60_000)).toBe(0);
    const { changes, forgotten } = await storage.queries.changes(group, 1, 10);
    expect(changes.map(({ name, rev }) => [name, rev])).toEqual([
      ["message_updated", 4],
      ["conversation_updated", 7],
    ]);
    expect(JSON.stringify(changes)).not.toContain("secret");
    expect(forgotten, "bob must hear that he is out before anything else").toEqual(changes[1]);
    expect(JSON.parse(forgotten!.body)).toEqual(await conversations.load(group));
    // From the last change of members on nothing of them is unknown.
    expect((await storage.queries.changes(group, 7, 10)).forgotten).toBeNull();
  });

  it("[GAP3] of a chain whose older part is forgotten the rest is told as it was", async () => {
    const { conversations } = storage;
    await granted(removeMember(conversations, group, bob, bob));
    const kept = await granted(retitle(conversations, group, carol, "New"));
    await storage.prune(-60_000);
    await granted(retitle(conversations, group, carol, "Newer"));
    const { changes, forgotten } = await storage.queries.changes(group, 1, 10);
    expect(changes.map(({ rev }) => rev)).toEqual([3, 4]);
    expect(JSON.parse(changes[0]!.body)).toEqual(kept.conversation);
    expect(forgotten).toEqual(changes[0]);
  });
});

/** Changes of title and members: how the conversation's actor gathers and publishes them. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  CHANGED_USERS_WAITING_MAX,
  CHANGES_EVERY_MS,
  CHANGES_WAITING_MAX,
} from "../../actors/limits.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { settled } from "../support/fake-clock.ts";
import { retitle } from "../support/group-changes.ts";
import { SoloActors, type Told } from "../support/solo-actors.ts";

let actors: SoloActors;
let users: UserId[];
let ann: UserId;
let room: ConversationId;

beforeEach(async () => {
  actors = new SoloActors();
  users = await actors.users(20);
  ann = users[0]!;
  room = await actors.group(users.slice(0, 10));
});

afterEach(() => actors.close());

const asking = (op: string, user: UserId, body: object) =>
  actors.asking(`conversation:${room}`, op, { user, session: "", ...body });
const updates = () => actors.said("conversation_updated") as unknown as Conversation[];
const passes = () => actors.clock.advance(CHANGES_EVERY_MS);

describe("gathering", () => {
  test("[GCH1][GCH2] 100 titles at once are two changes, and each caller has the one with theirs", async () => {
    const tolds = Array.from({ length: 100 }, (_, n) =>
      asking("update", users[n % 10]!, { title: `title ${n}` }),
    );
    await settled();
    expect(updates().map(({ title, rev }) => [title, rev])).toEqual([["title 0", 2]]);
    await actors.clock.advance(CHANGES_EVERY_MS - 1);
    expect(updates()).toHaveLength(1);
    await actors.clock.advance(1);
    expect(updates().map(({ title, rev }) => [title, rev])).toEqual([
      ["title 0", 2],
      ["title 99", 3],
    ]);
    const answers = await Promise.all(tolds);
    expect(answers[0]).toMatchObject({ rev: 2, value: { conversation: { title: "title 0" } } });
    for (const answer of answers.slice(1)) {
      expect(answer).toMatchObject({ rev: 3, value: { conversation: { title: "title 99" } } });
    }
    await passes();
    await asking("update", ann, { title: "alone" });
    expect(updates()).toHaveLength(3);
  });

  test("[GCH2] a refused call keeps its refusal and spoils no other", async () => {
    const first = asking("update", ann, { title: "first" });
    const tolds: Promise<Told>[] = [
      asking("update", users[1]!, { title: "late", if_rev: 1 }),
      asking("add_members", ann, { user_ids: ["999999"] }),
      asking("add_members", ann, { user_ids: [users[10]!] }),
      asking("update", users[3]!, { title: "kept" }),
    ];
    await settled();
    await passes();
    expect(await first).toMatchObject({ rev: 2 });
    expect(await Promise.all(tolds)).toMatchObject([
      { code: "conflict" },
      { code: "not_found" },
      { rev: 3, value: { conversation: { title: "kept" } } },
      { rev: 3 },
    ]);
    expect(updates().at(-1)).toMatchObject({ title: "kept", rev: 3 });
    expect(actors.order.slice(-6)).toEqual([
      "conversation_updated 3",
      "conversation_joined 0",
      "answer 0",
      "answer 0",
      "answer 3",
      "answer 3",
    ]);
  });

  test("[GCH5] removed and added again are two changes", async () => {
    const first = asking("update", ann, { title: "first" });
    const removed = asking("remove_member", ann, { user_id: users[1]! });
    const added = asking("add_members", ann, { user_ids: [users[1]!] });
    await settled();
    await passes();
    await passes();
    expect(await Promise.all([first, removed, added])).toMatchObject([
      { rev: 2 },
      { rev: 3 },
      { rev: 4 },
    ]);
    expect(updates().map(({ members }) => members.length)).toEqual([10, 9, 10]);
  });

  test("[GCH3] past its bounds a call is refused, and those that wait are done", async () => {
    const first = asking("update", ann, { title: "first" });
    await settled();
    const waiting = Array.from({ length: CHANGES_WAITING_MAX }, (_, n) =>
      asking("update", ann, { title: `title ${n}` }),
    );
    expect(await asking("update", ann, { title: "one more" })).toEqual({ code: "unavailable" });
    await passes();
    expect(await first).toMatchObject({ rev: 2 });
    for (const told of await Promise.all(waiting)) expect(told).toMatchObject({ rev: 3 });
    const many = Array.from({ length: CHANGED_USERS_WAITING_MAX }, (_, n) => String(n + 1));
    const all = asking("add_members", ann, { user_ids: many });
    expect(await asking("add_members", ann, { user_ids: [users[11]!] })).toEqual({
      code: "unavailable",
    });
    await passes();
    expect(await all).toEqual({ code: "not_found" });
  });

  test("[GCH4] [ACT8] an activation that ends writes what waits first", async () => {
    const first = asking("update", ann, { title: "first" });
    await settled();
    const second = asking("update", ann, { title: "second" });
    await settled();
    // Somebody else writes, so the next change shows this activation that it is not the only one.
    await retitle(actors.storage.ports.conversations, room, ann, "elsewhere");
    const body = { client_id: "c1", body: "x", reply_to_seq: null };
    const sent = asking("send", ann, body);
    await settled();
    const answers = await Promise.all([first, sent, second]);
    expect(answers.map((answer) => "rev" in answer && answer.rev)).toEqual([2, 4, 5]);
  });
});

describe("a large group", () => {
  let many: UserId[];
  beforeEach(async () => {
    many = await actors.users(101);
    room = await actors.group(many.slice(0, 100));
  });

  test("[GCH6] its changes name only whom they concern, its answers the first 100", async () => {
    const owner = many[0]!;
    const added = await asking("add_members", owner, { user_ids: [many[100]!] });
    expect(added).toMatchObject({ value: { conversation: { member_count: 101 } } });
    expect(added).toHaveProperty("value.conversation.members.length", 100);
    await actors.changes(`conversation:${room}`, "update", {
      user: owner,
      session: "",
      title: "x",
    });
    const removed = { user: owner, session: "", user_id: many[5]! };
    await actors.changes(`conversation:${room}`, "remove_member", removed);
    const [first, second, third] = updates() as [Conversation, Conversation, Conversation];
    expect(first).toMatchObject({ members_partial: true, member_count: 101 });
    expect(first.members).toEqual([{ user_id: many[100], delivered_seq: 0, read_seq: 0 }]);
    expect(second).toMatchObject({ title: "x", members: [], members_partial: true });
    expect(second).not.toHaveProperty("removed_user_ids");
    // Of 100 members again all are shown.
    expect(third.members).toHaveLength(100);
    expect(third).not.toHaveProperty("member_count");
  });

  test("[GCH6] 20 groups of 1,000 publish bytes in proportion to their members", async () => {
    const thousand = await actors.users(999);
    const bytesOf = async (count: number) => {
      const from = actors.events.length;
      const makes = Array.from({ length: 20 }, () =>
        actors.asking(`user:${ann}`, "create_conversation", {
          member_ids: thousand.slice(0, count),
          title: "Many",
        }),
      );
      await settled();
      await Promise.all(makes);
      const sent = actors.events.slice(from);
      expect(sent).toHaveLength(20);
      return sent.reduce((sum, { body, note }) => sum + body.length + note.length, 0);
    };
    expect(await bytesOf(999)).toBeLessThan(20 * 12_000);
    expect(await bytesOf(500)).toBeLessThan(20 * 6_500);
  });
});

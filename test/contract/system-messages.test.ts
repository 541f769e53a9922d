/** System messages, the server's own and services': one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConversationCall, ServiceMessage } from "../../actors/ports.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import {
  ADAPTERS,
  codeOf,
  everyChange,
  granted,
  newGroup,
  newUsers,
  type OpenStorage,
  say,
} from "./adapters.ts";

describe.each(ADAPTERS)("system messages in $name", ({ open }) => {
  let storage: OpenStorage;
  let ann: UserId;
  let bob: UserId;
  let cat: UserId;
  let dan: UserId;
  let group: ConversationId;

  beforeAll(async () => {
    storage = await open();
    [ann, bob, cat, dan] = (await newUsers(storage, 4)) as [UserId, UserId, UserId, UserId];
  });
  afterAll(() => storage?.close());

  const change = (...calls: ConversationCall[]) => storage.conversations.change(group, calls);
  const now = async () => (await storage.conversations.load(group)) as Conversation;
  const wants = async (system_messages: "none" | "members" | "all", members: UserId[]) => {
    group = await newGroup(storage, members);
    await change({ by: ann, does: "update", settings: { system_messages, join: "open" } });
  };
  const saidBy = ({ sender_id, data }: Message) => [sender_id, data];
  const fromService = (more: Partial<ServiceMessage> = {}) =>
    storage.conversations.appendForService({
      conversationId: group,
      subject: "shop",
      clientId: "order-1",
      body: "",
      replyToSeq: null,
      content: { data: { event: "order.shipped" } },
      ...more,
    });

  it("[SYM1] each call that did something is told, with revs right after the change's own", async () => {
    await wants("all", [ann, bob]);
    await granted(say(storage, group, bob, "first"));
    const { rev, last_seq } = await now();
    const made = await change(
      { by: ann, does: "add", userIds: [cat, bob] },
      { by: bob, does: "remove", userId: bob },
      { by: ann, does: "update", title: "Another" },
      { by: ann, does: "update", title: "Another", data: { a: 1 } },
      { by: cat, does: "remove", userId: ann },
      { by: dan, does: "join" },
      { by: ann, does: "remove", userId: dan },
    );
    const { systemMessages, conversation } = made;
    expect(systemMessages.map(saidBy)).toEqual([
      [ann, { event: "troupe.member_added", user_ids: [cat] }],
      [bob, { event: "troupe.member_left", user_ids: [bob] }],
      [ann, { event: "troupe.title_changed", title: "Another" }],
      [dan, { event: "troupe.member_joined", user_ids: [dan] }],
      [ann, { event: "troupe.member_removed", user_ids: [dan] }],
    ]);
    systemMessages.forEach((message, n) => {
      const place = { seq: last_seq + 1 + n, rev: rev + 2 + n, n: last_seq };
      const plain = { type: "system", client_id: null, body: "", reply_to_seq: null };
      expect(message).toMatchObject({ ...place, ...plain });
    });
    expect(conversation).toMatchObject({ rev: rev + 6, last_seq: last_seq + 5, last_n: last_seq });
    expect(conversation).toEqual(await now());
    expect(await storage.conversations.newest(group, 5)).toEqual(systemMessages);
    const [first, ...rest] = await everyChange(storage, group, rev);
    expect([first!.name, first!.rev]).toEqual(["conversation_updated", rev + 1]);
    expect(JSON.parse(first!.body)).toMatchObject({ rev: rev + 1, last_seq });
    expect(rest.map(({ name, body }) => [name, JSON.parse(body)])).toEqual(
      systemMessages.map((message) => ["message", message]),
    );
  });

  it("[SYM2] members tells of members only, none of nothing", async () => {
    await wants("members", [ann, bob]);
    const told = await change(
      { by: ann, does: "update", title: "Another" },
      { by: ann, does: "ban", userId: bob, until: null, reason: null },
      { by: ann, does: "ban", userId: cat, until: null, reason: null },
    );
    expect(told.systemMessages.map(saidBy)).toEqual([
      [ann, { event: "troupe.member_removed", user_ids: [bob] }],
    ]);
    await wants("none", [ann, bob]);
    const { rev } = await now();
    const silent = await change({ by: ann, does: "add", userIds: [cat] });
    expect(silent.systemMessages).toEqual([]);
    expect((await now()).rev).toBe(rev + 1);
    await wants("all", [ann, bob]);
    const gone = await change(
      { by: ann, does: "add", userIds: [cat] },
      { by: ann, does: "delete" },
    );
    expect(gone.systemMessages).toEqual([]);
  });

  it("[SYM3] they count for nobody and move nobody's cursors", async () => {
    await wants("all", [ann, bob]);
    await granted(say(storage, group, ann, "counts"));
    await change({ by: ann, does: "update", title: "Another" });
    await granted(fromService());
    for (const [who, unread] of [
      [ann, 0],
      [bob, 1],
    ] as const) {
      const standing = await storage.queries.standing(who, group);
      expect(standing).toMatchObject({ last_seq: 3, last_n: 1, unread_count: unread });
    }
    const read = await storage.conversations.mark({
      conversationId: group,
      userId: bob,
      seq: 3,
      read: true,
    });
    expect(read).toMatchObject({ value: { own: { read_seq: 3, read_n: 1 } } });
    expect(await granted(say(storage, group, bob, "next"))).toMatchObject({
      message: { seq: 4, n: 2 },
    });
    const cursors = (await now()).members.map(({ read_seq }) => read_seq);
    expect(cursors).toEqual([1, 4]);
  });

  it("[SYM4] one client_id of one subject makes one message, of another another", async () => {
    await wants("none", [ann, bob]);
    const first = await granted(fromService({ body: "shipped" }));
    expect(first).toMatchObject({ duplicate: false, message: { seq: 1, body: "shipped" } });
    expect(first.message).toMatchObject({ sender_id: null, client_id: "order-1", type: "system" });
    const again = await granted(fromService({ body: "another" }));
    expect(again).toEqual({ duplicate: true, message: first.message });
    expect((await granted(fromService({ subject: "till" }))).message.seq).toBe(2);
    expect(await codeOf(fromService({ clientId: "x", replyToSeq: 9 }))).toBe("invalid_payload");
    const lasting = await granted(fromService({ clientId: "y", content: { expireInS: 60 } }));
    expect(lasting.message.expires_at).toBeDefined();
    await change({ by: ann, does: "delete" });
    expect(await codeOf(fromService({ clientId: "z" }))).toBe("not_found");
  });

  it("[SYM5] moderators delete them as a member's, and nobody edits them", async () => {
    await wants("all", [ann, bob]);
    await change({ by: ann, does: "update", title: "Another" });
    const deletion = { does: "delete", any: false, system: false, spared: [] } as const;
    const revise = (by: UserId, more: object) =>
      storage.conversations.revise(group, 1, by, { ...deletion, spared: [], ...more });
    expect(await codeOf(revise(ann, {}))).toBe("forbidden");
    const edit = { does: "edit", body: "x", names: [], all: false } as const;
    expect(await codeOf(storage.conversations.revise(group, 1, ann, { ...edit, names: [] }))).toBe(
      "forbidden",
    );
    const deleted = await granted(revise(ann, { any: true, system: true }));
    expect(deleted.message).toMatchObject({ type: "system", n: 0, body: "" });
    expect(deleted.message).not.toHaveProperty("data");
  });
});

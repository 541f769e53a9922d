/** What messages have beside their bodies, and unread arithmetic: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { MessageChange, NewContent } from "../../actors/ports.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { unreadCount } from "../../src/protocol/unread.ts";
import { edits, removes } from "../support/message-changes.ts";
import {
  ADAPTERS,
  codeOf,
  everyChange,
  granted,
  newGroup,
  newUsers,
  type OpenStorage,
} from "./adapters.ts";

describe.each(ADAPTERS)("message extras in $name", ({ open }) => {
  let storage: OpenStorage;
  let ann: UserId;
  let bob: UserId;
  let eve: UserId;
  let group: ConversationId;
  let sent = 0;

  beforeAll(async () => {
    storage = await open();
    [ann, bob, eve] = (await newUsers(storage, 3)) as [UserId, UserId, UserId];
  });
  afterAll(() => storage?.close());

  const freshGroup = async () => {
    group = await newGroup(storage, [ann, bob]);
  };
  const says = async (content?: NewContent, senderId = ann, body = "hi") => {
    const clientId = `m${++sent}`;
    const message = { conversationId: group, senderId, clientId, body, replyToSeq: null };
    return (
      await granted(storage.conversations.append({ ...message, ...(content && { content }) }))
    ).message;
  };
  const revises = (seq: number, change: MessageChange, by = ann) =>
    storage.conversations.revise(group, seq, by, change);
  const reads = async (userId: UserId, seq: number) =>
    granted(storage.conversations.mark({ conversationId: group, userId, seq, read: true }));
  const nameOf = async (id: UserId) => (await storage.accounts.byId(id))!.username;
  const historyOf = async (seq: number) => {
    const window = { afterSeq: seq - 1, beforeSeq: seq + 1, limit: 1 };
    return (await storage.queries.history(ann, group, window))!.value().items[0]!;
  };

  it("[MSX1] a plain message has no further keys", async () => {
    await freshGroup();
    expect(Object.keys(await says())).toHaveLength(11);
    expect(Object.keys(await historyOf(1))).toHaveLength(11);
  });

  it("[HIS3] a window holds about 256 KiB at most, from the end from which it is read", async () => {
    await freshGroup();
    const body = "😀".repeat(3_900);
    for (let i = 0; i < 20; i++) await says(undefined, ann, body);
    const page = async (afterSeq: number | null, beforeSeq: number | null) =>
      (await storage.queries.history(ann, group, { afterSeq, beforeSeq, limit: 100 }))!;
    const down = await page(null, null);
    expect(Buffer.byteLength(down.text)).toBeLessThan(260 * 1024);
    expect(Buffer.byteLength(down.text)).toBeGreaterThan(230 * 1024);
    const newest = down.value().items.map(({ seq }) => seq);
    expect(newest).toEqual(newest.map((_, i) => 20 - newest.length + 1 + i));
    expect(down.value().has_more).toBe(true);
    const rest = (await page(null, newest[0]!)).value();
    expect(rest.items.length + newest.length).toBe(20);
    expect(rest.has_more).toBe(false);
    const up = (await page(0, null)).value();
    expect(up.items.map(({ seq }) => seq)).toEqual(newest.map((_, i) => i + 1));
    expect(up.has_more).toBe(true);
  });

  it("[MSX2] all that a sender sets comes back everywhere as it was sent", async () => {
    await freshGroup();
    const data = { small: 1e-300, big: 1e21, list: [null, true, { ü: '\u2028 \\ "' }], n: 7 };
    const message = await says({ type: "order.placed", data, silent: true, expireInS: 60 });
    expect(message).toMatchObject({ type: "order.placed", data, silent: true, n: 0 });
    expect(Date.parse(message.expires_at!) - Date.parse(message.created_at)).toBe(60_000);
    expect(await historyOf(1)).toEqual(message);
    const [change] = (await everyChange(storage, group, 1)).map(({ body }) => JSON.parse(body));
    expect(change).toEqual(message);
    const sync = await storage.queries.sync({
      userId: bob,
      after: new Map([[group, 1]]),
      complete: false,
    });
    expect(sync.conversations[0]!.messages).toEqual([message]);
    expect(await storage.conversations.newest(group, 1)).toEqual([message]);
    const again = { conversationId: group, senderId: ann, clientId: `m${sent}`, body: "other" };
    expect(await granted(storage.conversations.append({ ...again, replyToSeq: null }))).toEqual({
      message,
      duplicate: true,
    });
  });

  it("[MSX3] an edit changes what it names; neither too much nor nothing may be left", async () => {
    await freshGroup();
    await says({ data: { a: 1 } });
    const edit = { does: "edit", names: [], all: false } as const;
    const body = await granted(revises(1, { ...edit, names: [], body: "new" }));
    expect(body.message).toMatchObject({ body: "new", data: { a: 1 }, rev: 3 });
    const data = await granted(revises(1, { ...edit, names: [], data: { b: 2 } }));
    expect(data.message).toMatchObject({ body: "new", data: { b: 2 } });
    const gone = await granted(revises(1, { ...edit, names: [], data: null }));
    expect(gone.message).not.toHaveProperty("data");
    expect(await codeOf(revises(1, { ...edit, names: [], body: "" }))).toBe("invalid_payload");
    await granted(revises(1, { ...edit, names: [], body: "\u{1f600}".repeat(4_000) }));
    const large = { ...edit, names: [], data: { text: "x".repeat(2_000) } };
    expect(await codeOf(revises(1, large))).toBe("invalid_payload");
    expect((await historyOf(1)).rev).toBe(6);
  });

  it("[MSX4] a deletion takes the content, and keeps type, silent and n", async () => {
    await freshGroup();
    await says();
    const name = await nameOf(bob);
    const content = { type: "x", silent: true as const, data: { a: 1 }, names: [name] };
    await says({ ...content, mentionAll: true, expireInS: 60 });
    await granted(revises(2, { does: "pin" }));
    const { message } = await granted(removes(storage.conversations, group, 2, ann));
    const plain = Object.keys(await historyOf(1));
    expect(Object.keys(message).toSorted()).toEqual([...plain, "type", "silent", "n"].toSorted());
    expect(message).toMatchObject({ body: "", type: "x", silent: true, n: 1 });
    expect(await storage.queries.pins(ann, group)).toEqual([]);
  });

  it("[MSX5] mentions are members but for the sender, and an edit says who is new", async () => {
    await freshGroup();
    const names = await Promise.all([eve, ann, bob].map(nameOf));
    expect((await says({ names })).mentions).toEqual([bob]);
    const edit = (of: string[]) => revises(2, { does: "edit", body: "x", names: of, all: false });
    expect(await says({ type: "x" }, bob)).not.toHaveProperty("mentions");
    await says(undefined, ann);
    const second = (of: string[]) => revises(3, { does: "edit", body: "x", names: of, all: false });
    expect(await codeOf(edit(names))).toBe("forbidden");
    expect((await granted(second(names))).newlyMentioned).toEqual([bob]);
    expect((await granted(second(names))).newlyMentioned).toEqual([]);
    const { message } = await granted(second([]));
    expect(message).not.toHaveProperty("mentions");
  });

  it("[MSX6] pins are changes: idempotent, at most 50, newest first, each repaired as an update", async () => {
    await freshGroup();
    for (let n = 0; n < 51; n++) await says();
    for (let seq = 1; seq <= 50; seq++) await granted(revises(seq, { does: "pin" }, bob));
    expect(await codeOf(revises(51, { does: "pin" }))).toBe("conflict");
    expect(await granted(revises(50, { does: "pin" }))).toMatchObject({ changed: false });
    const pins = (await storage.queries.pins(ann, group))!;
    expect(pins).toHaveLength(50);
    expect(pins[0]).toMatchObject({ seq: 50, pinned_by: bob });
    expect(await granted(revises(1, { does: "unpin" }))).toMatchObject({ changed: true });
    expect(await granted(revises(1, { does: "unpin" }))).toMatchObject({ changed: false });
    const { message } = await granted(revises(51, { does: "pin" }));
    expect(message).toMatchObject({ edited_at: null, pinned_by: ann });
    const names = (await everyChange(storage, group)).map(({ name }) => name);
    expect(names.slice(1, 52)).toEqual(Array(51).fill("message"));
    expect(names.slice(52)).toEqual(Array(52).fill("message_updated"));
    expect(await storage.queries.pins(eve, group)).toBeNull();
  });

  it("[MSX7] others' messages are deleted by who may, but for those who are spared", async () => {
    await freshGroup();
    await says(undefined, bob);
    await says({ type: "system", silent: true }, bob);
    const remove = (seq: number, any: boolean, spared: string[] = []) =>
      revises(seq, { does: "delete", any, system: any, spared });
    expect(await codeOf(remove(1, false))).toBe("forbidden");
    expect(await codeOf(remove(1, true, [bob]))).toBe("forbidden");
    expect(await codeOf(remove(1, true))).toBe("");
    expect(await codeOf(removes(storage.conversations, group, 2, bob))).toBe("forbidden");
    expect(await codeOf(edits(storage.conversations, group, 2, bob, "x"))).toBe("forbidden");
    expect(await codeOf(remove(2, true))).toBe("");
    expect(await storage.conversations.expire(group, 9)).toBeNull();
  });

  it("[MSX8] [EXM1] the server deletes what has expired, also of who has left", async () => {
    await freshGroup();
    await says({ expireInS: 5 }, bob);
    await storage.conversations.change(group, [{ by: bob, does: "remove", userId: bob }]);
    const expired = (await storage.conversations.expire(group, 1))!;
    expect(expired).toMatchObject({ changed: true, message: { body: "", rev: 4 } });
    expect(expired.message.deleted_at).not.toBeNull();
    expect(await storage.conversations.expire(group, 1)).toMatchObject({ changed: false });
  });

  it("[UNC3] every number of unread messages is the recount, whatever counts and is read", async () => {
    await freshGroup();
    const counts = (n: number) => n % 3 !== 1 && n % 5 !== 2;
    const total = 23;
    for (let n = 0; n < total; n++) {
      await says(counts(n) ? undefined : n % 2 === 0 ? { silent: true } : { type: "system" });
    }
    const unreadAfter = (seq: number) =>
      Array.from({ length: total }, (_, n) => n).filter((n) => n >= seq && counts(n)).length;
    for (let seq = 0; seq <= total; seq++) {
      if (seq > 0) {
        const { own } = await reads(bob, seq);
        const conversation = (await storage.conversations.load(group))!;
        expect(unreadCount(conversation, own)).toBe(unreadAfter(seq));
      }
      const listed = (await storage.queries.conversations(bob, 1, null))!.items[0]!;
      const opening = (await storage.queries.openSession(bob))!;
      const ready = opening.unread.find((one) => one.conversation_id === group);
      const standing = (await storage.queries.standing(bob, group))!;
      const after = new Map([[group, 1]]);
      const sync = await storage.queries.sync({ userId: bob, after, complete: false });
      const shown = [listed, standing, sync.conversations[0]!].map((one) => one.unread_count);
      expect([...shown, ready?.unread_count ?? 0], `after reading ${seq}`).toEqual(
        Array(4).fill(unreadAfter(seq)),
      );
      expect(standing).toMatchObject({ read_seq: seq, last_seq: total });
      if (ready) expect({ ...standing, rev: undefined }).toMatchObject({ ...ready });
    }
    await says(undefined, bob);
    expect(await storage.queries.standing(bob, group)).toMatchObject({ unread_count: 0 });
    expect(await storage.queries.standing(ann, group)).toMatchObject({ unread_count: 1 });
    expect(await storage.queries.standing(eve, group)).toBeNull();
    expect(await storage.recount.recount(false)).toEqual([]);
  });
});

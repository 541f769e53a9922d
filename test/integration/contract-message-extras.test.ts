/** Contract 1.1: what messages have beside their bodies, over sockets and HTTP alike. */
import { describe, expect, it } from "vitest";
import type { ConversationSummary } from "../../src/protocol/conversation-list.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { expectRefusal } from "../support/expectations.ts";
import type { Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ shared: true });
/** Contract: the server deletes a message within this time of its expiry. */
const EXPIRY_WITHIN_MS = 2_000;

async function room(): Promise<{ ann: Person; bob: Person; group: Conversation; path: string }> {
  const [ann, bob] = await troupe().users("ann", "bob");
  const group = await ann!.startsGroup(bob!);
  return { ann: ann!, bob: bob!, group, path: `/api/conversations/${group.id}` };
}

const sends = async (person: Person, path: string, message: object) => {
  const client_id = person.nextClientId();
  const answer = await person.api.post<Message>(`${path}/messages`, { client_id, ...message });
  expect(answer.status, answer.text).toBe(201);
  return answer.body;
};
const listed = async (person: Person, { id }: Conversation) => {
  const { body } = await person.api.get<{ items: ConversationSummary[] }>("/api/conversations");
  return body.items.find((item) => item.id === id)!;
};

describe("what a message holds", () => {
  it("[CTR-MSX1] type and data reach everybody as they were sent, and can be changed", async () => {
    const { ann, bob, group, path } = await room();
    const [sender, other] = [await ann.connects(), await bob.connects({ contract: "1.1" })];
    const data = { total: 1e-300, items: [{ "🍞": null }], note: "\u2028" };
    const { message } = await sender.does("send_message", {
      conversation_id: group.id,
      client_id: "order",
      type: "order.placed",
      data,
    });
    expect(message).toMatchObject({ body: "", type: "order.placed", data });
    expect(await other.next("message")).toEqual(message);
    const one = await bob.api.get<Message>(`${path}/messages/1`);
    expect(one.body).toEqual(message);
    const edited = await sender.does("edit_message", {
      conversation_id: group.id,
      seq: 1,
      data: { total: 2 },
    });
    expect(edited.message).toMatchObject({ body: "", data: { total: 2 }, rev: 3 });
    expect(await other.next("message_updated")).toEqual(edited.message);
    expectRefusal(await bob.api.get(`${path}/messages/2`), "not_found");
  });

  it.each([
    [{ body: "" }, "invalid_payload"],
    [{ body: "", type: "text" }, "invalid_payload"],
    [{ body: " ", data: {} }, "invalid_payload"],
    [{ body: "x", type: "Upper" }, "invalid_payload"],
    [{ body: "x", type: "system" }, "forbidden"],
    [{ body: "x", data: [] }, "invalid_payload"],
    [{ body: "x", data: JSON.parse('{"__proto__": 1}') }, "invalid_payload"],
    [{ body: "x", data: { a: { b: { c: { d: { e: { f: {} } } } } } } }, "invalid_payload"],
    [{ body: "x", data: { text: "x".repeat(4_090) } }, "invalid_payload"],
    [{ body: "x", data: { text: "\0" } }, "invalid_payload"],
    [{ body: "😀".repeat(4_000), data: { text: "x".repeat(1_000) } }, "invalid_payload"],
    [{ body: "x", expire_in_s: 4 }, "invalid_payload"],
    [{ body: "x", expire_in_s: 90 * 24 * 3600 + 1 }, "invalid_payload"],
  ] as const)("[CTR-MSX2] %# is refused over HTTP and sockets", async (message, code) => {
    const { ann, group, path } = await room();
    expectRefusal(await ann.api.post(`${path}/messages`, { client_id: "c", ...message }), code);
    const session = await ann.connects();
    const payload = { conversation_id: group.id, client_id: "c", ...message };
    expect((await session.isRefused("send_message", payload)).code).toBe(code);
  });

  it("[CTR-MSX3] a plain message costs the bytes it cost before", async () => {
    const { ann, path } = await room();
    const message = await sends(ann, path, { body: "hi", silent: false, type: "text" });
    expect(Object.keys(message)).toEqual(
      (
        "id conversation_id seq rev sender_id client_id body reply_to_seq created_at edited_at " +
        "deleted_at"
      ).split(" "),
    );
  });
});

describe("unread", () => {
  it("[CTR-UNR1] silent messages count for nobody, in every answer and event", async () => {
    const { ann, bob, group, path } = await room();
    await sends(ann, path, { body: "one" });
    await sends(ann, path, { body: "two", silent: true });
    await sends(ann, path, { body: "three" });
    expect(await listed(bob, group)).toMatchObject({ last_n: 2, read_seq: 0, unread_count: 2 });
    const [marking, other] = [await bob.connects(), await bob.connects()];
    const unread = marking.heard("ready")[0]!.unread.conversations;
    expect(unread).toEqual([
      { conversation_id: group.id, last_seq: 3, last_n: 2, read_seq: 0, unread_count: 2 },
    ]);
    const point = { read_seq: 2, read_n: 1, unread_count: 1 };
    expect(await marking.marksRead(group.id, 2)).toMatchObject({ delivered_seq: 2, ...point });
    expect(await other.next("receipt")).toMatchObject(point);
    const put = await bob.api.put(`${path}/read`, { seq: 2 });
    expect(put.body).toEqual({ delivered_seq: 2, ...point });
    const sync = await marking.syncs({ [group.id]: 1 });
    expect(sync.conversations[0]).toMatchObject({ last_n: 2, ...point });
    await sends(bob, path, { body: "four" });
    expect(await listed(bob, group)).toMatchObject({ unread_count: 0, read_seq: 4, read_n: 3 });
    expect(await listed(ann, group)).toMatchObject({ unread_count: 1 });
  });

  it("[CTR-UNR2] a silent message that mentions notifies nobody", async () => {
    const { ann, bob, path } = await room();
    const body = `@${bob.user.username}`;
    const session = await bob.connects();
    const quiet = await sends(ann, path, { body, silent: true });
    expect(quiet.mentions).toEqual([bob.id]);
    await sends(ann, path, { body });
    const { data } = await session.next("notification");
    expect(data).toEqual({ conversation_id: quiet.conversation_id, seq: 2 });
    expect(await bob.notices()).toHaveLength(1);
  });
});

describe("mentions", () => {
  it("[CTR-MEN1] members are resolved, an edit notifies who is new, @all is a moderator's", async () => {
    const [ann, bob, eve] = await troupe().users("ann", "bob", "eve");
    const group = await ann!.startsGroup(bob!);
    const path = `/api/conversations/${group.id}`;
    const at = (person: Person) => `@${person.user.username.toUpperCase()}`;
    const session = await bob!.connects();
    const text = `${at(eve!)} ${at(ann!)} x${at(bob!)} @all.`;
    const sent = await sends(bob!, path, { body: text });
    expect(sent.mentions).toEqual([ann!.id]);
    expect(sent).not.toHaveProperty("mention_all");
    const all = await sends(ann!, path, { body: "@all." });
    expect(all.mention_all).toBe(true);
    expect(await session.next("notification")).toMatchObject({ type: "mention" });
    await ann!.api.patch(`${path}/messages/${all.seq}`, { body: `hi ${at(bob!)}.` });
    expect(await session.next("message_updated")).toMatchObject({ mentions: [bob!.id] });
    expect(await session.next("notification")).toMatchObject({ type: "mention" });
    await ann!.api.patch(`${path}/messages/${all.seq}`, { body: `again ${at(bob!)}` });
    await session.never("notification", 500);
  });
});

describe("pins and deletion", () => {
  it("[CTR-PIN1] a pin is a change that everybody hears, once", async () => {
    const { ann, bob, path } = await room();
    await sends(ann, path, { body: "one" });
    await sends(ann, path, { body: "two" });
    const session = await ann.connects();
    const pinned = await bob.api.put<Message>(`${path}/pins/1`);
    expect(pinned.body).toMatchObject({ seq: 1, rev: 4, pinned_by: bob.id, edited_at: null });
    expect(await session.next("message_updated")).toEqual(pinned.body);
    expect((await bob.api.put<Message>(`${path}/pins/1`)).body).toEqual(pinned.body);
    await ann.api.put(`${path}/pins/2`);
    await session.next("message_updated");
    const pins = await ann.api.get<{ items: Message[] }>(`${path}/pins`);
    expect(pins.body.items.map(({ seq }) => seq)).toEqual([2, 1]);
    const gone = await bob.api.delete<Message>(`${path}/pins/2`);
    expect(gone.body).not.toHaveProperty("pinned_at");
    expect(await session.next("message_updated")).toEqual(gone.body);
    expectRefusal(await ann.api.put(`${path}/pins/9`), "not_found");
  });

  it("[CTR-MSX4] the owner deletes a member's message, and a member not the owner's", async () => {
    const { ann, bob, group, path } = await room();
    await sends(bob, path, { body: "mine", type: "x" });
    await sends(ann, path, { body: "the owner's" });
    expectRefusal(await bob.api.delete(`${path}/messages/2`), "forbidden");
    const [owner, other] = [await ann.connects(), await bob.connects()];
    const answer = await owner.does("delete_message", { conversation_id: group.id, seq: 1 });
    expect(answer.message).toMatchObject({ body: "", type: "x", deleted_at: expect.any(String) });
    expect(await other.next("message_updated")).toEqual(answer.message);
    await owner.never("message_updated", 300);
  });

  it("[CTR-EXM1] an expired message is deleted within 2 s, for all", async () => {
    const { ann, bob, path } = await room();
    const [other, newer] = [await bob.connects(), await bob.connects({ contract: "1.1" })];
    const sent = await sends(ann, path, { body: "soon gone", expire_in_s: 5 });
    const deleted = await other.next(
      "message_updated",
      undefined,
      5_000 + EXPIRY_WITHIN_MS + 3_000,
    );
    expect(deleted).toMatchObject({ body: "", rev: sent.rev + 1 });
    expect(deleted).not.toHaveProperty("expires_at");
    const lateMs = Date.parse(deleted.deleted_at!) - Date.parse(sent.expires_at!);
    expect(lateMs).toBeGreaterThanOrEqual(0);
    expect(lateMs).toBeLessThan(EXPIRY_WITHIN_MS);
    expect(await newer.next("message_updated")).toEqual(deleted);
  });
});

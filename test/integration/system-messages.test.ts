/** [SYM] System messages from outside: the server's own, and services'. */
import { afterEach, describe, expect, it } from "vitest";
import type { ConversationSummary } from "../../src/protocol/conversation-list.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { expectRefusal } from "../support/expectations.ts";
import { Api } from "../support/http.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { SdkClients } from "../support/sdk.ts";
import { serviceTokenOf } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";
import { JWT_SECRET } from "../support/tokens.ts";

const troupe = troupeForFile({ shared: true });
const clients = new SdkClients();

afterEach(() => clients.closeAll());

const serviceWith = async (subject: string, ...scopes: Parameters<typeof serviceTokenOf>[1]) => {
  const token = await serviceTokenOf(JWT_SECRET, scopes, subject);
  return new Api(troupe().url, () => token);
};
const three = async () => (await troupe().users("ann", "bob", "cat")) as [Person, Person, Person];
const groupWith = async (owner: Person, settings: object, ...members: Person[]) =>
  expectStatus(
    await owner.api.post<Conversation>("/api/conversations", {
      kind: "group",
      title: "A group",
      member_ids: members.map(({ id }) => id),
      settings,
    }),
    201,
  );
const listed = async (by: Person, id: string) =>
  (await by.lists<ConversationSummary>("/api/conversations")).find((one) => one.id === id)!;
const saidBy = ({ sender_id, data }: Message) => [sender_id, data];

describe("the server's own", () => {
  it("[SYM6] each change is told by a message right after it, live, in sync and in history", async () => {
    const [ann, bob, cat] = await three();
    const { id, rev } = await groupWith(ann, { system_messages: "all" }, bob);
    const session = await bob.connects({ contract: "1.1" });
    const former = await bob.connects();
    const path = `/api/conversations/${id}`;
    const added = expectStatus(
      await ann.api.post<Conversation>(`${path}/members`, { user_ids: [cat.id] }),
      200,
    );
    expect(added.rev).toBe(rev + 1);
    expectStatus(await ann.api.patch<Conversation>(path, { title: "Another" }), 200);
    expectStatus<unknown>(await cat.api.delete(`${path}/members/${cat.id}`), 204);
    const expected = [
      [ann.id, { event: "troupe.member_added", user_ids: [cat.id] }],
      [ann.id, { event: "troupe.title_changed", title: "Another" }],
      [cat.id, { event: "troupe.member_left", user_ids: [cat.id] }],
    ];
    for (const each of [session, former]) {
      await each.next("message", ({ seq }) => seq === 3);
      expect(each.heard("message").map(saidBy)).toEqual(expected);
      const revs = each.record
        .filter(({ name }) => name === "message" || name === "conversation_updated")
        .map(({ name, payload }) => [name, (payload as { rev: number }).rev]);
      expect(revs).toEqual(
        [1, 2, 3, 4, 5, 6].map((n) => [n % 2 ? "conversation_updated" : "message", rev + n]),
      );
    }
    const history = await bob.api.get<{ items: Message[] }>(`${path}/messages`);
    expect(history.body.items.map(saidBy)).toEqual(expected);
    for (const message of history.body.items) {
      expect(message).toMatchObject({ type: "system", client_id: null, body: "", n: 0 });
    }
    const synced = await session.syncs({ [id]: rev });
    expect(synced.conversations[0]).toMatchObject({ rev: rev + 6, has_more: false });
    expect(synced.conversations[0]!.messages).toEqual(history.body.items);
    for (const each of [ann, bob]) {
      expect(await listed(each, id)).toMatchObject({ unread_count: 0, last_seq: 3, last_n: 0 });
    }
  });

  it("[SYM7] a moderator deletes one, a member does not, nobody edits or sends one", async () => {
    const [ann, bob, cat] = await three();
    const { id } = await groupWith(ann, { system_messages: "members" }, bob);
    const path = `/api/conversations/${id}`;
    expectStatus(await ann.api.patch<Conversation>(path, { title: "Not told" }), 200);
    expectStatus(await bob.api.post(`${path}/members`, { user_ids: [cat.id] }), 200);
    const message = `${path}/messages/1`;
    expectRefusal(await bob.api.delete(message), "forbidden");
    expectRefusal(await bob.api.patch(message, { body: "I did not" }), "forbidden");
    expectRefusal(await ann.api.patch(message, { body: "I did not" }), "forbidden");
    const deleted = expectStatus(await ann.api.delete<Message>(message), 200);
    expect(deleted).toMatchObject({ type: "system", sender_id: bob.id, n: 0 });
    expect(deleted).not.toHaveProperty("data");
    const faked = { client_id: "fake", type: "system", data: { event: "mine" } };
    expectRefusal(await ann.api.post(`${path}/messages`, faked), "forbidden");
    const session = await ann.connects({ contract: "1.1" });
    const refusal = await session.isRefused("send_message", { conversation_id: id, ...faked });
    expect(refusal.code).toBe("forbidden");
  });
});

describe("a service's", () => {
  it("[SYM8] it has no sender, comes once per token sub, and moves nobody's cursor", async () => {
    const [ann, bob] = await three();
    const { id } = await groupWith(ann, { frozen: true }, bob);
    const shop = await serviceWith("shop", "act");
    const till = await serviceWith("till", "act");
    const session = await bob.connects({ contract: "1.1" });
    const path = `/api/conversations/${id}/messages`;
    const body = { client_id: "o-1", type: "system", data: { event: "order.shipped", no: 17 } };
    const sent = expectStatus(await shop.post<Message>(path, body), 201);
    expect(sent).toMatchObject({ seq: 1, sender_id: null, type: "system", data: body.data, n: 0 });
    expect(await session.next("message")).toEqual(sent);
    expect(expectStatus(await shop.post<Message>(path, { ...body, body: "x" }), 200)).toEqual(sent);
    expect(expectStatus(await till.post<Message>(path, body), 201).seq).toBe(2);
    expect(await listed(ann, id)).toMatchObject({ unread_count: 0, read_seq: 0, last_seq: 2 });
    expectStatus<unknown>(await ann.api.delete(`${path}/1`), 200);
    expectRefusal(await bob.api.delete(`${path}/2`), "forbidden");
  });

  it("[SYM9] it is no other message, says nothing of the server's, and wants the scope", async () => {
    const [ann, bob] = await three();
    const { id } = await groupWith(ann, {}, bob);
    const shop = await serviceWith("shop", "act");
    const path = `/api/conversations/${id}/messages`;
    const system = { client_id: "a", type: "system" };
    expectRefusal(await shop.post(path, { client_id: "a", body: "as nobody" }), "forbidden");
    const fake = { ...system, data: { event: "troupe.member_left" } };
    expectRefusal(await shop.post(path, fake), "invalid_payload");
    expectRefusal(await shop.post("/api/conversations/999999999/messages", system), "not_found");
    expectRefusal(await (await serviceWith("shop", "users")).post(path, system), "forbidden");
    const asAnn = { headers: { "troupe-act-as": ann.id } };
    expectRefusal(await shop.post(path, system, asAnn), "forbidden");
    expectStatus(await shop.post<Message>(path, { ...system, body: "Only text" }), 201);
    const reply = { client_id: "b", type: "system", reply_to_seq: 9 };
    expectRefusal(await shop.post(path, reply), "invalid_payload");
  });

  it("[SYM10] the SDK keeps a message that nobody sent, and nobody has read by it", async () => {
    const { ann, bob, id } = await clients.pair(troupe());
    const shop = await serviceWith("shop", "act");
    const path = `/api/conversations/${id}/messages`;
    expectStatus(await shop.post<Message>(path, { client_id: "x", type: "system" }), 201);
    for (const one of [ann, bob]) {
      const view = await one.sees("the message", id, ({ messages }) => messages.length === 1);
      expect(view?.messages[0]).toMatchObject({ sender_id: null, type: "system" });
      expect(view?.conversation.members.map(({ read_seq }) => read_seq)).toEqual([0, 0]);
    }
  });
});

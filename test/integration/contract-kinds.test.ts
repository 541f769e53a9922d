/** What a kind of conversation cannot do, what is hidden from a newcomer, and what a deletion leaves. */
import { describe, expect, it } from "vitest";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { expectRefusal } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ shared: true });
const three = async () => (await troupe().users("ann", "bob", "cat")) as [Person, Person, Person];

describe("a direct conversation", () => {
  it("[CTR-KND1] what it cannot have is a conflict, what is its own is both's", async () => {
    const [ann, bob, cat] = await three();
    const { id } = await ann.startsDirect(bob);
    const path = `/api/conversations/${id}`;
    const conflicts: [string, string, object?][] = [
      ["PATCH", path, { title: "Ours" }],
      ["PATCH", path, { permissions: { send: "member" } }],
      ["PATCH", path, { settings: { join: "open" } }],
      ["PATCH", path, { settings: { history: "joined" } }],
      ["DELETE", path],
      ["POST", `${path}/members`, { user_ids: [cat.id] }],
      ["DELETE", `${path}/members/${bob.id}`],
      ["DELETE", `${path}/members/${ann.id}`],
      ["PATCH", `${path}/members/${bob.id}`, { role: "moderator" }],
      ["PATCH", `${path}/members/${bob.id}`, { silenced_until: "2099-01-01T00:00:00.000Z" }],
      ["POST", `${path}/invites`, {}],
      ["PUT", `${path}/bans/${bob.id}`, {}],
      ["DELETE", `${path}/bans/${bob.id}`],
    ];
    for (const [method, target, body] of conflicts) {
      const answer = await ann.api.request(method, target, body);
      expect([method, target, body, answer.status]).toEqual([method, target, body, 409]);
    }
    expectRefusal(await cat.api.post(`${path}/join`), "not_found");
    const session = await ann.connects({ contract: "1.1" });
    const data = { order: 17 };
    const changed = expectStatus(await bob.api.patch<Conversation>(path, { data }), 200);
    expect(changed).toMatchObject({ data, rev: 2, meta_rev: 2 });
    expect(await session.next("conversation_updated")).toMatchObject({ data, rev: 2 });
    const own = { data: { nickname: "B" } };
    const member = `${path}/members/${bob.id}`;
    expectStatus(await bob.api.patch<Conversation>(member, own), 200);
    expectRefusal(await ann.api.patch(member, own), "forbidden");
  });
});

describe("what is hidden from a newcomer", () => {
  it("[CTR-KND2] is not there to be read, pinned, reacted to, deleted or quoted", async () => {
    const [ann, bob, cat] = await three();
    const asked = { kind: "group", member_ids: [bob.id], settings: { history: "joined" } };
    const made = await ann.api.post<Conversation>("/api/conversations", asked);
    const path = `/api/conversations/${made.body.id}`;
    await ann.posts(made.body.id, "before");
    expectStatus(await ann.api.put<Message>(`${path}/pins/1`), 200);
    expectStatus(await ann.api.post<Conversation>(`${path}/members`, { user_ids: [cat.id] }), 200);
    const moderator = { role: "moderator" };
    expectStatus(await ann.api.patch(`${path}/members/${cat.id}`, moderator), 200);
    await ann.posts(made.body.id, "after");
    expectRefusal(await cat.api.get(`${path}/messages/1`), "not_found");
    expectRefusal(await cat.api.put(`${path}/pins/1`), "not_found");
    expectRefusal(await cat.api.delete(`${path}/pins/1`), "not_found");
    expectRefusal(await cat.api.delete(`${path}/messages/1`), "not_found");
    expectRefusal(await cat.api.put(`${path}/messages/1/reactions/%F0%9F%91%8D`), "not_found");
    const quote = { client_id: "q", body: "quoted", reply_to_seq: 1 };
    expectRefusal(await cat.api.post(`${path}/messages`, quote), "invalid_payload");
    const pins = async (by: Person) =>
      (await by.api.get<{ items: Message[] }>(`${path}/pins`)).body.items.map(({ seq }) => seq);
    expect([await pins(ann), await pins(cat)]).toEqual([[1], []]);
    expectStatus(await cat.api.put<Message>(`${path}/pins/2`), 200);
    expect([await pins(ann), await pins(cat)]).toEqual([[2, 1], [2]]);
  });
});

describe("a deleted conversation", () => {
  it("[CTR-KND3] leaves the members' preferences with the word removed, and its name free", async () => {
    const [ann, bob] = await three();
    const { id } = await ann.startsGroup(bob);
    const session = await bob.connects({ contract: "1.1" });
    await session.does("set_prefs", { conversation_id: id, pinned: true });
    expectStatus<unknown>(await ann.api.delete(`/api/conversations/${id}`), 204);
    const { prefs } = await session.does("sync", { conversations: [], prefs_after_rev: 0 });
    expect(prefs).toEqual([{ conversation_id: id, prefs_rev: 2, removed: true }]);
    expectRefusal(await bob.api.get(`/api/conversations/${id}/prefs`), "not_found");
  });
});

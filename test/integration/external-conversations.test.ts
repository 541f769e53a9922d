/** [EXC] Conversations by the application's own names, and what a service does for users there. */
import { describe, expect, it } from "vitest";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { expectRefusal, upTo } from "../support/expectations.ts";
import { Api } from "../support/http.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { serviceTokenOf } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";
import { JWT_SECRET } from "../support/tokens.ts";

const troupe = troupeForFile({
  workers: 2,
  env: { RATE_LIMITS: "on", RATE_LIMIT_SEND: "1/min burst 2", RATE_LIMIT_CHANGE: "1/min burst 2" },
});
let names = 0;
const newName = () => `order:${process.pid}.${++names}`;
const pathOf = (name: string) => `/api/conversations/external/${name}`;
const shopOf = async (...scopes: Parameters<typeof serviceTokenOf>[1]) => {
  const token = await serviceTokenOf(JWT_SECRET, scopes.length === 0 ? ["act"] : scopes);
  return new Api(troupe().url, () => token);
};
const three = async () => (await troupe().users("ann", "bob", "cat")) as [Person, Person, Person];
const as = (person: Person) => ({ headers: { "troupe-act-as": person.id } });

describe("names", () => {
  it("[EXC1] many calls at once make one, and a later one changes nothing", async () => {
    const [ann, bob, cat] = await three();
    const shop = await shopOf();
    const name = newName();
    const session = await bob.connects();
    const asked = {
      kind: "group",
      member_ids: [bob.id, ann.id],
      title: "Order 17",
      data: { no: 17 },
      settings: { reactions: "one" },
    };
    const answers = await Promise.all(
      upTo(12).map(() => shop.put<Conversation>(pathOf(name), asked)),
    );
    const made = answers.filter(({ status }) => status === 201);
    expect(made).toHaveLength(1);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const [{ body: group }] = made as [(typeof made)[0]];
    expect(group).toMatchObject({
      ...{ kind: "group", title: "Order 17", data: { no: 17 }, external_id: name, rev: 1 },
      ...{ owner_id: bob.id, settings: { reactions: "one" } },
    });
    expect(group.members.map(({ user_id }) => user_id).sort()).toEqual([ann.id, bob.id].sort());
    expect(await session.next("conversation_updated")).toMatchObject({ external_id: name, rev: 1 });
    const again = { kind: "group", member_ids: [cat.id, "999999999"], title: "Another" };
    expect(expectStatus(await shop.put<Conversation>(pathOf(name), again), 200)).toEqual(group);
    const seen = await ann.api.get<Conversation>(`/api/conversations/${group.id}`);
    expect(seen.body.external_id).toBe(name);
  });

  it("[EXC2] direct names the pair's conversation, and one of another kind or pair is a conflict", async () => {
    const [ann, bob, cat] = await three();
    const shop = await shopOf();
    const direct = await ann.startsDirect(bob);
    await ann.posts(direct.id, "hello");
    const session = await bob.connects();
    await session.does("join_conversation", { conversation_id: direct.id });
    const [name, other] = [newName(), newName()];
    const pair = { kind: "direct", member_ids: [bob.id, ann.id] };
    const named = expectStatus(await shop.put<Conversation>(pathOf(name), pair), 200);
    expect(named).toMatchObject({ id: direct.id, external_id: name });
    await expect
      .poll(async () => {
        const joined = await session.does("join_conversation", { conversation_id: direct.id });
        return joined.conversation.external_id;
      })
      .toBe(name);
    expectRefusal(await shop.put(pathOf(other), pair), "conflict");
    const apart = { kind: "direct", member_ids: [ann.id, cat.id] };
    expectRefusal(await shop.put(pathOf(name), apart), "conflict");
    expectRefusal(await shop.put(pathOf(name), { ...pair, kind: "group" }), "conflict");
    const group = { kind: "group", owner_id: cat.id, member_ids: [ann.id] };
    const made = expectStatus(await shop.put<Conversation>(pathOf(other), group), 201);
    expect(made).toMatchObject({ owner_id: cat.id, title: null });
    expectRefusal(await shop.put(pathOf(other), pair), "conflict");
    const bad = { kind: "direct", member_ids: [ann.id, bob.id, cat.id] };
    expectRefusal(await shop.put(pathOf(newName()), bad), "invalid_payload");
    expectRefusal(await shop.put(pathOf(newName()), { ...pair, title: "No" }), "conflict");
    const unknown = { kind: "group", member_ids: [ann.id, "999999999"] };
    expectRefusal(await shop.put(pathOf(newName()), unknown), "not_found");
    expectRefusal(await shop.put(pathOf(".dot"), group), "invalid_payload");
    expectRefusal(await ann.api.put(pathOf(newName()), group), "forbidden");
  });

  it("[EXC3] blocks bind no service, and hold in what it makes", async () => {
    const [ann, bob] = await three();
    const shop = await shopOf();
    await ann.blocks(bob);
    const pair = { kind: "direct", member_ids: [ann.id, bob.id] };
    const direct = expectStatus(await shop.put<Conversation>(pathOf(newName()), pair), 201);
    const path = `/api/conversations/${direct.id}/messages`;
    expectRefusal(await bob.api.post(path, { client_id: "a", body: "hi" }), "forbidden");
    const system = { client_id: "a", type: "system", body: "A notice" };
    expectStatus(await shop.post<Message>(path, system), 201);
    const group = { kind: "group", member_ids: [ann.id, bob.id] };
    expectStatus(await shop.put<Conversation>(pathOf(newName()), group), 201);
  });

  it("[EXC4] a path takes the name of a service, and of nobody else", async () => {
    const [ann, bob] = await three();
    const shop = await shopOf();
    const name = newName();
    const group = { kind: "group", member_ids: [ann.id, bob.id] };
    const { id } = expectStatus(await shop.put<Conversation>(pathOf(name), group), 201);
    const path = `/api/conversations/external:${name}`;
    expect((await shop.get<Conversation>(path, as(bob))).body.id).toBe(id);
    const sent = { client_id: "a", body: "hello" };
    expectStatus(await shop.post<Message>(`${path}/messages`, sent, as(ann)), 201);
    expectRefusal(await ann.api.get(path), "not_found");
    expectRefusal(await shop.get(`/api/conversations/external:${newName()}`, as(ann)), "not_found");
    expectStatus<unknown>(await shop.delete(path, undefined, as(ann)), 204);
    expectRefusal(await shop.get(path, as(ann)), "not_found");
    const anew = expectStatus(await shop.put<Conversation>(pathOf(name), group), 201);
    expect(anew.id).not.toBe(id);
  });
});

describe("a service that acts for a user", () => {
  it("[EXC5] neither slow mode, the conversation's own limit nor the user's bind it; frozen does", async () => {
    const [ann, bob, cat] = await three();
    const shop = await shopOf();
    const group = await ann.startsGroup(bob, cat);
    const path = `/api/conversations/${group.id}`;
    const slow = { settings: { slow_mode_s: 600 } };
    expectStatus(await shop.patch<Conversation>(path, slow, as(ann)), 200);
    for (const n of upTo(4)) {
      const sent = { client_id: `s${n}`, body: "hello" };
      expectStatus(await shop.post<Message>(`${path}/messages`, sent, as(bob)), 201);
    }
    const own = { client_id: "own", body: "too soon" };
    expectRefusal(await bob.api.post(`${path}/messages`, own), "rate_limited");
    // One's own budget of changes and the conversation's burst of 20 are both passed.
    for (const n of upTo(25)) {
      expectStatus(await shop.patch<Conversation>(path, { title: `T${n}` }, as(bob)), 200);
    }
    const role = { role: "moderator" };
    const member = `${path}/members/${cat.id}`;
    expectRefusal(await shop.patch(member, role, as(bob)), "forbidden");
    expectStatus(
      await shop.patch<Conversation>(path, { settings: { frozen: true } }, as(ann)),
      200,
    );
    const frozen = { client_id: "frozen", body: "no" };
    expectRefusal(await shop.post(`${path}/messages`, frozen, as(bob)), "forbidden");
  });
});

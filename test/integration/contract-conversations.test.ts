/** Conversations over HTTP, as the wire contract says them. */
import { describe, expect, it } from "vitest";
import type { ConversationSummary } from "../../src/protocol/conversation-list.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { expectRefusal, ID, TIME } from "../support/expectations.ts";
import type { Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const NOBODY = "9223372036854775807";
const troupe = troupeForFile({ shared: true });

async function three(): Promise<[Person, Person, Person]> {
  const [ann, bob, cleo] = await troupe().users("ann", "bob", "cleo");
  return [ann!, bob!, cleo!];
}

const create = (person: Person, body: object) =>
  person.api.post<Conversation>("/api/conversations", body);
const list = (person: Person, query = "") =>
  person.api.get<{ items: ConversationSummary[]; next_cursor: string | null }>(
    `/api/conversations${query}`,
  );
const fetched = (person: Person, id: string) =>
  person.api.get<Conversation>(`/api/conversations/${id}`);
const memberIds = (conversation: Conversation) =>
  conversation.members.map((member) => member.user_id).sort((a, b) => Number(a) - Number(b));

describe("creating", () => {
  it("[CTR-CNV1] one other member and no title makes a direct conversation", async () => {
    const [ann, bob] = await three();
    const answer = await create(ann, { member_ids: [bob.id] });
    expect(answer.status, answer.text).toBe(201);
    expect(answer.body).toEqual({
      id: expect.stringMatching(ID),
      kind: "direct",
      title: null,
      owner_id: answer.body.owner_id,
      members: expect.arrayContaining([
        { user_id: ann.id, delivered_seq: 0, read_seq: 0 },
        { user_id: bob.id, delivered_seq: 0, read_seq: 0 },
      ]),
      last_seq: 0,
      rev: 1,
      created_at: expect.stringMatching(TIME),
    });
    expect(answer.body.members).toHaveLength(2);
    expect((await fetched(bob, answer.body.id)).body).toEqual(answer.body);
  });

  it("[CTR-CNV2] a pair has one direct conversation; it is answered with 200 again", async () => {
    const [ann, bob] = await three();
    const first = await ann.startsDirect(bob);
    for (const again of [
      await create(ann, { member_ids: [bob.id] }),
      await create(bob, { member_ids: [ann.id] }),
      await create(ann, { member_ids: [ann.id, bob.id] }),
      await create(ann, { member_ids: [bob.id, bob.id] }),
    ]) {
      expect(again.status, again.text).toBe(200);
      expect(again.body).toEqual(first);
    }
  });

  it("[CTR-CNV3] both sides creating it at once get the same one", async () => {
    const [ann, bob] = await three();
    const answers = await Promise.all(
      [ann, bob, ann, bob, ann, bob].map((person) =>
        create(person, { member_ids: [person === ann ? bob.id : ann.id] }),
      ),
    );
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 200, 200, 200, 200, 201]);
  });

  it("[CTR-CNV4] a title, or several others, makes a group that its creator owns", async () => {
    const [ann, bob, cleo] = await three();
    const titled = (await create(ann, { member_ids: [bob.id], title: "Two of us" })).body;
    expect(titled).toMatchObject({ kind: "group", title: "Two of us", owner_id: ann.id, rev: 1 });
    const untitled = (await create(ann, { member_ids: [bob.id, cleo.id] })).body;
    expect(untitled).toMatchObject({ kind: "group", title: null, owner_id: ann.id });
    expect(memberIds(untitled)).toEqual([ann.id, bob.id, cleo.id].sort((a, b) => +a - +b));
    const another = (await create(ann, { member_ids: [bob.id, cleo.id] })).body;
    expect(another.id).not.toBe(untitled.id);
  });

  it("[CTR-CNV5] a member who does not exist is not_found, and nothing is made", async () => {
    const [ann, bob] = await three();
    expectRefusal(await create(ann, { member_ids: [NOBODY] }), "not_found");
    expectRefusal(await create(ann, { member_ids: [bob.id, NOBODY], title: "x" }), "not_found");
    expect((await list(ann)).body.items).toEqual([]);
  });

  it("[CTR-CNV6] malformed creations are invalid_payload", async () => {
    const [ann, bob] = await three();
    const others = Array.from({ length: 1000 }, (_, i) => String(10_000_000 + i));
    const bad = [
      {},
      { member_ids: null },
      { member_ids: bob.id },
      { member_ids: [] },
      { member_ids: [ann.id] },
      { member_ids: [Number(bob.id)] },
      { member_ids: ["abc"] },
      { member_ids: ["0"] },
      { member_ids: [` ${bob.id}`] },
      { member_ids: [[bob.id]] },
      { member_ids: [bob.id], title: "" },
      { member_ids: [bob.id], title: "  " },
      { member_ids: [bob.id], title: "t".repeat(81) },
      { member_ids: [bob.id], title: 5 },
      { member_ids: [bob.id], kind: "pair" },
      // With the creator they would be 1,001.
      { member_ids: others, title: "Too many" },
    ];
    for (const body of bad) {
      expectRefusal(await create(ann, body), "invalid_payload");
    }
    expect((await list(ann)).body.items).toEqual([]);
  });
});

describe("reading", () => {
  it("[CTR-CNV7] to a stranger a conversation is as if it were not there", async () => {
    const [ann, bob, cleo] = await three();
    const group = await ann.startsGroup(bob);
    const hidden = expectRefusal(await fetched(cleo, group.id), "not_found");
    const absent = expectRefusal(await fetched(cleo, NOBODY), "not_found");
    expect(hidden).toEqual(absent);
    const path = `/api/conversations/${group.id}`;
    const body = { client_id: "c", body: "hi" };
    for (const answer of [
      await cleo.api.get(`${path}/messages`),
      await cleo.api.post(`${path}/messages`, body),
      await cleo.api.patch(path, { title: "Mine" }),
      await cleo.api.post(`${path}/members`, { user_ids: [cleo.id] }),
      await cleo.api.delete(`${path}/members/${bob.id}`),
      await cleo.api.delete(`${path}/members/${cleo.id}`),
      await cleo.api.put(`${path}/read`, { seq: 1 }),
      await cleo.api.patch(`${path}/messages/1`, { body: "x" }),
      await cleo.api.delete(`${path}/messages/1`),
    ]) {
      expectRefusal(answer, "not_found");
    }
    expect((await fetched(ann, group.id)).body).toEqual(group);
  });

  it("[CTR-CNV8] the list is by newest activity, with last message and unread count", async () => {
    const [ann, bob, cleo] = await three();
    const direct = await ann.startsDirect(bob);
    const group = await ann.startsGroup(bob, cleo);
    const quiet = await ann.startsGroup(cleo);
    await ann.posts(group.id, "first");
    const inDirect = await ann.posts(direct.id, "to Bob");
    const inGroup = await ann.posts(group.id, "second");
    const { items, next_cursor } = (await list(bob)).body;
    expect(next_cursor).toBeNull();
    expect(items.map((item) => item.id)).toEqual([group.id, direct.id]);
    expect(items[0]).toEqual({
      ...(await fetched(bob, group.id)).body,
      last_message: inGroup,
      unread_count: 2,
      read_seq: 0,
    });
    expect(items[1]).toMatchObject({ last_message: inDirect, unread_count: 1 });
    const ofAnn = (await list(ann)).body.items;
    expect(ofAnn.map((item) => item.id)).toEqual([group.id, direct.id, quiet.id]);
    expect(ofAnn[0]).toMatchObject({ unread_count: 0, read_seq: 2 });
    expect(ofAnn[2]).toMatchObject({ last_message: null, unread_count: 0, read_seq: 0 });
  });

  it("[CTR-CNV9] the pages of the list hold every conversation once", async () => {
    const [ann, bob] = await three();
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) ids.unshift((await ann.startsGroup(bob)).id);
    const seen: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const query: string =
        cursor === null ? "?limit=3" : `?limit=3&cursor=${encodeURIComponent(cursor)}`;
      const { body } = await list(bob, query);
      expect(body.items.length).toBeLessThanOrEqual(3);
      seen.push(...body.items.map((item) => item.id));
      cursor = body.next_cursor;
      pages++;
    } while (cursor !== null && pages < 10);
    expect(seen).toEqual(ids);
    expect(pages).toBe(3);
  });

  it.each([
    "?limit=0",
    "?limit=101",
    "?limit=-1",
    "?limit=1.5",
    "?limit=abc",
    "?limit=",
    "?limit=1&limit=2",
    "?cursor=nonsense",
    "?cursor=",
    "?x=1",
  ])("[CTR-CNV10] GET /api/conversations%s is invalid_payload", async (query) => {
    const ann = await troupe().user("ann");
    expectRefusal(await list(ann, query), "invalid_payload");
  });

  it("[CTR-CNV11] unread_count is last_seq − read_seq, always", async () => {
    const [ann, bob] = await three();
    const direct = await ann.startsDirect(bob);
    for (const body of ["one", "two", "three"]) await ann.posts(direct.id, body);
    await bob.api.put(`/api/conversations/${direct.id}/read`, { seq: 2 });
    expect((await list(bob)).body.items[0]).toMatchObject({ unread_count: 1, read_seq: 2 });
    await ann.api.delete(`/api/conversations/${direct.id}/messages/3`);
    expect((await list(bob)).body.items[0]).toMatchObject({ unread_count: 1, read_seq: 2 });
    await bob.posts(direct.id, "a reply");
    expect((await list(bob)).body.items[0]).toMatchObject({ unread_count: 0, read_seq: 4 });
    expect((await list(ann)).body.items[0]).toMatchObject({ unread_count: 1, read_seq: 3 });
  });
});

describe("changing", () => {
  it("[CTR-CNV12] any member of a group changes its title, and that is a rev", async () => {
    const [ann, bob] = await three();
    const group = await ann.startsGroup(bob);
    const answer = await bob.api.patch<Conversation>(`/api/conversations/${group.id}`, {
      title: "Renamed",
    });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body).toEqual({ ...group, title: "Renamed", rev: 2, meta_rev: 2 });
    expect((await fetched(ann, group.id)).body).toEqual(answer.body);
    for (const bad of [{}, { title: null }, { title: "" }, { title: "x", owner_id: bob.id }]) {
      expectRefusal(await bob.api.patch(`/api/conversations/${group.id}`, bad), "invalid_payload");
    }
  });

  it("[CTR-CNV13] any member adds; a newcomer sees the whole history", async () => {
    const [ann, bob, cleo] = await three();
    const group = await ann.startsGroup(bob);
    await ann.posts(group.id, "before Cleo");
    const answer = await bob.api.post<Conversation>(`/api/conversations/${group.id}/members`, {
      user_ids: [cleo.id],
    });
    expect(answer.status, answer.text).toBe(200);
    expect(memberIds(answer.body)).toContain(cleo.id);
    expect(answer.body.rev).toBe(3);
    expect((await cleo.reads(group.id)).map((message) => message.body)).toEqual(["before Cleo"]);
    const path = `/api/conversations/${group.id}/members`;
    expectRefusal(await bob.api.post(path, { user_ids: [NOBODY] }), "not_found");
    for (const bad of [{}, { user_ids: null }, { user_ids: "1" }, { user_ids: [1] }]) {
      expectRefusal(await bob.api.post(path, bad), "invalid_payload");
    }
  });

  it("[CTR-CNV14] the owner removes, others may not, anyone leaves", async () => {
    const [ann, bob, cleo] = await three();
    const group = await ann.startsGroup(bob, cleo);
    const path = `/api/conversations/${group.id}/members`;
    expectRefusal(await bob.api.delete(`${path}/${cleo.id}`), "forbidden");
    expectRefusal(await bob.api.delete(`${path}/${ann.id}`), "forbidden");
    const removed = await ann.api.delete(`${path}/${cleo.id}`);
    expect(removed.status, removed.text).toBe(204);
    expectRefusal(await fetched(cleo, group.id), "not_found");
    expect((await list(cleo)).body.items).toEqual([]);
    expectRefusal(await ann.api.delete(`${path}/${cleo.id}`), "not_found");
    const left = await bob.api.delete(`${path}/${bob.id}`);
    expect(left.status, left.text).toBe(204);
    const now = (await fetched(ann, group.id)).body;
    expect(memberIds(now)).toEqual([ann.id]);
    expect(now.rev).toBe(3);
  });

  it("[CTR-CNV15] a direct conversation has no title and fixed members", async () => {
    const [ann, bob, cleo] = await three();
    const direct = await ann.startsDirect(bob);
    const path = `/api/conversations/${direct.id}`;
    expectRefusal(await ann.api.patch(path, { title: "Us" }), "conflict");
    expectRefusal(await ann.api.post(`${path}/members`, { user_ids: [cleo.id] }), "conflict");
    expectRefusal(await ann.api.delete(`${path}/members/${bob.id}`), "conflict");
    expectRefusal(await ann.api.delete(`${path}/members/${ann.id}`), "conflict");
    expect((await fetched(bob, direct.id)).body).toEqual(direct);
  });

  it("[CTR-CNV16] changes made at once by several are few, and each caller has the one with theirs", async () => {
    const [ann, bob, cleo] = await three();
    const group = await ann.startsGroup(bob, cleo);
    const people = [ann, bob, cleo];
    const answers = await Promise.all(
      Array.from({ length: 9 }, (_, i) =>
        people[i % 3]!.api.patch<Conversation>(`/api/conversations/${group.id}`, {
          title: `Title ${i}`,
        }),
      ),
    );
    const revs = [...new Set(answers.map((answer) => answer.body.rev))].sort((a, b) => a - b);
    expect(revs).toEqual(Array.from(revs, (_, n) => n + 2));
    // At most 4 a second, and the first of them at once.
    expect(revs.length).toBeLessThan(9);
    for (const rev of revs) {
      const titles = answers.filter(({ body }) => body.rev === rev).map(({ body }) => body.title);
      expect(new Set(titles).size).toBe(1);
    }
    const latest = answers.find((answer) => answer.body.rev === revs.at(-1))!.body;
    expect((await fetched(ann, group.id)).body).toEqual(latest);
  });
});

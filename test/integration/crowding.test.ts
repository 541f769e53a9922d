/**
 * What others can do to somebody's sessions: crowd out their conversations, take them into
 * groups, and have a server watch without bound. With real processes and storage.
 */
import { describe, expect, it } from "vitest";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { expectRefusal } from "../support/expectations.ts";
import type { Person } from "../support/person.ts";
import type { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const SPAM = 560;
const troupe = troupeForFile({ workers: 2 });

async function three(): Promise<[Person, Person, Person]> {
  const [ann, bob, eve] = await troupe().users("ann", "bob", "eve");
  return [ann!, bob!, eve!];
}

/** Eve makes so many groups with Ann, some with a message. */
async function spams(eve: Person, ann: Person, count: number): Promise<void> {
  const groups: Conversation[] = [];
  for (let n = 0; n < count; n += 20) {
    const some = Array.from({ length: Math.min(20, count - n) }, () => eve.startsGroup(ann));
    groups.push(...(await Promise.all(some)));
  }
  for (const { id } of groups.slice(0, 20)) await eve.posts(id, "spam");
}

const bodiesOf = (session: Session, id: string) =>
  session.heard("message", ({ conversation_id }) => conversation_id === id).map(({ body }) => body);

describe("conversations of somebody who is crowded", () => {
  it("[CRW1] 560 groups of a stranger do not silence what one takes part in", async () => {
    const [ann, bob, eve] = await three();
    const direct = await bob.startsDirect(ann);
    const group = await bob.startsGroup(ann);
    await ann.posts(group.id, "hello");
    await bob.posts(direct.id, "hello");
    const before = await ann.connects();
    await spams(eve, ann, SPAM);
    const after = await ann.connects();
    const { unread } = after.heard("ready")[0]!;
    expect(unread.conversations.length).toBeLessThanOrEqual(500);
    for (const { id } of [direct, group]) {
      for (const text of ["one", "two", "three"]) await bob.posts(id, text);
    }
    for (const session of [before, after]) {
      for (const { id } of [direct, group]) {
        await session.next("message", (m) => m.conversation_id === id && m.body === "three");
        expect(bodiesOf(session, id)).toEqual(["one", "two", "three"]);
      }
    }
  }, 120_000);

  it("[CRW2] of what is not live an activity comes, and the events once one takes part", async () => {
    const [ann, bob, eve] = await three();
    const first = await bob.startsGroup(ann);
    await spams(eve, ann, 520);
    for (let n = 0; n < 500; n += 20) {
      const own = Array.from({ length: 20 }, () => ann.startsGroup(bob));
      await Promise.all(own);
    }
    const session = await ann.connects();
    await bob.posts(first.id, "one");
    await bob.posts(first.id, "two");
    const { last_seq } = await session.next(
      "conversation_activity",
      ({ conversation_id }) => conversation_id === first.id,
      8_000,
    );
    expect(last_seq).toBeGreaterThanOrEqual(1);
    expect(bodiesOf(session, first.id)).toEqual([]);
    await session.sends(first.id, "here I am");
    await bob.posts(first.id, "three");
    await session.next("message", (message) => message.body === "three", 8_000);
    const next = await ann.connects();
    await bob.posts(first.id, "four");
    await next.next("message", (message) => message.body === "four");
  }, 120_000);
});

describe("being taken into groups", () => {
  it("[CRW3] who blocked somebody is not taken in by them, and who left is not added again", async () => {
    const [ann, bob, eve] = await three();
    await ann.blocks(eve);
    const groupOf = (...ids: string[]) =>
      eve.api.post<Conversation>("/api/conversations", { member_ids: ids, title: "Us" });
    expectRefusal(await groupOf(ann.id), "forbidden");
    expectRefusal(await groupOf(ann.id, bob.id), "forbidden");
    const group = await eve.startsGroup(bob);
    const members = `/api/conversations/${group.id}/members`;
    expectRefusal(await eve.api.post(members, { user_ids: [ann.id] }), "forbidden");
    const left = await bob.api.delete(`${members}/${bob.id}`);
    expect(left.status, left.text).toBe(204);
    expectRefusal(await eve.api.post(members, { user_ids: [bob.id] }), "forbidden");
    const own = await ann.startsGroup(bob);
    const ofAnn = `/api/conversations/${own.id}/members`;
    expect((await ann.api.delete(`${ofAnn}/${bob.id}`)).status).toBe(204);
    expect((await ann.api.post(ofAnn, { user_ids: [bob.id] })).status).toBe(200);
  });
});

describe("watching", () => {
  it("[CRW4] a session watches 1,000 users and 1,000 posts, and nobody that is not there", async () => {
    const [ann] = await three();
    const session = await ann.connects();
    const unknown = (from: number, count: number) =>
      Array.from({ length: count }, (_, n) => String(50_000_000 + from + n));
    const topics = async () => {
      const { text } = await ann.api.get("/metrics");
      return Number(/^troupe_topics (\d+)$/m.exec(text)?.[1]);
    };
    const before = await topics();
    for (let n = 0; n < 6; n++) {
      const user_ids = unknown(n * 500, 500);
      const { statuses } = await session.does("watch_presence", { user_ids });
      expect(statuses).toHaveLength(500);
      const { posts } = await session.does("watch_posts", { post_ids: unknown(n * 200, 200) });
      expect(posts).toEqual([]);
    }
    expect((await topics()) - before).toBeLessThan(10);
  });
});

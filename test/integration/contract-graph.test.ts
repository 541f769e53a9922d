/** Follows and blocks: what each opens and what a block closes, on every way in and out. */
import { describe, expect, it } from "vitest";
import type { Conversation, Message, Status } from "../../src/protocol/schemas.ts";
import type { Blocked, Following, Post } from "../../src/protocol/social.ts";
import { expectErrorObject, expectRefusal, upTo } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import type { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const GRACE_MS = 3000;
const SILENCE_MS = 500;
/** Sooner than the grace, and than typing ends by itself: two busy cores, a few hops. */
const AT_ONCE_MS = 2000;
const troupe = troupeForFile({ workers: 3, env: { PRESENCE_GRACE_MS: String(GRACE_MS) } });

async function pair(): Promise<[Person, Person]> {
  const [ann, bob] = await troupe().users("ann", "bob");
  return [ann!, bob!];
}

const bothWays = ([one, other]: [Person, Person]): [Person, Person][] => [
  [one, other],
  [other, one],
];

const presenceOf = async (viewer: Person, person: Person): Promise<Status | undefined> => {
  const path = `/api/presence?user_ids=${person.id}`;
  return expectStatus(await viewer.api.get<{ items: Status[] }>(path), 200).items[0];
};

const isStatus = (person: Person, status: string) => (event: Status) =>
  event.user_id === person.id && event.status === status;

describe("follows", () => {
  it("[CTR-FOL1] follow and unfollow are idempotent", async () => {
    const [ann, bob] = await pair();
    const followed = await bob.connects();
    const path = `/api/users/${bob.id}/follow`;
    for (const _ of upTo(2)) {
      const answer = await ann.api.post<Following>(path);
      expect([answer.status, answer.body]).toEqual([200, { user_id: bob.id, following: true }]);
    }
    expect(await followed.next("notification")).toMatchObject({ type: "follow", actor_id: ann.id });
    await followed.never("notification", SILENCE_MS);
    expect((await bob.notices()).map(({ type }) => type)).toEqual(["follow"]);
    for (const _ of upTo(2)) {
      const answer = await ann.api.delete<Following>(path);
      expect([answer.status, answer.body]).toEqual([200, { user_id: bob.id, following: false }]);
    }
  });

  it("[CTR-FOL2] nobody follows or blocks themselves, or somebody who is not there", async () => {
    const ann = await troupe().user("ann");
    for (const tie of ["follow", "block"]) {
      expectRefusal(await ann.api.post(`/api/users/${ann.id}/${tie}`), "invalid_payload");
      expectRefusal(await ann.api.post(`/api/users/999999999/${tie}`), "not_found");
      expectRefusal(await ann.api.delete(`/api/users/999999999/${tie}`), "not_found");
      for (const id of ["0", "x", "-1"]) {
        expectRefusal(await ann.api.post(`/api/users/${id}/${tie}`), "invalid_payload");
      }
    }
  });

  it("[CTR-FOL3] a follower watches from connect, and from when they become one; not the followed", async () => {
    const [ann, bob] = await pair();
    const follower = await ann.connects();
    await ann.follows(bob);
    const followed = await bob.connects();
    await follower.next("user_status", isStatus(bob, "online"));
    await followed.never("user_status", SILENCE_MS);
    const later = await ann.connects();
    await followed.does("set_status", { status: "away" });
    for (const session of [follower, later]) {
      await session.next("user_status", isStatus(bob, "away"));
    }
    expectStatus<unknown>(await ann.api.delete(`/api/users/${bob.id}/follow`), 200);
    await followed.does("set_status", { status: "online" });
    await follower.never("user_status", SILENCE_MS, isStatus(bob, "online"));
  });
});

describe("a block", () => {
  it("[CTR-BLO1] block and unblock are idempotent, and each is the blocker's own", async () => {
    const [ann, bob] = await pair();
    const path = `/api/users/${bob.id}/block`;
    for (const _ of upTo(2)) {
      const answer = await ann.api.post<Blocked>(path);
      expect([answer.status, answer.body]).toEqual([200, { user_id: bob.id, blocked: true }]);
    }
    // The blocked one cannot end it.
    await bob.unblocks(ann);
    expectRefusal(await bob.api.post(`/api/users/${ann.id}/follow`), "forbidden");
    for (const _ of upTo(2)) {
      const answer = await ann.api.delete<Blocked>(path);
      expect([answer.status, answer.body]).toEqual([200, { user_id: bob.id, blocked: false }]);
    }
    await bob.follows(ann);
  });

  it("[CTR-BLO2] with a block each way, one taken back leaves the other", async () => {
    const [ann, bob] = await pair();
    await ann.blocks(bob);
    await bob.blocks(ann);
    await ann.unblocks(bob);
    for (const [one, other] of bothWays([ann, bob])) {
      expectRefusal(await one.api.post(`/api/users/${other.id}/follow`), "forbidden");
    }
    await bob.unblocks(ann);
    await ann.follows(bob);
  });

  it("[CTR-BLO3] ends follows both ways, which stay ended, and forbids new ones", async () => {
    const [ann, bob] = await pair();
    await ann.follows(bob);
    await bob.follows(ann);
    const [ofAnn, ofBob] = [await ann.publishes("ann's"), await bob.publishes("bob's")];
    await ann.blocks(bob);
    for (const [one, other] of bothWays([ann, bob])) {
      expectRefusal(await one.api.post(`/api/users/${other.id}/follow`), "forbidden");
      expectStatus<unknown>(await one.api.delete(`/api/users/${other.id}/follow`), 200);
    }
    await ann.unblocks(bob);
    for (const [person, own] of [
      [ann, ofAnn],
      [bob, ofBob],
    ] as const) {
      const feed = await person.lists<Post>("/api/feed");
      expect(feed.map(({ id }) => id)).toEqual([own.id]);
    }
  });

  it("[CTR-BLO4] makes each one's posts not_found to the other: read, liked, commented, watched, in the feed", async () => {
    const [ann, bob] = await pair();
    const cleo = await troupe().user("cleo");
    await cleo.follows(ann);
    for (const [blocker, blocked] of bothWays([ann, bob])) {
      const [mine, theirs] = [await blocker.publishes("mine"), await blocked.publishes("theirs")];
      const sessions = [await blocker.connects(), await blocked.connects()] as const;
      for (const [session, post] of [
        [sessions[0], theirs],
        [sessions[1], mine],
      ] as const) {
        await session.does("watch_posts", { post_ids: [post.id] });
      }
      await blocked.comments(mine, "while it was possible");
      await sessions[0].next("comment_update");
      await sessions[1].next("comment_update");
      await blocker.blocks(blocked);

      for (const [person, post] of [
        [blocker, theirs],
        [blocked, mine],
      ] as const) {
        const path = `/api/posts/${post.id}`;
        expectRefusal(await person.api.get(path), "not_found");
        expectRefusal(await person.api.post(`${path}/like`), "not_found");
        expectRefusal(await person.api.delete(`${path}/like`), "not_found");
        expectRefusal(await person.api.get(`${path}/comments`), "not_found");
        expectRefusal(await person.api.post(`${path}/comments`, { body: "x" }), "not_found");
        expectRefusal(await person.api.delete(path), "not_found");
      }
      // Watched before the block: no more updates of it either.
      await cleo.likes(mine);
      await cleo.likes(theirs);
      await sessions[0].next("like_update", ({ post_id }) => post_id === mine.id);
      await sessions[1].next("like_update", ({ post_id }) => post_id === theirs.id);
      await sessions[0].never("like_update", SILENCE_MS, ({ post_id }) => post_id === theirs.id);
      await sessions[1].never("like_update", SILENCE_MS, ({ post_id }) => post_id === mine.id);
      const watched = await sessions[1].does("watch_posts", { post_ids: [mine.id, theirs.id] });
      expect(watched.posts.map(({ post_id }) => post_id)).toEqual([theirs.id]);

      await blocker.unblocks(blocked);
      expect(await blocked.sees(mine)).toMatchObject({ comment_count: 1, like_count: 1 });
    }
  });

  it("[CTR-BLO5] keeps mentions under third parties' posts from the other, and the comment for the rest", async () => {
    const [ann, bob] = await pair();
    const cleo = await troupe().user("cleo");
    const post = await cleo.publishes("for everyone");
    const [author, mentioned] = [await cleo.connects(), await ann.connects()];
    await ann.blocks(bob);
    await bob.comments(post, `hello @${ann.user.username}`);
    expect(await cleo.sees(post)).toMatchObject({ comment_count: 1 });
    expect(await author.next("notification")).toMatchObject({ type: "comment", actor_id: bob.id });
    await mentioned.never("notification", SILENCE_MS);
    expect(await ann.notices()).toEqual([]);
  });

  it("[CTR-BLO6] shows each offline to the other at once, and keeps it so, on every way to ask", async () => {
    const [ann, bob] = await pair();
    const cleo = await troupe().user("cleo");
    await ann.follows(bob);
    await bob.follows(ann);
    const sessions = new Map<Person, Session>();
    for (const person of [ann, bob, cleo]) sessions.set(person, await person.connects());
    await sessions.get(cleo)!.does("watch_presence", { user_ids: [ann.id, bob.id] });
    for (const [one, other] of bothWays([ann, bob])) {
      const watched = await sessions.get(one)!.does("watch_presence", { user_ids: [other.id] });
      expect(watched.statuses).toMatchObject([{ user_id: other.id, status: "online" }]);
    }
    await sessions.get(ann)!.next("user_status", isStatus(bob, "online"));

    await ann.blocks(bob);
    for (const [one, other] of bothWays([ann, bob])) {
      const session = sessions.get(one)!;
      await session.next("user_status", isStatus(other, "offline"), AT_ONCE_MS);
      expect(await presenceOf(one, other)).toMatchObject({ status: "offline" });
      const asked = await session.does("watch_presence", { user_ids: [other.id] });
      expect(asked.statuses).toMatchObject([{ user_id: other.id, status: "offline" }]);
      expect(await presenceOf(cleo, other)).toMatchObject({ status: "online" });
    }
    // What happens behind the block stays behind it, the time last seen too.
    await sessions.get(bob)!.does("set_status", { status: "away" });
    await sessions.get(cleo)!.next("user_status", isStatus(bob, "away"));
    await sessions.get(ann)!.never("user_status", SILENCE_MS, ({ user_id }) => user_id === bob.id);
    const before = await presenceOf(ann, bob);
    await sessions.get(bob)!.disconnects();
    await sessions
      .get(cleo)!
      .next("user_status", isStatus(bob, "offline"), GRACE_MS + 2 * AT_ONCE_MS);
    expect(await presenceOf(ann, bob)).toEqual(before);
    await sessions.get(ann)!.never("user_status", SILENCE_MS, ({ user_id }) => user_id === bob.id);

    const again = await bob.connects();
    await sessions.get(cleo)!.next("user_status", isStatus(bob, "online"));
    await ann.unblocks(bob);
    expect(await presenceOf(ann, bob)).toMatchObject({ status: "online" });
    const watched = await sessions.get(ann)!.does("watch_presence", { user_ids: [bob.id] });
    expect(watched.statuses).toMatchObject([{ status: "online" }]);
    await again.does("set_status", { status: "away" });
    await sessions.get(ann)!.next("user_status", isStatus(bob, "away"));
  });

  it("[CTR-BLO7] makes no notifications across, and none come afterwards for what happened before", async () => {
    const [ann, bob] = await pair();
    const post = await ann.publishes("ann's");
    const session = await ann.connects();
    await bob.likes(post);
    await session.next("notification", ({ type }) => type === "like");
    await ann.blocks(bob);
    expectRefusal(await bob.api.post(`/api/posts/${post.id}/like`), "not_found");
    await bob.publishes(`behind it I still say @${ann.user.username}`);
    await session.never("notification", SILENCE_MS, ({ actor_id, type }) => {
      return actor_id === bob.id && type === "mention";
    });
    expect((await ann.notices()).filter(({ type }) => type !== "like")).toEqual([]);
    await ann.unblocks(bob);
    await session.never("notification", SILENCE_MS);
  });
});

describe("a block and conversations", () => {
  async function blockedPair(): Promise<{
    ann: Person;
    bob: Person;
    direct: Conversation;
    path: string;
  }> {
    const [ann, bob] = await pair();
    const direct = await ann.startsDirect(bob);
    const path = `/api/conversations/${direct.id}`;
    for (const person of [ann, bob]) await person.posts(direct.id, `${person.user.username} says`);
    await ann.blocks(bob);
    return { ann, bob, direct, path };
  }

  it("[CTR-BLO8] a new direct conversation is forbidden to both, after the block is gone it is possible", async () => {
    const [ann, bob] = await pair();
    await ann.blocks(bob);
    for (const [one, other] of bothWays([ann, bob])) {
      const answer = await one.api.post("/api/conversations", { member_ids: [other.id] });
      expectRefusal(answer, "forbidden");
    }
    await ann.unblocks(bob);
    await bob.startsDirect(ann);
  });

  it("[CTR-BLO9] in the old one sends, edits and marks are forbidden over HTTP, to both", async () => {
    const { ann, bob, path } = await blockedPair();
    for (const [person, seq] of [
      [ann, 1],
      [bob, 2],
    ] as const) {
      const message = { client_id: person.nextClientId(), body: "hello?" };
      expectRefusal(await person.api.post(`${path}/messages`, message), "forbidden");
      expectRefusal(await person.api.patch(`${path}/messages/${seq}`, { body: "x" }), "forbidden");
      expectRefusal(await person.api.put(`${path}/read`, { seq: 2 }), "forbidden");
    }
  });

  it("[CTR-BLO10] and over sockets, typing too, connected before the block or after", async () => {
    const [ann, bob] = await pair();
    const direct = await ann.startsDirect(bob);
    const conversation_id = direct.id;
    await ann.posts(direct.id, "by ann");
    await bob.posts(direct.id, "by bob");
    const early = [await ann.connects(), await bob.connects()] as const;
    await ann.blocks(bob);
    const late = [await ann.connects(), await bob.connects()] as const;
    for (const sessions of [early, late]) {
      for (const [session, seq] of [
        [sessions[0], 1],
        [sessions[1], 2],
      ] as const) {
        for (const [event, payload] of [
          ["send_message", { conversation_id, client_id: `${session.id}-x`, body: "hello?" }],
          ["edit_message", { conversation_id, seq, body: "x" }],
          ["mark_read", { conversation_id, seq: 2 }],
          ["mark_delivered", { conversation_id, seq: 2 }],
          ["typing", { conversation_id, is_typing: true }],
        ] as const) {
          expectErrorObject(await session.isRefused(event, payload), "forbidden");
        }
      }
    }
    for (const session of [...early, ...late]) {
      await session.never("typing", SILENCE_MS);
      expect(session.heard("message_updated")).toEqual([]);
      expect(session.heard("receipt")).toEqual([]);
    }
  });

  it("[CTR-BLO11] history stays, one's own messages can be deleted, and both hear of that", async () => {
    const { ann, bob, direct, path } = await blockedPair();
    for (const person of [ann, bob]) {
      expect((await person.reads(direct.id)).map(({ seq }) => seq)).toEqual([1, 2]);
      expect((await person.api.get<Conversation>(path)).status).toBe(200);
      const session = await person.connects();
      const joined = await session.does("join_conversation", { conversation_id: direct.id });
      expect(joined.messages).toHaveLength(2);
      const synced = await session.syncs({ [direct.id]: 1 });
      expect(synced.conversations[0]?.messages).toHaveLength(2);
    }
    const watcher = await bob.connects();
    const deleted = await ann.api.delete<Message>(`${path}/messages/1`);
    expect(deleted.body).toMatchObject({ seq: 1, body: "" });
    expect(await watcher.next("message_updated")).toMatchObject({ seq: 1, body: "" });
    const session = await bob.connects();
    const own = await session.does("delete_message", { conversation_id: direct.id, seq: 2 });
    expect(own.message.deleted_at).not.toBeNull();
    expectRefusal(await ann.api.delete(`${path}/messages/2`), "forbidden");
  });

  it("[CTR-BLO12] typing ends at once for the other when the block comes", async () => {
    const [ann, bob] = await pair();
    const direct = await ann.startsDirect(bob);
    const [typist, watcher] = [await ann.connects(), await bob.connects()];
    await typist.types(direct.id, true);
    await watcher.next("typing", ({ is_typing }) => is_typing);
    await bob.blocks(ann);
    await watcher.next("typing", ({ is_typing }) => !is_typing, AT_ONCE_MS);
  });

  it("[CTR-BLO13] groups are common ground: both still talk there", async () => {
    const [ann, bob] = await pair();
    const group = await ann.startsGroup(bob);
    await ann.blocks(bob);
    const [one, other] = [await ann.connects(), await bob.connects()];
    await one.sends(group.id, "to all");
    expect(await other.next("message")).toMatchObject({ body: "to all" });
    await other.marksRead(group.id, 1);
    expect(await one.next("receipt")).toMatchObject({ user_id: bob.id, read_seq: 1 });
  });

  it("[CTR-BLO14] when the block is gone the old conversation goes on", async () => {
    const { ann, bob, direct } = await blockedPair();
    await ann.unblocks(bob);
    const [one, other] = [await ann.connects(), await bob.connects()];
    await one.sends(direct.id, "again");
    expect(await other.next("message")).toMatchObject({ body: "again", seq: 3 });
    await other.marksRead(direct.id, 3);
    await other.types(direct.id, true);
    await one.next("typing", ({ is_typing }) => is_typing);
  });
});

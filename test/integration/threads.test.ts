/** Threads from outside: who may, what follows, what everybody receives of them. */
import { beforeAll, describe, expect, it } from "vitest";
import type { HistoryPage } from "../../src/ports/edge.ts";
import type { ListPage } from "../../src/ports/social.ts";
import type { ConversationSummary } from "../../src/protocol/conversation-list.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ shared: true });
const CONTRACT = "1.1";

let ann: Person;
let bob: Person;
let eve: Person;
let zoe: Person;
let group: Conversation;
let root: Message;
let thread: Conversation;

beforeAll(async () => {
  [ann, bob, eve, zoe] = (await troupe().users("ann", "bob", "eve", "zoe")) as [
    Person,
    Person,
    Person,
    Person,
  ];
});

/** A group of ann's with bob and eve, a message of bob's, and ann's thread of it. */
async function begins(): Promise<void> {
  group = await ann.startsGroup(bob, eve);
  root = await bob.posts(group.id, "what now?");
  thread = expectStatus(await ann.api.post<Conversation>(rootPath()), 201);
}
const rootPath = () => `/api/conversations/${group.id}/messages/${root.seq}/thread`;
const path = (rest = "") => `/api/conversations/${thread.id}${rest}`;
const follows = async (person: Person) =>
  expectStatus(await person.api.post<Conversation>(path("/follow")), 200);
const listed = async (person: Person, query = "") =>
  expectStatus(await person.api.get<ListPage<ConversationSummary>>(`/api/threads${query}`), 200)
    .items;
const rootNow = async (person = ann) =>
  expectStatus(
    await person.api.get<Message>(`/api/conversations/${group.id}/messages/${root.seq}`),
    200,
  );

describe("a thread", () => {
  it("[THD1] is made once, shows its root and its parent's owner, and is followed by the root's sender", async () => {
    await begins();
    expect(thread).toMatchObject({
      kind: "thread",
      parent: { conversation_id: group.id, seq: root.seq },
      title: null,
      owner_id: ann.id,
      members: [],
      member_count: 1,
      last_seq: 0,
      rev: 1,
    });
    const again = expectStatus(await bob.api.post<Conversation>(rootPath()), 200);
    expect(again.id).toBe(thread.id);
    expect(again.members).toEqual([{ user_id: bob.id, delivered_seq: 0, read_seq: 0 }]);
    expect((await zoe.api.post(rootPath())).status).toBe(404);
    expect((await zoe.api.get(path())).status).toBe(404);
    const ofThread = await bob.posts(thread.id, "a reply");
    const nested = await ann.api.post(`${path("/messages")}/${ofThread.seq}/thread`);
    expect([nested.status, nested.body.error.code]).toEqual([409, "conflict"]);
    const missing = await ann.api.post(`/api/conversations/${group.id}/messages/99/thread`);
    expect(missing.status).toBe(404);
  });

  it("[THD2] takes sends, reads, edits, reactions and marks of every member of the parent", async () => {
    await begins();
    const session = await eve.connects({ contract: CONTRACT });
    const first = await session.sends(thread.id, "hello");
    expect(first).toMatchObject({ seq: 1, rev: 2, conversation_id: thread.id });
    const second = await ann.posts(thread.id, "hi");
    expect(second.seq).toBe(2);
    const page = expectStatus(await bob.api.get<HistoryPage>(path("/messages")), 200);
    expect(page.items.map(({ body }) => body)).toEqual(["hello", "hi"]);
    const edited = await session.does("edit_message", {
      conversation_id: thread.id,
      seq: 1,
      body: "hello!",
    });
    expect(edited.message.body).toBe("hello!");
    const { reactions } = await session.does("react", {
      conversation_id: thread.id,
      seq: 2,
      key: "👍",
      on: true,
    });
    expect(reactions).toHaveLength(1);
    const read = await session.does("mark_read", { conversation_id: thread.id, seq: 2 });
    expect(read).toMatchObject({ read_seq: 2, unread_count: 0 });
    const others = await eve.api.post(path("/messages"), { client_id: "x" });
    expect(others.status).toBe(400);
    const refused = await zoe.api.post(path("/messages"), { client_id: "x", body: "x" });
    expect(refused.status).toBe(404);
    const removed = await ann.api.delete<Message>(path("/messages/1"));
    expect(expectStatus(removed, 200).deleted_at).not.toBeNull();
  });

  it("[THD3] has none of what belongs to its parent: conflict, and not_found to strangers", async () => {
    await begins();
    const calls = (person: Person) => [
      person.api.patch(path(), { title: "x" }),
      person.api.delete(path()),
      person.api.post(path("/members"), { user_ids: [zoe.id] }),
      person.api.delete(path(`/members/${bob.id}`)),
      person.api.patch(path(`/members/${bob.id}`), { role: "admin" }),
      person.api.post(path("/invites"), {}),
      person.api.put(path(`/bans/${bob.id}`), {}),
      person.api.delete(path(`/bans/${bob.id}`)),
      person.api.get(path("/bans")),
      person.api.get(path("/invites")),
    ];
    // Also for those who do not follow it, and may not ban in its parent.
    for (const person of [ann, bob, eve]) {
      for (const answer of await Promise.all(calls(person))) expect(answer.status).toBe(409);
    }
    for (const answer of await Promise.all(calls(zoe))) expect(answer.status).toBe(404);
  });
});

describe("followers", () => {
  it("[THD4] [THE1] whoever sends or is mentioned follows, and their sessions hear it first", async () => {
    await begins();
    const anns = await ann.connects({ contract: CONTRACT });
    const eves = await eve.connects({ contract: CONTRACT });
    const former = await eve.connects();
    const sent = await bob.posts(thread.id, "before");
    const asking = await anns.sends(thread.id, `what do you say, @${eve.user.username}?`);
    const told = await eves.next("conversation_updated", ({ id }) => id === thread.id);
    expect(told).toMatchObject({
      members: [{ user_id: eve.id, read_seq: sent.seq }],
      member_count: 3,
      rev: asking.rev - 1,
    });
    expect(await eves.next("message", ({ seq }) => seq === asking.seq)).toEqual(asking);
    const own = await anns.next("conversation_updated", ({ id }) => id === thread.id);
    expect(own.members).toEqual([{ user_id: ann.id, delivered_seq: sent.seq, read_seq: sent.seq }]);
    const later = await bob.posts(thread.id, "later");
    for (const session of [anns, eves]) {
      expect((await session.next("message")).seq).toBe(later.seq);
      expect(session.heard("message").map(({ seq }) => seq)).not.toContain(sent.seq);
    }
    expect(anns.heard("message").map(({ seq }) => seq)).toEqual([later.seq]);
    const [newest] = await listed(eve);
    expect(newest).toMatchObject({ id: thread.id, unread_count: 2 });
    const next = await ann.posts(group.id, "end");
    await former.next("message", ({ id }) => id === next.id);
    const ofThread = (payload: unknown) => {
      const { conversation_id, kind } = payload as { conversation_id?: string; kind?: string };
      return conversation_id === thread.id || kind === "thread";
    };
    const events = former.record.filter(({ kind }) => kind === "event");
    expect(events.filter(({ payload }) => ofThread(payload))).toEqual([]);
  });

  it("[THD5] follow begins live events with everything read, unfollow ends them", async () => {
    await begins();
    const session = await eve.connects({ contract: CONTRACT });
    await bob.posts(thread.id, "one");
    const followed = await follows(eve);
    expect(followed).toMatchObject({
      members: [{ user_id: eve.id, delivered_seq: 1, read_seq: 1 }],
      member_count: 2,
    });
    expect(await session.next("conversation_updated", ({ id }) => id === thread.id)).toEqual(
      followed,
    );
    const two = await bob.posts(thread.id, "two");
    expect((await session.next("message")).id).toBe(two.id);
    const [first] = await listed(eve, "?unread=true");
    expect(first).toMatchObject({ id: thread.id, unread_count: 1 });
    expectStatus(await eve.api.put(path("/read"), { seq: 2 }), 200);
    const unread = await listed(eve, "?unread=true");
    expect(unread.map(({ id }) => id)).not.toContain(thread.id);
    expect((await eve.api.delete(path("/follow"))).status).toBe(204);
    const ended = await session.next("conversation_updated", ({ id }) => id === thread.id);
    expect(ended).toMatchObject({ members: [], member_count: 1 });
    const read = expectStatus(await eve.api.put(path("/read"), { seq: 2 }), 200);
    expect(read).toEqual({ delivered_seq: 0, read_seq: 0, unread_count: 0 });
    await bob.posts(thread.id, "three");
    await session.never("message", 300);
    expect((await listed(eve)).map(({ id }) => id)).not.toContain(thread.id);
    expect((await eve.api.post(`/api/conversations/${group.id}/follow`)).status).toBe(409);
  });

  it("[THD6] [THE4] lists of conversations show no threads, ready and sync do to sessions of 1.1", async () => {
    await begins();
    await ann.posts(thread.id, "news for bob");
    const list = await bob.lists<ConversationSummary>("/api/conversations");
    expect(list.map(({ id }) => id)).not.toContain(thread.id);
    const own = list.find(({ id }) => id === group.id);
    expect(own?.unread_count).toBe(0);
    const session = await bob.connects({ contract: CONTRACT });
    const former = await bob.connects();
    const [ready] = session.heard("ready");
    const unread = ready?.unread.conversations.find((it) => it.conversation_id === thread.id);
    expect(unread).toMatchObject({ unread_count: 1 });
    expect(JSON.stringify(former.heard("ready"))).not.toContain(`"${thread.id}"`);
    const answer = await session.does("sync", { conversations: [] });
    const synced = answer.conversations.find((it) => it.conversation_id === thread.id);
    expect(synced).toMatchObject({
      unread_count: 1,
      conversation: { kind: "thread", owner_id: ann.id, member_count: 2 },
      messages: [{ body: "news for bob" }],
    });
    const before = await former.does("sync", { conversations: [] });
    expect(before.conversations.map((it) => it.conversation_id)).not.toContain(thread.id);
    const live = await ann.posts(thread.id, "more");
    expect((await session.next("message")).id).toBe(live.id);
    const asked = {
      conversations: [{ conversation_id: thread.id, after_rev: 1 }],
      complete: false,
    };
    const eves = await eve.connects({ contract: CONTRACT });
    const unfollowed = await eves.does("sync", asked);
    expect(unfollowed.removed).toEqual([]);
    expect(unfollowed.conversations[0]).toMatchObject({ rev: 3, unread_count: 0 });
    const zoes = await zoe.connects({ contract: CONTRACT });
    expect((await zoes.does("sync", asked)).removed).toEqual([thread.id]);
  });
});

describe("the summary", () => {
  it("[THD7] the root shows replies, at most one change a second, the last state always", async () => {
    await begins();
    const session = await eve.connects({ contract: CONTRACT });
    expect((await rootNow()).thread).toBeUndefined();
    const first = await ann.posts(thread.id, "1");
    // The summary of an earlier test's thread may still be on its way.
    const isRoot = (it: { id: string }) => it.id === root.id;
    const shown = await session.next("message_updated", isRoot);
    expect(shown).toMatchObject({
      id: root.id,
      rev: root.rev + 1,
      edited_at: null,
      thread: {
        conversation_id: thread.id,
        reply_count: 1,
        last_reply_at: first.created_at,
        last_user_ids: [ann.id],
      },
    });
    for (let n = 2; n <= 10; n++) await bob.posts(thread.id, String(n));
    const last = await session.next(
      "message_updated",
      (it) => isRoot(it) && it.thread?.reply_count === 10,
    );
    expect(last.thread?.last_user_ids).toEqual([bob.id, ann.id]);
    expect(session.heard("message_updated").filter(isRoot).length).toBeLessThanOrEqual(4);
    await bob.api.delete(path("/messages/10"));
    await session.next("message_updated", (it) => isRoot(it) && it.thread?.reply_count === 9);
    expectStatus(await bob.api.delete(`/api/conversations/${group.id}/messages/${root.seq}`), 200);
    const deleted = await rootNow();
    expect(deleted.deleted_at).not.toBeNull();
    expect(deleted.thread?.reply_count).toBe(9);
    expect((await ann.api.post(rootPath())).status).toBe(200);
    const revs = session
      .heard("message_updated")
      .filter(isRoot)
      .map(({ rev }) => rev);
    expect(revs).toEqual([...revs].sort((one, other) => one - other));
  });
});

describe("what happens in the parent", () => {
  it("[THD8] [THE2] [THP3] who is removed there receives nothing of the thread any more, joined or followed", async () => {
    await begins();
    await follows(eve);
    const follower = await eve.connects({ contract: CONTRACT });
    const watcher = await bob.connects({ contract: CONTRACT });
    await bob.api.delete(path("/follow"));
    await watcher.does("join_conversation", { conversation_id: thread.id });
    const one = await ann.posts(thread.id, "one");
    for (const session of [follower, watcher]) {
      await session.next("message", ({ id }) => id === one.id);
    }
    for (const person of [eve, bob]) {
      const gone = await ann.api.delete(`/api/conversations/${group.id}/members/${person.id}`);
      expect(gone.status).toBe(204);
    }
    const two = await ann.posts(thread.id, "two");
    expect(two.seq).toBe(2);
    for (const session of [follower, watcher]) await session.never("message", 200);
    for (const person of [eve, bob]) {
      expect((await person.api.get(path())).status).toBe(404);
      expect((await person.api.get(path("/messages"))).status).toBe(404);
      const sent = await person.api.post(path("/messages"), { client_id: "x", body: "x" });
      expect(sent.status).toBe(404);
      expect((await listed(person)).map(({ id }) => id)).not.toContain(thread.id);
    }
    const now = expectStatus(await ann.api.get<Conversation>(path()), 200);
    expect(now.member_count).toBe(1);
  });

  it("[THD9] a block in a direct conversation, silence, freezing and slow mode hold in its threads", async () => {
    group = await ann.startsDirect(bob);
    root = await bob.posts(group.id, "hm");
    thread = expectStatus(await ann.api.post<Conversation>(rootPath()), 201);
    await ann.posts(thread.id, "x");
    await bob.blocks(ann);
    const send = (person: Person, body = "x") =>
      person.api.post(path("/messages"), { client_id: person.nextClientId(), body });
    expect((await send(ann)).status).toBe(403);
    expect((await ann.api.put(path("/read"), { seq: 1 })).status).toBe(403);
    expect((await ann.api.get(path("/messages"))).status).toBe(200);
    await bob.unblocks(ann);
    expect((await send(ann)).status).toBe(201);

    await begins();
    const change = (settings: object) =>
      ann.api.patch(`/api/conversations/${group.id}`, { settings });
    expect((await change({ frozen: true })).status).toBe(200);
    expect((await send(eve)).status).toBe(403);
    expect((await send(ann)).status).toBe(201);
    expect((await change({ frozen: false, slow_mode_s: 60 })).status).toBe(200);
    expect((await send(eve)).status).toBe(201);
    const early = await eve.api.post(`/api/conversations/${group.id}/messages`, {
      client_id: "early",
      body: "x",
    });
    expect([early.status, early.body.error.code]).toEqual([429, "rate_limited"]);
    expect((await send(eve)).status).toBe(429);
    expect((await change({ slow_mode_s: 0 })).status).toBe(200);
    const silenced_until = new Date(Date.now() + 60_000).toISOString();
    const silence = await ann.api.patch(`/api/conversations/${group.id}/members/${eve.id}`, {
      silenced_until,
    });
    expect(silence.status).toBe(200);
    const silent = await send(eve);
    expect([silent.status, silent.body.error.details]).toEqual([403, { until: silenced_until }]);
    expect((await eve.api.post(rootPath())).status).toBe(403);
    expect((await eve.api.get<Conversation>(path())).body.settings).toBeUndefined();
  });

  it("[THD10] its deletion is the last event of its threads", async () => {
    await begins();
    const session = await bob.connects({ contract: CONTRACT });
    await ann.posts(thread.id, "x");
    await session.next("message");
    expect((await ann.api.delete(`/api/conversations/${group.id}`)).status).toBe(204);
    await session.next(
      "conversation_deleted",
      ({ conversation_id }) => conversation_id === group.id,
    );
    const gone = await session.next(
      "conversation_deleted",
      ({ conversation_id }) => conversation_id === thread.id,
    );
    expect(gone.rev).toBe(3);
    expect((await bob.api.get(path())).status).toBe(404);
    const asked = { conversations: [{ conversation_id: thread.id, after_rev: 2 }] };
    expect((await session.does("sync", asked)).removed).toEqual([thread.id]);
  });

  it("[THD11] a root from before a member's time hides its thread", async () => {
    await begins();
    await ann.posts(thread.id, "old");
    await ann.api.patch(`/api/conversations/${group.id}`, { settings: { history: "joined" } });
    const added = await ann.api.post(`/api/conversations/${group.id}/members`, {
      user_ids: [zoe.id],
    });
    expect(added.status).toBe(200);
    expect((await zoe.api.get(path())).status).toBe(404);
    expect((await zoe.api.get(path("/messages"))).status).toBe(404);
    expect((await zoe.api.post(rootPath())).status).toBe(404);
    const sent = await zoe.api.post(path("/messages"), { client_id: "x", body: "x" });
    expect(sent.status).toBe(404);
  });
});

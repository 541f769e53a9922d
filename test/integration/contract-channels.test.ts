/** Channels from outside: who may, who watches, and what everybody receives. */
import { beforeAll, describe, expect, it } from "vitest";
import type { HistoryPage, MembersPage } from "../../src/ports/edge.ts";
import type { ListPage } from "../../src/ports/social.ts";
import type { ConversationSummary, Totals } from "../../src/protocol/conversation-list.ts";
import type { Conversation, User } from "../../src/protocol/schemas.ts";
import { eventually } from "../support/eventually.ts";
import { expectRefusal } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { Service } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ shared: true });
const NEW = { contract: "1.1" };

let ann: Person;
let bob: Person;
let eve: Person;
let channel: Conversation;

beforeAll(async () => {
  [ann, bob, eve] = (await troupe().users("ann", "bob", "eve")) as [Person, Person, Person];
});

async function makes(more: object = {}): Promise<void> {
  const body = { kind: "channel", title: "News", ...more };
  channel = expectStatus(await ann.api.post<Conversation>("/api/conversations", body), 201);
}
const path = (rest = "") => `/api/conversations/${channel.id}${rest}`;
const OPEN = { settings: { join: "open" } };
const joins = async (who: Person) =>
  expectStatus(await who.api.post<Conversation>(path("/join")), 200);
const id = () => ({ conversation_id: channel.id });

describe("a channel", () => {
  it("[CHC1] has an audience, a count and the reader's own entry, never the list", async () => {
    await makes(OPEN);
    expect(channel).toMatchObject({
      kind: "channel",
      audience: "members",
      owner_id: ann.id,
      member_count: 1,
      members: [{ user_id: ann.id }],
      rev: 1,
    });
    const joined = await joins(bob);
    expect(joined).toMatchObject({
      rev: 1,
      member_count: 2,
      members: [{ user_id: bob.id, delivered_seq: 0, read_seq: 0 }],
    });
    const own = expectStatus(await ann.api.get<Conversation>(path()), 200);
    expect(own.members.map(({ user_id }) => user_id)).toEqual([ann.id]);
    expectRefusal(await eve.api.get(path()), "not_found");
    expectRefusal(await bob.api.get(path("/members")), "forbidden");
    const page = expectStatus(
      await ann.api.get<MembersPage & { items: { user_id: string }[] }>(path("/members")),
      200,
    );
    expect(page.items.map(({ user_id }) => user_id).sort()).toEqual([ann.id, bob.id].sort());
  });

  it("[CHC2] needs a title, and nothing else has an audience", async () => {
    const asks = (body: object) => ann.api.post("/api/conversations", body);
    expectRefusal(await asks({ kind: "channel" }), "invalid_payload");
    expectRefusal(await asks({ kind: "channel", title: "x", audience: "all" }), "invalid_payload");
    expectRefusal(await asks({ member_ids: [bob.id], audience: "anyone" }), "invalid_payload");
    expectRefusal(await asks({ kind: "group", title: "x" }), "invalid_payload");
  });

  it("[CHC3] is sent into and changed by moderators, and reacted to by members", async () => {
    await makes(OPEN);
    await joins(bob);
    const sends = (who: Person, body: string) =>
      who.api.post(path("/messages"), { client_id: who.nextClientId(), body });
    expectRefusal(await sends(bob, "no"), "forbidden");
    expectStatus(await sends(ann, "yes"), 201);
    expectStatus(await bob.api.put(path("/messages/1/reactions/ok")), 200);
    expectRefusal(await bob.api.put(path("/pins/1")), "forbidden");
    expectRefusal(await bob.api.patch(path(), { title: "Mine" }), "forbidden");
    expectStatus(await ann.api.patch(path(), { permissions: { send: "member" } }), 200);
    expectStatus(await sends(bob, "now I may"), 201);
    const until = new Date(Date.now() + 60_000).toISOString();
    const silenced = await ann.api.patch(path(`/members/${bob.id}`), { silenced_until: until });
    expectStatus(silenced, 200);
    const refused = await sends(bob, "no more");
    expectRefusal(refused, "forbidden");
  });

  it("[CHC4] counts what is unread exactly, in lists and totals", async () => {
    await makes(OPEN);
    await joins(bob);
    for (const body of ["one", "two", "three"]) await ann.posts(channel.id, body);
    const listed = async () => {
      const answer = await bob.api.get<ListPage<ConversationSummary>>(
        "/api/conversations?kind=channel",
      );
      return expectStatus(answer, 200).items.find((one) => one.id === channel.id);
    };
    expect(await listed()).toMatchObject({ unread_count: 3, member_count: 2 });
    const before = expectStatus(await bob.api.get<Totals>("/api/me/totals"), 200).messages;
    const read = expectStatus(await bob.api.put(path("/read"), { seq: 2 }), 200);
    expect(read).toMatchObject({ read_seq: 2, unread_count: 1 });
    expect(await listed()).toMatchObject({ unread_count: 1 });
    const after = expectStatus(await bob.api.get<Totals>("/api/me/totals"), 200).messages;
    expect(before - after).toBe(2);
    const prefs = expectStatus(await bob.api.patch(path("/prefs"), { pinned: true }), 200);
    expect(prefs).toMatchObject({ conversation_id: channel.id });
  });
});

describe("watching", () => {
  it("[CHC5] a session that joins receives it live, with occupancy, until it leaves", async () => {
    await makes(OPEN);
    await joins(bob);
    const session = await bob.connects(NEW);
    const joined = await session.does("join_conversation", id());
    expect(joined).toMatchObject({ conversation: { member_count: 2, rev: 1 }, messages: [] });
    await ann.posts(channel.id, "hello");
    expect(await session.next("message")).toMatchObject({ body: "hello", rev: 2 });
    const occupancy = await session.next("occupancy", undefined, 10_000);
    expect(occupancy).toEqual({ conversation_id: channel.id, watching: 1, member_count: 2 });
    await session.does("leave_conversation", id());
    await ann.posts(channel.id, "unheard");
    const activity = await session.next("conversation_activity", undefined, 20_000);
    expect(activity).toMatchObject({ ...id(), last_seq: 2, rev: 3, unread_count: 2 });
    expect(session.heard("message")).toHaveLength(1);
  });

  it("[CHC6] members who do not watch receive activity with their own count", async () => {
    await makes(OPEN);
    await joins(bob);
    await ann.posts(channel.id, "one");
    const session = await bob.connects(NEW);
    expect(session.heard("ready")[0]!.unread.conversations).toContainEqual(
      expect.objectContaining({ ...id(), unread_count: 1 }),
    );
    const old = await bob.connects();
    expect(
      old.heard("ready")[0]!.unread.conversations.map((one) => one.conversation_id),
    ).not.toContain(channel.id);
    await ann.posts(channel.id, "two");
    expect(await session.next("conversation_activity", undefined, 20_000)).toMatchObject({
      ...id(),
      last_seq: 2,
      unread_count: 2,
    });
    expectStatus(await bob.api.put(path("/read"), { seq: 2 }), 200);
    expect(await session.next("receipt")).toMatchObject({ ...id(), read_seq: 2, unread_count: 0 });
    await ann.posts(channel.id, "three");
    // At most one every 5 s.
    const later = await session.next("conversation_activity", undefined, 20_000);
    expect(later).toMatchObject({ last_seq: 3, unread_count: 1 });
    expect(old.heard("conversation_activity")).toEqual([]);
    expect(old.heard("receipt")).toEqual([]);
  });

  it("[CHC7] who joins and leaves is announced to their own sessions only, and to their other devices", async () => {
    await makes(OPEN);
    const [mine, theirs] = [await bob.connects(NEW), await ann.connects(NEW)];
    await theirs.does("join_conversation", id());
    await joins(bob);
    const news = await mine.next("conversation_updated");
    expect(news).toMatchObject({ id: channel.id, member_count: 2, members: [{ user_id: bob.id }] });
    const begun = await mine.next("prefs_updated");
    expect(begun).toMatchObject(id());
    await ann.posts(channel.id, "one");
    expect(await mine.next("conversation_activity", undefined, 20_000)).toMatchObject(id());
    expectStatus(await bob.api.delete(path(`/members/${bob.id}`)), 204);
    expect(await mine.next("conversation_updated")).toMatchObject({
      member_count: 1,
      members: [],
      removed_user_ids: [bob.id],
    });
    expect(await mine.next("prefs_updated")).toMatchObject({ ...id(), removed: true });
    expectRefusal(await bob.api.get(path()), "not_found");
    await ann.posts(channel.id, "two");
    await theirs.next("message");
    expect(theirs.heard("conversation_updated")).toEqual([]);
    const synced = await mine.does("sync", {
      conversations: [{ ...id(), after_rev: 1 }],
      complete: false,
      prefs_after_rev: begun.prefs_rev,
    });
    expect(synced).toMatchObject({ removed: [channel.id] });
    expect(synced.prefs).toContainEqual(expect.objectContaining({ ...id(), removed: true }));
  });

  it("[CHC8] roles of moderators and above are changes that everybody who watches receives", async () => {
    await makes(OPEN);
    await joins(bob);
    const session = await ann.connects(NEW);
    await session.does("join_conversation", id());
    expectStatus(await ann.api.patch(path(`/members/${bob.id}`), { role: "moderator" }), 200);
    expect(await session.next("conversation_updated")).toMatchObject({
      rev: 2,
      members: [{ user_id: bob.id, role: "moderator" }],
      members_partial: true,
      member_count: 2,
    });
    expectStatus(await bob.api.get(path("/members")), 200);
    expectStatus(await bob.api.delete(path(`/members/${bob.id}`)), 204);
    expect(await session.next("conversation_updated")).toMatchObject({
      rev: 3,
      removed_user_ids: [bob.id],
    });
  });

  it("[CHC9] one that is open to anyone is watched without a membership, but for the banned", async () => {
    await makes({ audience: "anyone" });
    await ann.posts(channel.id, "one");
    const session = await eve.connects(NEW);
    const joined = await session.does("join_conversation", id());
    expect(joined.conversation).toMatchObject({ audience: "anyone", members: [], member_count: 1 });
    expect(joined.messages).toMatchObject([{ body: "one" }]);
    await ann.posts(channel.id, "two");
    expect(await session.next("message")).toMatchObject({ body: "two" });
    const page = expectStatus(await eve.api.get<HistoryPage>(path("/messages")), 200);
    expect(page.items).toHaveLength(2);
    const sent = await session.emits("send_message", { ...id(), client_id: "a", body: "no" });
    expect(sent).toMatchObject({ ok: false, error: { code: "forbidden" } });
    const synced = await session.does("sync", {
      conversations: [{ ...id(), after_rev: 2 }],
      complete: false,
    });
    expect(synced).toMatchObject({ removed: [], conversations: [{ messages: [{ body: "two" }] }] });
    expectStatus(await ann.api.put(path(`/bans/${eve.id}`), {}), 200);
    await ann.posts(channel.id, "unheard");
    expectRefusal(await eve.api.get(path()), "not_found");
    const again = await session.emits("join_conversation", id());
    expect(again).toMatchObject({ ok: false, error: { code: "not_found" } });
    expect(session.heard("message")).toHaveLength(1);
  });

  it("[CHC10] a session watches at most 20, and its end is the last event of a deleted one", async () => {
    const session = await ann.connects(NEW);
    for (let n = 0; n < 20; n++) {
      await makes();
      await session.does("join_conversation", id());
    }
    const last = channel;
    await makes();
    expect(await session.emits("join_conversation", id())).toMatchObject({
      ok: false,
      error: { code: "conflict" },
    });
    await session.does("leave_conversation", { conversation_id: last.id });
    await session.does("join_conversation", id());
    const passive = await ann.connects(NEW);
    expectStatus(await ann.api.delete(path()), 204);
    const ended = { ...id(), rev: 2 };
    expect(await session.next("conversation_deleted")).toEqual(ended);
    expect(await passive.next("conversation_deleted")).toEqual(ended);
    expectRefusal(await ann.api.get(path()), "not_found");
  });

  it("[CHC14] [FGC1] one of more than 1,000 members is gone at once, and its rows soon", async () => {
    const shop = await Service.of(troupe(), "users", "act");
    const made = await Promise.all(
      Array.from({ length: 11 }, (_, batch) => {
        const users = Array.from({ length: 100 }, (_, n) => ({ external_id: `c${batch}-${n}` }));
        return shop.api.post<{ items: { user: User }[] }>("/api/users/batch", { users });
      }),
    );
    const crowd = made.flatMap((answer) => expectStatus(answer, 200).items.map((i) => i.user.id));
    await makes({ ...OPEN, audience: "anyone" });
    await joins(bob);
    const acting = { headers: { "troupe-act-as": ann.id } };
    for (const user_ids of [crowd.slice(0, 1_000), crowd.slice(1_000)]) {
      const added = await shop.api.post<unknown>(path("/members"), { user_ids }, acting);
      expectStatus(added, 200);
    }
    await ann.posts(channel.id, "the last one");
    const [watcher, passive] = [await bob.connects(NEW), await bob.connects(NEW)];
    await watcher.does("join_conversation", id());
    const { prefs_rev } = expectStatus(
      await bob.api.patch<{ prefs_rev: number }>(path("/prefs"), { pinned: true }),
      200,
    );
    expectStatus(await ann.api.delete(path()), 204);
    expectRefusal(await bob.api.get(path()), "not_found");
    expectRefusal(await bob.api.get(path("/messages")), "not_found");
    expectRefusal(await bob.api.get(path("/prefs")), "not_found");
    expectRefusal(await bob.api.post(path("/join")), "not_found");
    const listed = await bob.api.get<ListPage<ConversationSummary>>(
      "/api/conversations?filter=all",
    );
    expect(expectStatus(listed, 200).items.map((one) => one.id)).not.toContain(channel.id);
    expect(await watcher.next("conversation_deleted")).toMatchObject(id());
    expect(await passive.next("conversation_deleted")).toMatchObject(id());
    const synced = { conversations: [{ ...id(), after_rev: 1 }], prefs_after_rev: prefs_rev };
    expect((await passive.does("sync", synced)).removed).toEqual([channel.id]);
    await eventually("the memberships have ended", async () => {
      const { prefs } = await passive.does("sync", synced);
      return prefs?.some((one) => one.conversation_id === channel.id && one.removed === true);
    });
  });
});

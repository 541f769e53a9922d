/** Reactions from outside: what sessions of both contracts receive, and what HTTP answers. */
import { beforeAll, describe, expect, it } from "vitest";
import type { HistoryPage } from "../../src/ports/edge.ts";
import type { ListPage } from "../../src/ports/social.ts";
import type { Conversation, Message, Reacted, Reactor } from "../../src/protocol/schemas.ts";
import { expectStatus, type Person } from "../support/person.ts";
import type { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ shared: true });
const CONTRACT = "1.1";

let ann: Person;
let bob: Person;
let eve: Person;
let group: Conversation;
let message: Message;
let path: string;

beforeAll(async () => {
  [ann, bob, eve] = (await troupe().users("ann", "bob", "eve")) as [Person, Person, Person];
  group = await ann.startsGroup(bob, eve);
});

async function says(): Promise<void> {
  message = await ann.posts(group.id, "hello");
  path = `/api/conversations/${group.id}/messages/${message.seq}/reactions`;
}
const at = (key: string) => `${path}/${encodeURIComponent(key)}`;
const reacts = (session: Session, key: string, on = true) =>
  session.does("react", { conversation_id: group.id, seq: message.seq, key, on });

describe("reactions", () => {
  it("[CTR-REA1] sockets of 1.1 hear `reaction`, of version 1 the message, the reacting one its ack", async () => {
    await says();
    const mine = await bob.connects({ contract: CONTRACT });
    const others = await bob.connects({ contract: CONTRACT });
    const former = await eve.connects();
    const newest = await eve.connects({ contract: CONTRACT });
    const { rev, reactions, own } = await reacts(mine, "👍");
    expect(rev).toBe(message.rev + 1);
    expect(reactions).toEqual([{ key: "👍", count: 1, last_user_ids: [bob.id] }]);
    expect(own).toEqual(["👍"]);
    for (const session of [others, newest]) {
      expect(await session.next("reaction")).toEqual({
        conversation_id: group.id,
        seq: message.seq,
        rev,
        changed: reactions,
        changes: [{ user_id: bob.id, key: "👍", on: true }],
      });
    }
    const updated = await former.next("message_updated");
    expect(updated).toEqual({ ...message, rev, reactions });
    expect(former.heard("reaction")).toEqual([]);
    expect(await reacts(mine, "👍")).toEqual({ ok: true, reactions, own });
    const next = await ann.posts(group.id, "next");
    await mine.next("message", ({ seq }) => seq === next.seq);
    expect(mine.heard("reaction")).toEqual([]);
    expect(mine.heard("message_updated")).toEqual([]);
  });

  it("[CTR-REA2] one flush answers many sockets, and each of them has it once", async () => {
    await says();
    const sessions = await Promise.all(
      [ann, bob, eve].flatMap((person) =>
        [1, 2].map(() => person.connects({ contract: CONTRACT })),
      ),
    );
    const keys = ["a", "b", "c", "d"];
    await Promise.all(sessions.flatMap((session) => keys.map((key) => reacts(session, key))));
    const next = await ann.posts(group.id, "the end");
    for (const session of sessions) {
      await session.next("message", ({ seq }) => seq === next.seq);
      const events = session.heard("reaction").map(({ rev }) => rev);
      const acks = session.record
        .filter(({ kind, name }) => kind === "ack" && name === "react")
        .flatMap(({ payload }) => (payload as Reacted).rev ?? []);
      const revs = [...new Set([...events, ...acks])].sort((one, other) => one - other);
      expect(revs).toEqual(
        Array.from({ length: next.rev - message.rev - 1 }, (_, n) => message.rev + 1 + n),
      );
      expect(events.filter((rev) => acks.includes(rev))).toEqual([]);
    }
    const page = await bob.api.get<HistoryPage>(`/api/conversations/${group.id}/messages?limit=2`);
    const { items, own_reactions } = expectStatus(page, 200);
    expect(items[0]?.reactions?.map(({ count }) => count)).toEqual([3, 3, 3, 3]);
    expect(own_reactions?.[0]?.keys.toSorted()).toEqual(keys);
  });

  it("[CTR-REA3] over HTTP: idempotent, folded, listed, taken away, and for all by the owner", async () => {
    await says();
    const put = async (person: Person, key: string) =>
      expectStatus(await person.api.put<Reacted>(at(key)), 200);
    const first = await put(bob, "❤");
    expect(first).toMatchObject({ rev: message.rev + 1, own: ["❤"] });
    expect(await put(eve, "❤\ufe0f")).toMatchObject({ own: ["❤"] });
    const again = await put(eve, "❤");
    expect(again).not.toHaveProperty("rev");
    await put(eve, "e\u0301");
    const list = async (query: string) =>
      expectStatus(await ann.api.get<ListPage<Reactor>>(`${path}${query}`), 200);
    const page = await list("?limit=2");
    expect(page.items.map(({ user_id, key }) => [user_id, key])).toEqual([
      [eve.id, "é"],
      [eve.id, "❤"],
    ]);
    const rest = await list(`?limit=2&cursor=${page.next_cursor}`);
    expect(rest.items).toMatchObject([{ user_id: bob.id, key: "❤" }]);
    expect((await list(`?key=${encodeURIComponent("❤\ufe0f")}`)).items).toHaveLength(2);
    const remove = (person: Person, query = "") =>
      person.api.request<Reacted>("DELETE", `${at("❤")}${query}`);
    expect((await remove(bob, "?all=true")).status).toBe(403);
    expect(expectStatus(await remove(bob), 200)).toMatchObject({ own: [] });
    await put(bob, "❤");
    const all = expectStatus(await remove(ann, "?all=true"), 200);
    expect(all.reactions.map(({ key }) => key)).toEqual(["é"]);
    expect((await list(`?key=${encodeURIComponent("❤")}`)).items).toEqual([]);
  });

  it("[CTR-REA4] what is no key is refused, and so is a deleted or a missing message", async () => {
    await says();
    for (const key of ["a b", "\u200b", "a".repeat(17), "\ufe0f"]) {
      expect((await bob.api.put(at(key))).status, JSON.stringify(key)).toBe(400);
    }
    const session = await bob.connects({ contract: CONTRACT });
    const call = { conversation_id: group.id, seq: message.seq, on: true };
    for (const key of ["a/b", "", ".", "a\\b", "\u0000"]) {
      expect((await session.isRefused("react", { ...call, key })).code).toBe("invalid_payload");
    }
    expect((await session.isRefused("react", { ...call, seq: 9999, key: "a" })).code).toBe(
      "not_found",
    );
    await reacts(session, "a");
    await ann.api.delete(`/api/conversations/${group.id}/messages/${message.seq}`);
    const deleted = await session.next("message_updated");
    expect(deleted).not.toHaveProperty("reactions");
    expect((await session.isRefused("react", { ...call, key: "a" })).code).toBe("conflict");
  });

  it("[CTR-REA5] `only` leaves one; sync and joins bring one's own", async () => {
    await says();
    const session = await bob.connects({ contract: CONTRACT });
    await reacts(session, "a");
    await reacts(session, "b");
    const call = { conversation_id: group.id, seq: message.seq, key: "c", on: true };
    const only = await session.does("react", { ...call, only: true });
    expect(only.own).toEqual(["c"]);
    const synced = await session.syncs({ [group.id]: message.rev - 1 }, { complete: false });
    expect(synced.conversations[0]?.own_reactions).toEqual([{ seq: message.seq, keys: ["c"] }]);
    const joined = await session.does("join_conversation", { conversation_id: group.id });
    expect(joined.own_reactions?.at(-1)).toEqual({ seq: message.seq, keys: ["c"] });
    const notice = await ann.api.get<ListPage<{ type: string; data: unknown }>>(
      "/api/notifications?limit=1",
    );
    expect(expectStatus(notice, 200).items[0]).toMatchObject({
      type: "reaction",
      data: { conversation_id: group.id, seq: message.seq },
    });
  });
});

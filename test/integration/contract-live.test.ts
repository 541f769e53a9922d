/** Live events: to whom, in which order, on which transport; joining, leaving, isolation. */
import { describe, expect, it } from "vitest";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { expectErrorObject, revTrail, upTo } from "../support/expectations.ts";
import type { Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

/** Bounded listening for what must not come; deliveries here take some milliseconds. */
const SILENCE_MS = 400;
/** The most sends of each sender while the removal takes place, and the sends after its answer. */
const SENDS_MAX = 5_000;
const SENDS_AFTER = 20;
const troupe = troupeForFile({ shared: true });

async function trio(): Promise<{ ann: Person; bob: Person; cleo: Person; group: Conversation }> {
  const [ann, bob, cleo] = await troupe().users("ann", "bob", "cleo");
  const group = await ann!.startsGroup(bob!, cleo!);
  return { ann: ann!, bob: bob!, cleo: cleo!, group };
}

describe("messages", () => {
  it("[CTR-LIV1] a message reaches every session of every member but the one that sent", async () => {
    const { ann, bob, cleo, group } = await trio();
    const sender = await ann.connects();
    const others = [
      ...(await troupe().sessionOnEachWorker(ann)),
      ...(await troupe().sessionOnEachWorker(bob)),
      await cleo.connects({ transports: ["polling"] }),
    ];
    const message = await sender.sends(group.id, "to all");
    for (const session of others) expect(await session.next("message")).toEqual(message);
    await sender.never("message", SILENCE_MS);
    for (const session of others) expect(session.heard("message")).toHaveLength(1);
  });

  it("[CTR-LIV2] sent over HTTP it reaches the sender's sessions, too", async () => {
    const { ann, bob, group } = await trio();
    const sessions = [await ann.connects(), await bob.connects()];
    const message = await ann.posts(group.id, "by HTTP");
    for (const session of sessions) expect(await session.next("message")).toEqual(message);
  });

  it("[CTR-LIV3] edits and deletions are message_updated, to the same sessions", async () => {
    const { ann, bob, group } = await trio();
    const [acting, own, other] = [await ann.connects(), await ann.connects(), await bob.connects()];
    await acting.sends(group.id, "words");
    const target = { conversation_id: group.id, seq: 1 };
    const edited = await acting.does("edit_message", { ...target, body: "better" });
    const deleted = await acting.does("delete_message", target);
    expect([edited.message.rev, deleted.message.rev]).toEqual([3, 4]);
    for (const session of [own, other]) {
      expect(await session.next("message_updated")).toEqual(edited.message);
      expect(await session.next("message_updated")).toEqual(deleted.message);
    }
    await acting.does("delete_message", target);
    await own.never("message_updated", SILENCE_MS);
    expect(acting.heard("message_updated")).toEqual([]);
    const path = `/api/conversations/${group.id}/messages`;
    await bob.posts(group.id, "more words");
    await bob.api.patch(`${path}/2`, { body: "fewer" });
    for (const session of [acting, own, other]) {
      expect(await session.next("message_updated")).toMatchObject({ seq: 2, body: "fewer" });
    }
  });

  it("[CTR-LIV4] a repeated client_id reaches nobody a second time", async () => {
    const { ann, bob, group } = await trio();
    const [sender, listener] = [await ann.connects(), await bob.connects()];
    const payload = { conversation_id: group.id, client_id: "same", body: "once" };
    for (const _ of upTo(4)) await sender.does("send_message", payload);
    const fence = await sender.sends(group.id, "fence");
    await listener.next("message", (message) => message.seq === fence.seq);
    expect(listener.heard("message").map((message) => message.seq)).toEqual([1, 2]);
  });

  it("[CTR-LIV5] with everyone sending, each session hears every rev once and in order", async () => {
    const { ann, bob, cleo, group } = await trio();
    const sessions = [
      ...(await troupe().sessionOnEachWorker(ann)),
      ...(await troupe().sessionOnEachWorker(bob)),
      await cleo.connects({ transports: ["polling"] }),
      await cleo.connects(),
    ];
    const perSession = 25;
    await Promise.all(
      sessions.flatMap((session) =>
        upTo(perSession).map((i) => session.sends(group.id, `${session.label} ${i}`)),
      ),
    );
    const last = sessions.length * perSession + 1;
    for (const session of sessions) {
      const hasLast = () =>
        session.record.some((found) => JSON.stringify(found.payload)?.includes(`"rev":${last}`));
      if (!hasLast()) await session.next("message", (message) => message.rev === last);
      const trail = revTrail(session, group.id);
      expect(trail.violations).toEqual([]);
      expect(trail.echoes).toEqual([]);
      expect(trail.changes).toBe(sessions.length * perSession);
    }
  });

  it.each([
    ["long-polling", ["polling"], "polling"],
    ["WebSocket", ["websocket"], "websocket"],
    ["long-polling that upgrades", ["polling", "websocket"], "websocket"],
  ] as const)("[CTR-LIV6] %s serves all there is", async (_, transports, settled) => {
    const { ann, bob, group } = await trio();
    const session = await ann.connects({ transports: [...transports] });
    const listener = await bob.connects();
    for (const i of upTo(30)) await session.sends(group.id, `${i}`);
    expect(session.transport).toBe(settled);
    await listener.next("message", (message) => message.seq === 30);
    expect(revTrail(listener, group.id)).toEqual({ violations: [], echoes: [], changes: 30 });
    await listener.sends(group.id, "back");
    expect(await session.next("message")).toMatchObject({ body: "back" });
  });
});

describe("members", () => {
  it("[CTR-LIV7] a new conversation is live on open sessions without a join", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const [own, other] = [await ann!.connects(), await bob!.connects()];
    const direct = await ann!.startsDirect(bob!);
    expect(await own.next("conversation_updated")).toEqual(direct);
    expect(await other.next("conversation_updated")).toEqual(direct);
    const message = await own.sends(direct.id, "at once");
    expect(await other.next("message")).toEqual(message);
    expect(revTrail(other, direct.id)).toEqual({ violations: [], echoes: [], changes: 2 });
  });

  it("[CTR-LIV8] a change of title or members reaches the members, the added included", async () => {
    const { ann, bob, group } = await trio();
    const dora = await troupe().user("dora");
    const [own, other, added] = [await ann.connects(), await bob.connects(), await dora.connects()];
    const path = `/api/conversations/${group.id}`;
    const titled = (await ann.api.patch<Conversation>(path, { title: "New" })).body;
    for (const session of [own, other]) {
      expect(await session.next("conversation_updated")).toEqual(titled);
    }
    const grown = (await ann.api.post<Conversation>(`${path}/members`, { user_ids: [dora.id] }))
      .body;
    for (const session of [own, other, added]) {
      expect(await session.next("conversation_updated")).toEqual(grown);
    }
    const message = await other.sends(group.id, "welcome");
    expect(await added.next("message")).toEqual(message);
    expect(added.heard("conversation_updated")).toEqual([grown]);
  });

  it("[CTR-LIV9] to the removed, conversation_updated is the last event of it", async () => {
    const { ann, bob, cleo, group } = await trio();
    const removed = [
      ...(await troupe().sessionOnEachWorker(cleo)),
      await cleo.connects({ transports: ["polling"] }),
    ];
    const [owner, other] = [await ann.connects(), await bob.connects()];
    const path = `/api/conversations/${group.id}/members/${cleo.id}`;
    const before = upTo(20).map((i) => other.sends(group.id, `before ${i}`));
    expect((await ann.api.delete(path)).status).toBe(204);
    const afterwards = await Promise.all(upTo(20).map((i) => owner.sends(group.id, `after ${i}`)));
    await Promise.all(before);
    await owner.marksRead(group.id, afterwards[0]!.seq);
    await other.types(group.id, true);
    for (const session of removed) {
      const last = await session.next("conversation_updated");
      expect(last.members.map((member) => member.user_id)).not.toContain(cleo.id);
      await session.never("message", SILENCE_MS, (message) => message.rev > last.rev);
      const names = session.record.filter(({ kind }) => kind === "event").map(({ name }) => name);
      expect(names.at(-1)).toBe("conversation_updated");
      expect(revTrail(session, group.id).violations).toEqual([]);
      for (const [event, payload] of [
        ["send_message", { client_id: "c", body: "let me in" }],
        ["join_conversation", {}],
        ["typing", { is_typing: true }],
        ["mark_read", { seq: 1 }],
      ] as const) {
        const error = await session.isRefused(event, { conversation_id: group.id, ...payload });
        expectErrorObject(error, "not_found");
      }
    }
  });

  it("[CTR-LIV10] nothing sent after the removal's answer reaches the removed", async () => {
    const { ann, bob, cleo, group } = await trio();
    const removed = await troupe().sessionOnEachWorker(cleo);
    const senders = [await ann.connects(), await bob.connects()];
    let isRemoved = false;
    const sentAfter: number[] = [];
    const floods = senders.map(async (session) => {
      for (let i = 0, after = 0; i < SENDS_MAX && after < SENDS_AFTER; i++) {
        const isAfter = isRemoved;
        const { seq } = await session.sends(group.id, `${i}`);
        if (!isAfter) continue;
        sentAfter.push(seq);
        after++;
      }
    });
    const path = `/api/conversations/${group.id}/members/${cleo.id}`;
    expect((await ann.api.delete(path)).status).toBe(204);
    isRemoved = true;
    await Promise.all(floods);
    expect(sentAfter).toHaveLength(senders.length * SENDS_AFTER);
    for (const session of removed) {
      await session.never("message", SILENCE_MS, (message) => sentAfter.includes(message.seq));
    }
  });

  it("[CTR-LIV11] a stranger hears nothing of a conversation", async () => {
    const { ann, bob, group } = await trio();
    const stranger = await (await troupe().user("eve")).connects();
    const [own, other] = [await ann.connects(), await bob.connects()];
    await stranger.isRefused("join_conversation", { conversation_id: group.id });
    await own.sends(group.id, "secret");
    await own.types(group.id, true);
    await other.marksRead(group.id, 1);
    await ann.api.patch(`/api/conversations/${group.id}`, { title: "Secret" });
    await other.next("conversation_updated");
    await stranger.never("message", SILENCE_MS);
    const events = stranger.record.filter(({ kind }) => kind === "event").map(({ name }) => name);
    expect(events).toEqual(["ready"]);
  });

  it("[CTR-LIV12] someone added again hears the conversation again", async () => {
    const { ann, bob, group } = await trio();
    const [own, other] = [await ann.connects(), await bob.connects()];
    const path = `/api/conversations/${group.id}/members`;
    for (const round of upTo(3)) {
      await ann.api.delete(`${path}/${bob.id}`);
      await other.next("conversation_updated", ({ members }) => members.length === 2);
      await own.sends(group.id, `without Bob ${round}`);
      await ann.api.post(path, { user_ids: [bob.id] });
      await other.next("conversation_updated", ({ members }) => members.length === 3);
      const message = await own.sends(group.id, `with Bob ${round}`);
      expect(await other.next("message")).toEqual(message);
    }
    expect(other.heard("message").map(({ body }) => body)).toEqual(
      upTo(3).map((round) => `with Bob ${round}`),
    );
  });
});

describe("joining and leaving", () => {
  it("[CTR-LIV13] join answers the conversation and its newest messages by seq", async () => {
    const { ann, bob, group } = await trio();
    const [own, other] = [await ann.connects(), await bob.connects()];
    await Promise.all(upTo(60).map((i) => own.sends(group.id, `${i}`)));
    await own.marksRead(group.id, 60);
    const plain = await other.does("join_conversation", { conversation_id: group.id });
    const { body } = await bob.api.get(`/api/conversations/${group.id}`);
    expect(plain.conversation).toEqual(body);
    expect(plain.messages.map(({ seq }) => seq)).toEqual(upTo(60).slice(10));
    expect(plain).toMatchObject({ has_more: true, typing: [] });
    const few = await other.does("join_conversation", { conversation_id: group.id, limit: 5 });
    expect(few.messages).toEqual(plain.messages.slice(-5));
    const all = await other.does("join_conversation", { conversation_id: group.id, limit: 100 });
    expect(all.messages).toHaveLength(60);
    expect(all.has_more).toBe(false);
  });

  it("[CTR-LIV14] join with after_rev answers what changed since, by rev", async () => {
    const { ann, bob, group } = await trio();
    const [own, other] = [await ann.connects(), await bob.connects()];
    for (const i of upTo(6)) await own.sends(group.id, `${i}`);
    await own.does("edit_message", { conversation_id: group.id, seq: 2, body: "edited" });
    await own.does("delete_message", { conversation_id: group.id, seq: 4 });
    const join = (after_rev: number, limit?: number) =>
      other.does("join_conversation", {
        conversation_id: group.id,
        after_rev,
        ...(limit === undefined ? {} : { limit }),
      });
    const since = await join(6);
    expect(since.messages.map(({ seq, rev }) => [seq, rev])).toEqual([
      [6, 7],
      [2, 8],
      [4, 9],
    ]);
    expect(since.has_more).toBe(false);
    const few = await join(0, 3);
    expect(few.messages.map(({ rev }) => rev)).toEqual([2, 4, 6]);
    expect(few.has_more).toBe(true);
    expect((await join(9)).messages).toEqual([]);
  });

  it("[CTR-LIV15] leave stops this socket's live events only; join brings them back", async () => {
    const { ann, bob, group } = await trio();
    const [sender, left, stayed] = [
      await ann.connects(),
      await bob.connects(),
      await bob.connects(),
    ];
    await left.does("leave_conversation", { conversation_id: group.id });
    const first = await sender.sends(group.id, "one");
    await sender.types(group.id, true);
    await sender.marksRead(group.id, 1);
    expect(await stayed.next("message")).toEqual(first);
    await stayed.next("typing");
    await left.never("message", SILENCE_MS);
    expect(left.heard("typing")).toEqual([]);
    const joined = await left.does("join_conversation", {
      conversation_id: group.id,
      after_rev: 1,
    });
    expect(joined.messages).toEqual([first]);
    const second = await sender.sends(group.id, "two");
    expect(await left.next("message")).toEqual(second);
    const own = await left.sends(group.id, "three");
    expect(await stayed.next("message", ({ seq }) => seq === own.seq)).toEqual(own);
  });

  it("[CTR-LIV16] join malformed or out of reach is refused", async () => {
    const { ann, group } = await trio();
    const session = await ann.connects();
    for (const extra of [
      { limit: 0 },
      { limit: 101 },
      { limit: "5" },
      { after_rev: -1 },
      { after_rev: "0" },
      { after_rev: 1.5 },
      { x: 1 },
    ]) {
      const payload = { conversation_id: group.id, ...extra };
      expectErrorObject(await session.isRefused("join_conversation", payload), "invalid_payload");
    }
  });
});

/** Typing and receipts: what is shown of the others, and that it never sticks. */
import { describe, expect, it } from "vitest";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { expectErrorObject, expectRefusal } from "../support/expectations.ts";
import type { Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const TYPING_ENDS_MS = 5000;
/** Slack for two busy cores. */
const SLACK_MS = 1500;
const AT_ONCE_MS = 1500;
const SILENCE_MS = 400;
const troupe = troupeForFile({ shared: true });

async function trio(): Promise<{ ann: Person; bob: Person; cleo: Person; group: Conversation }> {
  const [ann, bob, cleo] = await troupe().users("ann", "bob", "cleo");
  const group = await ann!.startsGroup(bob!, cleo!);
  return { ann: ann!, bob: bob!, cleo: cleo!, group };
}

const typingOf = (conversation: Conversation, person: Person, is_typing: boolean) => ({
  conversation_id: conversation.id,
  user_id: person.id,
  is_typing,
});

describe("typing", () => {
  it("[CTR-TYP1] reaches the other members' sessions and none of one's own", async () => {
    const { ann, bob, cleo, group } = await trio();
    const typist = await ann.connects();
    const own = await ann.connects();
    const others = [
      ...(await troupe().sessionOnEachWorker(bob)),
      await cleo.connects({ transports: ["polling"] }),
    ];
    await typist.types(group.id, true);
    for (const session of others) {
      expect(await session.next("typing")).toEqual(typingOf(group, ann, true));
    }
    await typist.types(group.id, false);
    for (const session of others) {
      expect(await session.next("typing")).toEqual(typingOf(group, ann, false));
    }
    await own.never("typing", SILENCE_MS);
    await typist.never("typing", 0);
  });

  it("[CTR-TYP2] false comes by itself after 5 s of silence, counted from the last true", async () => {
    const { ann, bob, group } = await trio();
    const [typist, other] = [await ann.connects(), await bob.connects()];
    await typist.types(group.id, true);
    expect(await other.next("typing")).toEqual(typingOf(group, ann, true));
    // Three seconds in, Ann is still typing; meanwhile the others hear nothing new.
    await other.never("typing", 3000);
    const renewedMs = performance.now();
    await typist.types(group.id, true);
    const ended = await other.next("typing", undefined, TYPING_ENDS_MS + SLACK_MS);
    expect(ended).toEqual(typingOf(group, ann, false));
    expect(performance.now() - renewedMs).toBeGreaterThan(TYPING_ENDS_MS - 500);
  });

  it("[CTR-TYP3] one's message ends it", async () => {
    const { ann, bob, group } = await trio();
    const [typist, other] = [await ann.connects(), await bob.connects()];
    await typist.types(group.id, true);
    await other.next("typing", ({ is_typing }) => is_typing);
    await typist.sends(group.id, "there");
    expect(await other.next("typing", undefined, AT_ONCE_MS)).toEqual(typingOf(group, ann, false));
    await typist.types(group.id, true);
    await other.next("typing", ({ is_typing }) => is_typing);
    await ann.posts(group.id, "by HTTP");
    expect(await other.next("typing", undefined, AT_ONCE_MS)).toEqual(typingOf(group, ann, false));
    const joined = await other.does("join_conversation", { conversation_id: group.id });
    expect(joined.typing).toEqual([]);
  });

  it("[CTR-TYP4] it ends at once when the last session in which one types ends", async () => {
    const { ann, bob, group } = await trio();
    const [first, second] = [await ann.connects(), await ann.connects()];
    const idle = await ann.connects();
    const other = await bob.connects();
    await first.types(group.id, true);
    await second.types(group.id, true);
    await other.next("typing", ({ is_typing }) => is_typing);
    await first.disconnects();
    await other.never("typing", 1000);
    second.drops();
    expect(await other.next("typing", undefined, AT_ONCE_MS)).toEqual(typingOf(group, ann, false));
    expect(idle.isConnected).toBe(true);
    expect(other.heard("typing")).toHaveLength(2);
  });

  it("[CTR-TYP5] of two sessions typing, one that stops does not stop the other", async () => {
    const { ann, bob, group } = await trio();
    const [first, second] = [await ann.connects(), await ann.connects()];
    const other = await bob.connects();
    await first.types(group.id, true);
    await second.types(group.id, true);
    await other.next("typing", ({ is_typing }) => is_typing);
    await first.types(group.id, false);
    await other.never("typing", SILENCE_MS);
    await second.types(group.id, false);
    expect(await other.next("typing")).toEqual(typingOf(group, ann, false));
  });

  it("[CTR-TYP6] others hear of a change once, not of every keystroke", async () => {
    const { ann, bob, group } = await trio();
    const [typist, other] = [await ann.connects(), await bob.connects()];
    for (let i = 0; i < 10; i++) await typist.types(group.id, true);
    await other.next("typing", ({ is_typing }) => is_typing);
    await other.never("typing", SILENCE_MS);
    await typist.types(group.id, false);
    await typist.types(group.id, false);
    await other.next("typing", ({ is_typing }) => !is_typing);
    await other.never("typing", SILENCE_MS);
  });

  it("[CTR-TYP7] join answers who is typing", async () => {
    const { ann, bob, cleo, group } = await trio();
    const [one, two, joiner] = [await ann.connects(), await bob.connects(), await cleo.connects()];
    await one.types(group.id, true);
    await two.types(group.id, true);
    const { typing } = await joiner.does("join_conversation", { conversation_id: group.id });
    expect([...typing].sort()).toEqual([ann.id, bob.id].sort());
  });

  it("[CTR-TYP8] it does not outlive a removal", async () => {
    const { ann, bob, cleo, group } = await trio();
    const [typist, other] = [await cleo.connects(), await bob.connects()];
    await typist.types(group.id, true);
    await other.next("typing", ({ is_typing }) => is_typing);
    await ann.api.delete(`/api/conversations/${group.id}/members/${cleo.id}`);
    const ended = await other.next("typing", undefined, TYPING_ENDS_MS + SLACK_MS);
    expect(ended).toEqual(typingOf(group, cleo, false));
    const joined = await other.does("join_conversation", { conversation_id: group.id });
    expect(joined.typing).toEqual([]);
  });
});

describe("receipts", () => {
  it("[CTR-RCP1] a mark reaches every session of every member but the one that marked", async () => {
    const { ann, bob, cleo, group } = await trio();
    for (const body of ["one", "two", "three"]) await ann.posts(group.id, body);
    const marking = await bob.connects();
    const others = [
      await bob.connects(),
      ...(await troupe().sessionOnEachWorker(ann)),
      await cleo.connects({ transports: ["polling"] }),
    ];
    const delivered = await marking.marksDelivered(group.id, 2);
    expect(delivered).toMatchObject({ ok: true, delivered_seq: 2, read_seq: 0 });
    const read = await marking.marksRead(group.id, 1);
    expect(read).toMatchObject({ ok: true, delivered_seq: 2, read_seq: 1 });
    const receipt = { conversation_id: group.id, user_id: bob.id };
    for (const [n, session] of others.entries()) {
      // Only one's own sessions receive how many messages are unread.
      const unread = (unread_count: number) => (n === 0 ? { unread_count } : {});
      const one = { ...receipt, delivered_seq: 2, read_seq: 0, ...unread(3) };
      const two = { ...receipt, delivered_seq: 2, read_seq: 1, ...unread(2) };
      expect(await session.next("receipt")).toEqual(one);
      expect(await session.next("receipt")).toEqual(two);
    }
    await marking.never("receipt", SILENCE_MS);
  });

  it("[CTR-RCP2] marks are cumulative, never move back, and read implies delivered", async () => {
    const { ann, bob, group } = await trio();
    for (const body of ["one", "two", "three", "four"]) await ann.posts(group.id, body);
    const [marking, other] = [await bob.connects(), await ann.connects()];
    const cursors = async (event: "mark_read" | "mark_delivered", seq: number) => {
      const answer = await marking.does(event, { conversation_id: group.id, seq });
      return [answer.delivered_seq, answer.read_seq];
    };
    expect(await cursors("mark_read", 3)).toEqual([3, 3]);
    expect(await cursors("mark_read", 1)).toEqual([3, 3]);
    expect(await cursors("mark_delivered", 2)).toEqual([3, 3]);
    expect(await cursors("mark_read", 3)).toEqual([3, 3]);
    expect(await cursors("mark_delivered", 4)).toEqual([4, 3]);
    expect(await other.next("receipt")).toMatchObject({ delivered_seq: 3, read_seq: 3 });
    expect(await other.next("receipt")).toMatchObject({ delivered_seq: 4, read_seq: 3 });
    await other.never("receipt", SILENCE_MS);
  });

  it("[CTR-RCP3] past last_seq, and 0, are invalid_payload, and nothing moves", async () => {
    const { ann, bob, group } = await trio();
    await ann.posts(group.id, "only one");
    const [marking, other] = [await bob.connects(), await ann.connects()];
    for (const event of ["mark_read", "mark_delivered"]) {
      for (const seq of [2, 1000, 0, -1, 1.5, "1", null]) {
        const error = await marking.isRefused(event, { conversation_id: group.id, seq });
        expectErrorObject(error, "invalid_payload");
      }
    }
    const path = `/api/conversations/${group.id}/read`;
    for (const seq of [2, 0, -1, "1", null]) {
      expectRefusal(await bob.api.put(path, { seq }), "invalid_payload");
    }
    await other.never("receipt", SILENCE_MS);
  });

  it("[CTR-RCP4] neither a send nor a live delivery makes a receipt", async () => {
    const { ann, bob, group } = await trio();
    const [sender, other] = [await ann.connects(), await bob.connects()];
    await sender.sends(group.id, "hi");
    await other.next("message");
    await other.never("receipt", SILENCE_MS);
    await sender.never("receipt", 0);
    const { body } = await bob.api.get<Conversation>(`/api/conversations/${group.id}`);
    expect(body.members.find((member) => member.user_id === bob.id)).toMatchObject({
      delivered_seq: 0,
      read_seq: 0,
    });
  });

  it("[CTR-RCP5] PUT read marks likewise and tells all sessions", async () => {
    const { ann, bob, group } = await trio();
    await ann.posts(group.id, "one");
    await ann.posts(group.id, "two");
    const sessions = [await ann.connects(), await bob.connects()];
    const answer = await bob.api.put(`/api/conversations/${group.id}/read`, { seq: 2 });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body).toEqual({ delivered_seq: 2, read_seq: 2, unread_count: 0 });
    for (const [n, session] of sessions.entries()) {
      expect(await session.next("receipt")).toEqual({
        conversation_id: group.id,
        user_id: bob.id,
        delivered_seq: 2,
        read_seq: 2,
        ...(n === 1 && { unread_count: 0 }),
      });
    }
    await bob.api.put(`/api/conversations/${group.id}/read`, { seq: 1 });
    await sessions[0]!.never("receipt", SILENCE_MS);
  });
});

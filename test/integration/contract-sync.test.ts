/** Sync: the whole difference, never a silent hole. */
import { describe, expect, it } from "vitest";
import type { ClientAck } from "../../src/protocol/events.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { expectErrorObject, upTo } from "../support/expectations.ts";
import type { Person } from "../support/person.ts";
import type { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const NOBODY = "9223372036854775807";
const NEWEST = 50;
const MESSAGES_A_CONVERSATION = 200;
const MESSAGES_AN_ANSWER = 1000;
/** "About 256 KiB": the figure and what one message more may weigh. */
const BYTES_AN_ANSWER = 256 * 1024 + 64 * 1024;
const troupe = troupeForFile({ shared: true });

type Sync = ClientAck<"sync">;

async function pair(): Promise<{ ann: Person; bob: Person; direct: Conversation }> {
  const [ann, bob] = await troupe().users("ann", "bob");
  return { ann: ann!, bob: bob!, direct: await ann!.startsDirect(bob!) };
}

async function fills(sender: Session, conversation: Conversation, count: number, body = "text") {
  await Promise.all(upTo(count).map((i) => sender.sends(conversation.id, `${body} ${i}`)));
}

const partOf = (answer: Sync, conversation: Conversation) =>
  answer.conversations.find((part) => part.conversation_id === conversation.id);

/** A client's copy of its conversations, kept up as the contract tells it to. */
class Copy {
  readonly revs: Record<string, number> = {};
  readonly messages = new Map<string, Map<number, Message>>();
  answers = 0;

  async catchesUp(session: Session): Promise<void> {
    for (;;) {
      const answer = await session.syncs(this.revs);
      this.answers++;
      this.apply(answer);
      if (!answer.has_more && !answer.conversations.some((part) => part.has_more)) return;
      if (this.answers > 100) throw new Error("sync does not come to an end");
    }
  }

  apply(answer: Sync): void {
    for (const part of answer.conversations) {
      const known = this.messages.get(part.conversation_id) ?? new Map<number, Message>();
      if (part.reset) known.clear();
      for (const message of part.messages) known.set(message.seq, message);
      this.messages.set(part.conversation_id, known);
      this.revs[part.conversation_id] = part.rev;
    }
    for (const id of answer.removed) {
      delete this.revs[id];
      this.messages.delete(id);
    }
  }

  of(conversation: Conversation): Message[] {
    const known = this.messages.get(conversation.id) ?? new Map<number, Message>();
    return [...known.values()].sort((a, b) => a.seq - b.seq);
  }
}

describe("listed conversations", () => {
  it("[CTR-SYN1] what changed is answered by rising rev; what did not is left out", async () => {
    const { ann, bob, direct } = await pair();
    const quiet = await ann.startsGroup(bob);
    const [own, other] = [await ann.connects(), await bob.connects()];
    await fills(own, direct, 5);
    await own.does("edit_message", { conversation_id: direct.id, seq: 1, body: "edited" });
    await own.does("edit_message", { conversation_id: direct.id, seq: 1, body: "edited twice" });
    await own.does("delete_message", { conversation_id: direct.id, seq: 4 });
    const answer = await other.syncs({ [direct.id]: 2, [quiet.id]: 1 });
    expect(Object.keys(answer).sort()).toEqual([
      "conversations",
      "has_more",
      "notifications",
      "ok",
      "receipts",
      "removed",
    ]);
    expect(answer).toMatchObject({ has_more: false, removed: [], notifications: [] });
    expect(answer.conversations.map((part) => part.conversation_id)).toEqual([direct.id]);
    const part = partOf(answer, direct)!;
    expect(part).toMatchObject({ rev: 9, conversation: null, has_more: false, reset: false });
    expect(part.messages.map(({ seq, rev }) => [seq, rev])).toEqual([
      [2, 3],
      [3, 4],
      [5, 6],
      [1, 8],
      [4, 9],
    ]);
    const stored = await bob.reads(direct.id);
    for (const message of part.messages) expect(message).toEqual(stored[message.seq - 1]);
  });

  it("[CTR-SYN2] the conversation comes along where members or title changed, else null", async () => {
    const [ann, bob, cleo] = await troupe().users("ann", "bob", "cleo");
    const group = await ann!.startsGroup(bob!);
    const other = await bob!.connects();
    await ann!.posts(group.id, "hi");
    const path = `/api/conversations/${group.id}`;
    const fromStart = partOf(await other.syncs({ [group.id]: 0 }), group)!;
    expect(fromStart.conversation).toMatchObject({ id: group.id, rev: 2, last_seq: 1 });
    expect(partOf(await other.syncs({ [group.id]: 1 }), group)!.conversation).toBeNull();
    await ann!.api.patch(path, { title: "Renamed" });
    const retitled = partOf(await other.syncs({ [group.id]: 2 }), group)!;
    expect(retitled.conversation).toMatchObject({ title: "Renamed", rev: 3 });
    expect(retitled).toMatchObject({ rev: 3, messages: [] });
    await ann!.api.post(`${path}/members`, { user_ids: [cleo!.id] });
    const grown = partOf(await other.syncs({ [group.id]: 3 }), group)!;
    expect(grown.conversation!.members).toHaveLength(3);
    await ann!.posts(group.id, "more");
    expect(partOf(await other.syncs({ [group.id]: 4 }), group)!.conversation).toBeNull();
  });

  it("[CTR-SYN3] at most 200 messages each; rev is the point to go on from", async () => {
    const { ann, bob, direct } = await pair();
    const own = await ann.connects();
    await fills(own, direct, 450);
    await own.does("edit_message", { conversation_id: direct.id, seq: 10, body: "edited" });
    const other = await bob.connects();
    const first = partOf(await other.syncs({ [direct.id]: 0 }), direct)!;
    expect(first.messages.length).toBeGreaterThan(0);
    expect(first.messages.length).toBeLessThanOrEqual(MESSAGES_A_CONVERSATION);
    expect(first.has_more).toBe(true);
    expect(first.rev).toBe(first.messages.at(-1)!.rev);
    const copy = new Copy();
    copy.revs[direct.id] = 0;
    await copy.catchesUp(other);
    expect(copy.of(direct)).toEqual(await bob.reads(direct.id));
    expect(copy.revs[direct.id]).toBe(452);
    expect((await other.syncs(copy.revs)).conversations).toEqual([]);
  });

  it("[CTR-SYN4] receipts of the other in every listed direct conversation", async () => {
    const [ann, bob, cleo] = await troupe().users("ann", "bob", "cleo");
    const direct = await ann!.startsDirect(bob!);
    const another = await ann!.startsDirect(cleo!);
    const group = await ann!.startsGroup(bob!);
    const own = await ann!.connects();
    await fills(own, direct, 3);
    await fills(own, group, 2);
    await (await bob!.connects()).marksRead(direct.id, 2);
    await (await bob!.connects()).marksRead(group.id, 2);
    const held = { [direct.id]: 4, [another.id]: 1, [group.id]: 3 };
    const { receipts, conversations } = await own.syncs(held);
    expect(conversations).toEqual([]);
    const inOrder = [...receipts].sort((a) => (a.conversation_id === direct.id ? -1 : 1));
    expect(inOrder).toEqual([
      { conversation_id: direct.id, user_id: bob!.id, delivered_seq: 2, read_seq: 2 },
      { conversation_id: another.id, user_id: cleo!.id, delivered_seq: 0, read_seq: 0 },
    ]);
  });

  it("[CTR-SYN5] removed lists those that one is not in, or never was", async () => {
    const [ann, bob, cleo] = await troupe().users("ann", "bob", "cleo");
    const group = await ann!.startsGroup(bob!, cleo!);
    const foreign = await ann!.startsDirect(cleo!);
    await ann!.api.delete(`/api/conversations/${group.id}/members/${bob!.id}`);
    await ann!.posts(group.id, "without Bob");
    const answer = await (await bob!.connects()).syncs({
      [group.id]: 1,
      [foreign.id]: 0,
      [NOBODY]: 3,
    });
    expect([...answer.removed].sort()).toEqual([group.id, foreign.id, NOBODY].sort());
    expect(answer.conversations).toEqual([]);
    expect(answer.receipts).toEqual([]);
  });

  it("[CTR-SYN6] a rev past the conversation's own is answered with a fresh snapshot", async () => {
    const { ann, bob, direct } = await pair();
    const own = await ann.connects();
    await fills(own, direct, 3);
    const part = partOf(await (await bob.connects()).syncs({ [direct.id]: 900 }), direct)!;
    expect(part).toMatchObject({ reset: true, rev: 4, has_more: false });
    expect(part.messages).toEqual(await bob.reads(direct.id));
    expect(part.conversation).toMatchObject({ id: direct.id, rev: 4, last_seq: 3 });
  });
});

describe("unlisted conversations", () => {
  it("[CTR-SYN7] come with the conversation and its newest 50 messages", async () => {
    const { ann, bob, direct } = await pair();
    const group = await ann.startsGroup(bob);
    await fills(await ann.connects(), direct, 70);
    const other = await bob.connects();
    const answer = await other.syncs({});
    const part = partOf(answer, direct)!;
    const stored = await bob.reads(direct.id);
    expect([...part.messages].sort((a, b) => a.seq - b.seq)).toEqual(stored.slice(-NEWEST));
    expect(part).toMatchObject({ rev: 71, has_more: false, reset: false });
    expect(part.conversation).toEqual((await bob.api.get(`/api/conversations/${direct.id}`)).body);
    const empty = partOf(answer, group)!;
    expect(empty).toMatchObject({ rev: 1, messages: [], conversation: group });
  });

  it("[CTR-SYN8] stay out where complete is false", async () => {
    const { ann, bob, direct } = await pair();
    const group = await ann.startsGroup(bob);
    await ann.posts(direct.id, "hi");
    const answer = await (await bob.connects()).syncs({ [direct.id]: 1 }, { complete: false });
    expect(answer.conversations.map((part) => part.conversation_id)).toEqual([direct.id]);
    const whole = await (await bob.connects()).syncs({ [direct.id]: 1 }, { complete: true });
    expect(whole.conversations.map((part) => part.conversation_id).sort()).toEqual(
      [direct.id, group.id].sort(),
    );
  });
});

describe("bounds", () => {
  it("[CTR-SYN9] at most 1,000 messages an answer; asking again brings the rest", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const own = await ann!.connects();
    const groups: Conversation[] = [];
    for (const _ of upTo(7)) groups.push(await ann!.startsGroup(bob!));
    await Promise.all(groups.map((group) => fills(own, group, 190)));
    const other = await bob!.connects();
    const copy = new Copy();
    for (const group of groups) copy.revs[group.id] = 0;
    const first = await other.syncs(copy.revs);
    const count = first.conversations.reduce((sum, part) => sum + part.messages.length, 0);
    expect(count).toBeLessThanOrEqual(MESSAGES_AN_ANSWER);
    expect(first.has_more).toBe(true);
    // A conversation that does not fit is omitted as a whole.
    for (const part of first.conversations) expect(part.messages).toHaveLength(190);
    await copy.catchesUp(other);
    for (const group of groups) expect(copy.of(group)).toHaveLength(190);
  });

  it("[CTR-SYN10] about 256 KiB an answer, and it always goes on", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const own = await ann!.connects();
    const groups: Conversation[] = [];
    for (const _ of upTo(4)) groups.push(await ann!.startsGroup(bob!));
    // 25 messages of 12 KB are more than one answer can hold.
    for (const group of groups) await fills(own, group, 25, "€".repeat(3900));
    const other = await bob!.connects();
    const unlisted = await other.syncs({});
    expect(Buffer.byteLength(JSON.stringify(unlisted))).toBeLessThan(BYTES_AN_ANSWER);
    expect(unlisted.has_more).toBe(true);
    const copy = new Copy();
    for (const group of groups) copy.revs[group.id] = 0;
    for (let rounds = 0; ; rounds++) {
      expect(rounds).toBeLessThan(40);
      const answer = await other.syncs(copy.revs);
      expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThan(BYTES_AN_ANSWER);
      copy.apply(answer);
      if (!answer.has_more && !answer.conversations.some((part) => part.has_more)) break;
    }
    for (const group of groups) expect(copy.of(group).map(({ seq }) => seq)).toEqual(upTo(25));
  });

  it("[CTR-SYN11] malformed requests are invalid_payload", async () => {
    const { ann, direct } = await pair();
    const session = await ann.connects();
    const one = { conversation_id: direct.id, after_rev: 0 };
    const tooMany = upTo(501).map((i) => ({ conversation_id: String(i), after_rev: 0 }));
    for (const payload of [
      {},
      { conversations: null },
      { conversations: {} },
      { conversations: [null] },
      { conversations: [[]] },
      { conversations: [{ conversation_id: direct.id }] },
      { conversations: [{ ...one, after_rev: -1 }] },
      { conversations: [{ ...one, after_rev: "0" }] },
      { conversations: [{ ...one, after_rev: 0.5 }] },
      { conversations: [{ ...one, conversation_id: Number(direct.id) }] },
      { conversations: [{ ...one, x: 1 }] },
      { conversations: tooMany },
      { conversations: [one], complete: "no" },
      { conversations: [one], notifications_after_seq: -1 },
      { conversations: [one], x: 1 },
    ]) {
      expectErrorObject(await session.isRefused("sync", payload), "invalid_payload");
    }
  });
});

describe("never a silent hole", () => {
  it("[CTR-SYN12] cut off again and again while others send, a client misses nothing", async () => {
    const { ann, bob, direct } = await pair();
    const sender = await ann.connects();
    const copy = new Copy();
    let isSending = true;
    const flood = (async () => {
      for (let i = 0; isSending; i++) {
        await sender.sends(direct.id, `${i}`);
        if (i % 7 === 3) {
          await sender.does("edit_message", { conversation_id: direct.id, seq: i, body: "edited" });
        }
      }
    })();
    for (const round of upTo(8)) {
      const session = await bob.connects({ label: `bob ${round}` });
      await copy.catchesUp(session);
      const synced = copy.revs[direct.id] ?? 0;
      // A few live events on top, then the cable is pulled.
      await session.next("message", ({ rev }) => rev > synced + 5);
      session.drops();
      await session.untilDisconnected();
      for (const message of [...session.heard("message"), ...session.heard("message_updated")]) {
        if (message.rev <= (copy.revs[direct.id] ?? 0)) continue;
        const held = copy.messages.get(direct.id)!.get(message.seq);
        if (held === undefined || held.rev < message.rev) {
          copy.messages.get(direct.id)!.set(message.seq, message);
        }
      }
      const revs = [...session.heard("message"), ...session.heard("message_updated")].map(
        ({ rev }) => rev,
      );
      copy.revs[direct.id] = Math.max(copy.revs[direct.id] ?? 0, ...revs);
    }
    isSending = false;
    await flood;
    await copy.catchesUp(await bob.connects());
    expect(copy.of(direct)).toEqual(await bob.reads(direct.id));
  });

  it("[CTR-SYN13] live events and the answer to sync overlap rather than leave a gap", async () => {
    const { ann, bob, direct } = await pair();
    const sender = await ann.connects();
    for (const round of upTo(6)) {
      const before = (await bob.reads(direct.id)).length;
      const sends = fills(sender, direct, 30, `round ${round}`);
      const session = await bob.connects({ label: `bob ${round}` });
      const part = partOf(await session.syncs({ [direct.id]: before + 1 }), direct);
      await sends;
      const total = before + 30;
      const seen = new Set(part?.messages.map(({ seq }) => seq));
      const missing = () => {
        for (const { seq } of session.heard("message")) seen.add(seq);
        return upTo(total).filter((seq) => seq > before && !seen.has(seq));
      };
      if (missing().includes(total)) await session.next("message", ({ seq }) => seq === total);
      expect(missing()).toEqual([]);
    }
  });
});

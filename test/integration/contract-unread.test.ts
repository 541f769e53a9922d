/** What is unread, marked unread and cleared, from outside. */
import { describe, expect, it } from "vitest";
import type { ConversationSummary } from "../../src/protocol/conversation-list.ts";
import type { Prefs } from "../../src/protocol/prefs.ts";
import type { Conversation, Message, ReadCursors } from "../../src/protocol/schemas.ts";
import { expectRefusal } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const SILENCE_MS = 400;
const troupe = troupeForFile({ shared: true });

async function talk(messages: number): Promise<{ ann: Person; bob: Person; room: Conversation }> {
  const [ann, bob] = await troupe().users("ann", "bob");
  const room = await ann!.startsGroup(bob!);
  const bobs = await bob!.connects();
  for (let n = 1; n <= messages; n++) await bobs.sends(room.id, `m${n}`);
  return { ann: ann!, bob: bob!, room };
}

const speaks = (person: Person) => person.connects({ contract: "1.1" });
const at = ({ id }: { id: string }, path: string) => `/api/conversations/${id}/${path}`;
const patches = async (person: Person, room: { id: string }, change: object) =>
  expectStatus(await person.api.patch<Prefs>(at(room, "prefs"), change), 200);
const reads = async (person: Person, room: { id: string }, seq: number) =>
  expectStatus(await person.api.put<ReadCursors>(at(room, "read"), { seq }), 200);
async function listed(person: Person, { id }: { id: string }): Promise<ConversationSummary> {
  const page = await person.api.get<{ items: ConversationSummary[] }>("/api/conversations");
  return expectStatus(page, 200).items.find((item) => item.id === id)!;
}
async function history(person: Person, room: { id: string }): Promise<number[]> {
  const page = await person.api.get<{ items: Message[] }>(at(room, "messages"));
  return expectStatus(page, 200).items.map(({ seq }) => seq);
}

describe("marking unread", () => {
  it("[CTR-UNR1] keeps the lower of what is asked and the read point, and moves no receipt", async () => {
    const { ann, bob, room } = await talk(4);
    const [phone, laptop] = [await speaks(ann), await speaks(ann)];
    const bobs = await speaks(bob);
    expect(await reads(ann, room, 4)).toMatchObject({ read_seq: 4, unread_count: 0 });
    for (const session of [phone, laptop, bobs]) await session.next("receipt");
    const asked = { conversation_id: room.id, unread_from_seq: 3 };
    expect(await phone.does("set_prefs", asked)).toEqual({ ok: true, ...asked, prefs_rev: 1 });
    expect(await laptop.next("prefs_updated")).toEqual({ ...asked, prefs_rev: 1 });
    expect(await listed(ann, room)).toMatchObject({ read_seq: 4, unread_count: 2 });
    expect((await listed(bob, room)).unread_count).toBe(0);
    expect(await patches(ann, room, { unread_from_seq: 99 })).toMatchObject({ unread_from_seq: 4 });
    expect((await listed(ann, room)).unread_count).toBe(1);
    for (const session of [phone, laptop, bobs]) await session.never("receipt", SILENCE_MS);
    const later = await ann.connects({ contract: "1.1", waitForReady: false });
    expect((await later.next("ready")).unread.conversations).toMatchObject([
      { conversation_id: room.id, read_seq: 4, unread_from_n: 3, unread_count: 1 },
    ]);
    for (const change of [
      { unread_from_seq: 0 },
      { unread_from_seq: null },
      { cleared_before_seq: 0 },
    ])
      expectRefusal(await ann.api.patch(at(room, "prefs"), change), "invalid_payload");
  });

  it("[CTR-UNR2] ends with a read mark at or past it, as a change that every session receives", async () => {
    const { ann, room } = await talk(4);
    const [phone, laptop] = [await speaks(ann), await speaks(ann)];
    const mark = (seq: number) => phone.does("mark_read", { conversation_id: room.id, seq });
    await mark(4);
    await laptop.next("receipt");
    await patches(ann, room, { unread_from_seq: 3 });
    for (const session of [phone, laptop]) await session.next("prefs_updated");
    expect(await mark(2)).toMatchObject({ read_seq: 4, unread_from_n: 2, unread_count: 2 });
    const answer = await mark(3);
    expect(answer).toMatchObject({ read_seq: 4, unread_count: 0 });
    expect(answer).not.toHaveProperty("unread_from_n");
    const gone = { conversation_id: room.id, prefs_rev: 2 };
    for (const session of [phone, laptop]) {
      expect(await session.next("prefs_updated")).toEqual(gone);
    }
    expect(expectStatus(await ann.api.get<Prefs>(at(room, "prefs")), 200)).toEqual(gone);
    await laptop.never("receipt", SILENCE_MS);
  });

  it("[CTR-UNR3] ends with one's own send", async () => {
    const { ann, bob, room } = await talk(2);
    const [phone, laptop] = [await speaks(ann), await speaks(ann)];
    await reads(ann, room, 2);
    await patches(ann, room, { unread_from_seq: 1 });
    for (const session of [phone, laptop]) await session.next("prefs_updated");
    await (await bob.connects()).sends(room.id, "another's");
    expect((await listed(ann, room)).unread_count).toBe(3);
    await phone.sends(room.id, "my own");
    for (const session of [phone, laptop]) {
      expect(await session.next("prefs_updated")).toEqual({
        conversation_id: room.id,
        prefs_rev: 2,
      });
    }
    expect((await listed(ann, room)).unread_count).toBe(0);
  });
});

describe("clearing", () => {
  it("[CTR-CLR1] hides what is older from every read of that user, at once and on every worker", async () => {
    const { ann, bob, room } = await talk(5);
    const [phone, bobs] = [await speaks(ann), await speaks(bob)];
    const join = (after_rev?: number) =>
      phone.does("join_conversation", {
        conversation_id: room.id,
        ...(after_rev !== undefined && { after_rev }),
      });
    const seqs = ({ messages }: { messages: Message[] }) => messages.map(({ seq }) => seq);
    expect(seqs(await join())).toEqual([1, 2, 3, 4, 5]);
    await bobs.does("react", { conversation_id: room.id, seq: 2, key: "x", on: true });
    expectStatus(await bob.api.put(at(room, "pins/2"), {}), 200);
    expectStatus(await bob.api.put(at(room, "pins/5"), {}), 200);
    expect(await patches(ann, room, { cleared_before_seq: 4 })).toMatchObject({
      cleared_before_seq: 4,
    });
    const joined = await join();
    expect(seqs(joined)).toEqual([4, 5]);
    expect(joined.has_more).toBe(false);
    expect(seqs(await join(1))).toEqual([4, 5]);
    expect(await history(ann, room)).toEqual([4, 5]);
    expect(await history(bob, room)).toEqual([1, 2, 3, 4, 5]);
    expectRefusal(await ann.api.get(at(room, "messages/3")), "not_found");
    expectRefusal(await ann.api.get(at(room, "messages/2/reactions")), "not_found");
    const pins = await ann.api.get<{ items: Message[] }>(at(room, "pins"));
    expect(expectStatus(pins, 200).items.map(({ seq }) => seq)).toEqual([5]);
    const sync = { conversations: [{ conversation_id: room.id, after_rev: 1 }], complete: false };
    const synced = (await phone.does("sync", sync)).conversations[0]!;
    expect(seqs(synced)).toEqual([4, 5]);
    expect(synced).toMatchObject({ cleared_n: 3, unread_count: 2 });
    const quote = { client_id: "quote", body: "this?", reply_to_seq: 3 };
    expectRefusal(await ann.api.post(at(room, "messages"), quote), "invalid_payload");
    expectRefusal(await ann.api.put(at(room, "pins/3"), {}), "not_found");
  });

  it("[CTR-CLR2] only rises, reaches no further than the newest message, and counts nothing before it", async () => {
    const { ann, bob, room } = await talk(3);
    await patches(ann, room, { cleared_before_seq: 3 });
    expect(await listed(ann, room)).toMatchObject({ unread_count: 1, cleared_n: 2 });
    expect(await patches(ann, room, { cleared_before_seq: 1 })).toEqual({
      conversation_id: room.id,
      prefs_rev: 1,
      cleared_before_seq: 3,
    });
    await patches(ann, room, { cleared_before_seq: 1_000 });
    expect(await listed(ann, room)).toMatchObject({ last_message: null, unread_count: 0 });
    await (await bob.connects()).sends(room.id, "afterwards");
    expect(await listed(ann, room)).toMatchObject({ last_message: { seq: 4 }, unread_count: 1 });
    expect(await history(ann, room)).toEqual([4]);
  });
});

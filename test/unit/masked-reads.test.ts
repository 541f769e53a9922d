/** What the conversation's actor says of members who hide how far they have read. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { receiptNoteOf } from "../../src/protocol/receipt-notes.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { SoloActors } from "../support/solo-actors.ts";

let actors: SoloActors;
let ann: UserId;
let bob: UserId;
let room: ConversationId;

beforeEach(async () => {
  actors = new SoloActors();
  [ann, bob] = (await actors.users(2)) as [UserId, UserId];
  room = await actors.group([ann, bob]);
});
afterEach(() => actors.close());

const asks = (op: string, user: UserId, body: object = {}) =>
  actors.asks(`conversation:${room}`, op, { user, session: `s${user}`, ...body });
const sends = (user: UserId, client_id: string) =>
  asks("send", user, { client_id, body: client_id, reply_to_seq: null });
const marks = (user: UserId, seq: number, read: boolean) => asks("mark", user, { seq, read });
const hides = () => actors.storage.ports.users.setPrivacy(bob, { receipts: false });
const receipts = () =>
  actors.events
    .filter(({ name }) => name === "receipt")
    .map(({ body, note }) => {
      const { delivered_seq, read_seq } = JSON.parse(body) as Record<string, number>;
      return [receiptNoteOf(note).reach, delivered_seq, read_seq];
    });
const bobsCursors = async (reader: UserId) => {
  const told = await asks("join", reader, { after_rev: null, limit: 1 });
  const { conversation } = (told as unknown as { value: { conversation: Conversation } }).value;
  const own = conversation.members.find(({ user_id }) => user_id === bob);
  return [own?.delivered_seq, own?.read_seq];
};

test("[MRK1] others hear what is delivered, the own sessions where the read cursor is", async () => {
  await hides();
  for (const text of ["1", "2", "3"]) await sends(ann, text);
  expect(await marks(bob, 2, true)).toMatchObject({ value: { delivered_seq: 0, read_seq: 2 } });
  expect(await marks(bob, 3, false)).toMatchObject({ value: { delivered_seq: 3, read_seq: 2 } });
  expect(await marks(bob, 3, false)).toMatchObject({ value: { delivered_seq: 3, read_seq: 2 } });
  expect(receipts()).toEqual([
    ["own", 0, 0],
    ["masked", 3, 0],
  ]);
  expect(await bobsCursors(ann)).toEqual([3, 0]);
  expect(await bobsCursors(bob)).toEqual([3, 2]);
  await sends(bob, "mine");
  expect(await bobsCursors(ann)).toEqual([4, 0]);
});

test("[MRK1] an actor that is active reads again who hides their reads", async () => {
  await sends(ann, "1");
  await marks(bob, 1, true);
  expect(await bobsCursors(ann)).toEqual([1, 1]);
  await hides();
  await asks("reads_masked", ann);
  await actors.clock.advance(1);
  expect(await bobsCursors(ann)).toEqual([1, 0]);
  expect(await bobsCursors(bob)).toEqual([1, 1]);
});

import { expect, test } from "vitest";
import { RING_MESSAGES } from "../../actors/limits.ts";
import { changedSince, newestOf, type Ring, remember, ringOf } from "../../actors/ring.ts";
import type { Message } from "../../src/protocol/schemas.ts";

function message(seq: number, rev: number): Message {
  return {
    id: `${1000 + seq}`,
    conversation_id: "5",
    seq,
    rev,
    sender_id: "1",
    client_id: `c${seq}`,
    body: `at rev ${rev}`,
    reply_to_seq: null,
    created_at: "2026-01-01T00:00:00.000Z",
    edited_at: null,
    deleted_at: null,
  };
}

function ringUpTo(seq: number): Ring {
  const ring = ringOf([], 1);
  for (let each = 1; each <= seq; each++) remember(ring, message(each, each + 1));
  return ring;
}

const revs = (messages: Message[] | null) => messages?.map(({ rev }) => rev);
const seqs = (messages: Message[]) => messages.map(({ seq }) => seq);

test("[RNG1] the newest come by rising seq", () => {
  expect(seqs(newestOf(ringUpTo(7), 3))).toEqual([5, 6, 7]);
});

test("[RNG1] an edit takes its message's place", () => {
  const ring = ringUpTo(3);
  remember(ring, message(2, 9));
  expect(seqs(newestOf(ring, 10))).toEqual([1, 2, 3]);
  expect(newestOf(ring, 10)[1]?.body).toBe("at rev 9");
});

test("[RNG1] it keeps the newest and no more than its size", () => {
  const ring = ringUpTo(RING_MESSAGES + 20);
  expect(ring.messages).toHaveLength(RING_MESSAGES);
  expect(ring.messages[0]?.seq).toBe(21);
});

test("[RNG1] a ring of an empty conversation begins with its first message", () => {
  const ring = ringOf([], 1);
  remember(ring, message(1, 2));
  expect(seqs(newestOf(ring, 5))).toEqual([1]);
});

test("[RNG2] what changed after a rev comes by rising rev", () => {
  const ring = ringUpTo(4);
  remember(ring, message(1, 6));
  expect(revs(changedSince(ring, 3))).toEqual([4, 5, 6]);
});

test("[RNG2] it says that it may lack changes from before it was read", () => {
  const ring = ringOf([message(8, 12), message(9, 13)], 20);
  expect(changedSince(ring, 19)).toBeNull();
  expect(changedSince(ring, 20)).toEqual([]);
});

test("[RNG2] what was pushed out is missed by those who are behind it", () => {
  const ring = ringUpTo(RING_MESSAGES + 1);
  expect(changedSince(ring, 1)).toBeNull();
  expect(changedSince(ring, 2)).toHaveLength(RING_MESSAGES);
});

test("[RNG2] an edit of a message older than the ring is missed by those before it", () => {
  const ring = ringUpTo(RING_MESSAGES + 50);
  const rev = RING_MESSAGES + 52;
  remember(ring, message(3, rev));
  expect(changedSince(ring, rev - 1)).toBeNull();
  expect(changedSince(ring, rev)).toEqual([]);
});

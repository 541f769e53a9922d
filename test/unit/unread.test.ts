import fc from "fast-check";
import { expect, test } from "vitest";
import { countsAsUnread, ownUnread, unreadCount } from "../../src/protocol/unread.ts";

test("[UNC2] what is left out is the seq beside it", () => {
  expect(unreadCount({ last_seq: 9 }, { read_seq: 4 })).toBe(5);
  expect(unreadCount({ last_seq: 9, last_n: 7 }, { read_seq: 4 })).toBe(3);
  expect(unreadCount({ last_seq: 9, last_n: 7 }, { read_seq: 4, read_n: 2 })).toBe(5);
});

test("[UNC1] retention, clearing and marking unread move the point from which it counts", () => {
  const conversation = { last_seq: 20, last_n: 15, first_n: 6 };
  expect(unreadCount(conversation, { read_seq: 3 })).toBe(9);
  expect(unreadCount(conversation, { read_seq: 3, cleared_n: 10 })).toBe(5);
  expect(unreadCount(conversation, { read_seq: 20, read_n: 15 })).toBe(0);
  expect(unreadCount(conversation, { read_seq: 20, read_n: 15, unread_from_n: 12 })).toBe(3);
  expect(unreadCount(conversation, { read_seq: 20, read_n: 15, unread_from_n: 2 })).toBe(9);
  expect(ownUnread(conversation, { read_seq: 3 })).toEqual({
    read_seq: 3,
    first_n: 6,
    unread_count: 9,
  });
});

test("[UNC1] of any messages the difference is what a count finds", () => {
  const message = fc.record(
    { type: fc.constantFrom("system", "note"), silent: fc.constant(true) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.array(message, { maxLength: 60 }), fc.nat(), (messages, at) => {
      const seq = at % (messages.length + 1);
      const nOf = (upTo: number) => messages.slice(0, upTo).filter(countsAsUnread).length;
      const conversation = { last_seq: messages.length, last_n: nOf(messages.length) };
      const counted = messages.slice(seq).filter(countsAsUnread).length;
      expect(unreadCount(conversation, { read_seq: seq, read_n: nOf(seq) })).toBe(counted);
    }),
  );
});

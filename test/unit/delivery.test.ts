import { expect, test } from "vitest";
import { advance } from "../../actors/delivery.ts";

const AT_NONE = { delivered_seq: 0, read_seq: 0 };

test("[DLV1] a mark covers everything up to its seq", () => {
  expect(advance(AT_NONE, 7, false)).toEqual({ delivered_seq: 7, read_seq: 0 });
});

test("[DLV2] read implies delivered", () => {
  expect(advance(AT_NONE, 7, true)).toEqual({ delivered_seq: 7, read_seq: 7 });
  expect(advance({ delivered_seq: 9, read_seq: 2 }, 7, true)).toEqual({
    delivered_seq: 9,
    read_seq: 7,
  });
});

test("[DLV3] a cursor never moves back", () => {
  const cursors = { delivered_seq: 9, read_seq: 5 };
  expect(advance(cursors, 3, false)).toBe(cursors);
  expect(advance(cursors, 3, true)).toBe(cursors);
});

test("[DLV3] a mark that moves nothing answers the same object", () => {
  const cursors = { delivered_seq: 9, read_seq: 9 };
  expect(advance(cursors, 9, true)).toBe(cursors);
});

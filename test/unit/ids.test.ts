import { expect, test } from "vitest";
import { isId } from "../../src/protocol/ids.ts";

test.each(["1", "42", "1000000000000000000", "9223372036854775807"])("[IDS1] %j is an id", (id) => {
  expect(isId(id)).toBe(true);
});

test.each([
  "",
  "0",
  "01",
  "-1",
  "+1",
  "1.0",
  "1e3",
  " 1",
  "1\n",
  "0x10",
  "١",
  "9223372036854775808",
  "10000000000000000000",
  "99999999999999999999999",
])("[IDS1] %j is none", (text) => {
  expect(isId(text)).toBe(false);
});

test.each([1, 42n, null, undefined, ["1"], { toString: () => "1" }])(
  "[IDS2] only text is an id: %s",
  (value) => {
    expect(isId(value)).toBe(false);
  },
);

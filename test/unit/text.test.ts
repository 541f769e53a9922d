import { expect, test } from "vitest";
import { codePoints, isText } from "../../src/protocol/text.ts";

test("[TXT1] length is counted in code points", () => {
  expect(codePoints("a😀é")).toBe(3);
  expect(codePoints("\ud83d")).toBe(1);
  expect(isText("😀".repeat(10), 10)).toBe(true);
  expect(isText("😀".repeat(11), 10)).toBe(false);
  expect(isText("a".repeat(10), 10)).toBe(true);
  expect(isText("a".repeat(11), 10)).toBe(false);
  expect(isText("", 10)).toBe(false);
});

test.each(["\ud83d", "a\udc00b", "\udc00\ud800", "😀\ud83d"])(
  "[TXT2] a lone surrogate is refused: %j",
  (text) => {
    expect(isText(text, 100)).toBe(false);
  },
);

test.each([
  "a\u0000",
  "\u0007a",
  "a\u000bb",
  "a\rb",
  "a\u001b[0m",
  "a\u007f",
  "a\u0085b",
  "a\u009f",
])("[TXT3] a control character is refused: %j", (text) => {
  expect(isText(text, 100)).toBe(false);
});

test("[TXT3] tab and newline are allowed", () => {
  expect(isText("a\tb\nc", 100)).toBe(true);
});

test.each([" ", "\n\t ", "\u00a0", "\u2003\u3000", "\u2028"])(
  "[TXT4] white space alone is refused: %j",
  (text) => {
    expect(isText(text, 100)).toBe(false);
  },
);

test.each(["שלום", "你好", "👩‍👩‍👧‍👦", "\u200fمرحبا", "<b>&amp;</b>", "e\u0301", "\u200b"])(
  "[TXT4] what somebody can see or join is text: %j",
  (text) => {
    expect(isText(text, 100)).toBe(true);
  },
);

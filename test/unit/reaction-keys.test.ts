import { describe, expect, it } from "vitest";
import { foldedReactionKey, reactionKeyOf } from "../../src/protocol/reaction-keys.ts";

describe("keys of reactions", () => {
  it("[RKY1] a key is normalised to NFC and has at most 16 code points and 64 bytes", () => {
    expect(reactionKeyOf("e\u0301")).toBe("\u00e9");
    expect(reactionKeyOf("👍")).toBe("👍");
    expect(reactionKeyOf("+1")).toBe("+1");
    expect(reactionKeyOf("a".repeat(16))).toBe("a".repeat(16));
    expect(reactionKeyOf("a".repeat(17))).toBeNull();
    expect(reactionKeyOf("👍".repeat(16))).toBe("👍".repeat(16));
    expect(reactionKeyOf("e\u0301".repeat(16))).toBe("\u00e9".repeat(16));
    expect(reactionKeyOf("e\u0301".repeat(17))).toBeNull();
    expect(reactionKeyOf("")).toBeNull();
    expect(reactionKeyOf("a".repeat(100_000))).toBeNull();
  });

  it("[RKY2] a key is visible, without white space, controls, slashes, and not only dots", () => {
    for (const text of ["a b", "\u2003", "a\u0000", "a\u007f", "a/b", "a\\b", "\n", "\ud800"]) {
      expect(reactionKeyOf(text), JSON.stringify(text)).toBeNull();
    }
    for (const text of ["\u200b", "\ufe0f", "\u200d", "\u00ad", "\u2060\ufe0f", "\u3164"]) {
      expect(reactionKeyOf(text), JSON.stringify(text)).toBeNull();
    }
    for (const text of [".", "..", "...", ".\ufe0f", "\u200d..\u200d"]) {
      expect(reactionKeyOf(text), JSON.stringify(text)).toBeNull();
    }
    for (const text of [".a", "a.", "👩‍❤️‍👩", "constructor", "__proto__", "%2e"]) {
      expect(reactionKeyOf(text), JSON.stringify(text)).toBe(text);
    }
  });

  it("[RKY3] keys that differ in U+FE0F only are the same key", () => {
    expect(foldedReactionKey("❤\ufe0f")).toBe(foldedReactionKey("❤"));
    expect(foldedReactionKey("👍")).not.toBe(foldedReactionKey("👎"));
  });
});

import { expect, test } from "vitest";
import { initialsOf } from "../../src/client/ui/words.ts";
import { isolated, shownName } from "../../src/protocol/isolated.ts";

test("[TXT20] a name that is written from left to right stands as it is", () => {
  expect(shownName("Ann O'Neil 李")).toBe("Ann O'Neil 李");
  expect(shownName(null)).toBe("Somebody");
});

test.each(["שרה", "ليلى", "Ann\u202egnol", "\u200fAnn", "Ann\u2069 and \u2067Ben"])(
  "[TXT20] %j is isolated, and what it says of directions is left out",
  (name) => {
    const shown = isolated(name);
    expect(shown).toMatch(/^\u2068[^\u200e\u200f\u202a-\u202e\u2066-\u2069]+\u2069$/);
  },
);

test("[TXT20] initials of an isolated name are its letters", () => {
  expect(initialsOf(isolated("שרה לוי"))).toBe("של");
});

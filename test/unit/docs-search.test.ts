/** Searching the guides: what is found, in which order, and what is shown of it. Pure. */
import { expect, test } from "vitest";
import {
  type DocsIndex,
  findSections,
  type Piece,
  RESULTS_MAX,
  wordsOf,
} from "../../src/web/docs/search.ts";

const PADDING = "nothing of interest stands here ".repeat(20);

function indexOf(...sections: [page: number, heading: string, text: string][]): DocsIndex {
  return {
    pages: [
      { path: "", title: "Overview" },
      { path: "deploy", title: "Deploy" },
      { path: "push", title: "Push" },
    ],
    sections: sections.map(([page, heading, text], n) => ({
      page,
      anchor: `a${n}`,
      heading,
      text,
    })),
  };
}

const headingsOf = (index: DocsIndex, query: string): string[] =>
  findSections(index, query).map(({ heading }) => textOf(heading));
const textOf = (pieces: readonly Piece[]): string => pieces.map(({ text }) => text).join("");
const marksOf = (pieces: readonly Piece[]): string[] =>
  pieces.filter(({ isMatch }) => isMatch).map(({ text }) => text);

test("[GDE24] a section is found by all words of a query, and none without one of them", () => {
  const index = indexOf(
    [1, "TLS", "A certificate of yours."],
    [1, "Proxy", "It ends TLS."],
    [2, "Devices", "A device is registered."],
  );
  expect(headingsOf(index, "tls")).toEqual(["TLS", "Proxy"]);
  expect(headingsOf(index, "  Proxy   TLS ")).toEqual(["Proxy"]);
  expect(headingsOf(index, "tls device")).toEqual([]);
  // The title of the page counts as well.
  expect(headingsOf(index, "push registered")).toEqual(["Devices"]);
  expect(headingsOf(index, "   ")).toEqual([]);
  expect(wordsOf("One one TWO")).toEqual(["one", "two"]);
  const found = findSections(index, "registered")[0]!;
  expect([found.path, found.anchor, found.title]).toEqual(["push", "a2", "Push"]);
});

test("[GDE25] a heading counts for more than a page's title, and that for more than the text; a whole word for more than a part", () => {
  const index = indexOf(
    [1, "Other", "Here a push is sent."],
    [2, "Devices", "Of a browser."],
    [1, "A push that fails", "It is tried again."],
    [1, "Push", "What it is."],
    [1, "Pushing", "More of it."],
  );
  expect(headingsOf(index, "push")).toEqual([
    "Push",
    "A push that fails",
    "Pushing",
    "Devices",
    "Other",
  ]);
  const many = indexOf(...Array.from({ length: 50 }, () => [1, "Push", ""] as [1, string, string]));
  expect(findSections(many, "push")).toHaveLength(RESULTS_MAX);
});

test("[GDE26] a result shows where in the text the words are, and marks them", () => {
  const index = indexOf([1, "A Lease", `${PADDING}then a lease is renewed (in time) ${PADDING}`]);
  const { heading, passage } = findSections(index, "LEASE renewed")[0]!;
  expect(marksOf(heading)).toEqual(["Lease"]);
  expect(marksOf(passage)).toEqual(["lease", "renewed"]);
  expect(textOf(passage)).toMatch(/^… .*then a lease is renewed \(in time\) .* …$/);
  expect(textOf(passage).length).toBeLessThan(200);

  // Signs of a query have no meaning of their own.
  const signs = findSections(index, "(in")[0]!;
  expect(marksOf(signs.passage)).toEqual(["(in"]);
  expect(findSections(index, ".*")).toEqual([]);

  // Where only the heading has the word, the text is shown from its beginning.
  const above = findSections(indexOf([1, "Lease", "Short and whole."]), "lease")[0]!;
  expect(above.passage).toEqual([{ text: "Short and whole.", isMatch: false }]);
});

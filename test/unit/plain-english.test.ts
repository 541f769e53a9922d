/**
 * Comments are plain sentences with a subject and the field's words. A program cannot judge
 * prose, but it can find the turns of phrase that made earlier comments hard to read.
 *
 * [ENG1] No comment has a phrase from the list below.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What is wrong with a sentence, and what to write instead. */
const PHRASES: { pattern: RegExp; instead: string }[] = [
  {
    pattern: /^(Who|Whose|Whom|Whoever) (?!is |are )[a-z][^?]*$/,
    instead: "name the subject: “A user who …”, “A client whose …”",
  },
  {
    pattern:
      /^What(ever)? .*\b(is|are|was|were) (not |never |no |told|kept|sent|lost|left|asked|here|there)/,
    instead: "name the thing: “The bytes that …”, “Messages that …”",
  },
  {
    pattern: /^Of (a|an|the|what|who|whom|those|each|all|two|one|its|their|every|any|another)\b/,
    instead: "begin with the subject, not with “Of …”",
  },
  {
    pattern: /\b(is|are|was|were|been|be) (told|heard|said|spoken)\b/,
    instead: "sent, received, published, announced",
  },
  { pattern: /\b(anew|thereof|whereof|therein)\b/, instead: "again, of it" },
  { pattern: /\b(is|are|was|were) to be\b/, instead: "must be, will be" },
  { pattern: /\b(of|from|to|by|for|with|than) (who|whoever)\b/, instead: "of a user who …" },
  { pattern: /\b(mend|mends|mended)\b/, instead: "repair, fix" },
];

const FOLDERS = ["actors", "bench", "src", "test"];

describe("plain English", () => {
  it("[ENG1] comments are sentences that need no decoding", () => {
    const found = FOLDERS.flatMap(filesBelow).flatMap((path) =>
      commentsOf(readFileSync(join(ROOT, path), "utf8")).flatMap(({ line, text }) => {
        const hit = PHRASES.find(({ pattern }) => sentencesOf(text).some((it) => pattern.test(it)));
        return hit === undefined ? [] : [`${path}:${line} (${hit.instead}) ${text.slice(0, 120)}`];
      }),
    );
    expect(found).toEqual([]);
  });
});

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(ts|tsx|mjs|sql)$/.test(name))
    .map((name) => join(folder, name).replaceAll("\\", "/"));
}

function commentsOf(source: string): { line: number; text: string }[] {
  const comments = /\/\*\*?([\s\S]*?)\*\/|(?:^|\n)((?:[ \t]*(?:\/\/|--) [^\n]*\n)+)/g;
  return [...source.matchAll(comments)].map((match) => ({
    line: source.slice(0, match.index).split("\n").length,
    text: (match[1] ?? match[2] ?? "")
      .replace(/^\s*(\*|\/\/|--) ?/gm, " ")
      .replace(/\s+/g, " ")
      .trim(),
  }));
}

function sentencesOf(text: string): string[] {
  return text.split(/(?<=[.;:]) |(?<=\]) /);
}

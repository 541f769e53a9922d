/**
 * Comments are plain sentences with a subject and the field's words. A program cannot judge
 * prose, but it can find the turns of phrase that made earlier comments hard to read.
 *
 * [ENG1] No comment has a phrase from the list below, beyond the number that its folder still has.
 * [ENG2] A folder that has become better is not allowed to become worse: its number is exact.
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

/** How many such comments each folder still has. It only goes down; a folder at 0 is not listed. */
const REMAINING: Readonly<Record<string, number>> = {
  "src/web/app": 16,
  "src/web/ops": 4,
  "test/browser": 3,
  "test/contract": 7,
  "test/fault": 1,
  "test/integration": 23,
  "test/property": 4,
  "test/support": 21,
  "test/unit": 13,
};

const FOLDERS = ["actors", "bench", "src", "test"];

describe("plain English", () => {
  const found = new Map<string, string[]>();
  for (const path of FOLDERS.flatMap(filesBelow)) {
    for (const { line, text } of commentsOf(readFileSync(join(ROOT, path), "utf8"))) {
      const hit = PHRASES.find(({ pattern }) => sentencesOf(text).some((one) => pattern.test(one)));
      if (hit === undefined) continue;
      const folder = folderOf(path);
      const list = found.get(folder) ?? [];
      list.push(`${path}:${line} (${hit.instead}) ${text.slice(0, 120)}`);
      found.set(folder, list);
    }
  }

  it("[ENG1] comments are sentences that need no decoding", () => {
    const worse = [...found]
      .filter(([folder, list]) => list.length > (REMAINING[folder] ?? 0))
      .flatMap(([, list]) => list);
    expect(worse).toEqual([]);
  });

  it("[ENG2] a folder that became better is held to it", () => {
    const stale = Object.entries(REMAINING)
      .filter(([folder, count]) => (found.get(folder)?.length ?? 0) < count)
      .map(([folder]) => `${folder}: ${found.get(folder)?.length ?? 0}`);
    expect(stale).toEqual([]);
  });
});

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(ts|tsx|mjs|sql)$/.test(name))
    .map((name) => join(folder, name).replaceAll("\\", "/"));
}

/** "src/edge/live", "src/base", "bench/chaos", "test/unit", "actors". */
function folderOf(path: string): string {
  const parts = path.split("/").slice(0, -1);
  return parts.slice(0, parts[0] === "src" ? 3 : 2).join("/");
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

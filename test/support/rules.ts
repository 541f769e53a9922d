/**
 * The rules of the SPEC (test/SPEC.md), and where they are cited: an id in brackets, in a comment or
 * in the title of a test. The rules of the chaos run are checks themselves.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SPEC = join(ROOT, "test/SPEC.md");
const CITED = /\[([A-Z]{2,6}\d+)\]/g;
const DEFINED = /^- \*\*([A-Z]{2,6}\d+)\*\* (.+)$/;
const SENTENCE_CHARS_MAX = 300;
/** Shorter ones only point somewhere. */
const WORDS_MIN = 26;

export interface Cited {
  /** The first sentence about it that says something: of a comment, else of a test's title. */
  sentence: string;
  isTested: boolean;
}

/** Each rule that the SPEC defines, with its sentence, in the order of the file. */
export function definedRules(): [id: string, sentence: string][] {
  return readFileSync(SPEC, "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, id, sentence] = DEFINED.exec(line) ?? [];
      return id === undefined || sentence === undefined ? [] : [[id, sentence]];
    });
}

/** Each rule that a comment or a test cites. */
export function citedRules(): Map<string, Cited> {
  const rules = new Map<string, Cited>();
  // Comments come before titles, and tests' own heads before the code's.
  const files = ["test", "actors", "src", "bench"].flatMap(sourcesBelow);
  const texts = files.map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
  const found = [
    ...texts.flatMap(({ path, text }) => ofChaos(text).map((one) => ({ ...one, path }))),
    ...texts.flatMap(({ path, text }) => inComments(text).map((one) => ({ ...one, path }))),
    ...texts.flatMap(({ path, text }) => inTitles(text).map((one) => ({ ...one, path }))),
  ];
  for (const { id, sentence, path } of found) {
    const known = rules.get(id) ?? { sentence: "", isTested: false };
    rules.set(id, {
      sentence: known.sentence.length < WORDS_MIN ? sentence : known.sentence,
      isTested: known.isTested || /^(test|bench)\//.test(path),
    });
  }
  return rules;
}

/** Writes the rules that are cited and not defined, and takes out those that nothing cites. */
export function renewSpec(): void {
  const cited = citedRules();
  const defined = new Map(definedRules());
  const head = readFileSync(SPEC, "utf8").split("\n## ")[0]!.trimEnd();
  const lines = new Map([...cited].map(([id, { sentence }]) => [id, defined.get(id) ?? sentence]));
  const prefixes = [...new Set([...lines.keys()].map(prefixOf))].sort();
  const sections = prefixes.map((prefix) => {
    const own = [...lines].filter(([id]) => prefixOf(id) === prefix);
    const sorted = own.sort(([a], [b]) => numberOf(a) - numberOf(b));
    return `## ${prefix}\n\n${sorted.map(([id, text]) => `- **${id}** ${text}`).join("\n")}\n`;
  });
  writeFileSync(SPEC, `${head}\n\n${sections.join("\n")}`);
}

const prefixOf = (id: string) => id.replace(/\d+$/, "");
const numberOf = (id: string) => Number(/\d+$/.exec(id)?.[0]);

function sourcesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(ts|tsx|mjs|sql)$/.test(name) && !name.includes("node_modules"))
    .map((name) => join(folder, name).replaceAll("\\", "/"))
    .sort();
}

/** A rule of the chaos run has its sentence beside its id. */
function ofChaos(source: string): { id: string; sentence: string }[] {
  const rules = source.matchAll(/\bid: "([A-Z]{2,6}\d+)",\s*promise: \d+,\s*title:\s*"([^"]+)"/g);
  return [...rules].map((match) => ({ id: match[1]!, sentence: match[2]! }));
}

/** The words after an id, up to the next one or the end of the paragraph. */
function inComments(source: string): { id: string; sentence: string }[] {
  const comments = source.match(/\/\*\*?[\s\S]*?\*\/|(?:^|\n)(?:[ \t]*(?:\/\/|--) [^\n]*\n)+/g);
  return (comments ?? []).flatMap((comment) => {
    const text = comment.replace(/^\s*\/\*\*?|\*\/$/g, "").replace(/^[ \t]*(\*|\/\/|--) ?/gm, "");
    return text.split(/\n\s*\n/).flatMap((paragraph) => citedIn(plain(paragraph)));
  });
}

/** The title of a test, after the titles of the `describe`s around it. */
function inTitles(source: string): { id: string; sentence: string }[] {
  const around: { indent: number; title: string }[] = [];
  const titles = /^([ \t]*)(?:(?:describe|it|test)\b.*?)?(["'`])((?:(?!\2).)+)\2/gm;
  return [...source.matchAll(titles)].flatMap((match) => {
    const indent = match[1]!.length;
    const title = match[3]!;
    if (/^\s*describe\b/.test(match[0])) {
      while ((around.at(-1)?.indent ?? -1) >= indent) around.pop();
      around.push({ indent, title });
      return [];
    }
    const outer = around.filter((one) => one.indent < indent).map((one) => one.title);
    return citedIn(title).map(({ id, sentence }) => ({
      id,
      sentence: [...outer, sentence].join(": ").replace(/%\w|\$\w+/g, "…"),
    }));
  });
}

/** Several rules in a row share the sentence after them. */
function citedIn(text: string): { id: string; sentence: string }[] {
  const ids = [...text.matchAll(CITED)];
  return ids.map((match, n) => {
    const rest = text.slice(match.index).replace(/^(?:\[[A-Z]{2,6}\d+\],? ?(?:and )?)+/, "");
    const next = ids.slice(n + 1).find(({ index }) => index >= text.length - rest.length);
    const own = next === undefined ? rest : rest.slice(0, next.index - (text.length - rest.length));
    return { id: match[1]!, sentence: plain(own).slice(0, SENTENCE_CHARS_MAX) };
  });
}

const plain = (text: string) => text.replace(/\s+/g, " ").trim();

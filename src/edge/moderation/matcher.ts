/**
 * The rules for texts, prepared for matching. A pure function of rules and text.
 *
 * [WRD1] Words match whole, folded by case, width and accents. In scripts that put no space between
 *        words, every character is its own word.
 * [WRD2] A domain matches itself and its sub-domains.
 * [WRD3] Patterns are RE2's and take time in proportion to the text.
 * [WRD4] Characters that are not seen are skipped.
 * [WRD5] The cost of a text does not grow with the number of word rules: its words are looked up.
 */
import { domainToASCII } from "node:url";
import { RE2JS, RE2Set } from "re2js";
import { asHost, folded, mapped, seen } from "../../base/folding.ts";
import type { WordRule } from "../../protocol/moderation-routes.ts";

/** A part of a text, in UTF-16 units. */
export interface Span {
  from: number;
  to: number;
}

export interface Matcher {
  readonly isEmpty: boolean;
  /** The rules that match, in their order. */
  matching(text: string): WordRule[];
  /** Where these rules match in the text as it was written. */
  spansOf(text: string, rules: readonly WordRule[]): Span[];
}

/** A word, as a run of letters and digits. */
const WORD = /[\p{L}\p{N}\p{M}]+/gu;
const IN_WORD = /[\p{L}\p{N}\p{M}]/u;
/** Scripts that are written without spaces. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const HOST = /[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}-]*\.)+[\p{L}\p{N}\p{M}-]*[\p{L}\p{N}\p{M}]/gu;

/** A rule and the words that must follow the first one. */
interface Phrase {
  rule: WordRule;
  rest: readonly string[];
}
/** A rule and a text that is no plain words: with signs in it, or of an unspaced script. */
interface Literal {
  rule: WordRule;
  text: string;
}

interface Pattern {
  rule: WordRule;
  pattern: RE2JS;
}

interface Word extends Span {
  text: string;
}

function wordsOf(text: string): Word[] {
  const words: Word[] = [];
  for (const found of text.matchAll(WORD)) {
    words.push({ text: found[0], from: found.index, to: found.index + found[0].length });
  }
  return words;
}

/**
 * Compiles the patterns, a few in a turn of the event loop: 500 take some 0.4 s, and sessions must not
 * wait for all of them.
 */
export async function createMatcher(rules: readonly WordRule[]): Promise<Matcher> {
  const patterns: Pattern[] = [];
  for (const rule of rules) {
    if (rule.match.pattern === undefined) continue;
    patterns.push({ rule, pattern: RE2JS.compile(rule.match.pattern) });
    if (patterns.length % PATTERNS_A_TURN === 0) await nextTurn();
  }
  return assembled(rules, patterns);
}

/** The matcher of no rules. */
export const noMatcher = (): Matcher => assembled([], []);

function assembled(rules: readonly WordRule[], patterns: readonly Pattern[]): Matcher {
  const phrases = new Map<string, Phrase[]>();
  const literals = new Map<string, Literal[]>();
  const domains = new Map<string, WordRule[]>();
  const set = new RE2Set();
  for (const { pattern } of patterns) set.add(pattern.pattern());
  for (const rule of rules) {
    const { words, domains: hosts } = rule.match;
    for (const word of words ?? []) addWord(rule, folded(word).trim());
    for (const host of hosts ?? []) push(domains, hostKey(asHost(host)), rule);
  }

  function addWord(rule: WordRule, word: string): void {
    const isPlain = /^[\p{L}\p{N}\p{M}\s]+$/u.test(word) && !UNSPACED.test(word);
    const [first, ...rest] = isPlain ? word.split(/\s+/) : [];
    if (first !== undefined) push(phrases, first, { rule, rest });
    else if (word !== "") push(literals, word[0]!, { rule, text: word });
  }

  /** Calls `found` for every match of words and literals in a folded text. */
  function eachWord(text: string, found: (rule: WordRule, span: Span) => void): void {
    if (phrases.size > 0) {
      const words = wordsOf(text);
      for (const [i, word] of words.entries()) {
        for (const { rule, rest } of phrases.get(word.text) ?? []) {
          if (!rest.every((next, n) => words[i + 1 + n]?.text === next)) continue;
          found(rule, { from: word.from, to: words[i + rest.length]!.to });
        }
      }
    }
    if (literals.size === 0) return;
    for (let at = 0; at < text.length; at++) {
      for (const literal of literals.get(text[at]!) ?? []) {
        if (!text.startsWith(literal.text, at)) continue;
        const to = at + literal.text.length;
        if (isWhole(text, at, to)) found(literal.rule, { from: at, to });
      }
    }
  }

  function eachHost(text: string, found: (rule: WordRule, span: Span) => void): void {
    if (domains.size === 0 || !text.includes(".")) return;
    for (const match of text.matchAll(HOST)) {
      const [host] = match;
      const span = { from: match.index, to: match.index + host.length };
      const labels = hostKey(host).split(".");
      for (let i = 0; i < labels.length - 1; i++) {
        for (const rule of domains.get(labels.slice(i).join(".")) ?? []) found(rule, span);
      }
    }
  }

  function eachPattern(text: string, found: (rule: WordRule, span: Span) => void): void {
    for (const { rule, pattern } of patterns) {
      const matches = pattern.matcher(text);
      while (matches.find()) {
        if (matches.end() > matches.start()) {
          found(rule, { from: matches.start(), to: matches.end() });
        }
      }
    }
  }

  return {
    isEmpty: rules.length === 0,

    matching(text) {
      const hit = new Set<WordRule>();
      const note = (rule: WordRule) => void hit.add(rule);
      if (phrases.size > 0 || literals.size > 0) eachWord(folded(text), note);
      if (domains.size > 0) eachHost(asHost(text), note);
      if (patterns.length > 0) for (const n of set.match(seen(text))) note(patterns[n]!.rule);
      return hit.size === 0 ? [] : rules.filter((rule) => hit.has(rule));
    },

    spansOf(text, wanted) {
      const spans: Span[] = [];
      const among = new Set(wanted);
      for (const [fold, each] of [
        [folded, eachWord],
        [asHost, eachHost],
        [seen, eachPattern],
      ] as const) {
        const map = mapped(text, fold);
        each(map.text, (rule, { from, to }) => {
          if (!among.has(rule)) return;
          spans.push({ from: map.from[from]!, to: map.from[to] ?? text.length });
        });
      }
      return spans;
    },
  };
}

const PATTERNS_A_TURN = 20;
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [value]);
  else known.push(value);
}

/** A name of a host in its ASCII form, where it has one. */
function hostKey(host: string): string {
  const plain = host.replace(/^\.+|\.+$/g, "").replace(/^\*\./, "");
  return domainToASCII(plain) || plain;
}

/** Whether no word goes on before or behind. */
function isWhole(text: string, from: number, to: number): boolean {
  const goesOn = (inner: string, outer: string) =>
    IN_WORD.test(inner) && IN_WORD.test(outer) && !UNSPACED.test(inner);
  const before = [...text.slice(Math.max(0, from - 2), from)].at(-1) ?? "";
  const [behind = ""] = text.slice(to, to + 2);
  const [first = ""] = text.slice(from, from + 2);
  const last = [...text.slice(Math.max(from, to - 2), to)].at(-1) ?? "";
  return !goesOn(first, before) && !goesOn(last, behind);
}

/**
 * Steps of a pattern's program: each character of a text costs at most so many, so the worst text
 * costs some 40 ms a pattern. A counted repetition takes as many steps as it counts.
 */
const PATTERN_STEPS_MAX = 200;
/** Steps of all patterns together, that they compile within half a second. */
const PATTERNS_STEPS_MAX = 10_000;

/** The first problem of a list of rules; null: none. */
export async function rulesProblem(
  rules: readonly WordRule[],
): Promise<{ at: string; problem: string } | null> {
  const ids = new Set<string>();
  let steps = 0;
  for (const [i, { id, match }] of rules.entries()) {
    if (ids.has(id)) return { at: `rules/${i}/id`, problem: "stands twice in the list" };
    ids.add(id);
    const given = [match.words, match.pattern, match.domains].filter((one) => one !== undefined);
    if (given.length !== 1) {
      return { at: `rules/${i}/match`, problem: "must have one of words, pattern and domains" };
    }
    const problem =
      match.pattern !== undefined
        ? patternProblem(match.pattern)
        : (match.words ?? []).some((word) => folded(word).trim() === "")
          ? "holds a word without characters"
          : (match.domains ?? []).some((host) => !hostKey(asHost(host)).includes("."))
            ? "holds what is no name of a host"
            : null;
    if (problem !== null) return { at: `rules/${i}/match`, problem };
    if (match.pattern !== undefined) steps += RE2JS.compile(match.pattern).programSize();
    if (i % PATTERNS_A_TURN === 0) await nextTurn();
    if (steps > PATTERNS_STEPS_MAX) {
      return { at: `rules/${i}/match`, problem: "makes all patterns together too large" };
    }
  }
  return null;
}

function patternProblem(pattern: string): string | null {
  try {
    const steps = RE2JS.compile(pattern).programSize();
    return steps > PATTERN_STEPS_MAX ? "holds a pattern that is too large" : null;
  } catch (error) {
    // RE2JS throws errors of its own that say what is wrong.
    return `holds a pattern that is not valid (${error instanceof Error ? error.message : "?"})`;
  }
}

/**
 * Texts as the search of messages sees them. The index (src/jobs/search.ts) and whoever asks it
 * (src/edge/http/message-search.ts) take the same tokens from a text. Pure.
 *
 * A text is a list of segments. A *word* is letters and digits of a script that puts spaces between
 * words, without case, width and accents. A *run* is what stands together in a script that does
 * not, or whose words are found by their parts: Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese.
 *
 * [SRT1] Tokens are a word, each two neighbours of a run, and the one character of a run of one. So a
 *        part of two characters or more is found anywhere, and one character where it stands alone.
 * [SRT2] What the tokens of a question find is looked at again in the message's own text (`match`).
 */
import { folded } from "./folding.ts";

export interface Segment {
  is: "word" | "run";
  text: string;
  /** The folded code points. */
  units: string[];
  /** The code points of the text that each unit came from: the first, and the one after the last. */
  from: number[];
  to: number[];
}

/** From this code point of the text up to before that one. */
export type Range = [from: number, to: number];

/** A word or what stands in quotes: segments that follow each other. */
export interface Term {
  segments: Segment[];
  isNot: boolean;
  /** The last word may go on. */
  isPrefix: boolean;
}

/** A question to the index: a message has each of `exact`, and a token that begins with `prefix`. */
export interface Tokens {
  exact: string[];
  prefix: string | null;
}

/** Tokens of a message that are no words: neither begins as one. */
export const ATTACHMENT_TOKEN = "#";
export const senderToken = (userId: string) => `@${userId}`;

/** Longer words are found by so many of their first characters, then by the text itself. */
const WORD_UNITS_MAX = 64;
/** What a question asks the index for; the text itself is compared with all of it. */
const ASKED_TOKENS_MAX = 16;

/** A character with the marks that change it, or conjoining Korean letters that make up syllables. */
const CLUSTER =
  /[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]+|[^\p{M}\uff9e\uff9f]?[\p{M}\uff9e\uff9f]+|./gsu;
const IN_WORDS = /[\p{L}\p{M}\p{N}_]/u;
const WITHOUT_SPACES =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]/u;
const PICTURE = /\p{Extended_Pictographic}/u;
const ASCII_WORD = /[a-z0-9_]+/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: it means ASCII.
const ASCII = /^[\x00-\x7f]*$/;

type Kind = Segment["is"] | "picture" | "none";
interface Folded {
  unit: string;
  kind: Kind;
}

/** Folding a character costs twenty times as much as looking it up. */
const FOLDED_MAX = 20_000;
const known = new Map<string, readonly Folded[]>();

function foldedCluster(cluster: string): readonly Folded[] {
  const before = known.get(cluster);
  if (before !== undefined) return before;
  const made = Array.from(folded(cluster).normalize("NFC"), (unit) => ({
    unit,
    kind: kindOf(unit),
  }));
  if (cluster.length <= 8) {
    if (known.size >= FOLDED_MAX) known.clear();
    known.set(cluster, made);
  }
  return made;
}

function kindOf(unit: string): Kind {
  if (PICTURE.test(unit)) return "picture";
  if (!IN_WORDS.test(unit)) return "none";
  return WITHOUT_SPACES.test(unit) && !/\p{N}/u.test(unit) ? "run" : "word";
}

export function segmentsOf(text: string): Segment[] {
  return ASCII.test(text) ? asciiSegments(text) : foldedSegments(text);
}

function asciiSegments(text: string): Segment[] {
  return Array.from(text.toLowerCase().matchAll(ASCII_WORD), ({ 0: word, index }) => {
    const units = [...word];
    const from = units.map((_, n) => index + n);
    return { is: "word", text: word, units, from, to: from.map((at) => at + 1) };
  });
}

function foldedSegments(text: string): Segment[] {
  const segments: Segment[] = [];
  let open: Segment | null = null;
  let at = 0;
  for (const [cluster] of text.matchAll(CLUSTER)) {
    const end = at + lengthOf(cluster);
    for (const { unit, kind } of foldedCluster(cluster)) {
      if (kind === "none") {
        open = null;
        continue;
      }
      const is: Segment["is"] = kind === "run" ? "run" : "word";
      if (open === null || open.is !== is || kind === "picture") {
        open = { is, text: "", units: [], from: [], to: [] };
        segments.push(open);
      }
      open.text += unit;
      open.units.push(unit);
      open.from.push(at);
      open.to.push(end);
      if (kind === "picture") open = null;
    }
    at = end;
  }
  return segments;
}

function lengthOf(cluster: string): number {
  let count = 0;
  for (const _ of cluster) count++;
  return count;
}

/** [SRT1] */
export function tokensOf(segments: readonly Segment[]): Set<string> {
  const tokens = new Set<string>();
  for (const segment of segments) addTokens(segment, tokens);
  return tokens;
}

function addTokens({ is, units }: Segment, tokens: Set<string>): void {
  if (is === "word") tokens.add(beginningOf(units));
  else if (units.length === 1) tokens.add(units[0]!);
  else for (let n = 1; n < units.length; n++) tokens.add(units[n - 1]! + units[n]!);
}

const beginningOf = (units: readonly string[]) =>
  units.length <= WORD_UNITS_MAX ? units.join("") : units.slice(0, WORD_UNITS_MAX).join("");

/**
 * The terms of a question: words, "phrases", and either with a minus before it. Text without a
 * letter or digit is no term.
 */
export function termsOf(question: string): Term[] {
  const terms: Term[] = [];
  // Typographic quotation marks are one code point, too.
  const plain = question.replace(/[“”„＂]/gu, '"');
  const parts = [...plain.matchAll(/(-?)(?:"([^"]*)"?|([^\s"]+))/gu)];
  for (const [n, [, minus, quoted, word]] of parts.entries()) {
    const segments = segmentsOf(quoted ?? word ?? "");
    if (segments.length === 0) continue;
    const isNot = minus === "-";
    const isPrefix = quoted === undefined && !isNot && n === parts.length - 1;
    terms.push({ segments, isNot, isPrefix });
  }
  return terms;
}

/** What a message has that fits all terms. */
export function askedTokens(terms: readonly Term[]): Tokens {
  const exact = new Set<string>();
  let prefix: string | null = null;
  for (const { segments, isNot, isPrefix } of terms) {
    if (isNot) continue;
    for (const [n, segment] of segments.entries()) {
      const isLast = n === segments.length - 1;
      const isAlone = segments.length === 1;
      if (segment.is === "word" && isLast && isPrefix) {
        if (segment.units.length < WORD_UNITS_MAX) prefix = segment.text;
        else exact.add(beginningOf(segment.units));
      } else if (segment.is === "run" && segment.units.length === 1 && !isAlone) {
        // It may be the end of a longer run, or the beginning of one.
        if (n > 0 && !isLast) exact.add(segment.text);
        else if (isLast && prefix === null) prefix = segment.text;
      } else {
        addTokens(segment, exact);
      }
    }
  }
  return { exact: [...exact].slice(0, ASKED_TOKENS_MAX), prefix };
}

/**
 * Where the terms are in a text, in its order and without overlaps; null where one that should be
 * there is not, or one is that should not.
 */
export function match(terms: readonly Term[], text: string): Range[] | null {
  const segments = segmentsOf(text);
  const ranges: Range[] = [];
  for (const term of terms) {
    const found = rangesOf(term, segments);
    if (term.isNot ? found.length > 0 : found.length === 0) return null;
    if (!term.isNot) ranges.push(...found);
  }
  return merged(ranges);
}

function rangesOf(term: Term, segments: readonly Segment[]): Range[] {
  const [only] = term.segments;
  const ranges: Range[] = [];
  if (term.segments.length === 1 && only !== undefined) {
    for (const segment of segments) {
      if (segment.is !== only.is) continue;
      const { length } = only.units;
      if (only.is === "run" && length > 1) {
        for (const at of placesOf(only.units, segment.units)) {
          ranges.push([segment.from[at]!, segment.to[at + length - 1]!]);
        }
      } else if (fits(only, segment, term.isPrefix)) {
        ranges.push([segment.from[0]!, segment.to[length - 1]!]);
      }
    }
    return ranges;
  }
  for (let at = 0; at + term.segments.length <= segments.length; at++) {
    const range = rangeAt(term, segments, at);
    if (range !== null) ranges.push(range);
  }
  return ranges;
}

const fits = (asked: Segment, segment: Segment, isPrefix: boolean) =>
  segment.text === asked.text ||
  (isPrefix && asked.is === "word" && segment.text.startsWith(asked.text));

/** Of several segments the first may be the end of a run, and the last the beginning of one. */
function rangeAt(term: Term, segments: readonly Segment[], at: number): Range | null {
  const last = term.segments.length - 1;
  for (const [n, asked] of term.segments.entries()) {
    const segment = segments[at + n]!;
    if (segment.is !== asked.is) return null;
    const isFitting =
      asked.is === "word"
        ? fits(asked, segment, term.isPrefix && n === last)
        : n === 0
          ? segment.text.endsWith(asked.text)
          : n === last
            ? segment.text.startsWith(asked.text)
            : segment.text === asked.text;
    if (!isFitting) return null;
  }
  const first = segments[at]!;
  const begun = first.units.length - term.segments[0]!.units.length;
  return [first.from[begun]!, segments[at + last]!.to[term.segments[last]!.units.length - 1]!];
}

function placesOf(part: readonly string[], whole: readonly string[]): number[] {
  const places: number[] = [];
  for (let at = 0; at + part.length <= whole.length; at++) {
    if (part.every((unit, n) => whole[at + n] === unit)) places.push(at);
  }
  return places;
}

function merged(ranges: Range[]): Range[] {
  const result: Range[] = [];
  for (const [from, to] of ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    const last = result.at(-1);
    if (last !== undefined && from < last[1]) last[1] = Math.max(last[1], to);
    else result.push([from, to]);
  }
  return result;
}

/**
 * Searching the guides: which sections have all words of a query, the best first, and what is
 * shown of them. Pure; the index is made at build time (search-index.mjs).
 */

export interface DocsIndex {
  /** `path` is what follows /docs/; the overview's is empty. */
  pages: readonly { path: string; title: string }[];
  /** In a reader's order. `page` is a place in `pages`; an empty anchor is the page's top. */
  sections: readonly DocsSection[];
}

interface DocsSection {
  page: number;
  anchor: string;
  heading: string;
  text: string;
}

/** A run of text, and whether it is a word that was searched for. */
export interface Piece {
  text: string;
  isMatch: boolean;
}

export interface Found {
  path: string;
  anchor: string;
  title: string;
  heading: readonly Piece[];
  passage: readonly Piece[];
}

export const RESULTS_MAX = 12;
const WORDS_MAX = 8;
/** How much of a section's text is shown before the first word that was found, and in all. */
const PASSAGE_BEFORE = 50;
const PASSAGE_LENGTH = 180;

const HEADING_WEIGHT = 4;
const TITLE_WEIGHT = 2;
/** For a section whose heading is the query itself. */
const SAME_HEADING = 20;

export function wordsOf(query: string): string[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return [...new Set(words)].slice(0, WORDS_MAX);
}

/** The sections that have every word, in their heading, their text or their page's title. */
export function findSections(index: DocsIndex, query: string): Found[] {
  const words = wordsOf(query);
  if (words.length === 0) return [];
  return index.sections
    .map((section) => {
      const { path, title } = index.pages[section.page]!;
      return { path, title, section, score: scoreOf(section, title, words) };
    })
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, RESULTS_MAX)
    .map(({ path, title, section }) => ({
      path,
      anchor: section.anchor,
      title,
      heading: piecesOf(section.heading, words),
      passage: piecesOf(passageOf(section.text, words), words),
    }));
}

function scoreOf(section: DocsSection, pageTitle: string, words: readonly string[]): number {
  const heading = section.heading.toLowerCase();
  const title = pageTitle.toLowerCase();
  const text = section.text.toLowerCase();
  let score = heading === words.join(" ") ? SAME_HEADING : 0;
  for (const word of words) {
    const best = Math.max(
      HEADING_WEIGHT * fitOf(heading, word),
      TITLE_WEIGHT * fitOf(title, word),
      fitOf(text, word),
    );
    if (best === 0) return 0;
    score += best;
  }
  return score;
}

const IN_WORD = /[\p{L}\p{N}_]/u;

/** 3 for a whole word, 2 for the beginning of one, 1 for a part, 0 where it is not there. */
function fitOf(text: string, word: string): number {
  let best = 0;
  for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + 1)) {
    const begins = !IN_WORD.test(text.charAt(at - 1));
    const ends = !IN_WORD.test(text.charAt(at + word.length));
    best = Math.max(best, begins ? (ends ? 3 : 2) : 1);
    if (best === 3) break;
  }
  return best;
}

function patternOf(words: readonly string[]): RegExp {
  // The longest first, so that of two words that begin alike the whole one is marked.
  const longestFirst = [...words].sort((a, b) => b.length - a.length);
  const literal = longestFirst.map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
  return new RegExp(literal.join("|"), "giu");
}

/** A part of the text around the first word that is found in it, cut between words. */
function passageOf(text: string, words: readonly string[]): string {
  const first = Math.max(0, text.search(patternOf(words)));
  const wanted = Math.max(0, first - PASSAGE_BEFORE);
  const from = wanted === 0 ? 0 : Math.min(first, text.indexOf(" ", wanted) + 1);
  if (text.length - from <= PASSAGE_LENGTH) return `${from === 0 ? "" : "… "}${text.slice(from)}`;
  const lastSpace = text.lastIndexOf(" ", from + PASSAGE_LENGTH);
  const to = lastSpace > first ? lastSpace : from + PASSAGE_LENGTH;
  return `${from === 0 ? "" : "… "}${text.slice(from, to)} …`;
}

function piecesOf(text: string, words: readonly string[]): Piece[] {
  const pieces: Piece[] = [];
  let done = 0;
  for (const match of text.matchAll(patternOf(words))) {
    if (match.index > done) pieces.push({ text: text.slice(done, match.index), isMatch: false });
    pieces.push({ text: match[0], isMatch: true });
    done = match.index + match[0].length;
  }
  if (done < text.length) pieces.push({ text: text.slice(done), isMatch: false });
  return pieces;
}

/**
 * The marks of a message's text: a small part of Markdown, read into parts that the kit draws. No HTML
 * is made of it or let through, a link leads to http, https or mailto only, and a mark without its
 * partner stays as it was written. Pure.
 *
 *   **bold**  *italic*  _italic_  ~~struck~~  `code`  ```block```  > quote  [text](https://…)
 */
export type Span =
  | { is: "text"; text: string }
  | { is: "code"; text: string }
  | { is: "strong" | "em" | "del"; spans: readonly Span[] }
  | { is: "link"; href: string; spans: readonly Span[] };

export type Block =
  | { is: "text"; spans: readonly Span[] }
  | { is: "code"; text: string }
  | { is: "quote"; spans: readonly Span[] };

const FENCE = /^```[^\n`]*\n([\s\S]*?)\n?```[ \t]*(?:\n|$)/gm;
/** A text is not read deeper: marks within marks within marks are rare, and a text may be hostile. */
const DEPTH_MAX = 4;

/** What stands between fences, and the rest by quoted and unquoted lines. */
export function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let from = 0;
  for (const match of text.matchAll(FENCE)) {
    blocks.push(...linesOf(text.slice(from, match.index)));
    blocks.push({ is: "code", text: match[1] ?? "" });
    from = match.index + match[0].length;
  }
  blocks.push(...linesOf(text.slice(from)));
  return blocks;
}

function linesOf(text: string): Block[] {
  if (text === "") return [];
  if (!/^> ?/m.test(text)) return [{ is: "text", spans: spansOf(text) }];
  const runs: { isQuote: boolean; lines: string[] }[] = [];
  for (const line of text.replace(/\n$/, "").split("\n")) {
    const isQuote = line.startsWith(">");
    const last = runs.at(-1);
    const words = isQuote ? line.replace(/^> ?/, "") : line;
    if (last?.isQuote === isQuote) last.lines.push(words);
    else runs.push({ isQuote, lines: [words] });
  }
  return runs.map(({ isQuote, lines }) => ({
    is: isQuote ? "quote" : "text",
    spans: spansOf(lines.join("\n")),
  }));
}

interface Rule {
  /** Anchored where the text is looked at; the first group is what it holds. */
  pattern: RegExp;
  span(inner: string, match: RegExpExecArray, depth: number): Span | null;
}

/** Nothing but these, so that no other scheme is ever an address. */
const isSafe = (href: string): boolean => /^(https?:\/\/|mailto:)[^\s<>"]+$/i.test(href);

const marked =
  (is: "strong" | "em" | "del") =>
  (inner: string, _: RegExpExecArray, depth: number): Span => ({
    is,
    spans: spansOf(inner, depth + 1),
  });

// Each is bounded by what cannot be in it, so that no text takes more than its length to read.
const RULES: readonly Rule[] = [
  { pattern: /`([^`\n]+)`/y, span: (text) => ({ is: "code", text }) },
  {
    pattern: /\[([^[\]\n]+)\]\(([^\s()<>"]+)\)/y,
    span: (inner, match) =>
      isSafe(match[2] ?? "")
        ? // No link within a link.
          { is: "link", href: match[2] ?? "", spans: [{ is: "text", text: inner }] }
        : null,
  },
  {
    pattern: /(https?:\/\/[^\s<>"]*[^\s<>".,;:!?)\]'*_~`])/y,
    span: (href) => ({ is: "link", href, spans: [{ is: "text", text: href }] }),
  },
  { pattern: /\*\*(?=[^\s*])((?:[^*\n]|\*(?!\*))*[^\s*])\*\*/y, span: marked("strong") },
  { pattern: /~~(?=[^\s~])([^~\n]*[^\s~])~~/y, span: marked("del") },
  { pattern: /\*(?=[^\s*])([^*\n]*[^\s*])\*(?![\p{L}\p{N}*])/uy, span: marked("em") },
  { pattern: /_(?=[^\s_])([^_\n]*[^\s_])_(?![\p{L}\p{N}_])/uy, span: marked("em") },
];
const MARK = /[`[*_~]|https?:\/\//giu;
const INSIDE_A_WORD = /[\p{L}\p{N}_]/u;

export function spansOf(text: string, depth = 0): readonly Span[] {
  const spans: Span[] = [];
  let from = 0;
  const plain = (to: number): void => {
    if (to > from) spans.push({ is: "text", text: text.slice(from, to) });
  };
  if (depth < DEPTH_MAX) {
    MARK.lastIndex = 0;
    // Several texts are read at once, one within the other.
    const marks = new RegExp(MARK);
    for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
      const at = mark.index;
      const found = at >= from ? read(text, at, depth) : null;
      if (found === null) continue;
      plain(at);
      spans.push(found.span);
      from = found.to;
      marks.lastIndex = from;
    }
  }
  plain(text.length);
  return spans;
}

function read(text: string, at: number, depth: number): { span: Span; to: number } | null {
  const isWithin = INSIDE_A_WORD.test(text[at - 1] ?? "");
  for (const { pattern, span } of RULES) {
    // `snake_case_names` and 2*3*4 are no marks.
    if (isWithin && /[*_]/.test(text[at] ?? "") && text.slice(at, at + 2) !== "**") return null;
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    const made = match === null ? null : span(match[1] ?? "", match, depth);
    if (match !== null && made !== null) return { span: made, to: at + match[0].length };
  }
  return null;
}

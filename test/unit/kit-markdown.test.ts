/**
 * The marks of a message's text.
 *
 * [KIT30] Bold, italic, struck, code, quotes and links are read; what is no mark stays as written.
 * [KIT31] A link leads to http, https or mailto; nothing else is an address.
 * [KIT32] No text is lost or made up, whatever is written, and none takes long to read.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Block, blocksOf, type Span, spansOf } from "../../src/client/ui/markdown.ts";

const shown = (spans: readonly Span[]): string =>
  spans
    .map((span) => {
      switch (span.is) {
        case "text":
          return span.text;
        case "code":
          return `<code>${span.text}</code>`;
        case "link":
          return `<a ${span.href}>${shown(span.spans)}</a>`;
        default:
          return `<${span.is}>${shown(span.spans)}</${span.is}>`;
      }
    })
    .join("");
const shownBlock = (block: Block): string =>
  block.is === "code" ? `<pre>${block.text}</pre>` : `<${block.is}>${shown(block.spans)}`;

const textOf = (spans: readonly Span[]): string =>
  spans.map((span) => ("text" in span ? span.text : textOf(span.spans))).join("");

function* linksIn(spans: readonly Span[]): Generator<string> {
  for (const span of spans) {
    if (span.is === "link") yield span.href;
    if ("spans" in span) yield* linksIn(span.spans);
  }
}

/** Texts that are full of marks. */
const marks = fc
  .array(
    fc.constantFrom(
      ...["*", "**", "_", "~~", "`", "```", "\n", "> ", "[", "](", ")", " ", "a", "é", "👀", "<b>"],
      ...["https://a.example/x", "javascript:alert(1)", "mailto:a@b.example", "data:text/html,x"],
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(""));

describe("the marks of a message", () => {
  it.each([
    ["**bold** and *italic*", "<strong>bold</strong> and <em>italic</em>"],
    ["**bold with *italic* in it**", "<strong>bold with <em>italic</em> in it</strong>"],
    ["_italic_, ~~gone~~", "<em>italic</em>, <del>gone</del>"],
    ["`a * b * c`", "<code>a * b * c</code>"],
    ["snake_case_name, 2*3*4, 2 * 3 * 4", "snake_case_name, 2*3*4, 2 * 3 * 4"],
    ["**not closed, *nor this", "**not closed, *nor this"],
    ["see https://a.example/x_y_z.", "see <a https://a.example/x_y_z>https://a.example/x_y_z</a>."],
    ["[here](https://a.example/)", "<a https://a.example/>here</a>"],
    ["[mail](mailto:a@b.example)", "<a mailto:a@b.example>mail</a>"],
    ["[here](javascript:alert(1))", "[here](javascript:alert(1))"],
    ["[here](data:text/html,x)", "[here](data:text/html,x)"],
    ["<b>bold</b> & <img src=x onerror=alert(1)>", "<b>bold</b> & <img src=x onerror=alert(1)>"],
  ])("[KIT30] %j", (text, expected) => {
    expect(shown(spansOf(text))).toBe(expected);
  });

  it("[KIT30] fences are code, and lines that begin with > are a quote", () => {
    const text = "First\n```ts\nconst a = **b**;\n```\n> said\n> *so*\nLast";
    expect(blocksOf(text).map(shownBlock)).toEqual([
      "<text>First\n",
      "<pre>const a = **b**;</pre>",
      "<quote>said\n<em>so</em>",
      "<text>Last",
    ]);
  });

  it("[KIT31] no other scheme is ever an address", () => {
    fc.assert(
      fc.property(fc.oneof(marks, fc.string()), (text) => {
        for (const href of linksIn(spansOf(text))) {
          expect(href).toMatch(/^(https?:\/\/|mailto:)/i);
          expect(["http:", "https:", "mailto:"]).toContain(new URL(href, "http://x/").protocol);
        }
      }),
    );
  });

  it("[KIT32] what is shown is what was written, without the marks", () => {
    fc.assert(
      fc.property(marks, (text) => {
        // Marks and addresses may go; every other sign stays, in its order.
        const signs = (words: string): string =>
          words.replace(/\]\([^\s()<>"]+\)/g, "").replace(/[*_~`[\]()]/g, "");
        expect(signs(textOf(spansOf(text)))).toBe(signs(text));
      }),
    );
  });

  it("[KIT32] a hostile text is read as quickly as another", () => {
    const hostile = ["*a ", "**a ", "[", "[a](", "`", "```a\n", "_a_b", "~~a ", "http://", "> *"];
    for (const part of hostile) {
      const text = part.repeat(4_000 / part.length);
      const startedMs = performance.now();
      blocksOf(text);
      expect(performance.now() - startedMs, part).toBeLessThan(2_000);
    }
  });
});

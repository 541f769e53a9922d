/**
 * Makes the guides: Markdown of this folder into the pages under /docs. Called by src/build.mjs
 * once the server is compiled, whose frame, tables of configuration and escaping it uses.
 *
 *   node src/web/docs/pages.mjs <compiled root> <target folder>
 *
 * Invariant: a guide without a place in the navigation, a place without a guide, a link to a page
 * or heading that is not there, and code in a language without colours fail the build.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Marked, Renderer } from "marked";
import { coloured } from "./coloured.mjs";
import { searchIndex } from "./search-index.mjs";

const [compiled, target] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(compiled, path)).href);
const { addressOf, DOCS_PAGES, API_REFERENCE, GUIDES, OVERVIEW, framed } = await load(
  "src/edge/http/server/docs-frame.js",
);
const { escaped, prose, slug, table } = await load("src/edge/http/server/docs-html.js");
const { docsPage } = await load("src/edge/http/server/docs.js");
const { CONFIG_KEYS } = await load("src/config/keys.js");
const { LIMIT_KEYS } = await load("src/config/limit-keys.js");

/** The server puts its own address in the place of this one. */
const WRITTEN_URL = "http://localhost:3000";
const SOURCE = import.meta.dirname;
const problems = [];

/** What a guide asks for with <!-- name -->. */
const GENERATED = {
  "configuration keys": () => keyTable(Object.keys(CONFIG_KEYS).filter((key) => !isLimit(key))),
  "limit keys": () => keyTable(Object.keys(LIMIT_KEYS)),
  "list of pages": () => {
    const cards = [...GUIDES, API_REFERENCE].map(
      (page) =>
        `<li><a href="${addressOf(page)}">${escaped(page.title)}</a><p>${escaped(page.summary)}</p></li>`,
    );
    return `<ul class="cards">${cards.join("\n")}</ul>`;
  },
};

const isLimit = (key) => Object.hasOwn(LIMIT_KEYS, key);

function keyTable(keys) {
  const rows = keys.map((key) => {
    const {
      name,
      meaning,
      unit,
      default: initial,
      wants,
      tooSmall,
      tooLarge,
      secret,
    } = CONFIG_KEYS[key];
    const unset =
      initial === "" ? "none" : /^[\w.*/ ]+$/.test(initial) ? `\`${initial}\`` : initial;
    const sentences = [
      `${meaning}.`,
      ["", "bytes"].includes(unit) || isLimit(key) ? "" : `In ${unit}.`,
      isLimit(key) ? "" : `Should be ${wants}.`,
      tooSmall === undefined ? "" : `Too small: ${tooSmall}.`,
      tooLarge === undefined ? "" : `Too large: ${tooLarge}.`,
      secret === true ? "Never shown or logged." : "",
    ];
    const text = sentences.filter((one) => one !== "").join(" ");
    return [
      `<code id="${slug(name)}">${escaped(name)}</code>`,
      prose(unset),
      prose(text[0].toUpperCase() + text.slice(1)),
    ];
  });
  return table(["variable", "default", "meaning"], rows);
}

/** The first word is the language; `save=` names the file; see test/support/snippets.ts. */
function codeBlock({ text, lang = "" }) {
  const [language = "", ...marks] = lang.split(" ");
  const name = marks.find((mark) => mark.startsWith("save="))?.slice("save=".length);
  const isOutput = marks.includes("output");
  const caption = isOutput ? "prints" : name;
  const head = caption === undefined ? "" : `<figcaption>${escaped(caption)}</figcaption>`;
  const kind = isOutput ? ' class="output"' : "";
  const code = codeOf(text, language);
  return `<figure${kind}>${head}<pre tabindex="0"><code class="${escaped(language)}">${code}</code></pre></figure>\n`;
}

/** What is printed or drawn has no colours; an address of the server stays whole (pages.ts). */
function codeOf(text, language) {
  if (language === "text") return escaped(text);
  const code = coloured(text, language);
  if (code === null) {
    problems.push(`code in “${language}”: coloured.mjs has no grammar for it`);
    return escaped(text);
  }
  const isWhole = code.split(WRITTEN_URL).length === text.split(WRITTEN_URL).length;
  return isWhole ? code : escaped(text);
}

/** Between guides by file name (`deploy.md#tls`), as any viewer of the repository follows it. */
function addressOfLink(href) {
  const [, name, anchor = ""] = /^([\w-]+)\.md(#[\w-]+)?$/.exec(href) ?? [];
  if (name === undefined) return href;
  return `${addressOf(name === "index" ? OVERVIEW : { slug: name })}${anchor}`;
}

/** A heading of a column that has no text says nothing to a screen reader; it is left out. */
function withoutEmptyHeads(html) {
  return html
    .replace(/<thead>\s*<tr>\s*(?:<th[^>]*><\/th>\s*)+<\/tr>\s*<\/thead>\s*/, "")
    .replace(/<th([^>]*)><\/th>/g, "<td$1></td>");
}

function pageOf(page, file) {
  const headings = [];
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth }) {
        const inner = this.parser.parseInline(tokens);
        if (depth === 1) return `<h1>${inner}</h1>\n`;
        const text = this.parser.parseInline(tokens, this.parser.textRenderer);
        const anchor = slug(text);
        headings.push({ depth, anchor, text });
        return `<h${depth} id="${anchor}"><a class="self" href="#${anchor}">${inner}</a></h${depth}>\n`;
      },
      code: codeBlock,
      link({ href, tokens }) {
        return `<a href="${escaped(addressOfLink(href))}">${this.parser.parseInline(tokens)}</a>`;
      },
      table(token) {
        const rows = withoutEmptyHeads(Renderer.prototype.table.call(this, token));
        return `<div class="table">${rows}</div>\n`;
      },
      html({ text }) {
        const name = /^<!-- (.+) -->\s*$/.exec(text)?.[1];
        const make = name === undefined ? undefined : GENERATED[name];
        if (make === undefined) problems.push(`${file}: ${text.trim()} is not known`);
        return make?.() ?? "";
      },
    },
  });
  const text = readFileSync(join(SOURCE, file), "utf8");
  const body = marked.parse(text);
  const items = headings
    .filter(({ depth }) => depth === 2)
    .map(({ anchor, text }) => `<li><a href="#${anchor}">${text}</a></li>`);
  const contents = items.length === 0 ? "" : `<ul class="sections">${items.join("\n")}</ul>`;
  const next = page === OVERVIEW ? undefined : DOCS_PAGES[DOCS_PAGES.indexOf(page) + 1];
  const onward =
    next === undefined
      ? ""
      : `<p class="next">Next: <a href="${addressOf(next)}">${escaped(next.title)}</a></p>`;
  return framed(page, contents, `<article class="guide">\n${body}${onward}\n</article>`);
}

function checkLinks(pages) {
  const anchors = new Map(
    [...pages].map(([address, html]) => [
      address,
      new Set([...html.matchAll(/ id="([^"]+)"/g)].map((match) => match[1])),
    ]),
  );
  for (const [address, html] of pages) {
    for (const [, href] of html.matchAll(/<a [^>]*href="([^"]+)"/g)) {
      const [path, anchor] = href.startsWith("#") ? [address, href.slice(1)] : href.split("#");
      // The reference is made by the server, whose tests check it.
      if (!path.startsWith("/docs") || path === addressOf(API_REFERENCE)) {
        if (/\.md\b/.test(path)) problems.push(`${address}: ${href} leads nowhere`);
      } else if (!anchors.has(path) || (anchor && !anchors.get(path).has(anchor))) {
        problems.push(`${address}: ${href} leads nowhere`);
      }
    }
  }
}

const files = readdirSync(SOURCE).filter((name) => name.endsWith(".md"));
const fileOf = ({ slug: name }) => `${name === "" ? "index" : name}.md`;
const places = [OVERVIEW, ...GUIDES];
for (const page of places) {
  if (!files.includes(fileOf(page))) problems.push(`${fileOf(page)} is missing`);
}
for (const file of files) {
  if (!places.some((page) => fileOf(page) === file)) problems.push(`${file} is in no navigation`);
}
if (problems.length === 0) {
  const pages = new Map(places.map((page) => [addressOf(page), pageOf(page, fileOf(page))]));
  checkLinks(pages);
  mkdirSync(target, { recursive: true });
  for (const page of places) {
    writeFileSync(join(target, fileOf(page).replace(/md$/, "html")), pages.get(addressOf(page)));
  }
  const searched = [
    ...places.map((page) => ({ page, html: pages.get(addressOf(page)) })),
    { page: API_REFERENCE, html: docsPage() },
  ];
  const index = searchIndex(
    searched.map(({ page, html }) => ({ path: page.slug, title: page.title, html })),
  );
  writeFileSync(join(target, "search.json"), JSON.stringify(index));
}
for (const problem of problems) console.error(`guides: ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;

/**
 * Makes the index in which readers search: for each page its sections, with heading and text, in
 * the order of the pages. The field that searches it is search-box.ts.
 */

/** A heading, an entry of the reference, or a row of a table whose name has an address. */
const SECTION =
  /<h[2-4] id="([^"]+)">(.*?)<\/h[2-4]>|<section class="entry" id="([^"]+)">\s*<h3>(.*?)<\/h3>|<code id="([^"]+)">(.*?)<\/code>/gs;
/** Examples repeat the tables before them, chips the errors, and the rest is navigation. */
const LEFT_OUT =
  /<h1>.*?<\/h1>|<details class="example">.*?<\/details>|<ul class="chips">.*?<\/ul>|<ul class="cards">.*?<\/ul>|<p class="next">.*?<\/p>/gs;
const BADGE = /<span class="badge[^>]*>(.*?)<\/span>/g;
const INLINE_TAG = /<\/?(?:a|b|code|del|em|i|span|strong)\b[^>]*>/g;
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", "#x27": "'" };

const textOf = (html) =>
  html
    .replace(BADGE, "$1 ")
    .replace(INLINE_TAG, "")
    .replace(/<[^>]+>/g, " ")
    .replace(/&(amp|lt|gt|quot|#39|#x27);/g, (_, name) => ENTITIES[name])
    .replace(/\s+/g, " ")
    .trim();

/** The part of a whole page that its reader reads. */
const mainOf = (html) => html.slice(html.indexOf("<main"), html.lastIndexOf("</main>"));

function sectionsOf(html, title) {
  const body = mainOf(html).replace(LEFT_OUT, " ");
  const starts = [...body.matchAll(SECTION)].map((match) => ({
    anchor: match[1] ?? match[3] ?? match[5],
    heading: textOf(match[2] ?? match[4] ?? match[6]),
    from: match.index,
    textFrom: match.index + match[0].length,
  }));
  const all = [{ anchor: "", heading: title, from: 0, textFrom: 0 }, ...starts];
  return all.map(({ anchor, heading, textFrom }, at) => ({
    anchor,
    heading,
    text: textOf(body.slice(textFrom, all[at + 1]?.from)),
  }));
}

/** `pages`: path below /docs, title and the whole page's HTML. */
export function searchIndex(pages) {
  return {
    pages: pages.map(({ path, title }) => ({ path, title })),
    sections: pages.flatMap(({ html, title }, page) =>
      sectionsOf(html, title).map((section) => ({ page, ...section })),
    ),
  };
}

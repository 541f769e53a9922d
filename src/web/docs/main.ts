/**
 * The script of the pages under /docs: search, copy buttons, and the keyboard's way into what
 * scrolls sideways. Everything that can be read is there without it.
 */
import { addCopyButtons } from "./copy.ts";
import type { DocsIndex, Found } from "./search.ts";
import { createSearch } from "./search-box.ts";

/** This script is at /docs/docs.js, below the prefix that a proxy may have put before it. */
const below = (path: string): string => new URL(path, import.meta.url).href;

async function loadIndex(): Promise<DocsIndex> {
  const answer = await fetch(below("search.json"));
  if (!answer.ok) throw new Error(`the index of the search: HTTP ${answer.status}`);
  return answer.json();
}

function addressOf({ path, anchor }: Found): string {
  const page = below(path === "" ? "../docs" : path);
  return anchor === "" ? page : `${page}#${anchor}`;
}

/** A table that is wider than its place can be reached and scrolled with the keyboard. */
function letScroll(tables: readonly HTMLElement[]): void {
  // All are measured before any is changed, so that the browser lays the page out once.
  const wide = new Set(tables.filter((table) => table.scrollWidth > table.clientWidth));
  for (const table of tables) {
    if (wide.has(table)) table.tabIndex = 0;
    else table.removeAttribute("tabindex");
  }
}

const main = document.querySelector<HTMLElement>("main");
const status = document.querySelector<HTMLElement>("#docs-copied");
if (main !== null && status !== null) {
  addCopyButtons(main, status);
  const tables = [...main.querySelectorAll<HTMLElement>(".table")];
  letScroll(tables);
  addEventListener("resize", () => letScroll(tables));
}

const input = document.querySelector<HTMLInputElement>("#docs-search");
const list = document.querySelector<HTMLElement>("#docs-results");
const found = document.querySelector<HTMLElement>("#docs-found");
if (input !== null && list !== null && found !== null) {
  createSearch({ input, list, status: found }, loadIndex, addressOf);
}

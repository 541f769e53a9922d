/**
 * The frame of every page under /docs: head, navigation and the text's place. The API
 * reference is put into it at start (docs.ts), the guides at build time (src/web/docs/pages.mjs).
 */
import { escaped } from "./docs-html.ts";

export interface DocsPage {
  /** The address is /docs and this; a guide's file is of the same name. */
  slug: string;
  title: string;
  /** One line for the overview. */
  summary: string;
}

export const OVERVIEW: DocsPage = { slug: "", title: "Overview", summary: "" };
export const API_REFERENCE: DocsPage = {
  slug: "api",
  title: "API reference",
  summary: "Every call, event, object, error and limit, made from what the server checks by.",
};

/** In a reader's order. */
export const GUIDES: readonly DocsPage[] = [
  {
    slug: "quick-start",
    title: "Quick start",
    summary: "From nothing to two people talking, with curl and twenty lines of JavaScript.",
  },
  {
    slug: "clients",
    title: "Any Socket.IO client",
    summary: "JavaScript, Python and curl: connecting, sending, syncing, errors.",
  },
  {
    slug: "sdk",
    title: "The client SDK",
    summary:
      "troupe-client and troupe-client/react: state that is always right, sends that go out once.",
  },
  {
    slug: "product",
    title: "Chat in your product",
    summary:
      "Your own login, Express, Next and Flask, the page in fifteen lines, e-mails, and moving in from elsewhere.",
  },
  {
    slug: "migrating",
    title: "From Socket.IO rooms",
    summary: "What you have written around rooms, and what becomes of it.",
  },
  {
    slug: "namespaces",
    title: "Coming from Socket.IO",
    summary: "Your own Socket.IO handlers, in a namespace beside Troupe's.",
  },
  {
    slug: "events",
    title: "Webhooks and events",
    summary: "What back ends receive: the event log, webhooks, and the hook before a commit.",
  },
  {
    slug: "push",
    title: "Push",
    summary: "Browsers, FCM, APNs or a gateway of your own: what is pushed, when, and why not.",
  },
  {
    slug: "actors",
    title: "Actors of your own",
    summary: "Polls, games and auctions in the server: durable state, numbered events, timers.",
  },
  {
    slug: "assistant",
    title: "An assistant in a conversation",
    summary: "A back end that streams its answer while everybody reads, and a button to stop it.",
  },
  {
    slug: "deploy",
    title: "Deploy",
    summary: "One host, systemd, Docker, TLS and proxies, many hosts, upgrades.",
  },
  {
    slug: "configuration",
    title: "Configuration",
    summary: "Every variable: meaning, default, and what goes wrong at either end.",
  },
  {
    slug: "operations",
    title: "Operations",
    summary: "Health, every metric, logs, and what to look at when something is wrong.",
  },
  {
    slug: "failures",
    title: "When something dies",
    summary: "What happens, what a client sees, what you have to do. Mostly nothing.",
  },
];

export const DOCS_PAGES: readonly DocsPage[] = [OVERVIEW, ...GUIDES, API_REFERENCE];

export const addressOf = ({ slug }: DocsPage): string => (slug === "" ? "/docs" : `/docs/${slug}`);

/** Shown only where scripts run; src/web/docs/search-box.ts makes it work. */
const SEARCH = `<div class="search" role="search">
<label class="visually-hidden" for="docs-search">Search the documentation</label>
<input id="docs-search" type="text" role="combobox" aria-expanded="false" aria-controls="docs-results" aria-autocomplete="list" autocomplete="off" autocapitalize="off" spellcheck="false" enterkeyhint="search" maxlength="100" placeholder="Search the documentation">
<kbd aria-hidden="true">/</kbd>
<div id="docs-results" role="listbox" aria-label="Results" hidden></div>
<p id="docs-found" class="visually-hidden" role="status"></p>
</div>`;

/** A whole page. `contents` is what its own part of the navigation shows; both are HTML. */
export function framed(page: DocsPage, contents: string, main: string): string {
  const entries = DOCS_PAGES.map((one) => {
    const current = one === page ? ' aria-current="page"' : "";
    return `<li><a href="${addressOf(one)}"${current}>${escaped(one.title)}</a></li>`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(page.title)} · Troupe</title>
<link rel="icon" href="/favicon.svg">
<link rel="stylesheet" href="/docs.css">
<script type="module" src="/docs/docs.js"></script>
</head>
<body>
<a class="skip" href="#top">To the text</a>
${SEARCH}
<nav aria-label="Documentation">
<a class="name" href="/docs">Troupe</a>
<p class="documents"><a href="/">Demo</a> <a href="/api/openapi.json">OpenAPI</a> <a href="/api/asyncapi.json">AsyncAPI</a></p>
<ul class="pages">
${entries.join("\n")}
</ul>
${contents}
</nav>
<main id="top">
${main}
<p id="docs-copied" class="visually-hidden" role="status"></p>
</main>
</body>
</html>
`;
}

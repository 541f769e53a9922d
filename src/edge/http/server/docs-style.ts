/**
 * The style sheet of the pages under /docs: the paper, ink and accent of the page and of /ops,
 * light and dark by the reader's setting, no outside font. Every colour of text has the contrast
 * of WCAG AA on --page, --panel, --line and --wash.
 */
export const DOCS_STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f2ee;
  --panel: #fffdfb;
  --line: #e3dbd3;
  --text: #241c20;
  --quiet: #6a5d62;
  --accent: #8f2d56;
  --wash: #f6e3eb;
  --read: #2c5f8a;
  --write: #256b41;
  --change: #85530a;
  --remove: #b3261e;
  --event: #6b3fa0;
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #171418;
    --panel: #201c21;
    --line: #352e36;
    --text: #f0eaec;
    --quiet: #aa9da3;
    --accent: #ef9dbf;
    --wash: #3b2430;
    --read: #8fc1ea;
    --write: #6fcf97;
    --change: #e7b45c;
    --remove: #ff8f86;
    --event: #d0aaff;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--text);
  display: grid; grid-template-columns: 17rem minmax(0, 1fr); }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
main p a, main li a, main td a { text-decoration: underline; text-underline-offset: 0.15em;
  text-decoration-thickness: 1px; }
main .chips a, main .cards a { text-decoration: none; }
.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
code, pre { font: 0.86em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
nav { grid-area: 1 / 1; position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.25rem 1rem 3rem;
  background: var(--panel); border-right: 1px solid var(--line); }
nav .name { font-weight: 700; font-size: 1.15rem; color: var(--text); display: block; }
nav .documents { margin: 0.35rem 0 1rem; font-size: 0.85rem; display: flex; gap: 0.8rem; }
nav ul.pages { margin: 0 0 1rem; padding: 0 0 0.8rem; border-bottom: 1px solid var(--line); }
nav .pages a { font-size: 0.9rem; color: var(--text); }
nav .pages a[aria-current] { background: var(--wash); font-weight: 600; }
a.skip { position: absolute; left: -100vw; background: var(--page); padding: 0.5rem 1rem; z-index: 3; }
a.skip:focus { left: 0.5rem; top: 0.5rem; }
nav details { margin: 0.15rem 0; }
nav summary { cursor: pointer; font-weight: 600; font-size: 0.85rem; padding: 0.3rem 0; }
nav ul { list-style: none; margin: 0 0 0.6rem; padding: 0; }
nav li a { display: flex; gap: 0.5rem; align-items: baseline; padding: 0.16rem 0.35rem;
  border-radius: 6px; color: var(--quiet); font-size: 0.83rem; }
nav li a:hover { background: var(--line); color: var(--text); text-decoration: none; }
nav li span.path { overflow-wrap: anywhere; }
main { grid-area: 1 / 2; padding: 2rem clamp(1rem, 4vw, 3.5rem) 6rem; max-width: 66rem; width: 100%; }
.search { display: none; grid-area: 1 / 2; position: sticky; top: 0; z-index: 2; align-self: start;
  padding: 0.75rem clamp(1rem, 4vw, 3.5rem); max-width: 66rem; width: 100%; background: var(--page); }
.search input { font: inherit; width: 100%; height: 2.75rem; padding: 0 2.5rem 0 1rem; color: var(--text);
  background: var(--panel); border: 1px solid var(--line); border-radius: 1.4rem; }
.search input::placeholder { color: var(--quiet); opacity: 1; }
.search kbd { position: absolute; right: calc(clamp(1rem, 4vw, 3.5rem) + 0.9rem); top: 1.4rem; padding: 0 0.4rem;
  font: 0.8rem/1.4rem ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; color: var(--quiet);
  border: 1px solid var(--line); border-radius: 5px; pointer-events: none; }
.search input:focus + kbd { display: none; }
#docs-results, #docs-found:not(.visually-hidden) { position: absolute; top: 3.9rem;
  left: clamp(1rem, 4vw, 3.5rem); right: clamp(1rem, 4vw, 3.5rem); margin: 0; background: var(--panel);
  border: 1px solid var(--line); border-radius: 12px; box-shadow: 0 8px 32px rgb(40 20 30 / 24%); }
#docs-results { max-height: min(32rem, 70vh); overflow-y: auto; padding: 0.4rem; }
#docs-results[hidden] { display: none; }
#docs-found:not(.visually-hidden) { padding: 0.9rem 1.2rem; color: var(--quiet); }
#docs-results a { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0.1rem 0.8rem;
  padding: 0.55rem 0.8rem; border-radius: 8px; color: var(--text); overflow-wrap: anywhere; }
#docs-results a:hover { text-decoration: none; background: var(--page); }
#docs-results a[aria-selected="true"] { background: var(--wash); box-shadow: inset 3px 0 0 var(--accent); }
.result-heading { font-weight: 600; }
.result-page { color: var(--quiet); font-size: 0.83rem; line-height: 1.85; }
.result-passage { grid-column: 1 / -1; color: var(--quiet); font-size: 0.86rem; }
#docs-results mark { background: none; color: var(--accent); font-weight: 700; text-decoration: underline;
  text-underline-offset: 0.15em; }
@media (scripting: enabled) {
  html { scroll-padding-top: 5rem; }
  .search { display: block; }
  main { padding-top: 5.25rem; }
}
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 0.6rem; }
h2 { font-size: 1.4rem; margin: 3.5rem 0 0.5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h2.minor { font-size: 1.02rem; margin: 1.2rem 0 0.35rem; padding: 0; border: 0; }
h3 { font-size: 1.02rem; margin: 0; display: flex; flex-wrap: wrap; gap: 0.6rem; align-items: baseline; }
h3 a.self { color: inherit; overflow-wrap: anywhere; }
h4 { font-size: 0.78rem; letter-spacing: 0.04em; text-transform: uppercase; color: var(--quiet);
  margin: 1rem 0 0.35rem; font-weight: 600; }
h4 .code { text-transform: none; letter-spacing: 0; color: var(--text); }
p { margin: 0.35rem 0; }
.guide p, .guide li { max-width: 46rem; }
.guide p { margin: 0.7rem 0; }
.guide h3 { margin: 2rem 0 0.4rem; font-size: 1.08rem; display: block; }
.guide h2 a.self, .guide h3 a.self { color: inherit; }
.guide ul, .guide ol { padding-left: 1.3rem; }
.guide li { margin: 0.25rem 0; }
.guide th:first-child, .guide th:nth-child(2):not(:last-child) { width: auto; }
.guide td:first-child { white-space: normal; min-width: 8.5rem; }
.guide td code { overflow-wrap: anywhere; }
.guide blockquote { margin: 0.8rem 0; padding: 0.1rem 1rem; border-left: 3px solid var(--accent);
  background: var(--panel); }
figure { margin: 0.7rem 0; }
figcaption { font-size: 0.78rem; color: var(--quiet); }
figure pre { margin: 0.2rem 0; background: var(--panel); }
figure.output pre { background: var(--page); border-style: dashed; }
figure + figure.output { margin-top: -0.4rem; }
ul.cards { list-style: none; padding: 0; display: grid; gap: 0.8rem;
  grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }
ul.cards li { max-width: none; margin: 0; padding: 0.8rem 1rem; border: 1px solid var(--line);
  border-radius: 12px; background: var(--panel); }
ul.cards p { margin: 0.2rem 0 0; color: var(--quiet); font-size: 0.88rem; }
p.next { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); }
p.lead { font-size: 1.05rem; color: var(--quiet); max-width: 46rem; }
.quiet { color: var(--quiet); font-size: 0.88rem; }
section.entry { margin: 1.4rem 0; padding: 1rem 1.15rem 1.1rem; border: 1px solid var(--line);
  border-radius: 12px; background: var(--panel); }
section.entry:target { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
.badge { font: 700 0.7rem/1.7 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  padding: 0 0.4rem; border-radius: 4px; color: var(--page); background: var(--quiet);
  min-width: 3.4rem; text-align: center; flex: none; }
nav .badge { font-size: 0.58rem; min-width: 2.9rem; padding: 0 0.2rem; }
.GET { background: var(--read); } .POST { background: var(--write); }
.PUT, .PATCH { background: var(--change); } .DELETE { background: var(--remove); }
.client, .server { background: var(--event); }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th { text-align: left; font-weight: 600; color: var(--quiet); font-size: 0.8rem; }
th, td { padding: 0.3rem 0.8rem 0.3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td:first-child { white-space: nowrap; }
th:first-child { width: 30%; } th:nth-child(2):not(:last-child) { width: 22%; }
td.type { min-width: 8rem; }
.optional { color: var(--quiet); font-size: 0.78rem; }
pre { margin: 0.4rem 0; padding: 0.75rem 0.9rem; overflow-x: auto; background: var(--page);
  border: 1px solid var(--line); border-radius: 8px; }
.copyable { position: relative; }
.copyable pre { padding-right: 5rem; }
button.copy { position: absolute; top: 0.45rem; right: 0.45rem; min-width: 3.9rem; height: 1.9rem;
  padding: 0 0.6rem; font: 0.8rem/1 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  color: var(--quiet); background: var(--page); border: 1px solid var(--line); border-radius: 99px;
  cursor: pointer; }
section.entry button.copy, figure.output button.copy { background: var(--panel); }
button.copy:hover { color: var(--accent); border-color: currentcolor; }
.code-comment, .code-meta, .code-tag { color: var(--quiet); }
.code-keyword, .code-built_in, .code-section, .code-name { color: var(--accent); }
.code-string, .code-regexp, .code-code { color: var(--write); }
.code-number, .code-literal, .code-symbol, .code-bullet { color: var(--change); }
.code-title, .code-attribute { color: var(--read); }
.code-attr, .code-variable, .code-template-variable, .code-type { color: var(--event); }
.code-subst { color: var(--text); }
details.example > summary { cursor: pointer; color: var(--quiet); font-size: 0.85rem; margin-top: 0.6rem; }
.chips { display: flex; flex-wrap: wrap; gap: 0.4rem; margin: 0.2rem 0 0; padding: 0; list-style: none; }
.chips a { border: 1px solid var(--line); border-radius: 99px; padding: 0 0.55rem; background: var(--page);
  font-size: 0.8rem; color: var(--quiet); }
@media (max-width: 56rem) {
  body { display: block; }
  nav { position: static; height: auto; max-height: 45vh; border-right: 0; border-bottom: 1px solid var(--line); padding-bottom: 1rem; }
  nav .pages { display: flex; flex-wrap: wrap; gap: 0.2rem; }
  td:first-child { white-space: normal; }
  main { padding-top: 2rem; }
  .search { padding: 0.6rem 1rem; max-width: none; border-bottom: 1px solid var(--line); }
  .search input { font-size: 16px; }
  .search kbd { display: none; }
  #docs-results, #docs-found:not(.visually-hidden) { left: 0.5rem; right: 0.5rem; top: 3.6rem; }
  /* The keyboard on the screen has the lower half. */
  #docs-results { max-height: 45vh; }
}
@media print { nav, .search, button.copy { display: none; } body { display: block; } section.entry { break-inside: avoid; } }
`;

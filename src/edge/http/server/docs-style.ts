/**
 * The style sheet of the pages under /docs: light and dark by the reader's setting, no outside
 * font.
 */
export const DOCS_STYLE = `
:root {
  color-scheme: light dark;
  --page: #ffffff;
  --panel: #f6f7f9;
  --line: #e2e5ea;
  --text: #1c2027;
  --quiet: #5d6675;
  --accent: #3b5bdb;
  --read: #1864ab;
  --write: #2b7a3d;
  --change: #9c5700;
  --remove: #b02a37;
  --event: #6b3fa0;
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14161a;
    --panel: #1b1e24;
    --line: #2c313a;
    --text: #e4e7ec;
    --quiet: #99a2b1;
    --accent: #8ea6ff;
    --read: #74c0fc;
    --write: #8ce99a;
    --change: #ffc078;
    --remove: #ff9c9c;
    --event: #d0aaff;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--page); color: var(--text);
  display: grid; grid-template-columns: 17rem minmax(0, 1fr); }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
code, pre { font: 0.86em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.25rem 1rem 3rem;
  background: var(--panel); border-right: 1px solid var(--line); }
nav .name { font-weight: 700; font-size: 1.15rem; color: var(--text); display: block; }
nav .documents { margin: 0.35rem 0 1rem; font-size: 0.85rem; display: flex; gap: 0.8rem; }
nav ul.pages { margin: 0 0 1rem; padding: 0 0 0.8rem; border-bottom: 1px solid var(--line); }
nav .pages a { font-size: 0.9rem; color: var(--text); }
nav .pages a[aria-current] { background: var(--line); font-weight: 600; }
a.skip { position: absolute; left: -100vw; background: var(--page); padding: 0.5rem 1rem; z-index: 1; }
a.skip:focus { left: 0.5rem; top: 0.5rem; }
nav details { margin: 0.15rem 0; }
nav summary { cursor: pointer; font-weight: 600; font-size: 0.85rem; padding: 0.3rem 0; }
nav ul { list-style: none; margin: 0 0 0.6rem; padding: 0; }
nav li a { display: flex; gap: 0.5rem; align-items: baseline; padding: 0.16rem 0.35rem;
  border-radius: 4px; color: var(--quiet); font-size: 0.83rem; }
nav li a:hover { background: var(--line); color: var(--text); text-decoration: none; }
nav li span.path { overflow-wrap: anywhere; }
main { padding: 2rem clamp(1rem, 4vw, 3.5rem) 6rem; max-width: 66rem; width: 100%; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 0.6rem; }
h2 { font-size: 1.4rem; margin: 3.5rem 0 0.5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
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
  border-radius: 8px; background: var(--panel); }
ul.cards p { margin: 0.2rem 0 0; color: var(--quiet); font-size: 0.88rem; }
p.next { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); }
p.lead { font-size: 1.05rem; color: var(--quiet); max-width: 46rem; }
.quiet { color: var(--quiet); font-size: 0.88rem; }
section.entry { margin: 1.4rem 0; padding: 1rem 1.15rem 1.1rem; border: 1px solid var(--line);
  border-radius: 8px; background: var(--panel); }
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
  border: 1px solid var(--line); border-radius: 6px; }
details.example > summary { cursor: pointer; color: var(--quiet); font-size: 0.85rem; margin-top: 0.6rem; }
.chips { display: flex; flex-wrap: wrap; gap: 0.4rem; margin: 0.2rem 0 0; padding: 0; list-style: none; }
.chips a { border: 1px solid var(--line); border-radius: 99px; padding: 0 0.55rem; background: var(--page);
  font-size: 0.8rem; color: var(--quiet); }
@media (max-width: 56rem) {
  body { display: block; }
  nav { position: static; height: auto; max-height: 45vh; border-right: 0; border-bottom: 1px solid var(--line); padding-bottom: 1rem; }
  nav .pages { display: flex; flex-wrap: wrap; gap: 0.2rem; }
  td:first-child { white-space: normal; }
}
@media print { nav { display: none; } body { display: block; } section.entry { break-inside: avoid; } }
`;

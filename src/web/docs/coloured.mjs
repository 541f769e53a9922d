/**
 * Colours the guides' code while they are built, so that a reader's browser does no work for it.
 * The parts of the code get classes; their colours are in the style sheet (docs-style.ts).
 */
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import ini from "highlight.js/lib/languages/ini";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import nginx from "highlight.js/lib/languages/nginx";
import python from "highlight.js/lib/languages/python";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";

const LANGUAGES = { bash, ini, javascript, json, nginx, python, typescript, xml };
for (const [name, grammar] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, grammar);
hljs.configure({ classPrefix: "code-" });

/** The grammar of each word that stands after three back-ticks. */
const GRAMMARS = {
  html: "xml",
  ini: "ini",
  js: "javascript",
  json: "json",
  jsx: "javascript",
  nginx: "nginx",
  python: "python",
  sh: "bash",
  ts: "typescript",
};

/** HTML of the code; null where the language is unknown. */
export function coloured(code, language) {
  if (!Object.hasOwn(GRAMMARS, language)) return null;
  return hljs.highlight(code, { language: GRAMMARS[language] }).value;
}

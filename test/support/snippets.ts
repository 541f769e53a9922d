/**
 * The code blocks of the guides and of README.md, and what the words after a fence's language
 * mean:
 *
 *   ```js run                  a program of its own; with `save=two.mjs` in a file of that name
 *   ```sh run                  a page's shell blocks are one terminal, in their order;
 *                              `in=clone`: one in the repository instead of a scratch folder
 *   ```js save=chat.mjs        a file that other blocks of the page use
 *   ```text output             what the block before it prints; `…` stands for anything
 *   ```sh not-run: the reason
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const GUIDES = "src/web/docs";

export type SnippetUse =
  | { is: "run"; saveAs: string | null; inClone: boolean }
  | { is: "file"; saveAs: string }
  | { is: "output" }
  | { is: "left out"; reason: string }
  | { is: "unmarked" };

export interface Snippet {
  language: string;
  text: string;
  use: SnippetUse;
  /** Where it is, for messages: "README.md:12". */
  at: string;
}

/** Blocks that run as one process, each with the output that is promised after it. */
export interface Program {
  language: string;
  at: string;
  saveAs: string | null;
  inClone: boolean;
  parts: { text: string; output: string | null; at: string }[];
}

export interface SnippetPage {
  file: string;
  snippets: Snippet[];
}

export function snippetPages(): SnippetPage[] {
  const guides = readdirSync(join(ROOT, GUIDES)).filter((name) => name.endsWith(".md"));
  return ["README.md", ...guides.sort().map((name) => `${GUIDES}/${name}`)].map((file) => ({
    file,
    snippets: snippetsOf(file, readFileSync(join(ROOT, file), "utf8")),
  }));
}

/** A fence may be indented, in a list; its lines then are as well. */
const FENCE = /^( *)```(.*)\n([\s\S]*?)^\1```$/gm;

export function snippetsOf(file: string, markdown: string): Snippet[] {
  return [...markdown.matchAll(FENCE)].map(
    ({ 1: indent = "", 2: info = "", 3: body = "", index }) => {
      const line = markdown.slice(0, index).split("\n").length;
      const [language = ""] = info.split(" ");
      return {
        language,
        text: body.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
        use: useOf(info.slice(language.length).trim()),
        at: `${file}:${line}`,
      };
    },
  );
}

function useOf(marks: string): SnippetUse {
  const reason = /^not-run: (\S.*)$/.exec(marks)?.[1];
  if (reason !== undefined) return { is: "left out", reason };
  const words = marks.split(" ");
  const saveAs = words.find((word) => word.startsWith("save="))?.slice("save=".length) ?? null;
  if (words.includes("output")) return { is: "output" };
  if (words.includes("run")) return { is: "run", saveAs, inClone: words.includes("in=clone") };
  return saveAs === null ? { is: "unmarked" } : { is: "file", saveAs };
}

/** Throws where an output follows nothing that runs. */
export function programsOf({ snippets }: SnippetPage): Program[] {
  const programs: Program[] = [];
  let last: Program["parts"][number] | null = null;
  for (const { language, text, use, at } of snippets) {
    if (use.is === "output") {
      if (last === null) throw new Error(`${at}: there is nothing before it that runs`);
      last.output = text;
      last = null;
    }
    if (use.is !== "run") continue;
    last = { text, output: null, at };
    const { saveAs, inClone } = use;
    const terminal = programs.find((one) => one.language === "sh" && one.inClone === inClone);
    if (language === "sh" && terminal !== undefined) terminal.parts.push(last);
    else programs.push({ language, at, saveAs, inClone, parts: [last] });
  }
  return programs;
}

/** Null when `printed` is `promised`, `…` being anything; else what is missing. */
export function differenceOf(promised: string, printed: string): string | null {
  const pattern = promised
    .trim()
    .split("…")
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    .join("[^\\n]*?");
  if (new RegExp(`^${pattern}$`).test(printed.trim())) return null;
  return `it should print\n${promised}\nbut it printed\n${printed}`;
}

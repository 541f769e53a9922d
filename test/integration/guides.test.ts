/** The guides and README: every snippet works as the text promises, and every table is complete. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Troupe } from "../support/cluster.ts";
import { within } from "../support/eventually.ts";
import { pythonWith } from "../support/python.ts";
import { serviceTokenOf } from "../support/service.ts";
import {
  differenceOf,
  type Program,
  programsOf,
  ROOT,
  type SnippetPage,
  snippetPages,
} from "../support/snippets.ts";
import { troupeForFile } from "../support/suite.ts";
import { JWT_SECRET } from "../support/tokens.ts";

const RUN_DEADLINE_MS = 40_000;
/** What every snippet calls its server; the only thing that is changed before it runs. */
const WRITTEN_URL = "http://localhost:3000";
const END_OF_PART = "--- end of a snippet ---";

const pages = snippetPages();

it("[GDE1] every snippet runs, is a file of one that runs, or says why it does not", () => {
  const unmarked = pages.flatMap(({ snippets }) =>
    snippets.filter(({ use }) => use.is === "unmarked").map(({ at }) => at),
  );
  expect(unmarked).toEqual([]);
  for (const { snippets } of pages) {
    const running = snippets.filter(({ use }) => use.is === "run");
    for (const { use, at } of snippets) {
      if (use.is !== "file") continue;
      const module = use.saveAs.replace(/\.\w+$/, "");
      const isUsed = running.some(({ text }) => text.includes(module));
      expect(isUsed, `${at}: a snippet that runs uses ${use.saveAs}`).toBe(true);
    }
  }
});

it("[GDE2] an output that is not what was promised is found", () => {
  expect(differenceOf("a …\nb", "a 17\nb\n")).toBeNull();
  expect(differenceOf("a …\nb", "a 17\nc\n")).toContain("it printed\na 17\nc");
  expect(differenceOf("[1]", "1")).not.toBeNull();
  expect(differenceOf("a", "a\na")).not.toBeNull();
});

describe.each(pages.filter((page) => programsOf(page).length > 0))("$file", (page) => {
  const troupe = troupeForFile();
  let folder = "";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "troupe-guide-"));
    await linkPackages(folder);
    for (const { use, text } of page.snippets) {
      if ((use.is === "file" || use.is === "run") && use.saveAs !== null) {
        await writeFile(join(folder, use.saveAs), text.replaceAll(WRITTEN_URL, troupe().url));
      }
    }
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  for (const program of programsOf(page)) {
    const python = program.language === "python" ? pythonFor(page, program) : undefined;
    it.skipIf(python === null)(
      `[GDE3] ${program.language} of line ${lineOf(program)} runs`,
      async () => {
        const { code, stdout, stderr } = await execute(program, folder, troupe(), python ?? null);
        expect(code, `${program.at} ended with ${code}:\n${stdout}\n${stderr}`).toBe(0);
        const printed = stdout.split(`${END_OF_PART}\n`);
        for (const [n, { output, at }] of program.parts.entries()) {
          if (output === null) continue;
          const difference = differenceOf(output, printed[n] ?? "");
          expect.soft(difference, `${at}: ${difference}`).toBeNull();
        }
      },
    );
  }
});

const lineOf = ({ at }: Program): string => at.split(":")[1] ?? "";

/** What `npm install` would have put there. */
async function linkPackages(folder: string): Promise<void> {
  const modules = join(folder, "node_modules");
  await mkdir(modules);
  await symlink(join(ROOT, "node_modules/socket.io-client"), join(modules, "socket.io-client"));
  await symlink(join(ROOT, "dist/troupe-client"), join(modules, "troupe-client"));
  await symlink(ROOT, join(modules, "troupe"));
}

/** Null: some of what it imports is not installed here. */
function pythonFor(page: SnippetPage, program: Program): string | null {
  const own = new Set(
    page.snippets.map(({ use }) => ("saveAs" in use ? use.saveAs : null)?.replace(/\.py$/, "")),
  );
  const texts = page.snippets.filter(({ language }) => language === "python");
  const modules = texts.flatMap(({ text }) =>
    [...text.matchAll(/^(?:import|from) (\w+)/gm)].map((match) => match[1]!),
  );
  const foreign = [...new Set(modules)].filter((name) => !own.has(name));
  return pythonWith([...foreign, ...forClients(foreign)], program.at);
}

/** python-socketio imports its transports late. */
const forClients = (modules: readonly string[]): string[] =>
  modules.includes("socketio") ? ["requests", "websocket"] : [];

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

async function execute(
  program: Program,
  folder: string,
  troupe: Troupe,
  python: string | null,
): Promise<Ended> {
  const texts = program.parts.map(({ text }) => text.replaceAll(WRITTEN_URL, troupe.url));
  const { command, args, input } = await invocationOf(program, texts, folder, python);
  const child = spawn(command, args, {
    cwd: program.inClone ? ROOT : folder,
    env: {
      PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter),
      HOME: process.env["HOME"] ?? "/",
      DATABASE_URL: troupe.databaseUrl ?? "",
      JWT_SECRET,
      DATA_DIR: troupe.dataDir,
      TROUPE_TOKEN: await serviceTokenOf(JWT_SECRET, ["notify", "users", "act"]),
    },
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  try {
    child.stdin?.end(input);
    return await within(`${program.at} ends`, endOf(child), RUN_DEADLINE_MS);
  } finally {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, "SIGKILL");
  }
}

async function invocationOf(
  { language, at, saveAs }: Program,
  texts: string[],
  folder: string,
  python: string | null,
): Promise<{ command: string; args: string[]; input: string }> {
  switch (language) {
    case "sh":
      // As one terminal: a function or variable of one block is there in the next.
      return {
        command: "bash",
        args: [
          "--norc",
          "-euo",
          "pipefail",
          "-c",
          texts.map((text) => `${text}\necho "${END_OF_PART}"\n`).join(""),
        ],
        input: "",
      };
    case "js": {
      const file = saveAs ?? `snippet-${at.split(":")[1]}.mjs`;
      await writeFile(join(folder, file), texts.join("\n"));
      return { command: process.execPath, args: [file], input: "" };
    }
    case "python":
      if (python === null) throw new Error("a program without its Python is skipped");
      return { command: python, args: ["-"], input: texts.join("\n") };
    default:
      throw new Error(`${at}: nothing runs ${language}`);
  }
}

function endOf(child: ChildProcess): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    stdout += chunk;
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

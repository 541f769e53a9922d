/** The files of the guide "Chat in your product", each as a process of its own in a folder of its own. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { eventually, within } from "./eventually.ts";
import { freePort } from "./ports.ts";
import { serviceTokenOf } from "./service.ts";
import { snippetPages } from "./snippets.ts";
import { JWT_SECRET } from "./tokens.ts";

const GUIDE = "src/web/docs/product.md";
const WRITTEN_URL = "http://localhost:3000";
const START_DEADLINE_MS = 60_000;
const RUN_DEADLINE_MS = 400_000;

/** Whether a package registry may be asked; see test/browser/client-package.test.ts. */
export const mayAskRegistry = Boolean(process.env["TROUPE_TEST_NEXT"]);

/** The one snippet of the guide in this language that has the text. */
export function snippetWith(language: string, text: string): string {
  const page = snippetPages().find(({ file }) => file === GUIDE);
  const found = (page?.snippets ?? []).filter(
    (one) => one.language === language && one.text.includes(text),
  );
  if (found.length !== 1) throw new Error(`${found.length} ${language} snippets have ${text}`);
  return found[0]!.text;
}

/** A program of the guide and what it has said. */
export class GuideProgram {
  readonly folder: string;
  said = "";
  #child: ChildProcess | null = null;
  #url = "";

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** `files` by their path in the folder. */
  static async with(files: Record<string, string | Buffer>): Promise<GuideProgram> {
    const program = new GuideProgram(await mkdtemp(join(tmpdir(), "troupe-product-")));
    for (const [name, content] of Object.entries(files)) {
      const path = join(program.folder, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
    }
    return program;
  }

  /** `npm install` of these. */
  installs(...packages: string[]): Promise<void> {
    return this.runs("npm", "install", "--no-audit", "--no-fund", ...packages);
  }

  /** Runs a command in the folder; rejects with its output where that fails. */
  async runs(command: string, ...args: string[]): Promise<void> {
    const { NODE_ENV: _test, ...env } = process.env;
    const options = { cwd: this.folder, env, timeout: RUN_DEADLINE_MS, maxBuffer: 2 ** 24 };
    await promisify(execFile)(command, args, options);
  }

  /** `troupe`: the address of a running Troupe; PORT is given to the program and to `args`. */
  async starts(troupe: string, command: string, args: (port: string) => string[]): Promise<void> {
    const port = String(await freePort());
    const { NODE_ENV: _test, ...env } = process.env;
    const scopes = ["users", "act", "events"] as const;
    const token = await serviceTokenOf(JWT_SECRET, [...scopes]);
    const child = spawn(command, args(port), {
      cwd: this.folder,
      env: { ...env, PORT: port, TROUPE_URL: troupe, TROUPE_TOKEN: token },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        this.said += chunk;
      });
    }
    this.#child = child;
    this.#url = `http://127.0.0.1:${port}`;
  }

  get url(): string {
    return this.#url;
  }

  /** Resolves when it answers HTTP. */
  async listens(): Promise<void> {
    const answers = async () => {
      if (this.#child?.exitCode !== null) throw new Error(`it has ended:\n${this.said}`);
      const answer = await this.as(null, "GET", "/chat/token").catch(() => null);
      return answer !== null;
    };
    await eventually("the guide's back end listens", answers, START_DEADLINE_MS);
  }

  /** A call with this session, or with none. */
  as(session: string | null, method: string, path: string): Promise<Response> {
    const headers: Record<string, string> = { connection: "close" };
    if (session !== null) headers["cookie"] = `session=${session}`;
    return fetch(this.#url + path, { method, headers });
  }

  async ends(): Promise<void> {
    const child = this.#child;
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      const gone = once(child, "exit");
      process.kill(-child.pid!, "SIGKILL");
      await within("the program ends", gone);
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** `text` of a snippet, for the Troupe of a test. */
export const forTroupe = (text: string, url: string): string => text.replaceAll(WRITTEN_URL, url);

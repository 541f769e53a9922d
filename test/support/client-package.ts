/**
 * An application's folder with `troupe-client` in it as a running Troupe hands it out, and what it
 * needs beside it from this repository, so that no registry is asked.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "./snippets.ts";

/** An installation from a registry takes minutes on a busy machine. */
const RUN_DEADLINE_MS = 400_000;
const run = promisify(execFile);

/** The archives under /sdk, by the packages that they are. */
const INSTALLED = { "troupe-client": "troupe-client", "troupe-actor": "troupe" } as const;

export interface Output {
  code: number;
  stdout: string;
  stderr: string;
}

export class Application {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** `url`: of a running Troupe; `needs`: packages of this repository. */
  static async with(
    url: string,
    needs: readonly string[],
    packed: keyof typeof INSTALLED = "troupe-client",
  ): Promise<Application> {
    const folder = await mkdtemp(join(tmpdir(), "troupe-application-"));
    const application = new Application(folder);
    await application.installs(url, packed);
    for (const name of needs) {
      const link = join(folder, "node_modules", name);
      await mkdir(dirname(link), { recursive: true });
      await symlink(join(ROOT, "node_modules", name), link);
    }
    return application;
  }

  /** What `npm install URL` does, without asking for what the package needs. */
  async installs(url: string, packed: keyof typeof INSTALLED = "troupe-client"): Promise<void> {
    const answer = await fetch(`${url}/sdk/${packed}.tgz`);
    if (!answer.ok) throw new Error(`${answer.url}: ${answer.status}`);
    const archive = join(this.folder, `${packed}.tgz`);
    await writeFile(archive, Buffer.from(await answer.arrayBuffer()));
    const home = join(this.folder, "node_modules", INSTALLED[packed]);
    await mkdir(home, { recursive: true });
    await run("tar", ["-xzf", archive, "-C", home, "--strip-components=1"]);
  }

  async has(files: Record<string, string>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.folder, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    }
  }

  /** A program of this folder. */
  node(...args: string[]): Promise<Output> {
    return this.#run(process.execPath, args);
  }

  /** The TypeScript of this repository. */
  tsc(...args: string[]): Promise<Output> {
    return this.node(join(ROOT, "node_modules/typescript/bin/tsc"), ...args);
  }

  runs(program: string, ...args: string[]): Promise<Output> {
    return this.#run(program, args);
  }

  async #run(program: string, args: string[]): Promise<Output> {
    // The tests' own NODE_ENV would have React built with its checks, which is far larger.
    const { NODE_ENV: _test, ...env } = process.env;
    const options = { cwd: this.folder, env, timeout: RUN_DEADLINE_MS, maxBuffer: 2 ** 24 };
    try {
      return { code: 0, ...(await run(program, args, options)) };
    } catch (error) {
      // A program that ends with another code than 0 rejects with its output.
      const { code, stdout, stderr } = error as Output;
      if (typeof code !== "number") throw error;
      return { code, stdout, stderr };
    }
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}

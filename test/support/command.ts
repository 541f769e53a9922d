/** The built command line, run to its end or killed on its way. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { within } from "./eventually.ts";

const CLI = fileURLToPath(new URL("../../dist/src/cli.js", import.meta.url));
const ENDS_WITHIN_MS = 60_000;

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export class RunningCommand {
  readonly child: ChildProcess;
  readonly #ended: Promise<Ended>;
  #stdout = "";
  #stderr = "";

  constructor(args: readonly string[], env: Record<string, string>) {
    const base = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/" };
    this.child = spawn(process.execPath, [CLI, ...args], {
      env: { ...base, LOG_LEVEL: "error", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.on("data", (chunk: Buffer) => {
      this.#stdout += chunk;
    });
    this.child.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr += chunk;
    });
    this.#ended = new Promise((resolve) => {
      this.child.once("close", (code, signal) =>
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr }),
      );
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  ends(): Promise<Ended> {
    return within(`the command ends; it said ${this.#stderr}`, this.#ended, ENDS_WITHIN_MS);
  }

  async kill9(): Promise<Ended> {
    this.child.kill("SIGKILL");
    return this.ends();
  }
}

export function runs(args: readonly string[], env: Record<string, string>): Promise<Ended> {
  return new RunningCommand(args, env).ends();
}

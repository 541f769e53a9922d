/**
 * One host as its operator runs it: `troupe start`, or another server that answers /readyz, in a
 * process group of its own, its log in a file, driven by its port and by signals only.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { api } from "./api.ts";
import { descendantsOf, groupLives, rssMbOf, signal } from "./processes.ts";
import { until, withinMs } from "./waiting.ts";

const CLI = fileURLToPath(new URL("../../src/cli.js", import.meta.url));
const READY_WITHIN_MS = 30_000;
const GONE_WITHIN_MS = 15_000;
const PROBE_MS = 2000;

export interface HostOptions {
  index: number;
  port: number;
  env: Record<string, string>;
  logPath: string;
  /** What Node is given; default: `troupe start`. */
  args?: readonly string[];
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export class HostBox {
  readonly index: number;
  readonly port: number;
  readonly #options: HostOptions;
  #child: ChildProcess | null = null;
  #exited: Promise<Exit> = Promise.resolve({ code: 0, signal: null });

  constructor(options: HostOptions) {
    this.#options = options;
    this.index = options.index;
    this.port = options.port;
  }

  get name(): string {
    return `host ${this.index + 1}`;
  }

  get pid(): number | null {
    return this.isRunning ? (this.#child?.pid ?? null) : null;
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  get exited(): Promise<Exit> {
    return this.#exited;
  }

  /** Resolves once it is ready; rejects with where to look when it is not in time. */
  async start(): Promise<void> {
    const { env, logPath, port, args = [CLI, "start"] } = this.#options;
    const logFile = openSync(logPath, "a");
    const child = spawn(process.execPath, args, {
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: process.env["HOME"] ?? "/",
        HOST: "127.0.0.1",
        PORT: String(port),
        ...env,
      },
      stdio: ["ignore", logFile, logFile],
      detached: true,
    });
    closeSync(logFile);
    this.#child = child;
    this.#exited = new Promise((done) => {
      child.once("exit", (code, name) => done({ code, signal: name }));
    });
    const isReady = async () => !this.isRunning || (await this.readiness()).status === 200;
    const ms = await until(isReady, READY_WITHIN_MS);
    if (ms === null || !this.isRunning) {
      throw new Error(`${this.name} did not become ready; its log is ${logPath}`);
    }
  }

  workerPids(): number[] {
    const primary = this.#child?.pid;
    if (primary === undefined || !this.isRunning) return [];
    return descendantsOf(primary)
      .filter((ref) => ref.parentPid === primary && ref.command.includes("worker.js"))
      .map((ref) => ref.pid)
      .sort((a, b) => a - b);
  }

  signalPrimary(name: NodeJS.Signals): void {
    if (this.isRunning) signal(this.#child!.pid!, name);
  }

  /** kill -9 of the primary, its workers and whatever they started, at once. */
  killAll(): void {
    if (this.#child?.pid !== undefined) signal(-this.#child.pid, "SIGKILL");
  }

  /** Whether nothing of its process group is left. */
  isGone(): boolean {
    return this.#child?.pid === undefined || !groupLives(this.#child.pid);
  }

  /** Status and `status` word of /readyz; 0 when nobody answers. */
  async readiness(): Promise<{ status: number; word: string }> {
    const answer = await api<{ status?: string }>(this.port, "GET", "/readyz", {
      deadlineMs: PROBE_MS,
    });
    return { status: answer.status, word: answer.body?.status ?? "" };
  }

  /** The largest worker's resident memory. */
  workerRssMbMax(): number {
    return Math.max(0, ...this.workerPids().map(rssMbOf));
  }

  /** SIGTERM, and kill -9 if that is not enough. */
  async stop(): Promise<void> {
    if (this.isRunning) {
      this.signalPrimary("SIGTERM");
      await withinMs(this.#exited, GONE_WITHIN_MS, null);
    }
    if (!this.isGone()) this.killAll();
    await until(() => this.isGone(), PROBE_MS);
  }
}

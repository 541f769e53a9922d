/**
 * A whole Troupe as a user starts it: the built command in a process group of its own, with a
 * scratch data directory and, for speed, a fresh database of the shared PostgreSQL. Tests drive
 * it over its port and with signals only, and `stop` fails when anything of it is left.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Certificates } from "./certificates.ts";
import { takeBreaches } from "./conformity.ts";
import { eventually, within } from "./eventually.ts";
import { Api } from "./http.ts";
import { Person } from "./person.ts";
import { freePort } from "./ports.ts";
import { createDatabase, type TestDatabase } from "./postgres.ts";
import {
  familyOf,
  isAlive,
  kill,
  ownerOfConnection,
  type ProcessRef,
  taggedWith,
} from "./processes.ts";
import type { ConnectOptions, Session } from "./session.ts";
import { JWT_SECRET } from "./tokens.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CLI = join(ROOT, "dist/src/cli.js");
const QUICK_PASSWORDS = new URL("quick-passwords.mjs", import.meta.url).href;
const READY_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 25_000;
const LOG_TAIL_LINES = 80;
const USERS_AT_ONCE = 8;

export interface TroupeOptions {
  /** Edge processes; 2, so that everything crosses processes half of the time. */
  workers?: number;
  /** Its own embedded PostgreSQL instead of a database of the shared one. */
  embedded?: boolean;
  /** Hashes passwords at their real cost; see quick-passwords.mjs. */
  realPasswords?: boolean;
  /** Keeps an existing data directory, and leaves it behind. */
  dataDir?: string;
  databaseUrl?: string;
  port?: number;
  /** What is started instead of the built command, in the repository's root. */
  command?: [string, ...string[]];
  /** TLS on the port. */
  tls?: Certificates;
  env?: Record<string, string>;
  /** False: do not wait for readiness. */
  waitUntilReady?: boolean;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** The process of a started Troupe, as far as its tests look at it. */
export interface TroupeProcess {
  readonly pid: number;
  readonly hasExited: boolean;
  readonly exited: Promise<Exit>;
  /** What it has written so far. */
  output(): { stdout: string; stderr: string };
  signal(signal: NodeJS.Signals): void;
  /** Stops collecting its output. */
  release(): void;
}

/** Where a Troupe listens and what it keeps its data in. */
export interface TroupePlace {
  /** The variable that all its processes carry in their environment. */
  tag: string;
  port: number;
  dataDir: string;
  databaseUrl: string | null;
  ca?: string | undefined;
}

export class Troupe {
  readonly port: number;
  readonly url: string;
  readonly databaseUrl: string | null;
  readonly dataDir: string;
  readonly sessions = new Set<Session>();
  readonly exited: Promise<Exit>;
  /** Calls without a token. */
  readonly http: Api;
  /** The certificate to trust; undefined without TLS. */
  readonly ca: string | undefined;

  readonly #process: TroupeProcess;
  readonly #tag: string;
  readonly #cleanups: (() => Promise<void>)[];
  #people = 0;

  constructor(process: TroupeProcess, place: TroupePlace, cleanups: (() => Promise<void>)[]) {
    this.#process = process;
    this.#tag = place.tag;
    this.#cleanups = cleanups;
    this.port = place.port;
    this.ca = place.ca;
    this.url = `${place.ca === undefined ? "http" : "https"}://127.0.0.1:${place.port}`;
    this.dataDir = place.dataDir;
    this.databaseUrl = place.databaseUrl;
    this.http = new Api(this.url, () => null, place.ca);
    this.exited = process.exited;
  }

  get stdout(): string {
    return this.#process.output().stdout;
  }

  get stderr(): string {
    return this.#process.output().stderr;
  }

  get hasExited(): boolean {
    return this.#process.hasExited;
  }

  async untilReady(deadlineMs = READY_DEADLINE_MS): Promise<void> {
    try {
      await eventually(
        "GET /readyz answers 200",
        async () => {
          if (this.hasExited) return true;
          return (await this.http.get("/readyz")).status === 200;
        },
        deadlineMs,
      );
      if (this.hasExited) throw new Error(`it exited with ${(await this.exited).code}`);
    } catch (error) {
      throw new Error(`Troupe did not become ready.\n${this.logTail()}`, { cause: error });
    }
  }

  /** The primary and its workers by rising pid; the embedded PostgreSQL is not among them. */
  pids(): { primary: number; workers: number[] } {
    const primary = this.#process.pid;
    const workers = familyOf(primary)
      .filter((found) => found.parentPid === primary && found.command.includes("worker.js"))
      .map((found) => found.pid)
      .sort((a, b) => a - b);
    return { primary, workers };
  }

  /** Every process that belongs to this Troupe, PostgreSQL included. */
  processes(): ProcessRef[] {
    const found = new Map<number, ProcessRef>();
    for (const ref of [...familyOf(this.#process.pid), ...taggedWith(this.#tag)]) {
      found.set(ref.pid, ref);
    }
    return [...found.values()];
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.signal(signal);
  }

  /** Kills the `n`th worker (from 0) and resolves once the kernel has taken it away. */
  async killWorker(n: number, signal: NodeJS.Signals = "SIGKILL"): Promise<number> {
    const pid = this.pids().workers[n];
    if (pid === undefined) throw new Error(`there is no worker ${n}`);
    process.kill(pid, signal);
    await eventually(`worker ${pid} is gone`, () => !this.pids().workers.includes(pid));
    return pid;
  }

  /** kill -9 of the primary, all workers and the embedded PostgreSQL at once. */
  async killEverything(): Promise<void> {
    const all = this.processes();
    for (const ref of all) kill(ref, "SIGKILL");
    await eventually("everything is gone", () => !all.some(isAlive));
  }

  /** Pid of the worker that serves this session; a WebSocket session's only. */
  workerOf(session: Session): number {
    const pid = ownerOfConnection(this.port, session.localPort, this.pids().workers);
    if (pid === undefined) throw new Error(`no worker holds the connection of ${session.label}`);
    return pid;
  }

  /** Registers someone with a unique username that begins with `name`. */
  async user(name: string): Promise<Person> {
    this.#people++;
    const username = `${name}_${this.#people}_${randomBytes(3).toString("hex")}`;
    return Person.register(this, username, name);
  }

  /** A few at a time: each registration costs the server a password hash. */
  async users(...names: string[]): Promise<Person[]> {
    const people: Person[] = [];
    for (let from = 0; from < names.length; from += USERS_AT_ONCE) {
      const some = names.slice(from, from + USERS_AT_ONCE);
      people.push(...(await Promise.all(some.map((name) => this.user(name)))));
    }
    return people;
  }

  /** One session for every worker: opens more until each worker serves one; surplus is closed. */
  async sessionOnEachWorker(person: Person, options: ConnectOptions = {}): Promise<Session[]> {
    const { workers } = this.pids();
    const chosen = new Map<number, Session>();
    for (let i = 0; i < workers.length * 6 && chosen.size < workers.length; i++) {
      const session = await person.connects(options);
      const pid = this.workerOf(session);
      if (chosen.has(pid)) await session.disconnects();
      else chosen.set(pid, session);
    }
    if (chosen.size < workers.length) {
      await Promise.all([...chosen.values()].map((session) => session.disconnects()));
      throw new Error(`${workers.length * 6} connections reached ${chosen.size} workers only`);
    }
    return [...chosen.values()];
  }

  /** Log lines (JSON) of level `error` and above. */
  errorsLogged(): string[] {
    return this.stderr.split("\n").filter((line) => /"level":"(error|fatal)"/.test(line));
  }

  logTail(): string {
    const tail = `${this.stdout}\n${this.stderr}`.trim().split("\n").slice(-LOG_TAIL_LINES);
    return `--- the last of what it said ---\n${tail.join("\n")}`;
  }

  async closeSessions(): Promise<void> {
    await Promise.all([...this.sessions].map((session) => session.disconnects()));
  }

  /** SIGTERM; fails unless it exits with 0 in time and leaves no process behind. */
  async stop(): Promise<void> {
    await this.closeSessions();
    const all = this.processes();
    let problem: string | undefined;
    if (!this.hasExited) {
      this.signal("SIGTERM");
      try {
        const exit = await within("it exits after SIGTERM", this.exited, STOP_DEADLINE_MS);
        if (exit.code !== 0) problem = `it exited with ${exit.code ?? exit.signal}, not 0`;
      } catch (error) {
        problem = String(error);
      }
    }
    const left = all.filter(isAlive);
    for (const ref of left) kill(ref, "SIGKILL");
    if (left.length > 0) {
      problem ??= `left behind: ${left.map((ref) => `${ref.pid} ${ref.command}`).join("; ")}`;
    }
    await this.discard();
    const breaches = takeBreaches();
    if (breaches.length > 0) problem ??= `against the contract: ${breaches.join("; ")}`;
    if (problem !== undefined) throw new Error(`stop: ${problem}\n${this.logTail()}`);
  }

  /** Takes away whatever is left, without judging it. For tests that end it their own way. */
  async discard(): Promise<void> {
    await this.closeSessions();
    for (const ref of this.processes()) kill(ref, "SIGKILL");
    this.#process.release();
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }
}

export async function startTroupe(options: TroupeOptions = {}): Promise<Troupe> {
  const { child, place, cleanups } = await spawnTroupe(options, "pipe");
  const troupe = new Troupe(childProcess(child), place, cleanups);
  if (options.waitUntilReady !== false) {
    try {
      await troupe.untilReady();
    } catch (error) {
      await troupe.discard();
      throw error;
    }
  }
  return troupe;
}

/** Spawns it without waiting for it. `output` is a pipe, or the two files that it writes to. */
export async function spawnTroupe(
  options: TroupeOptions,
  output: "pipe" | [stdout: number, stderr: number],
): Promise<{ child: ChildProcess; place: TroupePlace; cleanups: (() => Promise<void>)[] }> {
  const tag = `TROUPE_TEST_RUN=${randomBytes(12).toString("hex")}`;
  const cleanups: (() => Promise<void>)[] = [];
  const dataDir = options.dataDir ?? (await scratchDir());
  if (options.dataDir === undefined) {
    cleanups.push(() => rm(dataDir, { recursive: true, force: true }));
  }
  const port = options.port ?? (await freePort());
  let databaseUrl = options.databaseUrl ?? null;
  if (databaseUrl === null && !options.embedded) {
    const database: TestDatabase = await createDatabase();
    databaseUrl = database.url;
    cleanups.push(() => database.stop());
  }
  const env: Record<string, string> = {
    PATH: process.env["PATH"] ?? "",
    HOME: process.env["HOME"] ?? "/",
    PORT: String(port),
    HOST: "127.0.0.1",
    WORKERS: String(options.workers ?? 2),
    DATA_DIR: dataDir,
    RATE_LIMITS: "off",
    CONNECTIONS_PER_ADDRESS_MAX: "1000000",
    ...(options.realPasswords !== true && { NODE_OPTIONS: `--import ${QUICK_PASSWORDS}` }),
    [tag.split("=")[0]!]: tag.split("=")[1]!,
  };
  if (databaseUrl !== null) {
    env["DATABASE_URL"] = databaseUrl;
    env["JWT_SECRET"] = JWT_SECRET;
  }
  if (options.tls !== undefined) {
    env["TLS_CERT"] = options.tls.cert;
    env["TLS_KEY"] = options.tls.key;
  }
  const [program, ...args] = options.command ?? [process.execPath, CLI, "start"];
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...env, ...options.env },
    stdio: output === "pipe" ? ["ignore", "pipe", "pipe"] : ["ignore", ...output],
    detached: true,
  });
  return { child, place: { tag, port, dataDir, databaseUrl, ca: options.tls?.ca }, cleanups };
}

/** A Troupe that is a child of this process. `output` reads what it has written. */
export function childProcess(
  child: ChildProcess,
  output: TroupeProcess["output"] = pipesOf(child),
): TroupeProcess {
  return {
    pid: child.pid!,
    get hasExited() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    exited: new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
    }),
    output,
    signal: (signal) => void child.kill(signal),
    release() {
      child.stdout?.destroy();
      child.stderr?.destroy();
    },
  };
}

function pipesOf(child: ChildProcess): TroupeProcess["output"] {
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.on("data", (chunk: Buffer) => {
      text[name] += chunk;
    });
  }
  return () => text;
}

export function scratchDir(): Promise<string> {
  return mkdtemp(join(tmpdir(), "troupe-test-"));
}

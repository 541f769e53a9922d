/**
 * The Redis of a run: a redis-server (or valkey-server) from the PATH on a port of its own, or
 * the one that REDIS_URL names. Each host reaches it through its own link; a server that is
 * not ours is "killed" and "paused" at the links.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { Link } from "./link.ts";
import { freePort } from "./ports.ts";
import { signal } from "./processes.ts";
import { redisProgram } from "./redis-program.ts";
import { until } from "./waiting.ts";

export interface RedisBox {
  /** Past the links. */
  directUrl: string;
  /** One for each host. */
  urls: string[];
  /** Null when it is not ours, or down. */
  pid(): number | null;
  kill(): Promise<void>;
  /** Resolves when it answers again; it has forgotten everything. */
  revive(): Promise<void>;
  pause(): void;
  resume(): void;
  cut(host: number): void;
  /** Connections stay and nothing passes. */
  freeze(host: number): void;
  mend(host: number): void;
  stop(): Promise<void>;
}

const UP_WITHIN_MS = 10_000;
const PING_WITHIN_MS = 1000;

export async function openRedis(
  scratchDir: string,
  hosts: number,
  mayInstall: boolean,
): Promise<RedisBox> {
  const given = process.env["REDIS_URL"];
  const url = given ? new URL(given) : null;
  const server = url === null ? await OwnRedis.start(scratchDir, mayInstall) : null;
  const target =
    url === null
      ? { host: "127.0.0.1", port: server!.port }
      : { host: url.hostname, port: Number(url.port || 6379) };
  const links: Link[] = [];
  for (let i = 0; i < hosts; i++) links.push(await Link.start(target));
  const setAll = (state: "open" | "cut" | "frozen") => {
    for (const link of links) link.set(state);
  };
  return {
    directUrl: url === null ? `redis://127.0.0.1:${server!.port}` : url.href,
    urls: links.map((link) => {
      const through = url === null ? new URL("redis://127.0.0.1") : new URL(url.href);
      through.hostname = "127.0.0.1";
      through.port = String(link.port);
      return through.href;
    }),
    pid: () => server?.pid ?? null,
    async kill() {
      if (server === null) setAll("cut");
      else await server.kill();
    },
    async revive() {
      if (server === null) setAll("open");
      else await server.launch();
    },
    pause() {
      if (server === null) setAll("frozen");
      else server.signal("SIGSTOP");
    },
    resume() {
      if (server === null) setAll("open");
      else server.signal("SIGCONT");
    },
    cut: (host) => links[host]!.set("cut"),
    freeze: (host) => links[host]!.set("frozen"),
    mend: (host) => links[host]!.set("open"),
    async stop() {
      for (const link of links) await link.close();
      server?.signal("SIGCONT");
      await server?.kill();
    },
  };
}

class OwnRedis {
  readonly port: number;
  readonly #program: string;
  readonly #dir: string;
  #child: ChildProcess | null = null;
  #isWanted = false;

  private constructor(program: string, dir: string, port: number) {
    this.#program = program;
    this.#dir = dir;
    this.port = port;
  }

  static async start(scratchDir: string, mayInstall: boolean): Promise<OwnRedis> {
    const program = await redisProgram(mayInstall);
    const dir = join(scratchDir, "redis");
    await mkdir(dir, { recursive: true });
    const redis = new OwnRedis(program, dir, await freePort());
    await redis.launch();
    return redis;
  }

  async launch(): Promise<void> {
    const settings = {
      port: this.port,
      bind: "127.0.0.1",
      dir: this.#dir,
      save: "",
      appendonly: "no",
    };
    const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]);
    const child = spawn(this.#program, args, { stdio: "ignore" });
    this.#child = child;
    this.#isWanted = true;
    child.once("exit", (code, signalName) => {
      // Nothing that follows in this run says anything about Troupe.
      const how = signalName ?? code;
      if (this.#isWanted) process.stderr.write(`\nRedis ended by itself (${how}): run it again\n`);
    });
    const failed = new Promise<never>((_, reject) => child.once("error", reject));
    const up = until(() => pong(this.port), UP_WITHIN_MS);
    if ((await Promise.race([up, failed])) === null) {
      throw new Error(`${this.#program} does not answer on port ${this.port}`);
    }
  }

  get pid(): number | null {
    return this.#isRunning() ? (this.#child?.pid ?? null) : null;
  }

  signal(name: NodeJS.Signals): void {
    if (this.#child?.pid !== undefined && this.#isRunning()) signal(this.#child.pid, name);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#isWanted = false;
    if (child === null || !this.#isRunning()) return;
    const gone = new Promise((done) => child.once("exit", done));
    this.signal("SIGKILL");
    await gone;
  }

  #isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }
}

function pong(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const settle = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.setTimeout(PING_WITHIN_MS, () => settle(false));
    socket.once("error", () => settle(false));
    socket.once("connect", () => socket.write("PING\r\n"));
    socket.once("data", (bytes) => settle(bytes.toString("latin1").startsWith("+PONG")));
  });
}

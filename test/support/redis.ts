/**
 * Redis for tests: `redis-server` or `valkey-server` from the PATH, on a free port, without a
 * word on disk; a cluster of three of them; and a wire to it that can be cut. Where none is
 * installed the tests that want one are skipped, with a sentence that says what to install.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Redis } from "ioredis";
import { eventually } from "./eventually.ts";
import { freeNodePort, freePort } from "./ports.ts";

const SERVER = onPath("redis-server") ?? onPath("valkey-server");
const CLI = onPath("redis-cli") ?? onPath("valkey-cli");

/** Null: tests with Redis can run. */
export const whyNoRedis =
  SERVER === null ? "Install redis-server or valkey-server 7 or newer for these tests." : null;
export const whyNoRedisCluster =
  whyNoRedis ??
  (CLI === null ? "Install redis-cli or valkey-cli as well for the tests with a cluster." : null);

const TRIES_MAX = 4;

export class RedisServer {
  readonly port: number;
  readonly url: string;
  readonly #args: string[];
  #child: ChildProcess | null = null;

  private constructor(port: number, args: string[]) {
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
    this.#args = args;
  }

  static async start(extra: string[] = [], drawsPort = freePort): Promise<RedisServer> {
    // Somebody outside these tests may have taken the port since it was looked at: another try.
    for (let tries = 1; ; tries++) {
      const port = await drawsPort();
      const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
      const server = new RedisServer(port, [...args, ...extra]);
      try {
        await server.comesBack();
        return server;
      } catch (error) {
        await server.dies();
        if (tries === TRIES_MAX) throw error;
      }
    }
  }

  /** Starts on the same port, empty. */
  async comesBack(): Promise<void> {
    if (SERVER === null) throw new Error(whyNoRedis ?? "");
    const child = spawn(SERVER, this.#args, { stdio: "ignore" });
    this.#child = child;
    await eventually("Redis answers", async () => {
      return child.exitCode !== null || (await this.asks("PING")) === "PONG";
    });
    if (child.exitCode !== null) throw new Error(`Redis ended with ${child.exitCode}`);
  }

  /** One command on a connection of its own. */
  async asks(command: string, ...args: string[]): Promise<unknown> {
    const redis = new Redis(this.port, "127.0.0.1", {
      lazyConnect: true,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
    });
    // It rejects as well.
    redis.on("error", () => undefined);
    try {
      await redis.connect();
      return await redis.call(command, ...args);
    } finally {
      redis.disconnect();
    }
  }

  async channels(pattern = "*"): Promise<string[]> {
    return (await this.asks("PUBSUB", "CHANNELS", pattern)) as string[];
  }

  freezes(): void {
    this.#child?.kill("SIGSTOP");
  }

  thaws(): void {
    this.#child?.kill("SIGCONT");
  }

  /** kill -9. */
  async dies(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }
}

export class RedisCluster {
  readonly servers: RedisServer[];
  readonly #folder: string;

  private constructor(servers: RedisServer[], folder: string) {
    this.servers = servers;
    this.#folder = folder;
  }

  static async start(): Promise<RedisCluster> {
    if (CLI === null) throw new Error(whyNoRedisCluster ?? "");
    const folder = await mkdtemp(join(tmpdir(), "troupe-test-redis-"));
    const servers: RedisServer[] = [];
    const cluster = new RedisCluster(servers, folder);
    try {
      await cluster.#form();
    } catch (error) {
      await cluster.dies();
      throw error;
    }
    return cluster;
  }

  async #form(): Promise<void> {
    const { servers } = this;
    for (const n of [0, 1, 2]) {
      const ofCluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
      const file = ["--dir", this.#folder, "--cluster-config-file", `nodes-${n}.conf`];
      servers.push(await RedisServer.start([...ofCluster, ...file], freeNodePort));
    }
    const nodes = servers.map(({ port }) => `127.0.0.1:${port}`);
    execFileSync(CLI ?? "", ["--cluster", "create", ...nodes, "--cluster-yes"], { stdio: "pipe" });
    await eventually(
      "the cluster is whole",
      async () => {
        const infos = await Promise.all(servers.map((server) => server.asks("CLUSTER", "INFO")));
        return infos.every((info) => String(info).includes("cluster_state:ok"));
      },
      20_000,
    );
  }

  get url(): string {
    return this.servers[0]!.url;
  }

  async channels(pattern = "*"): Promise<string[]> {
    const all = await Promise.all(
      this.servers.map((server) => server.asks("PUBSUB", "SHARDCHANNELS", pattern)),
    );
    return all.flat() as string[];
  }

  async dies(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.dies()));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** A TCP proxy to a port that can be cut or made silent, for its own clients only. */
export class Wire {
  readonly port: number;
  readonly url: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #isSilent = false;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
  }

  static async to(target: number): Promise<Wire> {
    const port = await freePort();
    const server = createServer();
    const wire = new Wire(server, port);
    server.on("connection", (near) => wire.#join(near, target));
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return wire;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Connections stay and nothing passes, as when a firewall forgets them. */
  goesSilent(): void {
    this.#isSilent = true;
    for (const socket of this.#sockets) socket.pause();
  }

  mends(): void {
    this.#isCut = false;
    this.#isSilent = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket, target: number): void {
    if (this.#isCut) {
      near.destroy();
      return;
    }
    const far = connect(target, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on("data", (chunk) => to.write(chunk));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      if (this.#isSilent) from.pause();
    }
  }
}

function onPath(name: string): string | null {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

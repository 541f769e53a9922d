/**
 * The embedded PostgreSQL: a real server with its data in the data directory, started by the
 * primary before the workers and stopped after them. The caller holds the directory's lock.
 *
 * A server that dies is started again on the same port, so the URL holds and every pool
 * recovers by itself; one that keeps dying is given up, which `exited` tells.
 * running → reviving → running | gone; any of them → stopping → gone.
 */
import { setTimeout as wait } from "node:timers/promises";
import { stopwatch, systemClock } from "../../base/clock.ts";
import { StartRefusal } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { later, type Monotonic } from "../../protocol/time.ts";
import { thaw } from "../copies/freeze.ts";
import { type Cluster, embeddedUrl, openCluster } from "./cluster.ts";
import { refuseMoved } from "./moved.ts";
import { stopOrphan } from "./orphan.ts";
import { freePort, launchServer, type Server } from "./server.ts";

export interface EmbeddedOptions {
  /** Absolute; exists. */
  dataDir: string;
  log: Log;
}

export interface EmbeddedExit {
  /** Whether `stop` was called before. */
  expected: boolean;
  /** For the log. */
  reason: string;
}

export interface EmbeddedPostgres {
  /** It contains the password: never log it. */
  url: string;
  /** The id of the server process that runs now; a restarted server has another. */
  pid(): number | null;
  /** Resolves when the server is gone and all that was committed is on disk. Idempotent. */
  stop(): Promise<void>;
  /** Settles once: after `stop`, or when the server keeps dying. */
  exited: Promise<EmbeddedExit>;
}

/** Deaths within this window count together. */
const WINDOW_MS = 60_000;
const DEATHS_MAX = 5;
const REVIVE_FIRST_MS = 50;
const PORT_TRIES_MAX = 10;
/** How long children of a killed server may take to notice. */
const IN_USE_MS = 10_000;
const IN_USE_POLL_MS = 100;

type State =
  | { at: "running"; server: Server }
  | { at: "reviving"; timer: NodeJS.Timeout | null }
  | { at: "stopping" }
  | { at: "gone" };

/** Refuses with StartRefusal, one sentence, where the database cannot be had. */
export async function startEmbedded({ dataDir, log }: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const elapsedMs = stopwatch();
  await refuseMoved(dataDir);
  const cluster = await openCluster(dataDir, log);
  await stopOrphan(cluster.path, log);
  const { server, port } = await launchAnywhere(cluster, log);
  const ms = Math.round(elapsedMs());
  log.info({ event: "postgres_started", path: cluster.path, port, pid: server.pid, ms });
  const embedded = new Embedded(cluster, port, server, log);
  try {
    // A move that was killed after its last row, or one that was undone.
    if (await thaw(embedded.url)) log.warn({ event: "postgres_moved_back", path: cluster.path });
  } catch (error) {
    await embedded.stop();
    throw error;
  }
  return embedded;
}

class Embedded implements EmbeddedPostgres {
  readonly url: string;
  readonly exited: Promise<EmbeddedExit>;
  readonly #cluster: Cluster;
  readonly #port: number;
  readonly #log: Log;
  readonly #deathsMs: Monotonic[] = [];
  #settle!: (exit: EmbeddedExit) => void;
  #state: State;
  #stopped: Promise<void> | null = null;
  #revival: Promise<void> = Promise.resolve();

  constructor(cluster: Cluster, port: number, server: Server, log: Log) {
    this.url = embeddedUrl(cluster.password, port);
    this.#cluster = cluster;
    this.#port = port;
    this.#log = log;
    this.exited = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#state = this.#run(server);
  }

  pid(): number | null {
    return this.#state.at === "running" ? this.#state.server.pid : null;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const before = this.#state;
    if (before.at === "gone") return;
    this.#state = { at: "stopping" };
    if (before.at === "running") await before.server.stop();
    if (before.at === "reviving") {
      if (before.timer !== null) clearTimeout(before.timer);
      await this.#revival;
    }
    this.#end({ expected: true, reason: "stopped" });
  }

  #run(server: Server): State {
    void server.ended.then(({ code, signal, complaint }) => {
      if (this.#state.at !== "running") return;
      const reason = complaint || (signal ?? `exit code ${code}`);
      this.#onDeath(reason);
    });
    return { at: "running", server };
  }

  #onDeath(reason: string): void {
    const nowMs = systemClock.monotonicMs();
    while (this.#deathsMs.length > 0 && this.#deathsMs[0]! < later(nowMs, -WINDOW_MS)) {
      this.#deathsMs.shift();
    }
    this.#deathsMs.push(nowMs);
    const deaths = this.#deathsMs.length;
    if (deaths > DEATHS_MAX) {
      this.#log.fatal({ event: "postgres_given_up", reason, deaths });
      this.#end({ expected: false, reason });
      return;
    }
    const inMs = REVIVE_FIRST_MS * 2 ** (deaths - 1);
    this.#log.error({ event: "postgres_died", reason, revive_in_ms: inMs });
    const timer = setTimeout(() => {
      this.#revival = this.#revive();
    }, inMs);
    this.#state = { at: "reviving", timer };
  }

  async #revive(): Promise<void> {
    this.#state = { at: "reviving", timer: null };
    const elapsedMs = stopwatch();
    let server: Server | null = null;
    let trouble = `port ${this.#port} is taken`;
    try {
      server = await launchAt(this.#cluster, this.#port, this.#log);
    } catch (error) {
      if (!(error instanceof StartRefusal)) throw error;
      trouble = error.message;
    }
    if (this.#isStopping()) {
      await server?.stop();
    } else if (server === null) {
      this.#onDeath(trouble);
    } else {
      this.#state = this.#run(server);
      const ms = Math.round(elapsedMs());
      this.#log.info({ event: "postgres_revived", pid: server.pid, ms });
    }
  }

  /** A call, because `stop` moves the state while others wait. */
  #isStopping(): boolean {
    return this.#state.at === "stopping";
  }

  #end(exit: EmbeddedExit): void {
    this.#state = { at: "gone" };
    this.#settle(exit);
  }
}

/** Null when the port is taken. */
async function launchAt(cluster: Cluster, port: number, log: Log): Promise<Server | null> {
  const elapsedMs = stopwatch();
  for (;;) {
    const launch = await launchServer(cluster, port, log);
    if (launch.outcome === "ready") return launch.server;
    if (launch.outcome === "port_taken") return null;
    if (elapsedMs() > IN_USE_MS) {
      throw new StartRefusal(
        `The embedded database in ${cluster.path} is still in use by processes of an earlier PostgreSQL.`,
      );
    }
    await wait(IN_USE_POLL_MS);
  }
}

/** Nothing keeps a free port free until PostgreSQL has bound it: another may be quicker. */
async function launchAnywhere(
  cluster: Cluster,
  log: Log,
): Promise<{ server: Server; port: number }> {
  for (let tries = 0; tries < PORT_TRIES_MAX; tries++) {
    const port = await freePort();
    const server = await launchAt(cluster, port, log);
    if (server !== null) return { server, port };
  }
  throw new StartRefusal("PostgreSQL found no free port on 127.0.0.1.");
}

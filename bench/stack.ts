/**
 * A server to measure: one of the bench's own with a PostgreSQL of its own, fresh for each
 * measurement, or one elsewhere. Both kinds of own server get the same embedded PostgreSQL with
 * the same settings, the same tables and the same number of workers. `stop` ends all that was
 * started, also after half a start.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { StartRefusal } from "../src/base/errors.ts";
import { createLogger } from "../src/base/log.ts";
import { startEmbedded } from "../src/storage/embedded/embedded.ts";
import { migrate } from "../src/storage/postgres/migrate.ts";
import type { Place } from "./fleet/lean-client.ts";
import { HttpTown } from "./http-town.ts";
import type { Subject } from "./meter.ts";
import { HostBox } from "./support/host-box.ts";
import { freePort } from "./support/ports.ts";
import type { Root } from "./support/process-figures.ts";
import { openRedis } from "./support/redis-box.ts";
import { SqlTown, type Town } from "./town.ts";

export type ServerKind = "troupe" | "plain";

export interface Stack extends Subject {
  /** Where its hosts listen; clients are spread over them. */
  places: Place[];
  /** The URL of the first place. */
  url: string;
  town: Town;
  /** False: a deployment elsewhere. */
  isOwn: boolean;
  /** 0 where it is not known. */
  workers: number;
  databaseUrl: string | null;
  stop(): Promise<void>;
}

const READY_MS = 5_000;
const PLAIN = fileURLToPath(new URL("./peers/plain.js", import.meta.url));

export interface StackOptions {
  workers: number;
  /** For its host, beside what every server gets. */
  env?: Record<string, string>;
  /** Of plain: HTTP is asked on a port past sticky. */
  isHttpApart?: boolean;
}

export async function startStack(kind: ServerKind, options: StackOptions): Promise<Stack> {
  const cleanups: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  };
  try {
    const scratchDir = await mkdtemp(join(tmpdir(), "troupe-bench-"));
    cleanups.push(() => rm(scratchDir, { recursive: true, force: true }));
    const database = await startDatabase();
    cleanups.push(database.stop);
    const secret = randomBytes(32).toString("hex");
    const env: Record<string, string> = {
      DATABASE_URL: database.url,
      JWT_SECRET: secret,
      DATA_DIR: join(scratchDir, "host"),
      WORKERS: String(options.workers),
      RATE_LIMITS: "off",
      CONNECTIONS_PER_ADDRESS_MAX: "1000000",
      LOG_LEVEL: "warn",
      ACCESS_TOKEN_TTL_S: "86400",
      ...options.env,
    };
    const redis = kind === "plain" ? await openRedis(scratchDir, 0, false) : null;
    if (redis !== null) {
      cleanups.push(redis.stop);
      env["REDIS_URL"] = redis.directUrl;
    }
    const port = await freePort();
    const apiPort = options.isHttpApart === true ? await freePort() : null;
    if (apiPort !== null) env["API_PORT"] = String(apiPort);
    const logPath = join(scratchDir, "host.log");
    const args = kind === "plain" ? { args: [PLAIN] } : {};
    const host = new HostBox({ index: 0, port, env, logPath, ...args });
    cleanups.push(() => host.stop());
    await started(host, logPath);
    const pids = (): [Root["kind"], number | null][] => [
      ["host", host.pid],
      ["postgres", database.pid()],
      ["redis", redis?.pid() ?? null],
    ];
    const asked = apiPort ?? port;
    return {
      name: kind,
      places: [{ host: "127.0.0.1", port: asked, isTls: false }],
      url: `http://127.0.0.1:${asked}`,
      town: new SqlTown(database.url, secret),
      isOwn: true,
      workers: options.workers,
      databaseUrl: database.url,
      roots: () => pids().flatMap(([kind, pid]) => (pid === null ? [] : [{ kind, pid }])),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

export interface Database {
  url: string;
  pid(): number | null;
  stop(): Promise<void>;
}

/** An embedded PostgreSQL with Troupe's settings and tables, and nothing in them. */
export async function startDatabase(): Promise<Database> {
  const dataDir = await mkdtemp(join(tmpdir(), "troupe-bench-database-"));
  const remove = () => rm(dataDir, { recursive: true, force: true });
  try {
    const log = createLogger({ level: "fatal", name: "bench" });
    const database = await startEmbedded({ dataDir, log });
    const stop = async () => {
      await database.stop();
      await remove();
    };
    try {
      await migrate(database.url);
    } catch (error) {
      await stop();
      throw error;
    }
    return { url: database.url, pid: () => database.pid(), stop };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The log is deleted with the scratch directory, so its end becomes part of the error. */
async function started(host: HostBox, logPath: string): Promise<void> {
  try {
    await host.start();
  } catch (error) {
    const said = (await readFile(logPath, "utf8")).trim().split("\n").slice(-5).join("\n");
    throw new Error(`the server did not start:\n${said}`, { cause: error });
  }
}

/** A deployment elsewhere: its processes cannot be seen, and its people are registered. */
export async function remoteStack(targets: readonly string[]): Promise<Stack> {
  const origins = targets.map((target) => new URL(target).origin);
  for (const origin of origins) {
    try {
      const answer = await fetch(`${origin}/readyz`, { signal: AbortSignal.timeout(READY_MS) });
      if (!answer.ok) throw new StartRefusal(`${origin}/readyz answers ${answer.status}.`);
    } catch (error) {
      if (error instanceof StartRefusal) throw error;
      throw new StartRefusal(`Nobody answers at ${origin}.`, { cause: error });
    }
  }
  return {
    name: new URL(origins[0]!).host,
    places: origins.map(placeOf),
    url: origins[0]!,
    town: new HttpTown(origins[0]!),
    isOwn: false,
    workers: 0,
    databaseUrl: null,
    roots: () => [],
    stop: async () => undefined,
  };
}

function placeOf(origin: string): Place {
  const { hostname, port, protocol } = new URL(origin);
  const isTls = protocol === "https:";
  return { host: hostname, port: Number(port || (isTls ? 443 : 80)), isTls };
}

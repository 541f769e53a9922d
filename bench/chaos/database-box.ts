/**
 * The PostgreSQL of a run: the product's own embedded one in a scratch directory, or a database
 * made in the server that DATABASE_URL names. That server must not be stopped, so it stands
 * behind a link that can be cut. Faults treat both alike.
 */
import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { StartRefusal } from "../../src/base/errors.ts";
import type { Log } from "../../src/base/log.ts";
import { startEmbedded } from "../../src/storage/embedded/embedded.ts";
import { Link } from "../support/link.ts";
import { descendantsOf, signal } from "../support/processes.ts";
import { SmallDisk } from "../support/small-disk.ts";
import { until } from "../support/waiting.ts";

export interface DatabaseBox {
  url: string;
  /** Ends all connections at once; resolves, when it answers again, with a sentence on how. */
  crash(signalName: "SIGKILL" | "SIGINT" | "SIGQUIT"): Promise<string>;
  pause(): void;
  resume(): void;
  /** The disk that holds its files; null where it is not a small one of its own. */
  disk: SmallDisk | null;
  /** Makes one more database in it; the URL. */
  another(): Promise<string>;
  /** Resolves when its processes and files are gone. */
  stop(): Promise<void>;
}

const BACK_WITHIN_MS = 20_000;
/** How long a server that must not be stopped stays unreachable. */
const AWAY_MS = 1500;
/** A new cluster takes 60 MB, the log of its writes up to 1 GB where there is room. */
const DISK_MB = 512;

/** `onSmallDisk`: the fault that fills it is among those of the run. */
export async function openDatabase(
  scratchDir: string,
  log: Log,
  onSmallDisk: boolean,
): Promise<DatabaseBox> {
  const given = process.env["DATABASE_URL"];
  if (!given) return openEmbedded(scratchDir, log, onSmallDisk);
  if (!onSmallDisk) return openGiven(given);
  throw new StartRefusal("disk-full fills the disk of an own PostgreSQL: unset DATABASE_URL.");
}

async function openEmbedded(
  scratchDir: string,
  log: Log,
  onSmallDisk: boolean,
): Promise<DatabaseBox> {
  const dataDir = join(scratchDir, "postgres");
  await mkdir(dataDir, { recursive: true });
  const disk = onSmallDisk ? SmallDisk.mount(dataDir, DISK_MB) : null;
  if (typeof disk === "string") throw new StartRefusal(disk);
  let server: Awaited<ReturnType<typeof startEmbedded>>;
  try {
    server = await startEmbedded({ dataDir, log });
  } catch (error) {
    disk?.unmount();
    throw error;
  }
  const paused = new Set<number>();
  const resume = () => {
    for (const pid of paused) signal(pid, "SIGCONT");
    paused.clear();
  };
  return {
    url: server.url,
    async crash(signalName) {
      const pid = server.pid();
      if (pid === null) throw new Error("PostgreSQL is down already");
      signal(pid, signalName);
      const isBack = async () => server.pid() !== pid && (await answers(server.url));
      const ms = await until(isBack, BACK_WITHIN_MS);
      if (ms === null) throw new Error(`PostgreSQL is not back ${BACK_WITHIN_MS} ms after a kill`);
      return `${signalName}, back after ${ms} ms`;
    },
    pause() {
      const pid = server.pid();
      if (pid === null) return;
      // The postmaster is stopped first, so that it cannot start another backend meanwhile.
      for (const one of [pid, ...descendantsOf(pid).map((ref) => ref.pid)]) {
        if (signal(one, "SIGSTOP")) paused.add(one);
      }
    },
    resume,
    disk,
    another: () => makeAnother(server.url),
    async stop() {
      resume();
      await server.stop();
      disk?.unmount();
    },
  };
}

async function openGiven(given: string): Promise<DatabaseBox> {
  const name = `troupe_chaos_${randomBytes(6).toString("hex")}`;
  const direct = new URL(given);
  try {
    await administer(given, `CREATE DATABASE ${name}`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StartRefusal(`DATABASE_URL cannot be used: ${why}.`, { cause: error });
  }
  const link = await Link.start({ host: direct.hostname, port: Number(direct.port || 5432) });
  const through = new URL(given);
  through.hostname = "127.0.0.1";
  through.port = String(link.port);
  through.pathname = `/${name}`;
  const others: string[] = [];
  return {
    url: through.href,
    disk: null,
    async another() {
      const url = await makeAnother(given);
      others.push(new URL(url).pathname.slice(1));
      return url;
    },
    async crash() {
      link.set("cut");
      await until(() => false, AWAY_MS);
      link.set("open");
      return `all connections cut for ${AWAY_MS} ms`;
    },
    pause: () => link.set("frozen"),
    resume: () => link.set("open"),
    async stop() {
      await link.close();
      for (const made of [name, ...others]) {
        await administer(given, `DROP DATABASE IF EXISTS ${made} WITH (FORCE)`);
      }
    },
  };
}

async function makeAnother(server: string): Promise<string> {
  const name = `troupe_chaos_${randomBytes(6).toString("hex")}`;
  await administer(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

async function answers(url: string): Promise<boolean> {
  try {
    await administer(url, "SELECT 1");
    return true;
  } catch (error) {
    // It is starting up, or refuses or resets the connection: try again.
    if (error instanceof Error) return false;
    throw error;
  }
}

async function administer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  // A connection that breaks also fails the query under way, which reports it.
  client.on("error", () => undefined);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

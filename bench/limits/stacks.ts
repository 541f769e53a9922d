/** The servers of `troupe bench limits`: bare ones, a database alone, Troupe past its door. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Stack, startDatabase, startStack } from "../stack.ts";
import { HostBox } from "../support/host-box.ts";
import { freePort, freePorts } from "../support/ports.ts";
import type { Resident, Town } from "../town.ts";

const BARE = fileURLToPath(new URL("./bare-server.js", import.meta.url));
const DIRECT = new URL("./direct-port.js", import.meta.url).href;

const ANSWER_MS = 5_000;

/** Needs nobody to exist: whatever is asked for is there. */
const GHOST_TOWN: Town = {
  people: async (count) =>
    Array.from({ length: count }, (_, i): Resident => ({ id: String(i + 1), token: "none" })),
  conversations: async (lists) => lists.map((_, i) => String(i + 1)),
  channel: async () => "1",
  messages: async () => undefined,
  posts: async (authors) => authors.map((_, i) => String(i + 1)),
  follows: async () => undefined,
  settle: async () => undefined,
};

export async function startBare(mode: "raw" | "ws", workers: number): Promise<Stack> {
  const scratchDir = await mkdtemp(join(tmpdir(), "troupe-bench-"));
  const port = await freePort();
  const host = new HostBox({
    index: 0,
    port,
    env: { BARE: mode, WORKERS: String(workers) },
    logPath: join(scratchDir, "host.log"),
    args: [BARE],
  });
  const stop = async () => {
    await host.stop();
    await rm(scratchDir, { recursive: true, force: true });
  };
  try {
    await host.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    name: mode,
    places: [{ host: "127.0.0.1", port, isTls: false }],
    url: `http://127.0.0.1:${port}`,
    town: GHOST_TOWN,
    isOwn: true,
    workers,
    databaseUrl: null,
    roots: () => (host.pid === null ? [] : [{ kind: "host", pid: host.pid }]),
    stop,
  };
}

export async function startDatabaseAlone(workers: number): Promise<Stack> {
  const database = await startDatabase();
  return {
    name: "postgres",
    places: [],
    url: "",
    town: GHOST_TOWN,
    isOwn: true,
    workers,
    databaseUrl: database.url,
    roots: () => {
      const pid = database.pid();
      return pid === null ? [] : [{ kind: "postgres", pid }];
    },
    stop: database.stop,
  };
}

/** Troupe, asked at its workers' own ports. */
export async function startPastDoor(workers: number): Promise<Stack> {
  const first = await freePorts(workers + 1);
  const stack = await startStack("troupe", {
    workers,
    env: { NODE_OPTIONS: `--import=${DIRECT}`, BENCH_DIRECT_PORT: String(first) },
  });
  const places = Array.from({ length: workers }, (_, i) => ({
    host: "127.0.0.1",
    port: first + 1 + i,
    isTls: false,
  }));
  try {
    for (const { host, port } of places) await answers(`http://${host}:${port}/healthz`);
  } catch (error) {
    await stack.stop();
    throw error;
  }
  return { ...stack, places };
}

/** Else something other than the API would be measured. */
async function answers(url: string): Promise<void> {
  const { status } = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
  if (status !== 200) throw new Error(`${url} answers ${status}: not the API's own port`);
}

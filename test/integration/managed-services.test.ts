/** Starts that cannot work, or with rights kept back as managed services do: told in sentences. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { PgBouncer, whyNoPgBouncer } from "../support/pgbouncer.ts";
import { freePort } from "../support/ports.ts";
import { createDatabase, startPostgres, type TestDatabase } from "../support/postgres.ts";
import { RedisServer, whyNoRedis } from "../support/redis.ts";
import { LimitedRole } from "../support/role.ts";
import { JWT_SECRET } from "../support/tokens.ts";

const CLI = fileURLToPath(new URL("../../dist/src/cli.js", import.meta.url));
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

function runs(args: string[], env: Record<string, string>, limit = ""): Promise<Ran> {
  const base = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/", JWT_SECRET };
  const line = `${limit} exec "$0" "$@"`;
  return new Promise((resolve) => {
    execFile(
      "sh",
      ["-c", line, process.execPath, CLI, ...args],
      { env: { ...base, LOG_LEVEL: "error", ...env }, timeout: 30_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

async function keep<T extends { stop(): Promise<unknown> }>(work: Promise<T>): Promise<T> {
  const made = await work;
  cleanups.push(() => made.stop());
  return made;
}

if (whyNoPgBouncer !== null) console.warn(`PgBouncer skipped: ${whyNoPgBouncer}`);

describe.skipIf(whyNoPgBouncer !== null)("behind PgBouncer", () => {
  it("[PLR1] transaction mode is refused in a sentence by start, migrate and the doctor", async () => {
    const database = await keep<TestDatabase>(createDatabase());
    const bouncer = await keep(PgBouncer.before(database.url, "transaction"));
    const env = { DATABASE_URL: bouncer.url, PORT: String(await freePort()) };
    for (const word of ["start", "migrate"]) {
      const { code, stderr } = await runs([word], env);
      expect([word, code]).toEqual([word, 1]);
      expect(stderr).toContain("connection pooler in transaction mode");
      expect(stderr).not.toMatch(/\n\s+at /);
    }
    const { code, stdout } = await runs(["doctor"], env);
    expect([code, stdout]).toEqual([1, expect.stringContaining("pooler in transaction mode")]);
  });

  it("[PLR2] session mode serves", async () => {
    const database = await keep<TestDatabase>(createDatabase());
    const bouncer = await keep(PgBouncer.before(database.url, "session"));
    const troupe: Troupe = await keep(startTroupe({ workers: 1, databaseUrl: bouncer.url }));
    const [ann, ben] = await troupe.users("ann", "ben");
    await ann!.startsGroup(ben!);
  });
});

describe("rights and limits", () => {
  it("[MNG1] a role that may not create tables is told so, without a stack", async () => {
    const database = await keep(startPostgres());
    const role = await LimitedRole.on(database);
    cleanups.push(() => role.discard());
    await role.does(`REVOKE ALL ON SCHEMA public FROM ${role.name}, PUBLIC`);
    await role.does(`GRANT USAGE ON SCHEMA public TO ${role.name}`);
    const { code, stderr } = await runs(["start"], { DATABASE_URL: role.url, PORT: "0" });
    expect(code).toBe(1);
    expect(stderr).toContain("GRANT CREATE ON SCHEMA public");
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it("[MNG2] a start with too few descriptors ends in a sentence", async () => {
    const { code, stderr } = await runs(["start"], { PORT: "0" }, "ulimit -n 160;");
    expect(code).toBe(1);
    expect(stderr).toContain("may open only 160 files (ulimit -n)");
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

if (whyNoRedis !== null) console.warn(`Redis with few rights skipped: ${whyNoRedis}`);

describe.skipIf(whyNoRedis !== null)("Redis", () => {
  it("[MNG3] a user without @dangerous and INFO suffices", async () => {
    const redis = await RedisServer.start();
    cleanups.push(() => redis.dies());
    const rights = ["on", ">secret", "~*", "&*", "+@all", "-@dangerous", "-@admin", "-info"];
    await redis.asks("ACL", "SETUSER", "troupe", ...rights);
    const url = redis.url.replace("redis://", "redis://troupe:secret@");
    const troupe = await keep(startTroupe({ workers: 1, env: { REDIS_URL: url } }));
    await eventually("it joined", async () => {
      return (await troupe.http.get<{ status: string }>("/readyz")).body.status === "ready";
    });
    const doctor = await runs(["doctor"], { REDIS_URL: url, DATABASE_URL: troupe.databaseUrl! });
    expect(doctor.stdout).toContain("may not use INFO");
    expect(doctor.stdout).not.toMatch(/FAIL {2}Redis/);
  });
});

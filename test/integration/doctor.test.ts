/**
 * `troupe doctor` against the real thing: a PostgreSQL, a Redis, ports, certificates and key
 * servers that work, and each of them not.
 */
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { examine } from "../../src/commands/doctor/doctor.ts";
import type { Finding } from "../../src/commands/doctor/finding.ts";
import { startTroupe } from "../support/cluster.ts";
import { freePort } from "../support/ports.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { RedisServer, whyNoRedis } from "../support/redis.ts";
import { JWT_SECRET } from "../support/tokens.ts";

const CLI = fileURLToPath(new URL("../../dist/src/cli.js", import.meta.url));

type Env = Record<string, string>;

let folder: string;
let database: TestDatabase;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "troupe-doctor-"));
  database = await createDatabase();
});
afterAll(async () => {
  await database?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** With a port and a database that work, unless said otherwise. */
async function finds(env: Env = {}): Promise<Map<string, Finding>> {
  const base = { PORT: String(await freePort()), HOST: "127.0.0.1", WORKERS: "1" };
  const own = { DATABASE_URL: database.url, JWT_SECRET };
  const findings = await examine({ ...base, ...own, ...env }, systemClock.wallMs());
  return new Map(findings.map((finding) => [finding.check, finding]));
}

/** `troupe doctor` as it is typed. */
function types(args: string[], env: Env): Promise<{ code: number; stdout: string }> {
  const { PATH = "", HOME = "/" } = process.env;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [CLI, "doctor", ...args],
      { env: { PATH, HOME, ...env }, timeout: 30_000 },
      (error, stdout) =>
        resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout }),
    );
  });
}

describe("troupe doctor", () => {
  test("[DOC] a good environment has no failure, exit code 0, and reads as JSON", async () => {
    const env = {
      PORT: String(await freePort()),
      HOST: "127.0.0.1",
      WORKERS: "1",
      DATABASE_URL: database.url,
      JWT_SECRET,
    };
    const { code, stdout } = await types(["--json"], env);
    const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: Finding[] };
    expect(findings.filter(({ state }) => state === "fail")).toEqual([]);
    expect({ ok, code }).toEqual({ ok: true, code: 0 });
    expect(findings.map(({ check }) => check)).toEqual(
      expect.arrayContaining(["Node.js", "variables", "port", "database", "migrations", "memory"]),
    );
    expect(stdout).not.toContain(JWT_SECRET);
  });

  test("[DOC] a failure is exit code 1, and says what to do", async () => {
    const { code, stdout } = await types([], { PORT: "99999", JWT_SECRET: "short" });
    expect(code).toBe(1);
    expect(stdout).toMatch(/FAIL {2}PORT .*\n\s+→ should be a whole number/);
    expect(stdout).toMatch(/FAIL {2}JWT_SECRET/);
    expect(stdout).not.toContain('"short"');
  });

  test("[DOC] a database that cannot be reached, and one that is not migrated", async () => {
    const closed = `postgres://nobody@127.0.0.1:${await freePort()}/none`;
    expect((await finds({ DATABASE_URL: closed })).get("database")).toMatchObject({
      state: "fail",
      found: expect.stringContaining("ECONNREFUSED"),
    });
    const found = await finds();
    expect(found.get("database")).toMatchObject({ state: "ok" });
    expect(found.get("connections")!.found).toMatch(/\d+ of \d+ free/);
    expect(found.get("migrations")!.state).toBe("ok");
    // 256 workers want more than any PostgreSQL here gives.
    expect((await finds({ WORKERS: "256" })).get("connections")!.state).toBe("warn");
  });

  test.skipIf(whyNoRedis !== null)("[DOC] a Redis that works, evicts, and is away", async () => {
    const redis = await RedisServer.start();
    try {
      const found = await finds({ REDIS_URL: redis.url });
      expect(
        ["Redis", "its eviction", "its latency"].map((name) => found.get(name)?.state),
      ).toEqual(["ok", "ok", "ok"]);
      await redis.asks("CONFIG", "SET", "maxmemory", "100mb");
      await redis.asks("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
      expect((await finds({ REDIS_URL: redis.url })).get("its eviction")!.state).toBe("warn");
    } finally {
      await redis.dies();
    }
    expect((await finds({ REDIS_URL: redis.url })).get("Redis")!.state).toBe("fail");
  });

  test("[DOC] a port that another program has; one that a Troupe has is no trouble", async () => {
    const other = createServer((socket) => socket.resume().end("hello\n"));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = other.address() as AddressInfo;
      expect((await finds({ PORT: String(port) })).get("port")).toMatchObject({ state: "fail" });
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
    const troupe = await startTroupe({ workers: 1 });
    try {
      const found = await finds({ PORT: String(troupe.port) });
      expect(found.get("port")).toMatchObject({
        state: "ok",
        found: expect.stringContaining("running Troupe"),
      });
    } finally {
      await troupe.stop();
    }
  });

  test("[DOC] a data directory that cannot be, and one that can and is left as it was", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    const env = { DATABASE_URL: "", JWT_SECRET: "" };
    const inFile = await finds({ ...env, DATA_DIR: join(file, "deeper") });
    expect(inFile.get("DATA_DIR")).toMatchObject({ state: "fail" });
    const good = await finds({ ...env, DATA_DIR: join(folder, "new") });
    expect(good.get("DATA_DIR")!.state).toBe("ok");
    expect(good.get("disk")!.state).not.toBe("fail");
    expect(good.get("embedded PostgreSQL")!.state).toBe("ok");
  });

  test("[DOC] a certificate with its key, one about to expire, and one of another key", async () => {
    const pair = (name: string, days: string): { TLS_CERT: string; TLS_KEY: string } => {
      const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
      const subject = ["-subj", `/CN=${name}.example`, "-days", days];
      const make = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
      ];
      execFileSync("openssl", [...make, ...subject, "-keyout", key, "-out", cert], {
        stdio: "ignore",
      });
      return { TLS_CERT: cert, TLS_KEY: key };
    };
    const long = pair("long", "365");
    const found = await finds(long);
    expect([found.get("TLS")!.state, found.get("certificate")!.state]).toEqual(["ok", "ok"]);
    const soon = pair("soon", "5");
    expect((await finds(soon)).get("certificate")!.state).toBe("warn");
    const mixed = await finds({ TLS_CERT: long.TLS_CERT, TLS_KEY: soon.TLS_KEY });
    expect([...mixed.values()].filter(({ state }) => state === "fail")).toHaveLength(1);
  });

  test("[DOC] an issuer's keys that can be fetched, are none, or cannot", async () => {
    let answer = { status: 200, body: JSON.stringify({ keys: [{ kty: "OKP" }] }) };
    const issuer = createHttpServer((_request, response) => {
      response.writeHead(answer.status, { "content-type": "application/json" }).end(answer.body);
    });
    await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
    const env = {
      JWT_JWKS_URL: `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/keys`,
    };
    const state = async () => (await finds(env)).get("issuer's keys")!.state;
    try {
      expect(await state()).toBe("ok");
      answer = { status: 200, body: JSON.stringify({ keys: [] }) };
      expect(await state()).toBe("fail");
      answer = { status: 500, body: "" };
      expect(await state()).toBe("fail");
    } finally {
      issuer.closeAllConnections();
      await new Promise((resolve) => issuer.close(resolve));
    }
    expect(await state()).toBe("fail");
  });
});

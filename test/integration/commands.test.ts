/** `troupe token` and `troupe recount`, beside a running server and without one. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Notification } from "../../src/protocol/social.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { rowsOf } from "../support/crowd.ts";
import { expectStatus } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";
import { claimsOf, JWT_SECRET } from "../support/tokens.ts";

const CLI = fileURLToPath(new URL("../../dist/src/cli.js", import.meta.url));

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

function runs(args: string[], env: Record<string, string>): Promise<Ran> {
  const base = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/" };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [CLI, ...args],
      { env: { ...base, LOG_LEVEL: "error", ...env } },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

const DAY_S = 86_400;

describe("with a database of one's own", () => {
  const troupe = troupeForFile({ workers: 1 });
  const env = () => ({ DATABASE_URL: troupe().databaseUrl!, JWT_SECRET });

  it("[CMD1] token prints a service token and nothing else; the API takes it", async () => {
    const ann = await troupe().user("ann");
    const ran = await runs(
      ["token", "--scope", "notify,admin", "--sub", "shop", "--ttl", "12h"],
      env(),
    );
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    expect(ran.stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const token = ran.stdout.trim();
    const claims = claimsOf(token);
    expect(claims).toMatchObject({ sub: "shop", scope: "notify admin", iss: "troupe" });
    expect(claims.exp! - claims.iat!).toBe(DAY_S / 2);
    const answer = await troupe().http.post<Notification>(
      "/api/notifications",
      { user_id: ann.id, type: "a", message: "m" },
      { headers: { authorization: `Bearer ${token}` } },
    );
    expectStatus(answer, 201);
    const plain = await runs(["token", "--scope", "notify"], env());
    const { exp, iat } = claimsOf(plain.stdout.trim());
    expect(exp! - iat!).toBe(30 * DAY_S);
  });

  it("[PLN9] capacity takes users from a running Troupe's metrics, and wants no configuration", async () => {
    const base = troupe().url;
    const ran = await runs(["capacity", "--from-metrics", base, "--for", "1s"], {});
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    expect(ran.stdout).toMatch(/^Measured +\d+ sessions use \d+\.\d\d cores/m);
    const elsewhere = await runs(["capacity", "--from-metrics", `${base}/healthz`], {});
    expect(elsewhere).toMatchObject({ code: 1, stdout: "" });
    expect(elsewhere.stderr).toMatch(/troupe_sessions is missing/);
  });

  it("[CMD2] what is wrong with the options is said in a sentence, with exit code 2", async () => {
    for (const [args, wanted] of [
      [["token"], /--scope/],
      [["capacity", "--users", "many"], /--users/],
      [["token", "--scope", "everything"], /--scope/],
      [["token", "--scope", "notify", "--sub", "42"], /--sub/],
      [["token", "--scope", "notify", "--ttl", "1y"], /--ttl/],
      [["token", "--scope", "notify", "--ttl", "4000d"], /--ttl/],
      [["token", "--scope", "notify", "more"], /more/],
      [["recount", "--fix"], /--fix/],
      [["start", "--now"], /--now/],
    ] as const) {
      const ran = await runs([...args], env());
      expect([ran.code, ran.stdout], args.join(" ")).toEqual([2, ""]);
      expect(ran.stderr.split("\n")[0]).toMatch(wanted);
    }
  });

  it("[CMD3] no token where an outside issuer signs", async () => {
    const outside = { ...env(), JWT_JWKS_URL: "http://127.0.0.1:1/keys" };
    const ran = await runs(["token", "--scope", "notify"], outside);
    expect([ran.code, ran.stdout]).toEqual([1, ""]);
    expect(ran.stderr).toMatch(/outside token issuer/);
  });

  it("[CMD4] recount finds what was counted wrong, mends it, and is then content", async () => {
    const ann = await troupe().user("ann");
    const post = await ann.publishes("hello");
    await ann.likes(post);
    expect(await runs(["recount"], env())).toEqual({
      code: 0,
      stdout: "Every count is right.\n",
      stderr: "",
    });
    await rowsOf(troupe(), "UPDATE posts SET like_count = 41 WHERE id = $1", [post.id]);
    const row = new RegExp(`^posts\\.like_count +${post.id} +41 +1$`, "m");
    const found = await runs(["recount"], env());
    expect(found.code).toBe(1);
    expect(found.stdout).toMatch(/^what +id +stored +counted$/m);
    expect(found.stdout).toMatch(row);
    const mended = await runs(["recount", "--mend"], env());
    expect(mended.code).toBe(0);
    expect(mended.stdout).toMatch(row);
    expect((await runs(["recount"], env())).code).toBe(0);
    expect(await ann.sees(post)).toMatchObject({ like_count: 1 });
  });
});

describe("with the embedded database", () => {
  let dataDir: string;
  let troupe: Troupe | undefined;
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "troupe-commands-"));
  });
  afterAll(async () => {
    await troupe?.discard();
    await rm(dataDir, { recursive: true, force: true });
  });

  it("[CMD5] before the first start both say that there is nothing yet, and make nothing", async () => {
    for (const args of [["token", "--scope", "notify"], ["recount"]]) {
      const ran = await runs(args, { DATA_DIR: dataDir });
      expect([ran.code, ran.stdout]).toEqual([1, ""]);
      expect(ran.stderr).toContain(dataDir);
      expect(ran.stderr.trim().split("\n")).toHaveLength(1);
    }
  });

  it("[CMD6] both work while the server runs and when it has stopped", async () => {
    troupe = await startTroupe({ embedded: true, dataDir, workers: 1 });
    const ann = await troupe.user("ann");
    await ann.likes(await ann.publishes("hello"));
    const minted = await runs(["token", "--scope", "notify"], { DATA_DIR: dataDir });
    expect([minted.code, minted.stderr]).toEqual([0, ""]);
    const answer = await troupe.http.post<Notification>(
      "/api/notifications",
      { user_id: ann.id, type: "a", message: "m" },
      { headers: { authorization: `Bearer ${minted.stdout.trim()}` } },
    );
    expectStatus(answer, 201);
    const right = { code: 0, stdout: "Every count is right.\n", stderr: "" };
    expect(await runs(["recount"], { DATA_DIR: dataDir })).toEqual(right);
    await troupe.stop();
    troupe = undefined;
    expect(await runs(["recount"], { DATA_DIR: dataDir })).toEqual(right);
    expect((await runs(["token", "--scope", "admin"], { DATA_DIR: dataDir })).code).toBe(0);
  });
});

/** `troupe user` and `troupe rotate-secret`, beside a running server and without one. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { expectStatus, type Login } from "../support/person.ts";
import { Service } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";
import { JWT_SECRET } from "../support/tokens.ts";

const CLI = fileURLToPath(new URL("../../dist/src/cli.js", import.meta.url));
const PASSWORD = "plum and thistle";

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

function runs(args: string[], env: Record<string, string>, input = ""): Promise<Ran> {
  const base = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/" };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [CLI, ...args],
      { env: { ...base, LOG_LEVEL: "error", ...env } },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
    child.stdin?.end(input);
  });
}

describe("beside a running server", () => {
  const troupe = troupeForFile({ workers: 1, realPasswords: true });
  const user = (args: string[], input = "") =>
    runs(
      ["user", ...args],
      { DATABASE_URL: troupe().databaseUrl!, JWT_SECRET, REGISTRATION: "off" },
      input,
    );
  const login = (username: string, password: string) =>
    troupe().http.post<Login>("/api/auth/login", { username, password });

  it("[UCM1] a user is made with a password from standard input, or one that is shown", async () => {
    const made = await user(["create", "Yara", "--name", "Yara Y", "--password-stdin"], PASSWORD);
    expect([made.code, made.stderr]).toEqual([0, ""]);
    expect(made.stdout).toMatch(/^User \d+ is yara\.\n$/);
    const signedIn = expectStatus(await login("yara", PASSWORD), 200);
    expect(signedIn.user).toMatchObject({ username: "yara", display_name: "Yara Y" });
    const shown = await user(["create", "zeno"]);
    const password = /^Password: (\S+)\n/.exec(shown.stdout)?.[1] ?? "";
    expectStatus<unknown>(await login("zeno", password), 200);
    for (const [args, input] of [
      [["create", "yara"], ""],
      [["create", "admin"], ""],
      [["create", "weak", "--password-stdin"], "password1"],
      [["create", "weak", "--password-stdin"], "short"],
      [["password", "nobody_here"], ""],
    ] as const) {
      expect((await user([...args], input)).code, args.join(" ")).toBe(1);
    }
    for (const args of [
      [],
      ["make", "x"],
      ["create"],
      ["create", "a b"],
      ["list", "--name", "x"],
    ]) {
      expect((await user(args)).code, args.join(" ")).toBe(2);
    }
  });

  it("[UCM2] a password is set, and every login ends on the running server", async () => {
    const person = await troupe().user("ann");
    const set = await user(["password", person.user.username, "--password-stdin"], PASSWORD);
    expect([set.code, set.stderr]).toEqual([0, ""]);
    await expect.poll(() => person.api.get("/api/me").then(({ status }) => status)).toBe(401);
    expectStatus<unknown>(await login(person.user.username, PASSWORD), 200);
  });

  it("[UCM3] a user is suspended and restored, listed, and all of it is in the audit log", async () => {
    const person = await troupe().user("ben");
    const { username } = person.user;
    const status = () => person.api.get("/api/me").then((answer) => answer.status);
    expect((await user(["suspend", username, "--reason", "spam"])).code).toBe(0);
    await expect.poll(status).toBe(403);
    expect((await user(["list", "--suspended"])).stdout).toContain(username);
    expect((await user(["restore", username])).code).toBe(0);
    await expect.poll(status).toBe(200);
    expect((await user(["list", "--suspended"])).stdout).not.toContain(username);
    expect((await user(["list"])).stdout).toContain(username);
    const admin = await Service.of(troupe(), "admin");
    const audit = await admin.api.get<{ items: { act: string; actor: string }[] }>(
      `/api/audit?target=user:${person.id}`,
    );
    expect(expectStatus(audit, 200).items.map(({ act }) => act)).toEqual([
      "restore_user",
      "suspend_user",
    ]);
  });

  it("[UCM4] a user is erased, and an operator sees how far that is", async () => {
    const person = await troupe().user("dora");
    const { username } = person.user;
    expect((await user(["delete", username])).stderr).toContain("--messages");
    const deleted = await user(["delete", username, "--messages", "erase"]);
    expect([deleted.code, deleted.stderr]).toEqual([0, ""]);
    const job = /Job (\d+)/.exec(deleted.stdout)?.[1] ?? "";
    await expect.poll(async () => (await person.api.get("/api/me")).status).toBe(403);
    const admin = await Service.of(troupe(), "admin");
    const state = async () =>
      expectStatus(await admin.api.get<{ state: string }>(`/api/jobs/${job}`), 200).state;
    await expect.poll(state, { timeout: 20_000 }).toBe("done");
    expect((await user(["list"])).stdout).not.toContain(username);
    expect((await user(["restore", `erased.${person.id}`])).code).toBe(1);
  });
});

it("[ROT4] a new secret is put before the generated one, or in its place", async () => {
  const dir = await mkdtemp(join(tmpdir(), "troupe-rotate-"));
  const file = join(dir, "data", "jwt-secret");
  const env = { DATA_DIR: join(dir, "data") };
  try {
    expect((await runs(["rotate-secret"], env)).code).toBe(1);
    await mkdir(env.DATA_DIR, { mode: 0o700 });
    const first = "a".repeat(64);
    await writeFile(file, `${first}\n`, { mode: 0o600 });
    expect((await runs(["rotate-secret"], env)).code).toBe(0);
    const [newest, ...older] = (await readFile(file, "utf8")).trim().split("\n");
    expect(older).toEqual([first]);
    expect(newest).toMatch(/^[0-9a-f]{64}$/);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const token = await runs(["token", "--scope", "notify"], env);
    expect(token.stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    expect((await runs(["rotate-secret", "--only"], env)).code).toBe(0);
    expect((await readFile(file, "utf8")).trim().split("\n")).toHaveLength(1);
    const set = await runs(["rotate-secret"], { ...env, JWT_SECRET: "x".repeat(40) });
    expect([set.code, set.stderr]).toEqual([1, expect.stringContaining("JWT_SECRET")]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

/** PgBouncer in front of a test's PostgreSQL: the one in PGBOUNCER, or that of the system. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";
import { administer } from "./postgres.ts";

const PROGRAM = [
  process.env["PGBOUNCER"] ?? "",
  "/usr/sbin/pgbouncer",
  "/usr/bin/pgbouncer",
  "/usr/local/bin/pgbouncer",
].find((path) => existsSync(path));

/** From 1.21 on it can keep the names of prepared statements for each client. */
export const KEEPS_NAMES =
  PROGRAM !== undefined &&
  isFrom(execFileSync(PROGRAM, ["--version"], { encoding: "utf8" }), [1, 21]);

function isFrom(text: string, [major, minor]: [number, number]): boolean {
  const [, first = "0", second = "0"] = /PgBouncer (\d+)\.(\d+)/.exec(text) ?? [];
  return Number(first) > major || (Number(first) === major && Number(second) >= minor);
}

/** Null: tests with PgBouncer can run. */
export const whyNoPgBouncer = PROGRAM === undefined ? "Install pgbouncer for these tests." : null;

export class PgBouncer {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
  }

  static async before(
    databaseUrl: string,
    mode: "transaction" | "session",
    poolSize = 20,
  ): Promise<PgBouncer> {
    if (PROGRAM === undefined) throw new Error(whyNoPgBouncer ?? "");
    const { hostname, port, username, password, pathname } = new URL(databaseUrl);
    const [user, secret] = [decodeURIComponent(username), decodeURIComponent(password)];
    const folder = await mkdtemp(join(tmpdir(), "troupe-pgbouncer-"));
    const listens = await freePort();
    const settings = [
      "[databases]",
      `* = host=${hostname} port=${port}`,
      "[pgbouncer]",
      "listen_addr = 127.0.0.1",
      `listen_port = ${listens}`,
      "unix_socket_dir =",
      "auth_type = plain",
      `auth_file = ${join(folder, "users")}`,
      `pool_mode = ${mode}`,
      "max_client_conn = 200",
      ...(KEEPS_NAMES ? ["max_prepared_statements = 200"] : []),
      `default_pool_size = ${poolSize}`,
      "",
    ];
    await writeFile(join(folder, "users"), `"${user}" "${secret}"\n`);
    await writeFile(join(folder, "ini"), settings.join("\n"));
    const isRoot = process.getuid?.() === 0;
    if (isRoot) {
      await chmod(folder, 0o755);
      await chmod(join(folder, "users"), 0o644);
    }
    // PgBouncer refuses to run as root.
    const args = [...(isRoot ? ["-u", "nobody"] : []), join(folder, "ini")];
    const child = spawn(PROGRAM, args, { stdio: "ignore" });
    const url = `postgres://${username}:${password}@127.0.0.1:${listens}${pathname}`;
    const bouncer = new PgBouncer(url, child, folder);
    try {
      await eventually("PgBouncer answers", () => administer(url, "SELECT 1"));
    } catch (error) {
      await bouncer.stop();
      throw error;
    }
    return bouncer;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = new Promise((resolve) => this.#child.once("exit", resolve));
      this.#child.kill("SIGKILL");
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

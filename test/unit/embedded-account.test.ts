/** The user that the embedded PostgreSQL runs as, on a system with few users. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import { unprivilegedAccount } from "../../src/storage/embedded/account.ts";

const log = createLogger({ level: "fatal", bindings: {} });
const path = process.env["PATH"];
let bin = "";

/** A system whose `id` knows these users, and where no user can be made. */
function systemWith(users: Readonly<Record<string, number>>): void {
  const cases = Object.entries(users).map(([name, uid]) => `${name}) echo ${uid};;`);
  const script = `#!/bin/sh\ncase "$2" in\n${cases.join("\n")}\n*) exit 1;;\nesac\n`;
  writeFileSync(join(bin, "id"), script);
  chmodSync(join(bin, "id"), 0o755);
}

beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), "troupe-account-"));
  process.env["PATH"] = bin;
});
afterEach(() => {
  process.env["PATH"] = path;
  rmSync(bin, { recursive: true });
});

test("user postgres comes before user troupe", async () => {
  systemWith({ postgres: 110, troupe: 998 });
  expect(await unprivilegedAccount(log)).toEqual({ uid: 110, gid: 110 });
  systemWith({ troupe: 998 });
  expect(await unprivilegedAccount(log)).toEqual({ uid: 998, gid: 998 });
});

test("[EMB16] never as nobody, whom other services share", async () => {
  systemWith({ nobody: 65534 });
  await expect(unprivilegedAccount(log)).rejects.toThrow("useradd --system troupe");
});

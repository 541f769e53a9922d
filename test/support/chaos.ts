/**
 * `troupe chaos` as a user runs it, with its own PostgreSQL and Redis, in a process group of
 * its own. Fails when the command leaves a process behind.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Judged } from "../../bench/chaos/checker.ts";
import type { FaultName } from "../../bench/chaos/fault-table.ts";
import type { History } from "../../bench/chaos/history.ts";
import { eventually } from "./eventually.ts";
import { isAlive, kill, taggedWith } from "./processes.ts";
import { promised } from "./promised.ts";
import { seedFor } from "./random.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CLI = join(ROOT, "dist/src/cli.js");
const SLACK_MS = promised(500, 2_000);

export interface ChaosOutcome {
  exitCode: number | null;
  /** Stdout and stderr together. */
  text: string;
  history: History;
  judged: Judged[];
}

export interface ChaosPlan {
  faults: FaultName[];
  hosts: number;
}

/** Runs each of the faults once; `title` names the test whose seed is printed. */
export async function chaosRun(title: string, { faults, hosts }: ChaosPlan): Promise<ChaosOutcome> {
  const seed = seedFor(title) % 2 ** 31;
  const outDir = await mkdtemp(join(tmpdir(), "troupe-chaos-test-"));
  const plan = ["--seed", `${seed}`, "--hosts", `${hosts}`, "--faults", faults.join(",")];
  plan.push("--slack-ms", `${SLACK_MS}`);
  try {
    const { exitCode, text } = await chaosCommand([...plan, "--people", "6", "--out", outDir]);
    const found = await readFile(join(outDir, `${seed}`, "history.json"), "utf8").catch(
      (error: unknown) => {
        throw new Error(`no history was written (${String(error)}):\n${text}`);
      },
    );
    const { judged, ...history } = JSON.parse(found) as History & { judged: Judged[] };
    return { exitCode, text, history, judged };
  } finally {
    await rm(outDir, { recursive: true, force: true });
  }
}

export function chaosCommand(args: string[]): Promise<{ exitCode: number | null; text: string }> {
  return harnessCommand("chaos", args);
}

/**
 * Runs the command to its end; rejects when a process of it is left. With `interruptAt` it gets
 * a Ctrl-C as soon as it has said so.
 */
export async function harnessCommand(
  word: "chaos" | "bench",
  args: string[],
  interruptAt?: string,
): Promise<{ exitCode: number | null; text: string }> {
  const tag = `TROUPE_TEST_RUN=${randomBytes(12).toString("hex")}`;
  const [name, value] = tag.split("=") as [string, string];
  const child = spawn(process.execPath, [CLI, word, ...args], {
    cwd: ROOT,
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: process.env["HOME"] ?? "/",
      ...(process.env["REDIS_URL"] ? { REDIS_URL: process.env["REDIS_URL"] } : {}),
      [name]: value,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  let isInterrupted = false;
  const collect = (chunk: Buffer) => {
    text += chunk;
    if (interruptAt === undefined || isInterrupted || !text.includes(interruptAt)) return;
    isInterrupted = true;
    child.kill("SIGINT");
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const exitCode = await new Promise<number | null>((done) => child.once("close", done));
  const left = taggedWith(tag);
  try {
    await eventually("nothing of the run is left", () => !left.some(isAlive));
  } catch (error) {
    for (const ref of left) kill(ref, "SIGKILL");
    throw new Error(`${String(error)}: ${left.map((ref) => ref.command).join("; ")}\n${text}`);
  }
  return { exitCode, text };
}

/** What a run must show, whatever its faults: all of them injected, every rule kept. */
export function brokenPromises({ judged }: ChaosOutcome): string[] {
  return judged.flatMap(({ id, title, findings }) =>
    findings.slice(0, 5).map(({ what }) => `${id} ${title}: ${what}`),
  );
}

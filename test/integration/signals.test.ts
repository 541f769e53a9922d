/**
 * Troupe as npm and npx start it receives the signals of process managers and terminals: its
 * sessions are asked to reconnect, it drains, and no process is left.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { eventually, within } from "../support/eventually.ts";
import { kill, taggedWith } from "../support/processes.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const STOPS_WITHIN_MS = 20_000;
const STARTS_WITHIN_MS = 30_000;

let troupe: Troupe | null = null;

afterEach(async () => {
  await troupe?.discard();
  troupe = null;
});

async function started(command: [string, ...string[]]): Promise<Troupe> {
  troupe = await startTroupe({ workers: 2, command });
  return troupe;
}

/** The process that was started: npm, or a shell around it. */
function pidOf(running: Troupe): number {
  return running.pids().primary;
}

describe("npm start", () => {
  it.each([
    ["SIGTERM", "npm", 1],
    ["SIGINT", "npm", 1],
    // A process manager, or Ctrl-C in a terminal: npm forwards what the server has received too.
    ["SIGTERM", "the whole group", -1],
    ["SIGINT", "the whole group", -1],
  ] as const)("[SIG3] %s to %s drains, and leaves nothing", async (signal, _whom, sign) => {
    const running = await started(["npm", "start"]);
    const ann = await running.user("ann");
    const session = await ann.connects();
    process.kill(sign * pidOf(running), signal);
    await session.next("server_draining");
    expect((await session.next("session_ended", undefined, STOPS_WITHIN_MS)).code).toBe(
      "server_draining",
    );
    const exit = await within("npm exits", running.exited, STOPS_WITHIN_MS);
    expect(exit, running.logTail()).toEqual({ code: 0, signal: null });
    expect(running.stderr).toContain('"event":"stopped"');
    await eventually("nothing of it is left", () => running.processes().length === 0);
  });

  it("[SIG3] the Procfile's command likewise, in a group that is told to stop", async () => {
    const running = await started(["sh", "-c", "npm start"]);
    process.kill(-pidOf(running), "SIGTERM");
    await eventually(
      "nothing of it is left",
      () => running.processes().length === 0,
      STOPS_WITHIN_MS,
    );
    expect(running.stderr).toContain('"event":"stopped"');
  });
});

describe("npx troupe", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "[SIG2] %s ends the demo under npx, and leaves nothing",
    { timeout: 90_000 },
    async (signal) => {
      const running = await startTroupe({ workers: 1 });
      troupe = running;
      const tag = `TROUPE_TEST_RUN=${randomBytes(12).toString("hex")}`;
      const demo = spawn("npx", ["troupe", "demo", "--url", running.url, "--people", "6"], {
        cwd: ROOT,
        env: {
          PATH: process.env["PATH"],
          HOME: process.env["HOME"],
          TROUPE_TEST_RUN: tag.split("=")[1],
        },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      });
      try {
        await says(demo, "password  troupe-demo");
        // A terminal signals the whole group. npx forwards SIGINT to its shell alone, and a shell
        // keeps SIGINT to itself while its command runs.
        if (signal === "SIGINT") process.kill(-demo.pid!, signal);
        else demo.kill(signal);
        await eventually(
          "nothing of it is left",
          () => taggedWith(tag).length === 0,
          STOPS_WITHIN_MS,
        );
      } finally {
        for (const ref of taggedWith(tag)) kill(ref, "SIGKILL");
      }
    },
  );
});

async function says(child: ChildProcess, words: string): Promise<void> {
  let said = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  try {
    await eventually(`"${words}"`, () => said.includes(words), STARTS_WITHIN_MS);
  } catch (error) {
    throw new Error(`it said: ${said}`, { cause: error });
  }
}

/**
 * The test projects, as `npm run test:<name>` runs them. `unit` and `property` need nothing built
 * and run in threads; `contract` runs storage and relay against one suite on a shared PostgreSQL;
 * `server`, `waiting`, `fault` and `browser` drive built servers, which are child processes. Two
 * cores carry two such files at a time, and three of those that mostly wait.
 */
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { readDurations } from "./support/slowest-files.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const GLOBAL_SETUP = fileURLToPath(new URL("support/global-setup.ts", import.meta.url));
const SLOWEST_FILES = fileURLToPath(new URL("support/slowest-files.ts", import.meta.url));
const CORES = 2;

/**
 * Files that mostly wait: for deadlines, leases, tokens to expire, silence. More of them run at
 * the same time than there are cores, after everything else.
 */
const WAITING = [
  ...["contract-presence", "contract-session", "contract-typing", "ops-hosts", "polling-ends"],
  ...["piped-long", "relay-hosts", "suspension", "transport-deadlines", "wall-clock"],
].map((name) => `test/integration/${name}.test.ts`);
const WAITING_AT_ONCE = 3;

/** Seconds by file, written by support/slowest-files.ts. */
const DURATIONS = readDurations(fileURLToPath(new URL("durations.json", import.meta.url)));

/**
 * The files that take longest start first, so that none of them runs alone at the end. A file
 * without a figure could be long and comes before the others.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const seconds = ({ moduleId }: TestSpecification) =>
      DURATIONS[relative(ROOT, moduleId)] ?? UNKNOWN_S;
    return (await super.sort(files)).sort((one, other) => seconds(other) - seconds(one));
  }
}
const UNKNOWN_S = 3600;

export default defineConfig({
  root: ROOT,
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: ["default", SLOWEST_FILES],
    // For the servers that the global setup has started.
    teardownTimeout: 30_000,
    projects: [
      threads("unit"),
      threads("property"),
      servers("contract", ["contract"], 30_000),
      servers("server", ["integration"], 45_000, WAITING),
      servers("fault", ["fault"], 45_000),
      servers("browser", ["browser"], 45_000),
      waiting(),
    ],
  },
});

/** Tests of pure code, which need no build. */
function threads(name: string) {
  return {
    root: ROOT,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      pool: "threads" as const,
      maxWorkers: CORES,
      // The files of a thread share the modules that they import, which halves the CPU of a run.
      isolate: false,
      // One simulated history takes a second of work, and several on a busy machine.
      testTimeout: 20_000,
      sequence: { groupOrder: 0 },
    },
  };
}

/** Tests that drive built servers or PostgreSQL, which the global setup provides. */
function servers(
  name: string,
  folders: readonly string[],
  testTimeout: number,
  exclude: readonly string[] = [],
) {
  return {
    root: ROOT,
    test: {
      name,
      include: folders.map((folder) => `test/${folder}/**/*.test.ts`),
      exclude: [...exclude],
      globalSetup: GLOBAL_SETUP,
      pool: "forks" as const,
      maxWorkers: CORES,
      testTimeout,
      hookTimeout: 2 * testTimeout,
      sequence: { groupOrder: 1 },
    },
  };
}

/** Tests of built servers that leave the cores idle most of the time. */
function waiting() {
  const { root, test } = servers("waiting", [], 45_000);
  return {
    root,
    test: {
      ...test,
      include: WAITING,
      maxWorkers: WAITING_AT_ONCE,
      // Projects with another number of workers need a group of their own.
      sequence: { groupOrder: 2 },
    },
  };
}

/**
 * The test projects, as `npm run test:<name>` runs them. `unit` and `property` need nothing built
 * and run in threads; `contract` runs storage and relay against one suite on a shared PostgreSQL;
 * `server`, `fault` and `browser` drive built servers, which are child processes. Two cores carry
 * two such files at a time.
 */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const GLOBAL_SETUP = fileURLToPath(new URL("support/global-setup.ts", import.meta.url));
const CORES = 2;

/** The files that take longest start first, so that none of them runs alone at the end. */
const FIRST = [
  "fault/bench-scenarios",
  "integration/relay-hosts",
  "browser/ops",
  "fault/bench-check",
  "contract/relay",
  "fault/chaos-hosts",
  "integration/limits-abuse",
  "fault/relay-redis",
  "fault/chaos-processes",
  "fault/worker-killed",
  "integration/start",
  "browser/page-looks",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = FIRST.findIndex((name) => moduleId.endsWith(`${name}.test.ts`));
      return at < 0 ? FIRST.length : at;
    };
    return (await super.sort(files)).sort((one, other) => place(one) - place(other));
  }
}

export default defineConfig({
  root: ROOT,
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      threads("unit"),
      threads("property"),
      servers("contract", ["contract"], 30_000),
      servers("server", ["integration"], 45_000),
      servers("fault", ["fault"], 45_000),
      servers("browser", ["browser"], 45_000),
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
      // One simulated history takes a second of work, and several on a busy machine.
      testTimeout: 20_000,
      sequence: { groupOrder: 0 },
    },
  };
}

/** Tests that drive built servers or PostgreSQL, which the global setup provides. */
function servers(name: string, folders: readonly string[], testTimeout: number) {
  return {
    root: ROOT,
    test: {
      name,
      include: folders.map((folder) => `test/${folder}/**/*.test.ts`),
      globalSetup: GLOBAL_SETUP,
      pool: "forks" as const,
      maxWorkers: CORES,
      testTimeout,
      hookTimeout: 2 * testTimeout,
      sequence: { groupOrder: 1 },
    },
  };
}

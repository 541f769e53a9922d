/**
 * The test projects. `unit` needs nothing built and runs in threads; `contract` holds storage
 * to one suite against a shared PostgreSQL; `integration` drives built servers, which are
 * child processes, so its files run at most two at a time.
 */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const GLOBAL_SETUP = fileURLToPath(new URL("support/global-setup.ts", import.meta.url));
const CORES_FOR_SERVERS = 2;

/** Those that take longest, so that none of them begins when all others have ended. */
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
      {
        root: ROOT,
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts", "test/property/**/*.test.ts"],
          pool: "threads",
          maxWorkers: CORES_FOR_SERVERS,
          // A simulated history is a second of work, and several on a busy machine.
          testTimeout: 20_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        root: ROOT,
        test: {
          name: "contract",
          include: ["test/contract/**/*.test.ts"],
          globalSetup: GLOBAL_SETUP,
          pool: "forks",
          maxWorkers: CORES_FOR_SERVERS,
          testTimeout: 30_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        root: ROOT,
        test: {
          name: "integration",
          include: [
            "test/integration/**/*.test.ts",
            "test/fault/**/*.test.ts",
            "test/browser/**/*.test.ts",
          ],
          globalSetup: GLOBAL_SETUP,
          pool: "forks",
          maxWorkers: CORES_FOR_SERVERS,
          testTimeout: 45_000,
          hookTimeout: 90_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});

/**
 * Once before a run: builds, starts the one PostgreSQL that all tests share (none where
 * TEST_DATABASE_URL names one), migrates the template of the tests' databases and offers the
 * shared server. Several projects name this file; those after the first find everything in place.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { makeTemplate, startServer } from "./postgres.ts";
import { keepSharedTroupe } from "./shared-troupe.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export default async function setup(): Promise<() => Promise<void>> {
  execFileSync(process.execPath, ["src/build.mjs", "--if-stale"], { cwd: ROOT, stdio: "inherit" });
  const stops: (() => Promise<void>)[] = [];
  const stopStarted = async () => {
    const problems: unknown[] = [];
    for (const stop of stops.reverse()) await stop().catch((error) => problems.push(error));
    if (problems.length > 0) throw problems[0];
  };
  try {
    if (!process.env["TEST_DATABASE_URL"]) {
      const server = await startServer();
      stops.push(server.stop);
      process.env["TEST_DATABASE_URL"] = server.url;
    }
    if (!process.env["TEST_DATABASE_TEMPLATE"]) {
      const template = await makeTemplate(process.env["TEST_DATABASE_URL"]);
      stops.push(template.stop, await keepSharedTroupe());
    }
  } catch (error) {
    await stopStarted();
    throw error;
  }
  return stopStarted;
}

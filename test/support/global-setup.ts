/**
 * Once before a run: builds, starts the one PostgreSQL that all tests share (none where
 * TEST_DATABASE_URL names one) and migrates the template of the tests' databases. Several
 * projects name this file; those after the first find everything in place.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { makeTemplate, startServer, type TestDatabase } from "./postgres.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export default async function setup(): Promise<() => Promise<void>> {
  execFileSync(process.execPath, ["src/build.mjs", "--if-stale"], { cwd: ROOT, stdio: "inherit" });
  const started: TestDatabase[] = [];
  const stopStarted = async () => {
    for (const database of started.reverse()) await database.stop();
  };
  try {
    if (!process.env["TEST_DATABASE_URL"]) {
      const server = await startServer();
      started.push(server);
      process.env["TEST_DATABASE_URL"] = server.url;
    }
    if (!process.env["TEST_DATABASE_TEMPLATE"]) {
      started.push(await makeTemplate(process.env["TEST_DATABASE_URL"]));
    }
  } catch (error) {
    await stopStarted();
    throw error;
  }
  return stopStarted;
}

/**
 * The Troupe that many test files use, at the same time and one after the other. The process of
 * the global setup keeps it: the first file that asks for it starts it, and the end of the run
 * stops it. It writes its output to files, so that every test process can read it.
 *
 * A file may use the shared server when it makes its own users, kills nothing, changes no
 * configuration and reads no figure of the whole server.
 */
import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import http from "node:http";
import { join } from "node:path";
import {
  childProcess,
  scratchDir,
  spawnTroupe,
  Troupe,
  type TroupePlace,
  type TroupeProcess,
} from "./cluster.ts";
import { within } from "./eventually.ts";
import { isAlive, processOf } from "./processes.ts";

export const SHARED_WORKERS = 3;
/** Shorter than the default, because tests of presence wait for it. */
export const SHARED_GRACE_MS = 1500;

const KEEPER_ENV = "TEST_SHARED_TROUPE";
/** The most that a start takes on a busy machine; a hook of the servers' projects may take 90 s. */
const STARTS_WITHIN_MS = 60_000;
const GIVEN_WITHIN_MS = 70_000;

interface SharedTroupe {
  pid: number;
  place: TroupePlace;
  stdoutFile: string;
  stderrFile: string;
}

interface Kept {
  shared: SharedTroupe;
  troupe: Troupe;
}

/** Starts the keeper and names it to the test processes. The result stops it and the server. */
export async function keepSharedTroupe(): Promise<() => Promise<void>> {
  let starting: Promise<Kept> | undefined;
  const keeper = http.createServer((_, response) => {
    starting ??= start();
    starting.then(
      ({ shared }) => response.end(JSON.stringify(shared)),
      (error: unknown) => {
        // The next file tries again, so that one slow start does not fail them all.
        starting = undefined;
        response.writeHead(500).end(String(error));
      },
    );
  });
  await new Promise<void>((resolve) => keeper.listen(0, "127.0.0.1", resolve));
  const address = keeper.address();
  if (address === null || typeof address === "string") throw new Error("the keeper has no port");
  process.env[KEEPER_ENV] = `http://127.0.0.1:${address.port}`;

  return async () => {
    delete process.env[KEEPER_ENV];
    keeper.close();
    const kept = await starting?.catch(() => undefined);
    if (kept === undefined) return;
    try {
      await stop(kept.troupe);
    } catch (error) {
      // Vitest reports an error of the global teardown, but it does not fail the run for it.
      process.exitCode = 1;
      throw error;
    }
  };
}

async function start(): Promise<Kept> {
  const outputs = await scratchDir();
  const [stdoutFile, stderrFile] = [join(outputs, "stdout"), join(outputs, "stderr")];
  const files: [number, number] = [openSync(stdoutFile, "a"), openSync(stderrFile, "a")];
  const env = { PRESENCE_GRACE_MS: String(SHARED_GRACE_MS) };
  const { child, place, cleanups } = await spawnTroupe({ workers: SHARED_WORKERS, env }, files);
  for (const file of files) closeSync(file);
  const shared = { pid: child.pid!, place, stdoutFile, stderrFile };
  cleanups.push(() => rm(outputs, { recursive: true, force: true }));
  const output = () => ({
    stdout: readFileSync(stdoutFile, "utf8"),
    stderr: readFileSync(stderrFile, "utf8"),
  });
  const troupe = new Troupe(childProcess(child, output), place, cleanups);
  try {
    await troupe.untilReady(STARTS_WITHIN_MS);
  } catch (error) {
    await troupe.discard();
    throw error;
  }
  return { shared, troupe };
}

async function stop(troupe: Troupe): Promise<void> {
  const errors = troupe.errorsLogged();
  await troupe.stop();
  if (errors.length > 0) throw new Error(`the shared server logged errors:\n${errors.join("\n")}`);
}

/** The shared Troupe; its output begins with this call. */
export async function sharedTroupe(): Promise<Troupe> {
  const keeper = process.env[KEEPER_ENV];
  if (keeper === undefined) throw new Error("test/support/global-setup.ts has not run");
  const answer = new Promise<string>((resolve, reject) => {
    const request = http.get(keeper, { agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk;
      });
      response.on("end", () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`the shared server did not start: ${text}`));
      });
    });
    request.on("error", reject);
  });
  const shared = JSON.parse(
    await within("the shared server is ready", answer, GIVEN_WITHIN_MS),
  ) as SharedTroupe;
  return new Troupe(borrowed(shared), shared.place, []);
}

/** The server's process as a test process sees it, which must not end it. */
function borrowed({ pid, stdoutFile, stderrFile }: SharedTroupe): TroupeProcess {
  const ref = processOf(pid);
  const [stdout, stderr] = [outputOf(stdoutFile), outputOf(stderrFile)];
  return {
    pid,
    get hasExited() {
      return ref === undefined || !isAlive(ref);
    },
    exited: new Promise(() => undefined),
    output: () => ({ stdout: stdout(), stderr: stderr() }),
    signal() {
      throw new Error("other files use this server: a test that signals it needs one of its own");
    },
    release: () => undefined,
  };
}

/** Reads what is written to the file from now on. */
function outputOf(file: string): () => string {
  const skipped = statSync(file).size;
  return () => readFileSync(file).subarray(skipped).toString();
}

/**
 * Makes ready at start what is in ACTORS_DIR: finds the files, bundles them, and tries them out in
 * a thread. Called by the primary before anything else is started.
 *
 * [EXT3] A mistake in any file is a sentence with file and line, and the start is refused.
 * [EXT4] Without ACTORS_DIR nothing of this is loaded.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Clock } from "../base/clock.ts";
import { StartRefusal } from "../base/errors.ts";
import type { OpenedExtensions } from "../config/extensions.ts";
import { bundle } from "./bundle.ts";
import type { CheckData, CheckResult } from "./check-thread.ts";
import { sourcesIn } from "./files.ts";

/** A file whose top level awaits something that never comes would hold up the start for ever. */
const CHECK_DEADLINE_MS = 30_000;

let generation = 0;

/** Rejects with a StartRefusal. */
export async function openExtensions(dir: string, clock: Clock): Promise<OpenedExtensions> {
  const sources = await sourcesIn(dir);
  if ("problem" in sources) throw new StartRefusal(sources.problem);
  generation++;
  if (sources.length === 0) {
    const none = { bundles: [], namespaces: [], actors: [], hooks: [] };
    return { extensions: { generation, dir, ...none }, close: async () => undefined };
  }
  const outDir = await mkdtemp(join(tmpdir(), "troupe-actors-"));
  const close = () => rm(outDir, { recursive: true, force: true });
  try {
    const bundles = await bundle(dir, sources, outDir);
    if ("problems" in bundles) throw refusal(dir, bundles.problems);
    const checked = await check({ dir, bundles }, clock);
    if ("problems" in checked) throw refusal(dir, checked.problems);
    return { extensions: { generation, dir, bundles, ...checked }, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function refusal(dir: string, problems: readonly string[]): StartRefusal {
  return new StartRefusal(
    `The files in ACTORS_DIR ${dir} cannot be loaded:\n${problems.map((one) => `  ${one}`).join("\n")}`,
  );
}

function check(data: CheckData, clock: Clock): Promise<CheckResult> {
  const thread = new Worker(new URL("./check-thread.js", import.meta.url), { workerData: data });
  return new Promise<CheckResult>((resolve) => {
    const settle = (result: CheckResult) => {
      cancel();
      resolve(result);
    };
    const cancel = clock.after(CHECK_DEADLINE_MS, () =>
      settle({ problems: [`they have not loaded within ${CHECK_DEADLINE_MS / 1000} s.`] }),
    );
    thread.once("message", settle);
    thread.once("error", (fault) => settle({ problems: [`${fault.name}: ${fault.message}`] }));
    thread.once("exit", () => settle({ problems: ["a file ended the process while it loaded."] }));
  }).finally(() => thread.terminate());
}

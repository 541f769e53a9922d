/**
 * Checks the application's files before the server starts, in a thread of its own that is ended
 * afterwards, so that they cannot harm the primary. Started by open.ts.
 */
import { parentPort, workerData } from "node:worker_threads";
import { Server } from "socket.io";
import type { HooksDefinition } from "../actor/api.ts";
import type { Bundle } from "../config/extensions.ts";
import type { AppKind } from "../protocol/app-actors.ts";
import { type AskedType, IN_PROCESS_HOOKS, type InProcessHook } from "../protocol/hooks.ts";
import { load, mistake } from "./load.ts";

export interface CheckData {
  dir: string;
  bundles: Bundle[];
}

export type CheckResult =
  | { namespaces: string[]; actors: AppKind[]; hooks: AskedType[] }
  | { problems: string[] };

async function check({ dir, bundles }: CheckData): Promise<CheckResult> {
  const loaded = await load(dir, bundles);
  if ("problems" in loaded) return loaded;
  const io = new Server();
  const problems: string[] = [];
  for (const { file, definition } of loaded.namespaces) {
    try {
      await definition.setup(io.of(definition.name) as never);
    } catch (fault) {
      problems.push(mistake(dir, file, fault));
    }
  }
  if (problems.length > 0) return { problems };
  return {
    namespaces: loaded.namespaces.map(({ definition }) => definition.name),
    actors: loaded.actors.map((actor) => actor.describe()),
    hooks: [...new Set(loaded.hooks.flatMap(({ definition }) => typesOf(definition)))],
  };
}

function typesOf({ hooks }: HooksDefinition): AskedType[] {
  return (Object.keys(hooks) as InProcessHook[]).map((name) => IN_PROCESS_HOOKS[name]);
}

parentPort?.postMessage(await check(workerData as CheckData));

/**
 * A thread that runs the application's hooks: takes questions, and answers each with a verdict or
 * with the reason why there is none. Started by hook-host.ts, which ends it where a hook hangs.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { HooksDefinition } from "../actor/api.ts";
import { stopwatch } from "../base/clock.ts";
import { verdictOf } from "../protocol/hook-verdict.ts";
import type { AskedType, HookCaller, HookVerdict } from "../protocol/hooks.ts";
import {
  type AskedHook,
  type HookThreadData,
  hookOf,
  type NoVerdict,
  type SettledHook,
} from "./hook-asking.ts";
import { load, mistake } from "./load.ts";

/** Contract: a hook's time. */
const HOOK_MS_MAX = 5;

const { dir, bundles, running } = workerData as HookThreadData;
const loaded = await load(dir, bundles);
if ("problems" in loaded) throw new Error(loaded.problems.join("\n"));
const files = loaded.hooks;

type AnyHook = (data: object, caller: HookCaller) => unknown;

/**
 * One hook's verdict. A machine may suspend a thread for longer than a hook's
 * time, so one that was late is asked once more, and only if it is late again is it a time-out.
 */
function verdictBy(
  { file, definition }: { file: string; definition: HooksDefinition },
  type: AskedType,
  text: string,
  caller: HookCaller,
): HookVerdict | NoVerdict {
  const name = hookOf(type);
  const hook = definition.hooks[name] as AnyHook | undefined;
  if (hook === undefined) return { is: "allow" };
  for (let tries = 1; ; tries++) {
    const data = JSON.parse(text) as object;
    const elapsedMs = stopwatch();
    let answer: unknown;
    try {
      answer = hook(data, { ...caller });
    } catch (fault) {
      return { failed: "failed", why: `${name} has thrown, at ${mistake(dir, file, fault)}` };
    }
    const ms = elapsedMs();
    if (ms <= HOOK_MS_MAX) {
      const given = typeof answer === "object" && answer !== null ? { ...answer, id: "" } : answer;
      const verdict = verdictOf(type, given);
      return typeof verdict === "string"
        ? { failed: "answer", why: `${file}: ${name}: ${verdict}` }
        : verdict;
    }
    if (tries === 2) {
      const why = `${file}: ${name} took ${Math.round(ms)} ms; it has ${HOOK_MS_MAX}`;
      return { failed: "late", why };
    }
  }
}

function decide({ type, caller, data }: AskedHook): HookVerdict | NoVerdict {
  let shown = data;
  let total: HookVerdict = { is: "allow" };
  for (const each of files) {
    const verdict = verdictBy(each, type, shown, caller);
    if ("failed" in verdict || verdict.is === "refuse") return verdict;
    if (verdict.is === "allow") continue;
    total = { ...total, ...verdict };
    const { is: _is, ...replaced } = verdict;
    shown = JSON.stringify({ ...(JSON.parse(shown) as object), ...replaced });
  }
  return total;
}

parentPort?.on("message", (asked: AskedHook) => {
  Atomics.store(running, 0, asked.ask);
  const verdict = decide(asked);
  Atomics.store(running, 0, 0);
  parentPort?.postMessage({ ask: asked.ask, verdict } satisfies SettledHook);
});
parentPort?.postMessage("ready");

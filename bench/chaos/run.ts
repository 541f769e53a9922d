/**
 * One run: world, scene, load, faults one after another and the final state; everything is ended
 * in any case. Answers with the history, which says so if the run broke off.
 */
import { mkdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type Progress, startProgress } from "../support/progress.ts";
import { until } from "../support/waiting.ts";
import { type Chance, chanceOf, shuffled } from "./chance.ts";
import { type FaultName, factsOf } from "./fault-table.ts";
import { askFinalFacts } from "./finale.ts";
import { type FaultRecord, type FinalFacts, type History, Recorder } from "./history.ts";
import type { Stage } from "./injection.ts";
import { INJECTORS } from "./injectors.ts";
import { Load } from "./load.ts";
import { type Options, repeatCommand } from "./options.ts";
import { probePresence, Sampler } from "./probes.ts";
import { openScene } from "./scene.ts";
import { startWorld } from "./world.ts";

/** The calm time before each fault. */
const CALM_MS = [700, 1800] as const;
/** After a flood a client syncs eight megabytes in answers of a quarter of a megabyte. */
const BACK_WITHIN_MS = 40_000;
/** A run that takes this much longer than asked for is broken off. */
const PATIENCE_MS = 120_000;
const FAULT_MS_MAX = 45_000;
const NOTHING: FinalFacts = {
  conversations: [],
  replicas: [],
  unread: [],
  typing: [],
  recount: null,
};

/** `abort` ends the run early, as Ctrl-C does; what was started is still ended. */
export async function runOnce(
  options: Options,
  runDir: string,
  abort: AbortSignal,
): Promise<History> {
  await mkdir(runDir, { recursive: true });
  const recorder = new Recorder();
  let acked = 0;
  const progress = startProgress(process.stderr, () => {
    acked = recorder.records.length;
    return `${acked} records`;
  });
  progress.step(0, 1, "starting PostgreSQL, Redis and the hosts");
  const history: History = {
    seed: options.seed,
    command: repeatCommand(options),
    startedAt: new Date().toISOString(),
    hosts: options.hosts,
    workers: options.workers,
    slackMs: options.slackMs,
    clients: [],
    records: recorder.records,
    faults: recorder.faults,
    loadEndedAtMs: 0,
    endedAtMs: 0,
    final: NOTHING,
  };
  try {
    const world = await startWorld(options, runDir);
    try {
      await play(options, { world, recorder, history, progress, abort });
    } finally {
      progress.step(1, 1, "ending what was started");
      await world.stop();
    }
  } finally {
    progress.end();
    history.endedAtMs ||= recorder.nowMs();
  }
  return history;
}

interface Play {
  world: Stage["world"];
  recorder: Recorder;
  history: History;
  progress: Progress;
  abort: AbortSignal;
}

async function play(options: Options, { world, recorder, history, progress, abort }: Play) {
  const ports = world.hosts.map((host) => host.port);
  const scene = await openScene(options, ports, recorder);
  history.clients = scene.clients.map(({ name, user, contract }) => ({ name, user, contract }));
  const chance = chanceOf(options.seed, "the plan");
  const sampler = new Sampler(world.hosts, recorder);
  const load = new Load(scene, ports, options.seed, recorder);
  try {
    const deadlineMs = (options.seconds ?? 0) * 1000;
    let injected = 0;
    for (let round = 0; round === 0 || recorder.nowMs() < deadlineMs; round++) {
      for (const name of shuffled(chance, options.faults)) {
        if (abort.aborted || (round > 0 && recorder.nowMs() > deadlineMs)) break;
        const total = Math.max(options.faults.length + 1, deadlineMs / 8000);
        progress.step(injected, total, name);
        await injectOnce(name, { world, scene, chance }, recorder, abort);
        injected++;
      }
      if (abort.aborted || options.faults.length === 0) break;
    }
    abort.throwIfAborted();
    await delay(between(chance, CALM_MS));
    progress.step(9, 10, "asking for the final facts");
    await load.stop();
    history.loadEndedAtMs = recorder.nowMs();
    history.final = await askFinalFacts(world, scene, recorder);
  } catch (error) {
    const reason = abort.aborted ? "it was stopped, or took too long" : error;
    history.broken = reason instanceof Error ? reason.message : String(reason);
    await load.abandon();
  } finally {
    history.endedAtMs = recorder.nowMs();
    sampler.stop();
    for (const client of scene.clients) client.retire();
  }
}

/** Rejects when it is aborted; a fault that was not healed then ends with the world. */
async function injectOnce(
  name: FaultName,
  stage: Stage,
  recorder: Recorder,
  signal: AbortSignal,
): Promise<void> {
  const { world, scene, chance } = stage;
  await delay(between(chance, CALM_MS), undefined, { signal });
  const record: FaultRecord = {
    fault: name,
    detail: "",
    injectedAtMs: recorder.nowMs(),
    healedAtMs: null,
    recoveredAtMs: null,
    claims: [],
  };
  recorder.faults.push(record);
  const injection = await INJECTORS[name](stage);
  record.detail = injection.detail;
  await delay(between(chance, factsOf(name).holdMs), undefined, { signal });
  record.claims = await injection.heal();
  record.healedAtMs = recorder.nowMs();
  const isBack = async () => {
    const ready = await Promise.all(world.hosts.map((host) => host.readiness()));
    return (
      ready.every(({ status, word }) => status === 200 && word === "ready") &&
      scene.clients.every((client) => client.isResting || client.isSettled)
    );
  };
  const backAfterMs = await until(isBack, BACK_WITHIN_MS, 100);
  const isPresenceTrue = await probePresence(`after ${name}`, world.hosts, scene, recorder);
  if (backAfterMs !== null && isPresenceTrue) record.recoveredAtMs = recorder.nowMs();
}

function between(chance: Chance, [min, max]: readonly [number, number]): number {
  return min + chance(max - min + 1);
}

/** How long a run may take before it is broken off. */
export function patienceMs(options: Options): number {
  return (
    PATIENCE_MS + Math.max((options.seconds ?? 0) * 1000, options.faults.length * FAULT_MS_MAX)
  );
}

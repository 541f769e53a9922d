/** Combines the results of a batch of turns into one new state of an actor and its commit. Pure. */
import {
  APP_EVENTS_KEPT,
  type AppBatchDone,
  type AppEffect,
  type AppEvent,
  type AppTurnDone,
} from "../src/protocol/app-actors.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import { later, type Monotonic, msBetween } from "../src/protocol/time.ts";
import type { AppCallMade, AppCommit, AppRecord } from "./app-ports.ts";
import { type AppState, newsFor, type WaitingTurn } from "./app-state.ts";

/** Contract: longer answers are known by their hash only. */
const ANSWER_CHARS_KEPT = 1_024;
const CALLS_KEPT = 1_000;
/** Until effects that were not carried out are looked at again. */
const EFFECTS_WAKE_MS = 5_000;
/** A timer whose turn could not run rings again after this. */
const RING_AGAIN_MS = 5_000;

export interface BatchOutcome {
  isChanged: boolean;
  mustCommit: boolean;
  text: string | null;
  /** With everything but the id and the version that the commit gives. */
  record: AppRecord;
  isCreated: boolean;
  users: string[] | undefined;
  timers: Map<string, Monotonic>;
  /** Timers that have had their turn, or will ring again. */
  rung: string[];
  events: AppEvent[];
  calls: AppCallMade[];
  effects: { n: number; effect: AppEffect }[];
  effectsDone: number[];
  unwatched: string[];
  answers: { waiting: WaitingTurn; ok: boolean; text: string; rev: number }[];
}

export function outcomeOf(
  state: AppState,
  batch: readonly WaitingTurn[],
  done: AppBatchDone,
  nowMs: number,
  monotonicMs: Monotonic,
): BatchOutcome {
  const outcome: BatchOutcome = {
    isChanged: false,
    mustCommit: state.kind.durable,
    text: state.text,
    record: { ...state.record, nowMs },
    isCreated: false,
    users: undefined,
    timers: new Map(state.timers),
    rung: [],
    events: [],
    calls: [],
    effects: [],
    effectsDone: [],
    unwatched: [],
    answers: [],
  };
  for (const [n, waiting] of batch.entries()) {
    const one = done.turns[n] ?? { is: "refused", error: REFUSALS.internal.error };
    if (one.is === "done") add(state, outcome, waiting, one, monotonicMs);
    else {
      outcome.answers.push({
        waiting,
        ok: false,
        text: JSON.stringify(one.error),
        rev: 0,
      });
    }
    tidy(outcome, waiting, one, monotonicMs);
  }
  return outcome;
}

function add(
  state: AppState,
  outcome: BatchOutcome,
  waiting: WaitingTurn,
  done: Extract<AppTurnDone, { is: "done" }>,
  monotonicMs: Monotonic,
): void {
  const { turn, created, once } = waiting;
  const { record } = outcome;
  const isChange =
    done.state !== undefined ||
    done.events.length > 0 ||
    done.timers.length > 0 ||
    done.effects.length > 0;
  if (isChange) outcome.isChanged = true;
  outcome.unwatched.push(...done.unwatched);
  if (done.unwatched.length > 0 && !isChange) {
    outcome.isChanged = true;
  }
  if (turn.does === "create" && created !== null) {
    // An actor in memory only that was made already is made again after its worker was lost.
    outcome.isCreated = record.isGone || record.version === 0;
    record.created = created;
    record.isGone = false;
    outcome.timers.clear();
    if (outcome.isCreated) outcome.mustCommit = true;
  }
  if (done.state !== undefined) {
    outcome.text = done.state;
    record.codeVersion = state.kind.version;
    if (done.state === null) {
      record.isGone = true;
      record.watching = [];
      outcome.timers.clear();
      outcome.mustCommit = true;
    }
  }
  if (done.users !== undefined) outcome.users = done.users;
  for (const event of done.events) {
    record.rev++;
    outcome.events.push({ rev: record.rev, ...event });
  }
  if (done.events.length > 0) {
    record.events = [...state.record.events, ...outcome.events].slice(-APP_EVENTS_KEPT);
  }
  if (outcome.text !== null) {
    for (const { name, delayMs } of done.timers) {
      if (delayMs === null) outcome.timers.delete(name);
      else outcome.timers.set(name, later(monotonicMs, delayMs));
    }
  }
  for (const effect of done.effects) {
    record.effectCount++;
    outcome.effects.push({ n: record.effectCount, effect });
  }
  const { rev } = record;
  const text = answerText(outcome, waiting, done.answer, state.epoch);
  outcome.answers.push({ waiting, ok: true, text, rev });
  if (once === null || !isChange) return;
  const call: AppCallMade = {
    ...once,
    answer: text.length > ANSWER_CHARS_KEPT ? null : text,
    rev,
    madeAtMs: record.nowMs,
  };
  outcome.calls.push(call);
  record.calls = [...record.calls.slice(1 - CALLS_KEPT), call];
}

function answerText(
  outcome: BatchOutcome,
  waiting: WaitingTurn,
  answer: string,
  epoch: number,
): string {
  const { record } = outcome;
  switch (waiting.turn.does) {
    case "create":
      return `{"view":${answer},"rev":${record.rev}}`;
    case "call":
      return `{"result":${answer},"rev":${record.rev}}`;
    case "see":
      return JSON.stringify({ ...newsFor(record, answer, waiting.afterRev), epoch });
    default:
      return answer;
  }
}

/** The bookkeeping of a turn, also a refused one: its timer, its watcher and its effect. */
function tidy(
  outcome: BatchOutcome,
  { turn, effectDone }: WaitingTurn,
  done: AppTurnDone,
  monotonicMs: Monotonic,
): void {
  const { record } = outcome;
  const isPutOff = done.is === "refused" && done.error.code === "unavailable";
  if (turn.does === "ring") {
    outcome.isChanged = true;
    outcome.rung.push(turn.timer);
    const isSetAgain = done.is === "done" && done.timers.some(({ name }) => name === turn.timer);
    if (isPutOff) outcome.timers.set(turn.timer, later(monotonicMs, RING_AGAIN_MS));
    else if (!isSetAgain) outcome.timers.delete(turn.timer);
  }
  if (turn.does === "watched" && turn.caller.user !== null && !record.isGone) {
    outcome.isChanged = true;
    record.watching = [...new Set([...record.watching, turn.caller.user])];
  }
  if (turn.does === "unwatched") {
    outcome.isChanged = true;
    record.watching = record.watching.filter((user) => user !== turn.caller.user);
  }
  if (effectDone !== null && !isPutOff) {
    outcome.isChanged = true;
    outcome.effectsDone.push(effectDone);
  }
}

export function commitOf(
  state: AppState,
  outcome: BatchOutcome,
  monotonicMs: Monotonic,
): AppCommit {
  const { record, timers } = outcome;
  const isDurable = state.kind.durable;
  const left = [...timers].map(([name, dueMs]) => ({
    name,
    inMs: Math.max(0, msBetween(monotonicMs, dueMs)),
  }));
  const hasEffects =
    outcome.effects.length > 0 ||
    [...state.effects.keys()].some((n) => !outcome.effectsDone.includes(n));
  const wakes = isDurable ? left.map(({ inMs }) => inMs) : [];
  if (hasEffects) wakes.push(EFFECTS_WAKE_MS);
  const isStateNew = outcome.text !== state.text || outcome.isCreated;
  return {
    kind: state.kind.kind,
    key: state.key,
    version: state.record.version,
    rev: record.rev,
    ...(isStateNew && { state: isDurable ? outcome.text : null }),
    isGone: record.isGone,
    isDurable,
    codeVersion: record.codeVersion,
    ...(outcome.isCreated && { created: record.created }),
    nowMs: record.nowMs,
    timers: isDurable ? left : [],
    wakeInMs: wakes.length === 0 ? null : Math.min(...wakes),
    ...(outcome.users !== undefined && { users: outcome.users }),
    watching: record.watching,
    effectCount: record.effectCount,
    effects: outcome.effects,
    effectsDone: outcome.effectsDone,
    events: outcome.events,
    calls: outcome.calls,
  };
}

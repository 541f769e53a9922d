/**
 * The threads in which the application's actors run, beside the actor thread: one for all durable
 * kinds, one for each kind that is not. Called by the behaviour of such actors, through its port.
 *
 * [APH1] A turn of more than 1 s ends its thread. Its caller is refused; every other batch of that
 *        thread runs again on the next one.
 * [APH2] Three such turns of one kind and action in a minute make these unavailable for a minute.
 * [APH3] A thread that has used up its memory ends likewise.
 * [APH4] At most `WAITING_MAX` batches wait; past it they are refused.
 */
import { Worker } from "node:worker_threads";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Extensions } from "../config/extensions.ts";
import type { AppBatch, AppBatchDone, AppTurn, AppTurnDone } from "../protocol/app-actors.ts";
import { REFUSALS } from "../protocol/errors.ts";
import { type Monotonic, msBetween } from "../protocol/time.ts";
import {
  type AppThreadData,
  type AskedBatch,
  type DoneBatch,
  PROGRESS,
} from "./app-thread-data.ts";
import { Strikes } from "./strikes.ts";

const TURN_MS_MAX = 1_000;
const LOOK_MS = 100;
const WAITING_MAX = 10_000;
const START_MS_MAX = 30_000;
const RESTART_MS = 100;

interface Asked {
  ask: number;
  batch: AppBatch;
  /** Turns that have run too long, by their place, and are not run again. */
  ended: Map<number, AppTurnDone>;
  /** Places in the caller's batch of the turns that are asked now. */
  places: number[];
  resolve(done: AppBatchDone): void;
}

export interface AppHostOptions {
  extensions: Extensions;
  memoryMb: number;
  /** Counts turns of a kind, and those that failed; see src/ops/app-figures.ts. */
  figures: { ran(kind: string, turns: number, ms: number): void; failed(kind: string): void };
  clock: Clock;
  log: Log;
}

interface Generation {
  extensions: Extensions;
  /** One for all durable kinds, named "", and one for each that is not. */
  threads: Map<string, AppThread>;
  strikes: Strikes;
}

export class AppHost {
  readonly #options: AppHostOptions;
  readonly #retired = new Set<AppThread>();
  #now: Generation;
  /** The files of a reload, until they are adopted. */
  #next: Generation | null = null;

  constructor(options: AppHostOptions) {
    this.#options = options;
    this.#now = this.#generationOf(options.extensions);
  }

  /** Never rejects. */
  run(batch: AppBatch): Promise<AppBatchDone> {
    const { extensions } = this.#now;
    const kind = extensions.actors.find((one) => one.kind === batch.kind);
    if (kind === undefined) return Promise.resolve(allRefused(batch));
    return this.#threadOf(this.#now, kind.durable ? "" : kind.kind).run(batch);
  }

  /** Kinds and actions that are unavailable now, like "poll.vote". */
  unavailable(): string[] {
    return this.#now.strikes.unavailable();
  }

  /** Loads other files beside those that run; false where they do not load. */
  async prepare(extensions: Extensions): Promise<boolean> {
    this.abandon();
    const next = this.#generationOf(extensions);
    this.#next = next;
    if (!extensions.actors.some(({ durable }) => durable)) return true;
    return this.#threadOf(next, "").ready;
  }

  /** From now on turns run by the files that were prepared; begun ones end by the older ones. */
  adopt(): void {
    if (this.#next === null) return;
    for (const thread of this.#now.threads.values()) {
      this.#retired.add(thread);
      thread.retire(() => this.#retired.delete(thread));
    }
    this.#now = this.#next;
    this.#next = null;
  }

  abandon(): void {
    for (const thread of this.#next?.threads.values() ?? []) void thread.close();
    this.#next = null;
  }

  close(): Promise<void> {
    this.abandon();
    const threads = [...this.#now.threads.values(), ...this.#retired];
    return Promise.all(threads.map((thread) => thread.close())).then(() => undefined);
  }

  #generationOf(extensions: Extensions): Generation {
    return { extensions, threads: new Map(), strikes: new Strikes(this.#options.clock) };
  }

  #threadOf({ extensions, threads, strikes }: Generation, name: string): AppThread {
    const made = threads.get(name) ?? new AppThread({ ...this.#options, extensions }, strikes);
    threads.set(name, made);
    return made;
  }
}

class AppThread {
  readonly #options: AppHostOptions;
  readonly #strikes: Strikes;
  readonly #waiting = new Map<number, Asked>();
  readonly #progress = new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
  #worker: Worker | null = null;
  #isReady = false;
  #isClosed = false;
  #lastAsk = 0;
  #lastCount = -1;
  #sinceMs: Monotonic;
  #cancelLook: (() => void) | null = null;
  #cancelStart: (() => void) | null = null;
  #settleReady: (isReady: boolean) => void = () => undefined;
  /** Called once nothing waits any more. */
  #retired: (() => void) | null = null;
  /** Whether its files have loaded, the first time. */
  readonly ready = new Promise<boolean>((resolve) => {
    this.#settleReady = resolve;
  });

  constructor(options: AppHostOptions, strikes: Strikes) {
    this.#options = options;
    this.#strikes = strikes;
    this.#sinceMs = options.clock.monotonicMs();
    this.#start();
  }

  run(batch: AppBatch): Promise<AppBatchDone> {
    if (this.#isClosed || this.#waiting.size >= WAITING_MAX) {
      return Promise.resolve(allRefused(batch));
    }
    return new Promise((resolve) => {
      const ended = new Map<number, AppTurnDone>();
      for (const [n, turn] of batch.turns.entries()) {
        if (this.#strikes.isOut(nameOf(batch.kind, turn))) ended.set(n, REFUSED);
      }
      const asked: Asked = { ask: 0, batch, ended, places: [], resolve };
      this.#ask(asked);
    });
  }

  /** Ends once what was asked is answered. */
  retire(ended: () => void): void {
    this.#retired = ended;
    this.#endRetired();
  }

  #endRetired(): void {
    if (this.#retired === null || this.#waiting.size > 0) return;
    this.#retired();
    this.#retired = null;
    void this.close();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#settleReady(false);
    this.#cancelLook?.();
    this.#cancelStart?.();
    await this.#worker?.terminate();
    for (const { batch, resolve } of this.#waiting.values()) resolve(allRefused(batch));
    this.#waiting.clear();
  }

  #ask(asked: Asked): void {
    this.#lastAsk = (this.#lastAsk + 1) & 0x7fffffff;
    asked.ask = this.#lastAsk;
    asked.places = [...asked.batch.turns.keys()].filter((n) => !asked.ended.has(n));
    if (asked.places.length === 0) {
      asked.resolve({
        turns: asked.batch.turns.map((_, n) => asked.ended.get(n) ?? REFUSED),
        unauthorized: [],
      });
      return;
    }
    this.#waiting.set(asked.ask, asked);
    if (this.#isReady) this.#post(asked);
    this.#cancelLook ??= this.#options.clock.after(LOOK_MS, () => this.#look());
  }

  #post({ ask, batch, places }: Asked): void {
    const turns = places.map((n) => batch.turns[n]!);
    this.#worker?.postMessage({ ask, batch: { ...batch, turns } } satisfies AskedBatch);
  }

  #start(): void {
    const { extensions, memoryMb, log, clock } = this.#options;
    const bundles = extensions.bundles.filter(({ kind }) => kind === "actor");
    const worker = new Worker(new URL("./app-thread.js", import.meta.url), {
      workerData: {
        dir: extensions.dir,
        bundles,
        progress: this.#progress,
      } satisfies AppThreadData,
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
    });
    this.#worker = worker;
    this.#isReady = false;
    worker.on("message", (message: DoneBatch | "ready") => {
      if (message === "ready") this.#began();
      else this.#onDone(message);
    });
    worker.on("error", (err) => log.error({ event: "app_thread_failed", err }));
    worker.on("exit", () => this.#onExit(worker));
    this.#cancelStart = clock.after(START_MS_MAX, () => void worker.terminate());
  }

  #began(): void {
    this.#cancelStart?.();
    this.#cancelStart = null;
    this.#isReady = true;
    this.#settleReady(true);
    this.#sinceMs = this.#options.clock.monotonicMs();
    for (const asked of this.#waiting.values()) this.#post(asked);
  }

  #onDone({ ask, done, ms, slow, faults }: DoneBatch): void {
    const asked = this.#waiting.get(ask);
    if (asked === undefined) return;
    this.#waiting.delete(ask);
    const { batch, ended, places } = asked;
    const { log, figures } = this.#options;
    figures.ran(batch.kind, places.length, ms);
    for (const { turn, ms } of slow) {
      const named = batch.turns[places[turn] ?? -1];
      const of = named === undefined ? `${batch.kind}.authorize` : nameOf(batch.kind, named);
      log.warn({ event: "actor_turn_slow", actor: `${batch.kind}:${batch.key}`, turn: of, ms });
    }
    for (const { of, why } of faults) {
      const actor = `${batch.kind}:${batch.key}`;
      log.error({ event: "actor_turn_failed", actor, turn: `${batch.kind}.${of}`, why });
    }
    const turns: AppTurnDone[] = batch.turns.map((_, n) => ended.get(n) ?? REFUSED);
    for (const [n, place] of places.entries()) {
      const one = done.turns[n] ?? REFUSED;
      turns[place] = one;
      if (one.is !== "failed") continue;
      figures.failed(batch.kind);
      const turn = nameOf(batch.kind, batch.turns[place]!);
      log.error({
        event: "actor_turn_failed",
        actor: `${batch.kind}:${batch.key}`,
        turn,
        why: one.why,
      });
    }
    asked.resolve({ turns, unauthorized: done.unauthorized });
    this.#endRetired();
  }

  /** [APH1] */
  #look(): void {
    this.#cancelLook = null;
    if (this.#isClosed || this.#waiting.size === 0) return;
    const { clock } = this.#options;
    const count = Atomics.load(this.#progress, PROGRESS.count);
    const nowMs = clock.monotonicMs();
    const isBusy = Atomics.load(this.#progress, PROGRESS.turn) >= 0;
    if (count !== this.#lastCount || !this.#isReady || !isBusy) {
      this.#lastCount = count;
      this.#sinceMs = nowMs;
    } else if (msBetween(this.#sinceMs, nowMs) > TURN_MS_MAX - LOOK_MS) {
      this.#sinceMs = nowMs;
      void this.#worker?.terminate();
    }
    this.#cancelLook = clock.after(LOOK_MS, () => this.#look());
  }

  #onExit(worker: Worker): void {
    if (worker !== this.#worker || this.#isClosed) return;
    this.#cancelStart?.();
    const wasReady = this.#isReady;
    this.#settleReady(false);
    this.#isReady = false;
    const ask = Atomics.load(this.#progress, PROGRESS.ask);
    const turn = Atomics.load(this.#progress, PROGRESS.turn);
    const asked = this.#waiting.get(ask);
    if (wasReady && asked !== undefined && turn >= 0) this.#blame(asked, turn);
    Atomics.store(this.#progress, PROGRESS.turn, -1);
    // The batches are asked again, without the turn that hung.
    const again = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const one of again) this.#ask(one);
    // The turn that hung may have been the last one of a retired thread.
    this.#endRetired();
    this.#options.clock.after(wasReady ? 0 : RESTART_MS, () => {
      if (!this.#isClosed) this.#start();
    });
  }

  #blame({ batch, ended, places }: Asked, turn: number): void {
    const { log } = this.#options;
    const place = places[turn];
    const named = place === undefined ? undefined : batch.turns[place];
    const name = named === undefined ? `${batch.kind}.authorize` : nameOf(batch.kind, named);
    log.error({ event: "actor_turn_ended", actor: `${batch.kind}:${batch.key}`, turn: name });
    this.#strikes.add(name);
    this.#options.figures.failed(batch.kind);
    if (place !== undefined) {
      const why = "It took more than a second, or too much memory.";
      ended.set(place, { is: "failed", why, error: REFUSALS.internal.error });
    } else for (const n of places) ended.set(n, REFUSED);
  }
}

const REFUSED: AppTurnDone = { is: "refused", error: REFUSALS.unavailable.error };

function allRefused({ turns }: AppBatch): AppBatchDone {
  return { turns: turns.map(() => REFUSED), unauthorized: [] };
}

/** Like "poll.vote": what becomes unavailable. */
function nameOf(kind: string, turn: AppTurn): string {
  if (turn.does === "call") return `${kind}.${turn.action}`;
  return turn.does === "ring" ? `${kind}.onTimer.${turn.timer}` : `${kind}.${turn.does}`;
}

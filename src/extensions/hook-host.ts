/**
 * Asks the application's own hooks before a commit, in a thread beside those of Troupe. Part of an
 * actor thread, for messages, and of an edge, for conversations and members.
 *
 * [HKP1] A hook that throws, is late, hangs, or answers what it may not is a failure, of which
 *        HOOK_ON_FAILURE says what becomes.
 * [HKP2] One that hangs costs its own question and ends its thread; the others are asked again on the
 *        next one. Three of these in a minute, and that hook fails at once for the rest of it.
 * [HKP3] A question is answered within WAIT_MS; at most WAITING_MAX wait. They wait here: the thread has
 *        POSTED_MAX of them, and after a flood none whose time is up.
 */
import { Worker } from "node:worker_threads";
import type { Clock } from "../base/clock.ts";
import type { HookFailure, HookFailures } from "../base/hook-failures.ts";
import type { Log } from "../base/log.ts";
import type { Extensions } from "../config/extensions.ts";
import type { AskedType, HookCaller, Hooks, HookVerdict } from "../protocol/hooks.ts";
import { type Monotonic, msBetween } from "../protocol/time.ts";
import {
  type AskedHook,
  type HookThread,
  type HookThreadData,
  hookOf,
  type SettledHook,
} from "./hook-asking.ts";
import { Strikes } from "./strikes.ts";

/** A hook that runs longer hangs. One that is merely late is a matter of its thread. */
const HANGS_MS = 250;
const LOOK_MS = 50;
const WAIT_MS = 5_000;
const WAITING_MAX = 5_000;
const POSTED_MAX = 64;
const START_MS_MAX = 30_000;
const RESTART_MS = 100;

interface Waiting {
  asked: AskedHook;
  sinceMs: Monotonic;
  settle(verdict: HookVerdict): void;
}

export interface HookHostOptions {
  extensions: Extensions;
  /** Others are none of this host's. */
  types: readonly AskedType[];
  memoryMb: number;
  failed: HookVerdict;
  failures: Pick<HookFailures, "note">;
  clock: Clock;
  log: Log;
  /** A thread of Node's, where it is left out. */
  startThread?: (data: HookThreadData, memoryMb: number) => HookThread;
}

function startWorker(workerData: HookThreadData, memoryMb: number): HookThread {
  return new Worker(new URL("./hook-thread.js", import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: memoryMb },
  });
}

export class HookHost implements Hooks {
  readonly #options: HookHostOptions;
  readonly #types: ReadonlySet<AskedType>;
  readonly #waiting = new Map<number, Waiting>();
  /** Those of them that the thread does not have yet, the oldest first. */
  #unposted = new Set<number>();
  /** What the thread has not answered, also after its time. */
  readonly #posted = new Set<number>();
  readonly #running = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #strikes: Strikes;
  #worker: HookThread | null = null;
  #isReady = false;
  #isClosed = false;
  #lastAsk = 0;
  /** The question that ran at the last look, and since when. */
  #seen: { ask: number; sinceMs: Monotonic } | null = null;
  #cancelLook: (() => void) | null = null;
  #cancelStart: (() => void) | null = null;
  #settleReady: (isReady: boolean) => void = () => undefined;
  /** Called once nothing waits any more. */
  #retired: (() => void) | null = null;
  /** Whether its files have loaded, the first time. */
  readonly ready = new Promise<boolean>((resolve) => {
    this.#settleReady = resolve;
  });

  constructor(options: HookHostOptions) {
    this.#options = options;
    this.#types = new Set(options.types.filter((type) => options.extensions.hooks.includes(type)));
    this.#strikes = new Strikes(options.clock);
    this.#start();
  }

  wants(type: AskedType): boolean {
    return this.#types.has(type);
  }

  ask(type: AskedType, caller: HookCaller, data: object): Promise<HookVerdict> {
    if (this.#isClosed) return Promise.resolve(this.#failed("stopping", "the server stops"));
    if (this.#waiting.size >= WAITING_MAX)
      return Promise.resolve(this.#failed("crowded", "too many wait"));
    if (this.#strikes.isOut(hookOf(type))) {
      return Promise.resolve(
        this.#failed("hung", `${hookOf(type)} has hung three times in a minute`),
      );
    }
    return new Promise((settle) => {
      const { clock } = this.#options;
      this.#lastAsk = (this.#lastAsk % 0x7fffffff) + 1;
      const asked = { ask: this.#lastAsk, type, caller, data: JSON.stringify(data) };
      this.#waiting.set(asked.ask, { asked, sinceMs: clock.monotonicMs(), settle });
      this.#unposted.add(asked.ask);
      this.#post();
      this.#cancelLook ??= clock.after(LOOK_MS, () => this.#look());
    });
  }

  /** [HKP3] */
  #post(): void {
    if (!this.#isReady) return;
    for (const ask of this.#unposted) {
      if (this.#posted.size >= POSTED_MAX) return;
      this.#unposted.delete(ask);
      const waiting = this.#waiting.get(ask);
      if (waiting === undefined) continue;
      this.#posted.add(ask);
      this.#worker?.postMessage(waiting.asked);
    }
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
    for (const ask of [...this.#waiting.keys()]) this.#fail(ask, "stopping", "the server stops");
  }

  #start(): void {
    const { extensions, memoryMb, clock, log, startThread = startWorker } = this.#options;
    const bundles = extensions.bundles.filter(({ kind }) => kind === "hooks");
    const worker = startThread({ dir: extensions.dir, bundles, running: this.#running }, memoryMb);
    this.#worker = worker;
    this.#isReady = false;
    worker.on("message", (message: SettledHook | "ready") => {
      if (message === "ready") this.#onReady();
      else this.#onSettled(message);
    });
    worker.on("error", (err) => log.error({ event: "hook_thread_failed", err }));
    worker.on("exit", () => this.#onExit(worker));
    this.#cancelStart = clock.after(START_MS_MAX, () => void worker.terminate());
  }

  #onReady(): void {
    this.#cancelStart?.();
    this.#isReady = true;
    this.#settleReady(true);
    this.#posted.clear();
    this.#unposted = new Set(this.#waiting.keys());
    this.#post();
  }

  #onSettled({ ask, verdict }: SettledHook): void {
    this.#posted.delete(ask);
    const waiting = this.#waiting.get(ask);
    this.#waiting.delete(ask);
    this.#post();
    waiting?.settle("failed" in verdict ? this.#failed(verdict.failed, verdict.why) : verdict);
    this.#endRetired();
  }

  /** [HKP2] [HKP3] */
  #look(): void {
    this.#cancelLook = null;
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    for (const [ask, { sinceMs }] of this.#waiting) {
      if (msBetween(sinceMs, nowMs) < WAIT_MS) break;
      this.#fail(ask, "late", "it had no turn in time");
    }
    const running = Atomics.load(this.#running, 0);
    if (running === 0 || !this.#isReady) this.#seen = null;
    else if (this.#seen?.ask !== running) this.#seen = { ask: running, sinceMs: nowMs };
    else if (msBetween(this.#seen.sinceMs, nowMs) >= HANGS_MS) void this.#worker?.terminate();
    if (this.#isClosed || (this.#waiting.size === 0 && running === 0)) return;
    this.#cancelLook = clock.after(LOOK_MS, () => this.#look());
  }

  #onExit(worker: HookThread): void {
    if (worker !== this.#worker || this.#isClosed) return;
    this.#cancelStart?.();
    this.#settleReady(false);
    const wasReady = this.#isReady;
    this.#isReady = false;
    this.#seen = null;
    const ask = Atomics.exchange(this.#running, 0, 0);
    const blamed = this.#waiting.get(ask);
    if (wasReady && blamed !== undefined) {
      const name = hookOf(blamed.asked.type);
      this.#strikes.add(name);
      this.#fail(ask, "hung", `${name} hangs, or needs too much memory`);
    }
    this.#options.clock.after(wasReady ? 0 : RESTART_MS, () => {
      if (!this.#isClosed) this.#start();
    });
  }

  #fail(ask: number, kind: HookFailure, why: string): void {
    const waiting = this.#waiting.get(ask);
    this.#waiting.delete(ask);
    this.#unposted.delete(ask);
    waiting?.settle(this.#failed(kind, why));
    this.#endRetired();
  }

  /** [HKP1] */
  #failed(kind: HookFailure, why: string): HookVerdict {
    this.#options.failures.note("file", kind, why);
    return this.#options.failed;
  }
}

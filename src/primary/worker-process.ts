/**
 * One forked worker process, from fork to exit: its state, its pipe, and the primary's questions to
 * it. Made by the supervisor. A worker counts as lost as soon as its pipe, IPC channel or process
 * has ended, so that nobody waits for a process that only lingers.
 */
import cluster, { type Worker } from "node:cluster";
import type { Duplex } from "node:stream";
import { systemClock } from "../base/clock.ts";
import type { WorkerConfig } from "../config/config.ts";
import type { PrimaryOrders, TlsMaterial } from "../runtime/control.ts";
import { FRAME, type Frame, frame } from "../runtime/frames.ts";
import { PIPE_FD, Pipe } from "../runtime/pipe.ts";
import type { WorkerRef } from "../runtime/view.ts";
import { ignoreSurplusHandleAnswers } from "./handle-answers.ts";
import { stepWorker, type WorkerEvent, type WorkerState } from "./worker-state.ts";

export interface WorkerProcessEvents {
  /** Whole frames from the worker; valid during the call only. */
  frames(incarnation: WorkerProcess, bytes: Buffer): void;
  /** Its pipe became full, or has room again. */
  pressure(incarnation: WorkerProcess, isFull: boolean): void;
  /** Called once, when the worker counts as lost. */
  lost(incarnation: WorkerProcess, why: string): void;
  /** Called once, when the process has ended; after `lost`. */
  exited(incarnation: WorkerProcess, how: string): void;
}

/** How long a process that has closed its side may take to exit with its own code. */
const LINGER_MS = 500;
/** How long a process that was asked to end may take. */
const END_MS = 2000;

export class WorkerProcess {
  readonly ref: WorkerRef;
  readonly worker: Worker;
  readonly pipe: Pipe;
  /** Why its writer cannot commit, in words; null where it can. */
  writeTrouble: string | null = null;
  /** Resolves with how the process ended. */
  readonly exited: Promise<string>;
  readonly #events: WorkerProcessEvents;
  readonly #asks = new Map<number, (answer: Frame | null) => void>();
  readonly #waiting = new Set<() => void>();
  #state: WorkerState = { phase: "starting", sinceMs: systemClock.monotonicMs() };
  #corr = 0;
  #killTimer: NodeJS.Timeout | undefined;

  /** Throws when the system cannot make a process. */
  constructor(
    ref: WorkerRef,
    config: WorkerConfig,
    tls: TlsMaterial | null,
    events: WorkerProcessEvents,
  ) {
    this.ref = ref;
    this.#events = events;
    this.worker = cluster.fork(withoutSecrets());
    ignoreSurplusHandleAnswers(this.worker.process);
    const stream = this.worker.process.stdio?.[PIPE_FD] as Duplex | null | undefined;
    // Out of descriptors: Node returns a child without streams and reports the error later.
    if (!stream) {
      this.worker.on("error", () => undefined);
      throw new Error("the system gives no new process");
    }
    this.exited = new Promise((resolve) => {
      const exited = (how: string) => {
        clearTimeout(this.#killTimer);
        this.#lose(how);
        events.exited(this, how);
        resolve(how);
      };
      this.worker.on("exit", (code: number | null, signal: string | null) =>
        exited(signal ?? `exit code ${code}`),
      );
      // Sends to a dying worker fail here instead of ending the primary. A process that could not
      // be made emits no other event.
      this.worker.on("error", (error) => {
        if (this.pid === undefined) exited(error.message);
        else this.#lose(error.message);
      });
    });
    this.worker.on("disconnect", () => this.#lose("its IPC channel ended"));
    this.pipe = new Pipe(stream, {
      frames: (bytes) => events.frames(this, bytes),
      pressure: (isFull) => events.pressure(this, isFull),
      closed: (why) => this.#lose(`its pipe ended: ${why}`),
    });
    const body: PrimaryOrders["configure"] = {
      config,
      incarnation: ref.incarnation,
      slot: ref.slot,
      tls,
    };
    this.#order("configure", body, 0);
  }

  get state(): WorkerState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.worker.process.pid;
  }

  /** Whether it ended because it was asked to. */
  get wasOrdered(): boolean {
    return this.#state.phase === "gone" && this.#state.ordered;
  }

  /** How long the process was online before it was gone. */
  get servedMs(): number {
    return this.#state.phase === "gone" ? this.#state.servedMs : 0;
  }

  /** Whether the event changed anything. */
  move(event: WorkerEvent): boolean {
    const next = stepWorker(this.#state, event, systemClock.monotonicMs());
    if (next === this.#state) return false;
    this.#state = next;
    for (const look of [...this.#waiting]) look();
    return true;
  }

  /** Resolves once `reached` holds, or after `deadlineMs`, with whether it holds. */
  until(reached: (state: WorkerState) => boolean, deadlineMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (held: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(held);
      };
      const look = () => {
        if (reached(this.#state)) settle(true);
        else if (this.#state.phase === "gone") settle(false);
      };
      const timer = setTimeout(() => settle(false), deadlineMs);
      this.#waiting.add(look);
      look();
    });
  }

  /** The worker's answer; null when none came in time, or it is gone. */
  ask<Order extends keyof PrimaryOrders>(
    name: Order,
    body: PrimaryOrders[Order],
    deadlineMs: number,
  ): Promise<Frame | null> {
    if (this.#state.phase === "gone") return Promise.resolve(null);
    this.#corr = (this.#corr % 0x7fffffff) + 1;
    const corr = this.#corr;
    return new Promise((resolve) => {
      const settle = (answer: Frame | null) => {
        clearTimeout(timer);
        this.#asks.delete(corr);
        resolve(answer);
      };
      const timer = setTimeout(() => settle(null), deadlineMs);
      this.#asks.set(corr, settle);
      this.#order(name, body, corr);
    });
  }

  /** An answer frame addressed to the primary. */
  answered(answer: Frame): void {
    this.#asks.get(answer.corr)?.(answer);
  }

  /** Ends a worker that has nothing left to do. */
  async end(): Promise<void> {
    this.pipe.close("ended by the primary");
    if (this.worker.isConnected()) this.worker.process.disconnect();
    this.#killAfter(END_MS);
    await this.exited;
  }

  kill(): void {
    this.worker.process.kill("SIGKILL");
  }

  #order<Order extends keyof PrimaryOrders>(
    name: Order,
    body: PrimaryOrders[Order],
    corr: number,
  ): void {
    this.pipe.send(
      frame(FRAME.control, { to: this.ref.incarnation, name, corr, body: JSON.stringify(body) }),
    );
  }

  #lose(why: string): void {
    if (!this.move("lost")) return;
    this.pipe.close(why);
    for (const settle of [...this.#asks.values()]) settle(null);
    this.#killAfter(LINGER_MS);
    this.#events.lost(this, why);
  }

  #killAfter(delayMs: number): void {
    if (this.pid === undefined || this.worker.isDead()) return;
    clearTimeout(this.#killTimer);
    this.#killTimer = setTimeout(() => this.kill(), delayMs);
  }
}

/** Secrets are sent with `configure`, so they are removed from the worker's environment. */
function withoutSecrets(): Record<string, undefined> {
  return { DATABASE_URL: undefined, REDIS_URL: undefined, JWT_SECRET: undefined };
}

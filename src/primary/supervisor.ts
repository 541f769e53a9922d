/**
 * Keeps `workers` workers running, one for each slot "<host>/<n>": forks them, replaces the
 * dead with back-off, drains and ends them. Made by the host, which connects frames and views.
 *
 * Invariants: a slot has at most one worker process that serves or will serve, except in a roll,
 * where the next process starts before the old one drains; each incarnation id is used once; no
 * worker is forked once the stop has begun.
 *
 * [SUP9] The workers of a start are in one view at once, and those of a stop leave it at once.
 */

import cluster, { type ClusterSettings } from "node:cluster";
import { setupPrimary } from "@socket.io/cluster-adapter";
import { systemClock } from "../base/clock.ts";
import { StartRefusal } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { WorkerConfig } from "../config/config.ts";
import type { Extensions } from "../config/extensions.ts";
import { msBetween } from "../protocol/time.ts";
import type { TlsMaterial } from "../runtime/control.ts";
import { BACK_OFF, type BackOff, RESTED, stepBackOff } from "./back-off.ts";
import type { ServingWorker } from "./front-door.ts";
import { WorkerProcess } from "./worker-process.ts";

export interface SupervisorEvents {
  /** Just forked. */
  forked(incarnation: WorkerProcess): void;
  frames(incarnation: WorkerProcess, bytes: Buffer): void;
  /** The pipe to it became full, or has room again. */
  pressure(incarnation: WorkerProcess, isFull: boolean): void;
  /** The set of online or draining workers has changed, or the stop has begun. Not in the start. */
  changed(): void;
  lost(incarnation: WorkerProcess): void;
}

export interface SupervisorLimits {
  /** From fork to `online`. */
  onlineMs: number;
  /** From `drain` to `drained`; after that the worker is ended in any case. */
  drainMs: number;
  /** From `drain` until the drain has been announced to its sessions. */
  toldMs: number;
  backOff: typeof BACK_OFF;
}

const LIMITS: SupervisorLimits = {
  onlineMs: 30_000,
  drainMs: 10_000,
  // Above the time that an edge gives its long-polling sessions.
  toldMs: 3_500,
  backOff: BACK_OFF,
};

export interface SupervisorOptions {
  /** The host id of this run, so that workers of an earlier run are never confused with these. */
  host: string;
  /** Absolute path of the built worker. */
  workerPath: string;
  config: WorkerConfig;
  /** TLS certificate and session-ticket keys for the next worker; null without TLS. */
  tls?: () => TlsMaterial | null;
  log: Log;
  limits?: Partial<SupervisorLimits>;
}

interface Drain {
  told: Promise<unknown>;
  done: Promise<void>;
}

interface Slot {
  n: number;
  name: string;
  incarnations: Set<WorkerProcess>;
  backOff: BackOff;
  retry: NodeJS.Timeout | undefined;
}

/**
 * The semi-space of each of a worker's two heaps. V8 would let it grow to 16 MB and keep that
 * size under heartbeats. Measured with 8 MB: a tenth less memory, and nothing slower.
 */
const SEMI_SPACE_MB = 8;

export class Supervisor {
  readonly #options: SupervisorOptions;
  #config: WorkerConfig;
  readonly #limits: SupervisorLimits;
  readonly #events: SupervisorEvents;
  readonly #slots: Slot[];
  #serving: readonly ServingWorker[] = [];
  #incarnationCount = 0;
  #stopping = false;
  #rolling = false;
  #started = false;

  constructor(options: SupervisorOptions, events: SupervisorEvents) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#events = events;
    this.#config = options.config;
    this.#slots = Array.from({ length: options.config.workers }, (_, n) => ({
      n,
      name: `${options.host}/${n}`,
      incarnations: new Set(),
      backOff: RESTED,
      retry: undefined,
    }));
    cluster.setupPrimary({
      exec: options.workerPath,
      args: [],
      execArgv: [...process.execArgv, `--max-semi-space-size=${SEMI_SPACE_MB}`],
      // With JSON serialization, binary data that sticky passes on would crash the primary.
      serialization: "advanced",
      // The last is PIPE_FD: a duplex pipe for frames.
      stdio: ["inherit", "inherit", "inherit", "ipc", "pipe"],
    } satisfies ClusterSettings);
    // The primary's half of Socket.IO's adapter: passes on between workers what their halves send.
    setupPrimary();
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /** Workers that may be given new connections; a new array at each change. */
  get serving(): readonly ServingWorker[] {
    return this.#serving;
  }

  get slotCount(): number {
    return this.#slots.length;
  }

  /** All worker processes that are not gone. */
  get incarnations(): WorkerProcess[] {
    return this.#slots.flatMap((slot) => [...slot.incarnations]);
  }

  incarnationOf(id: string): WorkerProcess | undefined {
    return this.incarnations.find((incarnation) => incarnation.ref.incarnation === id);
  }

  /** Resolves when all are online; rejects with a StartRefusal when one does not come up. */
  async start(): Promise<void> {
    await Promise.all(this.#slots.map((slot) => this.#firstOnline(this.#fork(slot))));
    this.#started = true;
    // The first one alone would be given all actors of the host, and lose them again.
    this.#changed();
    // One may have died while others were still starting.
    for (const slot of this.#slots) this.#replace(slot);
  }

  /** A worker's report that it can serve, or that it has drained. */
  reported(incarnation: WorkerProcess, what: "online" | "drained"): void {
    const event = what === "online" ? "online_reported" : "drained_reported";
    const startedMs = incarnation.state.sinceMs;
    if (!incarnation.move(event)) return;
    const ms = Math.round(msBetween(startedMs, systemClock.monotonicMs()));
    this.#options.log.info({
      event: `worker_${what}`,
      worker: incarnation.ref.incarnation,
      pid: incarnation.pid,
      ms,
    });
    if (what === "online") this.#changed();
  }

  /**
   * Replaces the workers one by one, never with fewer serving than before. [SUP6] A worker that is
   * still starting is replaced as well: it may have read older code and settings.
   */
  async roll(): Promise<void> {
    if (this.#rolling || this.#stopping) return;
    this.#rolling = true;
    this.#options.log.info({ event: "roll_started" });
    try {
      for (const slot of this.#slots) {
        const old = [...slot.incarnations];
        const next = this.#fork(slot);
        if (!(await this.#online(next)) || this.#stopping) {
          this.#options.log.error({ event: "roll_given_up", slot: slot.name });
          return;
        }
        await Promise.all(old.map((incarnation) => this.#drain(incarnation)));
      }
      this.#options.log.info({ event: "roll_done" });
    } finally {
      this.#rolling = false;
    }
  }

  /**
   * Drains and ends all workers. `told` is called once the drain has been announced to all sessions
   * or the time for that is up: then the port may close. Resolves when no process is left.
   */
  async stop(told: () => void): Promise<void> {
    this.#stopping = true;
    for (const slot of this.#slots) clearTimeout(slot.retry);
    const online = this.incarnations.filter((incarnation) => incarnation.state.phase === "online");
    const waiting = this.incarnations.filter(
      (incarnation) => incarnation.state.phase === "draining",
    );
    for (const incarnation of this.incarnations)
      if (incarnation.state.phase === "starting") incarnation.kill();
    const drains = this.#beginDrains(online);
    await Promise.all(drains.map((drain) => drain.told));
    told();
    await Promise.all([
      ...drains.map((drain) => drain.done),
      ...waiting.map((incarnation) => this.#ended(incarnation)),
      ...this.incarnations.map((incarnation) => incarnation.exited),
    ]);
  }

  /** For a stop that must not wait, and for a start that failed. */
  async killAll(): Promise<void> {
    this.#stopping = true;
    for (const slot of this.#slots) clearTimeout(slot.retry);
    await Promise.all(
      this.incarnations.map((incarnation) => {
        incarnation.kill();
        return incarnation.exited;
      }),
    );
  }

  /** The application's files that workers are forked with. */
  get extensions(): Extensions | null {
    return this.#config.extensions ?? null;
  }

  /** Workers that are forked from now on have these files of the application. */
  renewExtensions(extensions: Extensions): void {
    this.#config = { ...this.#config, extensions };
  }

  /**
   * Another worker takes the place of this one, which then drains. Resolves when nothing is asked of it
   * any more. False: no other comes up, and this one goes on.
   */
  async renewWorker(id: string): Promise<boolean> {
    const slot = this.#slots.find(({ incarnations }) =>
      [...incarnations].some(({ ref }) => ref.incarnation === id),
    );
    const old = this.incarnationOf(id);
    if (slot === undefined || old === undefined || this.#stopping) return true;
    if (old.state.phase === "starting") {
      // Its successor is forked as after any other loss.
      old.kill();
      await old.exited;
      return true;
    }
    try {
      if (!(await this.#online(this.#fork(slot)))) return false;
    } catch (error) {
      this.#options.log.error({ event: "worker_fork_failed", slot: slot.name, error });
      return false;
    }
    if (old.state.phase === "online") void this.#beginDrain(old).done;
    return true;
  }

  #fork(slot: Slot): WorkerProcess {
    this.#incarnationCount++;
    const id = `${this.#options.host}.${slot.n}.${this.#incarnationCount.toString(36)}`;
    const tls = this.#options.tls?.() ?? null;
    const incarnation = new WorkerProcess({ incarnation: id, slot: slot.name }, this.#config, tls, {
      frames: (from, bytes) => this.#events.frames(from, bytes),
      pressure: (of, isFull) => this.#events.pressure(of, isFull),
      lost: (gone, why) => this.#lost(slot, gone, why),
      exited: (gone, how) => {
        const level = gone.wasOrdered || this.#stopping ? "info" : "warn";
        this.#options.log[level]({ event: "worker_exited", worker: id, pid: gone.pid, how });
      },
    });
    slot.incarnations.add(incarnation);
    this.#events.forked(incarnation);
    return incarnation;
  }

  /** Whether it came online in time; one that did not is killed. */
  async #online(incarnation: WorkerProcess): Promise<boolean> {
    const held = await incarnation.until(
      (state) => state.phase === "online",
      this.#limits.onlineMs,
    );
    if (!held && incarnation.state.phase === "starting") {
      const ms = this.#limits.onlineMs;
      this.#options.log.error({
        event: "worker_start_too_slow",
        worker: incarnation.ref.incarnation,
        ms,
      });
      incarnation.kill();
    }
    return held;
  }

  async #firstOnline(incarnation: WorkerProcess): Promise<void> {
    if (await this.#online(incarnation)) return;
    const how = await incarnation.exited;
    throw new StartRefusal(
      `A worker did not come up (${how}); what it said is above. Troupe does not start without it.`,
    );
  }

  #lost(slot: Slot, incarnation: WorkerProcess, why: string): void {
    slot.incarnations.delete(incarnation);
    this.#events.lost(incarnation);
    this.#changed();
    if (!this.#started || this.#stopping || incarnation.wasOrdered) return;
    this.#options.log.warn({ event: "worker_lost", worker: incarnation.ref.incarnation, why });
    this.#replaceLater(slot, incarnation.servedMs);
  }

  #replaceLater(slot: Slot, servedMs: number): void {
    const { backOff, delayMs } = stepBackOff(slot.backOff, servedMs, this.#limits.backOff);
    slot.backOff = backOff;
    clearTimeout(slot.retry);
    slot.retry = setTimeout(() => this.#replace(slot), delayMs);
  }

  #replace(slot: Slot): void {
    if (this.#stopping || isCovered(slot)) return;
    try {
      void this.#online(this.#fork(slot));
    } catch (error) {
      // No process could be made; it counts as one that died at once.
      this.#options.log.error({ event: "worker_fork_failed", slot: slot.name, error });
      this.#replaceLater(slot, 0);
    }
  }

  /** Drains one worker in a roll. */
  async #drain(incarnation: WorkerProcess): Promise<void> {
    if (incarnation.state.phase === "online") await this.#beginDrain(incarnation).done;
    if (incarnation.state.phase !== "starting") return;
    // It is not in any view yet, so there is nothing to drain.
    incarnation.move("drain_ordered");
    incarnation.kill();
    await incarnation.exited;
  }

  #beginDrain(incarnation: WorkerProcess): Drain {
    return this.#beginDrains([incarnation])[0]!;
  }

  #beginDrains(incarnations: readonly WorkerProcess[]): Drain[] {
    for (const incarnation of incarnations) incarnation.move("drain_ordered");
    // The view without them is sent before the orders, in the same pipes.
    this.#changed();
    return incarnations.map((incarnation) => this.#orderDrain(incarnation));
  }

  #orderDrain(incarnation: WorkerProcess): Drain {
    const order = { deadline_ms: this.#limits.drainMs };
    const drained = incarnation.until(
      (state) => state.phase === "draining" && state.drained,
      this.#limits.drainMs,
    );
    const told = Promise.race([incarnation.ask("drain", order, this.#limits.toldMs), drained]);
    return { told, done: this.#ended(incarnation, drained) };
  }

  async #ended(incarnation: WorkerProcess, drained?: Promise<boolean>): Promise<void> {
    const isDrained =
      drained ??
      incarnation.until(
        (state) => state.phase === "draining" && state.drained,
        this.#limits.drainMs,
      );
    if (!(await isDrained) && incarnation.state.phase === "draining") {
      this.#options.log.warn({
        event: "worker_drain_too_slow",
        worker: incarnation.ref.incarnation,
      });
    }
    await incarnation.end();
  }

  #changed(): void {
    this.#serving = this.incarnations
      .filter((incarnation) => incarnation.state.phase === "online")
      .map((incarnation) => ({ ...incarnation.ref, worker: incarnation.worker }));
    if (this.#started || this.#stopping) this.#events.changed();
  }
}

/** Whether a worker of this slot serves or is about to. */
function isCovered(slot: Slot): boolean {
  return [...slot.incarnations].some((incarnation) => incarnation.state.phase !== "draining");
}

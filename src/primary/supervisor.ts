/**
 * Keeps `workers` workers running, one for each slot "<host>/<n>": forks them, replaces the
 * dead with back-off, drains and ends them. Made by the host, which connects frames and views.
 *
 * Invariants: a slot has at most one worker process that serves or will serve, except in a roll,
 * where the next process starts before the old one drains; each incarnation id is used once; no
 * worker is forked once the stop has begun.
 */
import cluster, { type ClusterSettings } from "node:cluster";
import { systemClock } from "../base/clock.ts";
import { StartRefusal } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { WorkerConfig } from "../config/config.ts";
import { msBetween } from "../protocol/time.ts";
import type { TlsMaterial } from "../runtime/control.ts";
import { BACK_OFF, type BackOff, RESTED, stepBackOff } from "./back-off.ts";
import type { ServingWorker } from "./front-door.ts";
import { WorkerLife } from "./worker-life.ts";

export interface SupervisorEvents {
  /** Just forked. */
  forked(life: WorkerLife): void;
  frames(life: WorkerLife, bytes: Buffer): void;
  /** The pipe to it became full, or has room again. */
  pressure(life: WorkerLife, isFull: boolean): void;
  /** The set of online or draining workers has changed, or the stop has begun. */
  changed(): void;
  lost(life: WorkerLife): void;
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

interface Slot {
  n: number;
  name: string;
  lives: Set<WorkerLife>;
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
  readonly #limits: SupervisorLimits;
  readonly #events: SupervisorEvents;
  readonly #slots: Slot[];
  #serving: readonly ServingWorker[] = [];
  #lifeCount = 0;
  #stopping = false;
  #rolling = false;
  #started = false;

  constructor(options: SupervisorOptions, events: SupervisorEvents) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#events = events;
    this.#slots = Array.from({ length: options.config.workers }, (_, n) => ({
      n,
      name: `${options.host}/${n}`,
      lives: new Set(),
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
  get lives(): WorkerLife[] {
    return this.#slots.flatMap((slot) => [...slot.lives]);
  }

  lifeOf(id: string): WorkerLife | undefined {
    return this.lives.find((life) => life.ref.life === id);
  }

  /** Resolves when all are online; rejects with a StartRefusal when one does not come up. */
  async start(): Promise<void> {
    await Promise.all(this.#slots.map((slot) => this.#firstOnline(this.#fork(slot))));
    this.#started = true;
    // One may have died while others were still starting.
    for (const slot of this.#slots) this.#replace(slot);
  }

  /** A worker's report that it can serve, or that it has drained. */
  reported(life: WorkerLife, what: "online" | "drained"): void {
    const event = what === "online" ? "online_reported" : "drained_reported";
    const startedMs = life.state.sinceMs;
    if (!life.move(event)) return;
    const ms = Math.round(msBetween(startedMs, systemClock.monotonicMs()));
    this.#options.log.info({ event: `worker_${what}`, worker: life.ref.life, pid: life.pid, ms });
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
        const old = [...slot.lives];
        const next = this.#fork(slot);
        if (!(await this.#online(next)) || this.#stopping) {
          this.#options.log.error({ event: "roll_given_up", slot: slot.name });
          return;
        }
        await Promise.all(old.map((life) => this.#drain(life)));
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
    const online = this.lives.filter((life) => life.state.phase === "online");
    const waiting = this.lives.filter((life) => life.state.phase === "draining");
    for (const life of this.lives) if (life.state.phase === "starting") life.kill();
    const drains = online.map((life) => this.#beginDrain(life));
    await Promise.all(drains.map((drain) => drain.told));
    told();
    await Promise.all([
      ...drains.map((drain) => drain.done),
      ...waiting.map((life) => this.#ended(life)),
      ...this.lives.map((life) => life.exited),
    ]);
  }

  /** For a stop that must not wait, and for a start that failed. */
  async killAll(): Promise<void> {
    this.#stopping = true;
    for (const slot of this.#slots) clearTimeout(slot.retry);
    await Promise.all(
      this.lives.map((life) => {
        life.kill();
        return life.exited;
      }),
    );
  }

  #fork(slot: Slot): WorkerLife {
    this.#lifeCount++;
    const id = `${this.#options.host}.${slot.n}.${this.#lifeCount.toString(36)}`;
    const tls = this.#options.tls?.() ?? null;
    const life = new WorkerLife({ life: id, slot: slot.name }, this.#options.config, tls, {
      frames: (from, bytes) => this.#events.frames(from, bytes),
      pressure: (of, isFull) => this.#events.pressure(of, isFull),
      lost: (gone, why) => this.#lost(slot, gone, why),
      exited: (gone, how) => {
        const level = gone.wasOrdered || this.#stopping ? "info" : "warn";
        this.#options.log[level]({ event: "worker_exited", worker: id, pid: gone.pid, how });
      },
    });
    slot.lives.add(life);
    this.#events.forked(life);
    return life;
  }

  /** Whether it came online in time; one that did not is killed. */
  async #online(life: WorkerLife): Promise<boolean> {
    const held = await life.until((state) => state.phase === "online", this.#limits.onlineMs);
    if (!held && life.state.phase === "starting") {
      const ms = this.#limits.onlineMs;
      this.#options.log.error({ event: "worker_start_too_slow", worker: life.ref.life, ms });
      life.kill();
    }
    return held;
  }

  async #firstOnline(life: WorkerLife): Promise<void> {
    if (await this.#online(life)) return;
    const how = await life.exited;
    throw new StartRefusal(
      `A worker did not come up (${how}); what it said is above. Troupe does not start without it.`,
    );
  }

  #lost(slot: Slot, life: WorkerLife, why: string): void {
    slot.lives.delete(life);
    this.#events.lost(life);
    this.#changed();
    if (!this.#started || this.#stopping || life.wasOrdered) return;
    this.#options.log.warn({ event: "worker_lost", worker: life.ref.life, why });
    this.#replaceLater(slot, life.servedMs);
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
  async #drain(life: WorkerLife): Promise<void> {
    if (life.state.phase === "online") await this.#beginDrain(life).done;
    if (life.state.phase !== "starting") return;
    // It is not in any view yet, so there is nothing to drain.
    life.move("drain_ordered");
    life.kill();
    await life.exited;
  }

  #beginDrain(life: WorkerLife): { told: Promise<unknown>; done: Promise<void> } {
    life.move("drain_ordered");
    // The view without it is sent before the order, in the same pipe.
    this.#changed();
    const order = { deadline_ms: this.#limits.drainMs };
    const drained = life.until(
      (state) => state.phase === "draining" && state.drained,
      this.#limits.drainMs,
    );
    const told = Promise.race([life.ask("drain", order, this.#limits.toldMs), drained]);
    return { told, done: this.#ended(life, drained) };
  }

  async #ended(life: WorkerLife, drained?: Promise<boolean>): Promise<void> {
    const isDrained =
      drained ??
      life.until((state) => state.phase === "draining" && state.drained, this.#limits.drainMs);
    if (!(await isDrained) && life.state.phase === "draining") {
      this.#options.log.warn({ event: "worker_drain_too_slow", worker: life.ref.life });
    }
    await life.end();
  }

  #changed(): void {
    this.#serving = this.lives
      .filter((life) => life.state.phase === "online")
      .map((life) => ({ ...life.ref, worker: life.worker }));
    this.#events.changed();
  }
}

/** Whether a worker of this slot serves or is about to. */
function isCovered(slot: Slot): boolean {
  return [...slot.lives].some((life) => life.state.phase !== "draining");
}

/**
 * Runs jobs on one host: takes those that are due, renews their leases, and stores their outcomes.
 * Each host has one runner; hosts share the work by taking jobs from one queue.
 *
 * States of a job here: taken → its handler runs, while its lease is renewed → ended, and given
 * back with its outcome; or lost, when the lease could not be renewed: then its signal is aborted
 * and the queue refuses its further writes.
 *
 * [JOB1] A job is run by one host at a time, and again by another when its host dies.
 * [JOB2] A run that throws is tried again, later each time, and has failed after `TRIES_MAX`.
 * [JOB4] A kind with a bound of its own takes no place of the others.
 * [JOB3] An idle runner asks PostgreSQL once a minute, and is woken when a job is added.
 */
import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { HeldJob, JobEnd, JobStore } from "../ports/jobs.ts";
import { BEFORE_ALL, later, type Monotonic } from "../protocol/time.ts";

/** A handler's connection to its runner while it runs. */
export interface JobRun {
  /** Aborted when the host stops, or when the job is not this host's any more. */
  signal: AbortSignal;
  /** False: the job is not this host's any more. */
  progress(progress: object): Promise<boolean>;
}

/** Nothing: it is done. A throw: it is tried again. */
export type JobHandler = (job: HeldJob, run: JobRun) => Promise<JobEnd | undefined>;
export type JobHandlers = Readonly<Record<string, JobHandler>>;

export interface RunnerTimes {
  /** How long a job stays with a host that does not answer. */
  leaseMs: number;
  renewMs: number;
  /** The longest wait between two looks. */
  idleMs: number;
  /** Before the second try; twice as long before each further one. */
  retryMs: number;
}

export const RUNNER_TIMES: RunnerTimes = {
  leaseMs: 10_000,
  renewMs: 2_500,
  idleMs: 60_000,
  retryMs: 5_000,
};

export const TRIES_MAX = 10;
const RETRY_MS_MAX = 3_600_000;
/** After PostgreSQL did not answer. */
const TROUBLE_MS = 1_000;

export interface RunnerOptions {
  store: JobStore;
  handlers: JobHandlers;
  /** Jobs at once, of all kinds that have no bound of their own. */
  atOnceMax: number;
  /** Jobs of a kind at once. */
  bounds?: Readonly<Record<string, number>>;
  times?: Partial<RunnerTimes>;
  clock: Clock;
  log: Log;
}

/** Kinds that share a bound. */
interface Lane {
  kinds: string[];
  atOnceMax: number;
  running: number;
}

interface Running {
  abort: AbortController;
  /** The lease has ended by then for sure, if nothing renews it. */
  untilMs: Monotonic;
  ended: Promise<void>;
}

export class JobRunner {
  readonly #options: RunnerOptions;
  readonly #times: RunnerTimes;
  readonly #holder = randomUUID();
  readonly #lanes: Lane[];
  readonly #running = new Map<string, Running>();
  #listening: { close(): Promise<void> } | null = null;
  #cancelLook: () => void = () => undefined;
  #cancelRenewal: () => void = () => undefined;
  #looking: Promise<void> | null = null;
  #isWoken = false;
  #isClosed = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#times = { ...RUNNER_TIMES, ...options.times };
    const { atOnceMax, bounds = {} } = options;
    const shared = Object.keys(options.handlers).filter((kind) => !Object.hasOwn(bounds, kind));
    this.#lanes = [
      ...(shared.length > 0 ? [{ kinds: shared, atOnceMax, running: 0 }] : []),
      ...Object.entries(bounds).map(([kind, most]) => ({
        kinds: [kind],
        atOnceMax: most,
        running: 0,
      })),
    ];
  }

  start(): void {
    if (this.#lanes.length === 0) return;
    this.#listening = this.#options.store.listen(() => this.#wake());
    this.#wake();
  }

  /** Ends what runs; jobs that have not ended by themselves are taken by others at once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelLook();
    for (const { abort } of this.#running.values()) abort.abort();
    await this.#listening?.close();
    await this.#looking;
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    this.#cancelRenewal();
  }

  #wake(): void {
    if (this.#isClosed) return;
    this.#isWoken = true;
    if (this.#looking !== null) return;
    this.#cancelLook();
    this.#looking = this.#look().finally(() => {
      this.#looking = null;
    });
  }

  async #look(): Promise<void> {
    const { store, clock, log } = this.#options;
    let waitMs = this.#times.idleMs;
    try {
      while (this.#isWoken && !this.#isClosed) {
        this.#isWoken = false;
        const withRoom: string[] = [];
        for (const lane of this.#lanes) {
          const room = lane.atOnceMax - lane.running;
          if (room <= 0) continue;
          const askedMs = clock.monotonicMs();
          const jobs = await store.claim(this.#holder, lane.kinds, room, this.#times.leaseMs);
          for (const job of jobs) this.#begin(job, lane, later(askedMs, this.#times.leaseMs));
          if (jobs.length < room) withRoom.push(...lane.kinds);
        }
        // A job that ends wakes the runner.
        if (withRoom.length === 0) continue;
        const nextMs = await store.nextInMs(withRoom);
        if (nextMs !== null) waitMs = Math.min(Math.max(nextMs, 10), this.#times.idleMs);
      }
    } catch (err) {
      log.warn({ event: "jobs_wait", err });
      waitMs = TROUBLE_MS;
    }
    if (!this.#isClosed) this.#cancelLook = clock.after(waitMs, () => this.#wake());
  }

  #begin(job: HeldJob, lane: Lane, untilMs: Monotonic): void {
    const abort = new AbortController();
    lane.running++;
    const ended = this.#run(job, abort.signal).finally(() => {
      lane.running--;
      this.#running.delete(job.id);
      this.#wake();
    });
    if (this.#running.size === 0) this.#renewLater();
    this.#running.set(job.id, { abort, untilMs, ended });
    if (this.#isClosed) abort.abort();
  }

  async #run(job: HeldJob, signal: AbortSignal): Promise<void> {
    const { store, handlers, log } = this.#options;
    const holder = this.#holder;
    let end: JobEnd;
    try {
      const run = {
        signal,
        progress: (progress: object) => store.progress(holder, job.id, progress),
      };
      end = (await handlers[job.kind]!(job, run)) ?? { is: "done" };
    } catch (err) {
      if (!signal.aborted) log.warn({ event: "job_failed", kind: job.kind, id: job.id, err });
      end = this.#afterThrow(job, err, signal);
    }
    try {
      await store.end(holder, job.id, end);
    } catch (err) {
      // Its lease ends, and it is run again.
      log.warn({ event: "job_end_unwritten", kind: job.kind, id: job.id, err });
    }
  }

  /** [JOB2] */
  #afterThrow(job: HeldJob, fault: unknown, signal: AbortSignal): JobEnd {
    if (signal.aborted) return { is: "again", inMs: 0 };
    const message = fault instanceof Error ? fault.message : String(fault);
    const error = { code: "internal", message };
    if (job.attempts >= TRIES_MAX) return { is: "failed", error };
    const inMs = Math.min(this.#times.retryMs * 2 ** (job.attempts - 1), RETRY_MS_MAX);
    return { is: "retry", inMs, error };
  }

  #renewLater(): void {
    this.#cancelRenewal();
    this.#cancelRenewal = this.#options.clock.after(this.#times.renewMs, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    const { store, clock, log } = this.#options;
    const ids = [...this.#running.keys()];
    const untilMs = later(clock.monotonicMs(), this.#times.leaseMs);
    try {
      const kept = new Set(await store.renew(this.#holder, ids, this.#times.leaseMs));
      for (const id of ids) {
        const running = this.#running.get(id);
        // One that is not kept ended in this moment, or is another host's.
        if (running !== undefined) running.untilMs = kept.has(id) ? untilMs : BEFORE_ALL;
      }
    } catch (err) {
      log.warn({ event: "leases_unrenewed", err });
    }
    for (const { abort, untilMs } of this.#running.values()) {
      if (untilMs <= clock.monotonicMs()) abort.abort();
    }
    if (this.#running.size > 0) this.#renewLater();
  }
}

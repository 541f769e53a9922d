/**
 * The queue of jobs: work that runs off the hot path, on any host, once over all hosts, also after a
 * crash. Implemented in src/storage/postgres/jobs.ts; src/jobs runs the jobs. Types only.
 * Every promise rejects only when storage is out of reach.
 */

export interface NewJob {
  /** Names the handler. */
  kind: string;
  /** JSON. */
  args?: object;
  /**
   * One job of this kind and key waits or runs at a time. Asked for again it runs once more: at the
   * earlier of both times where it waits, right after the run that is under way.
   */
  key?: string;
  /** Milliseconds until it may run. */
  inMs?: number;
  /** The one who may read it, `user:7` or `service:shop`; such a job is kept for 7 days when it has ended. */
  askedBy?: string;
}

/** A job that this runner holds. */
export interface HeldJob {
  id: string;
  kind: string;
  key: string | null;
  args: unknown;
  /** How often it has been begun since it last ended well, this time included. */
  attempts: number;
  /** What an earlier run of it has reported last. */
  progress?: object | null;
}

export interface JobError {
  code: string;
  message: string;
  details?: unknown;
}

/** How a run ends. */
export type JobEnd =
  | { is: "done"; result?: object }
  /** It runs again after this time, as a new job would. */
  | { is: "again"; inMs: number }
  /** It is tried again after this time. */
  | { is: "retry"; inMs: number; error: JobError }
  | { is: "failed"; error: JobError };

export interface JobState {
  id: string;
  kind: string;
  state: "waiting" | "running" | "done" | "failed";
  progress: object | null;
  result: object | null;
  error: JobError | null;
  asked_by: string | null;
}

/** The whole queue, for operators. */
export interface JobCounts {
  waiting: number;
  running: number;
  failed: number;
  /** How long the oldest that could run waits. */
  oldest_ms: number;
}

export interface JobQueue {
  /** The id of the job that was added, or of the one that stands for it. */
  add(job: NewJob): Promise<string>;
  job(id: string): Promise<JobState | null>;
  counts(): Promise<JobCounts>;
}

export interface JobStore extends JobQueue {
  /** At most `most` jobs of these kinds whose time has come, or whose holder is gone. */
  claim(
    holder: string,
    kinds: readonly string[],
    most: number,
    leaseMs: number,
  ): Promise<HeldJob[]>;
  /** Those that the holder still holds. */
  renew(holder: string, ids: readonly string[], leaseMs: number): Promise<string[]>;
  /** False: the holder does not hold it any more, and nothing was written. */
  progress(holder: string, id: string, progress: object): Promise<boolean>;
  end(holder: string, id: string, end: JobEnd): Promise<boolean>;
  /** Milliseconds until the next of these kinds may run; null: none waits. */
  nextInMs(kinds: readonly string[]): Promise<number | null>;
  /** Calls `wake` when a job was added anywhere, and after each gap in listening. */
  listen(wake: () => void): { close(): Promise<void> };
}

/**
 * Group commit for writes that need no order among themselves but for those of one key: what
 * gathers while a statement is in flight goes with the next. (Conversations have their own
 * writer, which keeps one order for all.) Used by posts and notifications.
 *
 * Invariants: one statement at a time; rows of one key are never in the same statement, and
 * resolve in the order of the calls. A row that PostgreSQL refuses fails alone.
 */
import { systemClock } from "../../base/clock.ts";
import { REFUSALS, type Result } from "../../protocol/errors.ts";
import { later, type Monotonic } from "../../protocol/time.ts";
import { faultOf, StorageFault } from "../postgres/fault.ts";
import { Fifo } from "./fifo.ts";

/** Rows in one statement. More gains little and delays the first of them. */
const BATCH_ROWS_MAX = 256;

export interface KeyedBatchLimits {
  /** Milliseconds that a row may wait for its turn. */
  deadlineMs: number;
  /** Rows that may wait; past it the database is not keeping up, and more are refused. */
  queueMax: number;
}

export interface KeyedBatchOptions<Row> extends KeyedBatchLimits {
  name: string;
  /** Rows of the same key go one after another; null: no such tie. */
  keyOf: (row: Row) => string | null;
}

interface Job<Row, Answer> {
  row: Row;
  key: string | null;
  deadlineAt: Monotonic;
  resolve: (answer: Result<Answer>) => void;
  reject: (fault: unknown) => void;
}

export class KeyedBatches<Row, Answer> {
  readonly #run: (rows: Row[]) => Promise<Result<Answer>[]>;
  readonly #options: KeyedBatchOptions<Row>;
  readonly #ready = new Fifo<Job<Row, Answer>>();
  /** Behind the one of its key that is ready or in flight. */
  readonly #behind = new Map<string, Fifo<Job<Row, Answer>>>();
  #waiting = 0;
  #running: Promise<void> | null = null;
  #closed = false;

  /** `run` writes rows in one statement and answers each, in order. */
  constructor(run: (rows: Row[]) => Promise<Result<Answer>[]>, options: KeyedBatchOptions<Row>) {
    this.#run = run;
    this.#options = options;
  }

  /** Rejects with StorageFault: whether the row was written is unknown. */
  write(row: Row): Promise<Result<Answer>> {
    const { keyOf, deadlineMs, queueMax } = this.#options;
    if (this.#closed || this.#waiting >= queueMax) return Promise.resolve(REFUSALS.unavailable);
    return new Promise((resolve, reject) => {
      const key = keyOf(row);
      const job = {
        row,
        key,
        deadlineAt: later(systemClock.monotonicMs(), deadlineMs),
        resolve,
        reject,
      };
      this.#waiting++;
      const behind = key === null ? undefined : this.#behind.get(key);
      if (behind !== undefined) {
        behind.push(job);
        return;
      }
      if (key !== null) this.#behind.set(key, new Fifo());
      this.#ready.push(job);
      this.#wake();
    });
  }

  /** Writes what waits; later calls are refused. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  #wake(): void {
    if (this.#running !== null) return;
    this.#running = new Promise<void>((done) => {
      // At the end of the turn, so that what one turn writes shares a statement.
      setImmediate(() => void this.#drain().then(done));
    });
  }

  async #drain(): Promise<void> {
    while (this.#ready.length > 0) {
      const batch: Job<Row, Answer>[] = [];
      for (let job = this.#ready.shift(); job; job = this.#ready.shift()) {
        batch.push(job);
        if (batch.length === BATCH_ROWS_MAX) break;
      }
      this.#waiting -= batch.length;
      await this.#commit(this.#inTime(batch));
      for (const { key } of batch) this.#release(key);
    }
    this.#running = null;
  }

  /** The next of that key may go. */
  #release(key: string | null): void {
    if (key === null) return;
    const next = this.#behind.get(key)?.shift();
    if (next) this.#ready.push(next);
    else this.#behind.delete(key);
  }

  #inTime(batch: Job<Row, Answer>[]): Job<Row, Answer>[] {
    const now = systemClock.monotonicMs();
    return batch.filter((job) => {
      if (job.deadlineAt > now) return true;
      job.reject(new StorageFault("too_slow", `${this.#options.name}: waited past the deadline`));
      return false;
    });
  }

  async #commit(batch: Job<Row, Answer>[]): Promise<void> {
    if (batch.length === 0) return;
    try {
      const answers = await this.#run(batch.map((job) => job.row));
      for (const [i, job] of batch.entries()) job.resolve(answers[i] ?? REFUSALS.internal);
    } catch (error) {
      const fault = faultOf(error, this.#options.name);
      if (fault) for (const job of batch) job.reject(fault);
      else if (batch.length === 1) batch[0]!.resolve(REFUSALS.internal);
      // PostgreSQL refused the batch as it stands: row by row, so that only the culprit fails.
      else for (const job of batch) await this.#commit([job]);
    }
  }
}

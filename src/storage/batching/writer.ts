/**
 * Group commit: everything that gives a conversation its next rev goes through one connection, in
 * the order of the calls, and cursor marks beside it. While one statement is in flight the next
 * batch gathers; a lone send waits for nothing but the end of its turn. Where some hundred rows
 * come in a second, batches begin at a pace (pace.ts).
 *
 * Invariant: the rev-bearing writes of a conversation resolve in the order of their rev.
 * A lost connection leaves the outcome of what was in flight unknown: a batch is tried once more
 * (client_id and monotone cursors make that harmless), a single call is rejected.
 */
import { Client } from "pg";
import type { Appended, CursorMark, Marked, NewMessage } from "../../../actors/ports.ts";
import { stopwatch, systemClock } from "../../base/clock.ts";
import { REFUSALS, type Result } from "../../protocol/errors.ts";
import { earlierOf, later, type Monotonic, msBetween, NEVER } from "../../protocol/time.ts";
import { lookWhetherWritable, tryCommit } from "../postgres/commit-probe.ts";
import {
  asSent,
  connectionConfig,
  DEADLINE_MS,
  type Pooling,
  prepareSession,
  type StorageOptions,
} from "../postgres/connection.ts";
import {
  faultOf,
  isConnectionUsable,
  isRetryable,
  StorageFault,
  type StorageReason,
} from "../postgres/fault.ts";
import type { Statement } from "../postgres/pool.ts";
import { CommitWatch } from "./commit-watch.ts";
import { Fifo } from "./fifo.ts";
import { Pace } from "./pace.ts";
import { type BatchRow, type MarkJob, type SendJob, WriteBatch } from "./write-batch.ts";

/** Rows of each kind in one statement. More gains little and delays the first of them. */
const BATCH_ROWS_MAX = 256;
/** Calls that may wait. Some 0.2 s of full speed; past it the database is not keeping up. */
export const QUEUE_MAX = 20_000;
/** Tries of a batch that PostgreSQL rolls back to resolve a deadlock. */
const TRIES_MAX = 3;
const RECONNECT_MS = 100;

interface Call {
  statement: Statement;
  values: unknown[];
  resolve: (rows: object[]) => void;
  reject: (fault: unknown) => void;
}
type Timed<T> = T & { deadlineAt: Monotonic };
type Change = { send: Timed<SendJob> } | { call: Timed<Call> };

export interface WriterOptions extends StorageOptions {
  /** Sends, marks and calls that may wait; past it they are refused. Default 20,000. */
  queueMax?: number;
  /** After each committed batch: its rows, and the seconds it took. For metrics. */
  onCommit?: (rows: number, seconds: number) => void;
  /**
   * Called when commits become possible (null) or impossible, and every second while they are
   * impossible. Where it is set, an idle writer is tried as well.
   */
  onWritable?: (trouble: StorageReason | null) => void;
}

export class Writer {
  readonly #url: string;
  readonly #deadlineMs: number;
  readonly #pooling: Pooling;
  readonly #queueMax: number;
  readonly #onCommit: (rows: number, seconds: number) => void;
  readonly #onFault: (fault: StorageFault, refusals: number) => void;
  readonly #watch: CommitWatch | null;
  readonly #changes = new Fifo<Change>();
  readonly #marks = new Fifo<Timed<MarkJob>>();
  readonly #pace = new Pace(systemClock.monotonicMs());
  #client: Client | null = null;
  /** The database's time of the last batch that is known to have committed. */
  #settledAt: string | null = null;
  #running: Promise<void> | null = null;
  #lastWasCall = false;
  #closed = false;

  constructor(url: string, options: WriterOptions = {}) {
    this.#url = url;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    this.#pooling = options.pooling ?? "none";
    this.#queueMax = options.queueMax ?? QUEUE_MAX;
    this.#onCommit = options.onCommit ?? (() => undefined);
    this.#onFault = options.onFault ?? (() => undefined);
    const onChange = options.onWritable;
    this.#watch = onChange
      ? new CommitWatch({
          clock: systemClock,
          onChange,
          probe: (thorough) => this.#probe(thorough),
        })
      : null;
  }

  /**
   * Takes its connection before anybody asks for it, and keeps it. Where PostgreSQL gives none
   * within the deadline, the first write tries again.
   */
  async open(): Promise<void> {
    try {
      await this.#connected(this.#deadline());
    } catch (error) {
      const fault = faultOf(error, "writer");
      if (fault === null) throw error;
      this.#failed(fault, 0);
    }
  }

  append(message: NewMessage): Promise<Result<Appended>> {
    if (this.#isFull()) return this.#refuseFull();
    return new Promise((resolve, reject) => {
      this.#changes.push({ send: { message, resolve, reject, deadlineAt: this.#deadline() } });
      this.#wake();
    });
  }

  mark(mark: CursorMark): Promise<Result<Marked>> {
    if (this.#isFull()) return this.#refuseFull();
    return new Promise((resolve, reject) => {
      this.#marks.push({ mark, resolve, reject, deadlineAt: this.#deadline() });
      this.#wake();
    });
  }

  /**
   * A statement in its place among the sends. Rejects with StorageFault (outcome unknown), or
   * with pg's error when the statement itself is refused.
   */
  call<Row extends object>(statement: Statement, values: unknown[]): Promise<Row[]> {
    if (this.#isFull()) return Promise.reject(this.#full());
    return new Promise((resolve, reject) => {
      this.#changes.push({
        call: {
          statement,
          values,
          resolve: resolve as (rows: object[]) => void,
          reject,
          deadlineAt: this.#deadline(),
        },
      });
      this.#wake();
    });
  }

  /** Writes what waits, then leaves. Later calls are rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#watch?.close();
    while (this.#running !== null) await this.#running;
    const client = this.#client;
    this.#client = null;
    await client?.end();
  }

  #deadline(): Monotonic {
    return later(systemClock.monotonicMs(), this.#deadlineMs);
  }

  #isFull(): boolean {
    return this.#closed || this.#changes.length + this.#marks.length >= this.#queueMax;
  }

  #full(): StorageFault {
    const fault = new StorageFault("queue_full", "writer: queue is full");
    if (!this.#closed) this.#onFault(fault, 1);
    return fault;
  }

  #refuseFull(): Promise<typeof REFUSALS.unavailable> {
    this.#full();
    return Promise.resolve(REFUSALS.unavailable);
  }

  #failed(fault: StorageFault, refusals: number): void {
    this.#watch?.failed(fault);
    if (refusals > 0) this.#onFault(fault, refusals);
    if (!isConnectionUsable(fault)) this.#drop();
  }

  /** See CommitWatchOptions. Work that waits comes first: its outcome answers as well. */
  async #probe(thorough: boolean): Promise<void> {
    if (this.#running !== null || this.#closed) return;
    this.#running = this.#look(thorough);
    await this.#running;
    this.#running = null;
    if (this.#changes.length + this.#marks.length > 0) this.#wake();
  }

  async #look(thorough: boolean): Promise<void> {
    try {
      const client = await this.#connected(this.#deadline());
      await (thorough ? tryCommit(client) : lookWhetherWritable(client));
      this.#watch?.committed();
    } catch (error) {
      const fault = faultOf(error, "writer");
      if (fault !== null) this.#failed(fault, 0);
    }
  }

  #wake(): void {
    if (this.#running !== null) return;
    this.#running = new Promise<void>((done) => {
      // At the end of the turn, so that what one turn sends shares a batch.
      setImmediate(() => void this.#drain().then(done));
    });
  }

  async #drain(): Promise<void> {
    while (this.#changes.length + this.#marks.length > 0) {
      const head = this.#changes.peek();
      // Marks take turns with single calls, so that neither keeps the other waiting for long.
      if (head && "call" in head && !(this.#lastWasCall && this.#marks.length > 0)) {
        this.#changes.shift();
        this.#lastWasCall = true;
        await this.#runCall(head.call);
      } else {
        this.#lastWasCall = false;
        await this.#gather();
        await this.#runBatch();
      }
    }
    this.#running = null;
  }

  /** Lets rows gather for as long as the pace wants it. */
  async #gather(): Promise<void> {
    const waiting = this.#changes.length + this.#marks.length;
    const delayMs = this.#pace.delayMs(systemClock.monotonicMs(), waiting);
    if (delayMs <= 0 || this.#closed) return;
    await new Promise<void>((resolve) => systemClock.after(delayMs, resolve));
  }

  async #runCall(call: Timed<Call>): Promise<void> {
    try {
      for (let tries = 1; ; tries++) {
        const client = await this.#connected(call.deadlineAt);
        try {
          const { rows } = await client.query<object>({
            ...asSent(call.statement, this.#pooling),
            values: call.values,
          });
          call.resolve(rows);
          return;
        } catch (error) {
          if (!isRetryable(error) || tries === TRIES_MAX) throw error;
        }
      }
    } catch (error) {
      const fault = faultOf(error, "writer");
      if (fault) this.#failed(fault, 1);
      call.reject(fault ?? error);
    }
  }

  async #runBatch(): Promise<void> {
    const batch = new WriteBatch();
    let deadlineAt = NEVER;
    for (let head = this.#changes.peek(); head && "send" in head; head = this.#changes.peek()) {
      if (batch.sends === BATCH_ROWS_MAX || !batch.addSend(head.send)) break;
      deadlineAt = earlierOf(deadlineAt, head.send.deadlineAt);
      this.#changes.shift();
    }
    while (batch.marks < BATCH_ROWS_MAX) {
      const job = this.#marks.shift();
      if (job === undefined) break;
      deadlineAt = earlierOf(deadlineAt, job.deadlineAt);
      batch.addMark(job);
    }
    this.#pace.begins(systemClock.monotonicMs(), batch.sends + batch.marks);
    await this.#commit(batch, deadlineAt);
  }

  async #commit(batch: WriteBatch, deadlineAt: Monotonic): Promise<void> {
    let unknownSince: string | null = null;
    for (let tries = 1; ; tries++) {
      let sent = false;
      try {
        const client = await this.#connected(deadlineAt);
        sent = true;
        const elapsedMs = stopwatch();
        const query = batch.query();
        const { rows } = await client.query<BatchRow>({
          ...asSent(query, this.#pooling),
          values: query.values,
        });
        const row = rows[0]!;
        if (row.at !== null) this.#settledAt = row.at;
        this.#watch?.committed();
        this.#onCommit(batch.sends + batch.marks, elapsedMs() / 1000);
        batch.settle(row, unknownSince);
        return;
      } catch (error) {
        const fault = faultOf(error, "writer");
        if (fault) this.#failed(fault, 0);
        if (fault && sent) unknownSince = this.#settledAt;
        const again = fault ? tries === 1 : isRetryable(error) && tries < TRIES_MAX;
        if (again && systemClock.monotonicMs() < deadlineAt) continue;
        if (fault) {
          this.#onFault(fault, batch.sends + batch.marks);
          batch.reject(fault);
        } else await this.#isolate(batch);
        return;
      }
    }
  }

  /** PostgreSQL refused the batch as it stands: row by row, so that only the culprit fails. */
  async #isolate(batch: WriteBatch): Promise<void> {
    const rows = batch.split();
    if (rows.length === 1) {
      batch.refuse(REFUSALS.internal);
      return;
    }
    for (const row of rows) await this.#commit(row, this.#deadline());
  }

  /** The connection, which is opened again if it was lost; gives up at the deadline. */
  async #connected(deadlineAt: Monotonic): Promise<Client> {
    if (this.#client) return this.#client;
    for (;;) {
      try {
        return await this.#connect(Math.max(1, msBetween(systemClock.monotonicMs(), deadlineAt)));
      } catch (error) {
        const fault = faultOf(error, "writer");
        if (fault) this.#watch?.failed(fault);
        if (later(systemClock.monotonicMs(), RECONNECT_MS) >= deadlineAt || this.#closed)
          throw fault ?? error;
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
      }
    }
  }

  async #connect(withinMs: number): Promise<Client> {
    const client = new Client({
      ...connectionConfig(this.#url, this.#deadlineMs),
      connectionTimeoutMillis: Math.ceil(withinMs),
    });
    // The query in flight reports it too; an idle connection is replaced with the next batch.
    client.on("error", () => this.#forget(client));
    client.on("end", () => this.#forget(client));
    try {
      await client.connect();
      await prepareSession(client, this.#deadlineMs, this.#pooling);
      if (this.#settledAt === null) {
        const { rows } = await client.query<{ now: string }>(
          "SELECT clock_timestamp()::timestamptz(3) AS now",
        );
        this.#settledAt = rows[0]!.now;
      }
    } catch (error) {
      destroy(client);
      throw error;
    }
    this.#client = client;
    return client;
  }

  #forget(client: Client): void {
    if (this.#client === client) this.#client = null;
  }

  /** The connection is broken, or hangs in a statement that nobody waits for any more. */
  #drop(): void {
    const client = this.#client;
    this.#client = null;
    if (client) destroy(client);
  }
}

/**
 * Closes without waiting for the server, which may never answer. pg has no public way to that;
 * [WRT6] would hang without it.
 */
function destroy(client: Client): void {
  client.end().catch(() => undefined);
  (
    client as unknown as { connection: { stream: { destroy(): void } } }
  ).connection.stream.destroy();
}

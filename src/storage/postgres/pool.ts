/**
 * The pool through which everything but the writer's batches goes. It recovers by itself:
 * broken connections are dropped and new ones made with the next statement.
 *
 * [POL1] Where PostgreSQL refuses another connection, statements wait for the pool's own.
 * [POL2] `spare` gives all connections but one back for a while: the writer needs one.
 */
import { Pool } from "pg";
import { systemClock } from "../../base/clock.ts";
import { later, type Monotonic, NEVER } from "../../protocol/time.ts";
import {
  asSent,
  connectionConfig,
  DEADLINE_MS,
  type Pooling,
  prepareSession,
  type StorageOptions,
} from "./connection.ts";
import { faultOf, isRetryable, type StorageFault } from "./fault.ts";

/** Tries of a statement that PostgreSQL rolls back to resolve a deadlock. */
const TRIES_MAX = 3;
/** How long the pool asks for no further connection after it was refused one, or asked to spare. */
const FEW_MS = 10_000;

/** One statement: named (prepared once a connection) when it is hot. */
export interface Statement {
  name?: string;
  text: string;
}

export class Database {
  readonly #pool: Pool;
  readonly #connectionsMax: number;
  readonly #pooling: Pooling;
  readonly #onFault: (fault: StorageFault, refusals: number) => void;
  #fewUntilMs: Monotonic = NEVER;
  #isSparing = false;

  constructor(url: string, connectionsMax: number, options: StorageOptions = {}) {
    const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    const pooling = options.pooling ?? "none";
    this.#pooling = pooling;
    this.#connectionsMax = connectionsMax;
    this.#onFault = options.onFault ?? (() => undefined);
    this.#pool = new Pool({
      ...connectionConfig(url, deadlineMs),
      max: connectionsMax,
      // The last one is kept, so that somebody else's reads cannot take its place.
      min: 1,
      idleTimeoutMillis: 60_000,
      onConnect: (client) => prepareSession(client, deadlineMs, pooling),
    });
    // An idle connection that breaks has left the pool by itself; the next caller gets a new one.
    this.#pool.on("error", () => undefined);
    this.#pool.on("release", () => {
      if (this.#isSparing) setImmediate(() => this.#giveBack());
    });
  }

  /**
   * Rows of a statement that may safely run twice: it is tried again once when the connection
   * broke under it. Throws StorageFault, or pg's error when the statement itself is refused.
   */
  async read<Row extends object>(statement: Statement, values: unknown[]): Promise<Row[]> {
    try {
      return await this.#run<Row>(statement, values);
    } catch (error) {
      const isLost = faultOf(error, "read") !== null && !isTimeout(error);
      if (!isLost && !isRetryable(error)) throw this.#judged(error, statement);
      return await this.write<Row>(statement, values);
    }
  }

  /** Rows of a statement that is run once; after a StorageFault its outcome is unknown. */
  async write<Row extends object>(statement: Statement, values: unknown[]): Promise<Row[]> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#run<Row>(statement, values);
      } catch (error) {
        if (!isRetryable(error) || tries === TRIES_MAX) throw this.#judged(error, statement);
      }
    }
  }

  async close(): Promise<void> {
    if (!this.#pool.ended) await this.#pool.end();
  }

  /** Makes the first connection, where PostgreSQL gives one. */
  async reach(): Promise<void> {
    await this.read({ text: "SELECT 1" }, []).catch(() => undefined);
  }

  /** [POL2] */
  spare(): void {
    this.#isSparing = true;
    this.#makeDoWith(1);
    this.#giveBack();
  }

  async #run<Row extends object>(statement: Statement, values: unknown[]): Promise<Row[]> {
    this.#wantAllAgain();
    const sent = asSent(statement, this.#pooling);
    for (;;) {
      try {
        const { rows } = await this.#pool.query<Row>({ ...sent, values });
        return rows;
      } catch (error) {
        // [POL1] The statement has not run.
        const has = this.#pool.totalCount;
        if (has === 0 || faultOf(error, "")?.reason !== "no_connections") throw error;
        this.#makeDoWith(has);
      }
    }
  }

  #makeDoWith(connections: number): void {
    this.#pool.options.max = connections;
    this.#fewUntilMs = later(systemClock.monotonicMs(), FEW_MS);
  }

  #wantAllAgain(): void {
    if (this.#pool.options.max === this.#connectionsMax) return;
    if (systemClock.monotonicMs() < this.#fewUntilMs) return;
    this.#isSparing = false;
    this.#pool.options.max = this.#connectionsMax;
  }

  /** Ends the idle connections above the bound; a busy one follows when it is released. */
  #giveBack(): void {
    const { idleCount, totalCount, options, waitingCount } = this.#pool;
    if (this.#pool.ending || waitingCount > 0) return;
    const spare = Math.min(idleCount, totalCount - options.max);
    for (let n = 0; n < spare; n++) {
      this.#pool.connect().then(
        (client) => client.release(true),
        // It broke meanwhile, and is given back as well.
        () => undefined,
      );
    }
  }

  #judged(error: unknown, statement: Statement): unknown {
    const fault = faultOf(error, statement.name ?? statement.text.slice(0, 40));
    if (fault !== null) this.#onFault(fault, 1);
    return fault ?? error;
  }
}

/** Time is up already: trying again would double the wait. */
function isTimeout(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    ("code" in error && error.code === "57014") ||
    error.message === "Query read timeout" ||
    error.message.startsWith("timeout exceeded")
  );
}

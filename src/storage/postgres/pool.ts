/**
 * The pool through which everything but the writer's batches goes. It recovers by itself:
 * broken connections are dropped and new ones made with the next statement.
 */
import { Pool } from "pg";
import {
  connectionConfig,
  DEADLINE_MS,
  prepareSession,
  type StorageOptions,
} from "./connection.ts";
import { faultOf, isRetryable } from "./fault.ts";

/** Of a statement that was rolled back as a deadlock's victim. */
const TRIES_MAX = 3;

/** One statement: named (prepared once a connection) when it is hot. */
export interface Statement {
  name?: string;
  text: string;
}

export class Database {
  readonly #pool: Pool;

  constructor(url: string, connectionsMax: number, options: StorageOptions = {}) {
    const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    this.#pool = new Pool({
      ...connectionConfig(url, deadlineMs),
      max: connectionsMax,
      idleTimeoutMillis: 60_000,
      onConnect: (client) => prepareSession(client, deadlineMs),
    });
    // An idle connection that breaks has left the pool by itself; whoever asks next gets a new one.
    this.#pool.on("error", () => undefined);
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

  async #run<Row extends object>(statement: Statement, values: unknown[]): Promise<Row[]> {
    const { rows } = await this.#pool.query<Row>({ ...statement, values });
    return rows;
  }

  #judged(error: unknown, statement: Statement): unknown {
    return faultOf(error, statement.name ?? statement.text.slice(0, 40)) ?? error;
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

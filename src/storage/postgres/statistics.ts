/**
 * Renews the planner's statistics while the tables grow from nothing. A plan that was made for an
 * empty table is kept until the statistics change, and autovacuum renews them only once a minute. In
 * a busy first minute each batch of messages would read all earlier ones (figures in
 * bench/RESULTS.md, "Many connections").
 *
 * [GRW1] When this process has written so many rows, it runs ANALYZE, and every session on every
 *        host makes new plans. A database that was large at the start has statistics, and analysing
 *        it again would cost more.
 * [GRW2] A message is found by the index of all columns of the condition, independently of the
 *        statistics (sql/migrations/0008).
 */
import type { Database } from "./pool.ts";

/** Rows written so far. What comes after the last is autovacuum's. */
const MARKS = [256, 2_048, 16_384, 131_072];
const LARGE_BYTES = 200_000_000;
const ANALYZE = {
  text: `DO $$ BEGIN
    IF pg_relation_size('messages') < ${LARGE_BYTES} THEN
      ANALYZE messages, conversations, conversation_members;
    END IF;
  END $$`,
};

export class StatisticsRefresher {
  readonly #database: Database;
  #rows = 0;
  #nextMark = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  wrote(rows: number): void {
    this.#rows += rows;
    const mark = MARKS[this.#nextMark];
    if (mark === undefined || this.#rows < mark) return;
    this.#nextMark++;
    // Where it fails, writing does too and says so, or autovacuum will be there.
    this.#database.write(ANALYZE, []).catch(() => undefined);
  }
}

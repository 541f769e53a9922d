/**
 * Looks after plans while the tables grow from nothing. A plan that was made when a table was
 * empty goes on as it began until PostgreSQL's statistics change, which autovacuum sees to once a
 * minute: with a busy beginning, each batch of messages reads all that came before (figures in
 * bench/RESULTS.md, "Many connections").
 *
 * [GRW1] The statistics are taken anew when this process has written so many rows; every session
 *        on every host then plans anew. A database that was large before has statistics, and
 *        reading it again would cost it more.
 * [GRW2] Whatever the statistics say, a message is found by the index of all that is asked for
 *        (sql/migrations/0008).
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

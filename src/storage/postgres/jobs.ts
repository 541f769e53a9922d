/**
 * The queue of jobs on PostgreSQL: a table, taken from with SKIP LOCKED, and NOTIFY for those that
 * wait for work, so that an idle queue costs a connection and a look once a minute.
 *
 * Why not graphile-worker: it gives the jobs of a killed process to others after four hours. Here a
 * lease ends within seconds, and every write of a runner that lost it is refused.
 */
import { Client } from "pg";
import { type Clock, systemClock } from "../../base/clock.ts";
import type { HeldJob, JobCounts, JobEnd, JobState, JobStore, NewJob } from "../../ports/jobs.ts";
import { connectionConfig, DEADLINE_MS } from "./connection.ts";
import type { Database } from "./pool.ts";

const CHANNEL = "troupe_jobs";
const LISTEN_AGAIN_MS = 5_000;

const after = (parameter: string) =>
  `clock_timestamp() + ${parameter}::float8 * interval '1 millisecond'`;

const ADD = {
  text: `WITH added AS (
      INSERT INTO jobs AS j (kind, key, args, run_at, asked_by)
      VALUES ($1, $2, $3, ${after("$4")}, $5)
      ON CONFLICT (kind, key) WHERE key IS NOT NULL AND state IN ('waiting', 'running')
      DO UPDATE SET run_at = CASE j.state
          WHEN 'waiting' THEN least(j.run_at, excluded.run_at) ELSE j.run_at END,
        is_again = j.state = 'running'
      RETURNING id
    ) SELECT a.id, pg_notify('${CHANNEL}', '') FROM added a`,
};
const CLAIM = {
  name: "claim_jobs",
  text: `WITH due AS (
      (SELECT j.id FROM jobs j
        WHERE j.state = 'waiting' AND j.run_at <= statement_timestamp() AND j.kind = ANY ($2::text[])
        ORDER BY j.run_at LIMIT $3)
      UNION ALL
      (SELECT j.id FROM jobs j
        WHERE j.state = 'running' AND j.lease_until <= statement_timestamp()
          AND j.kind = ANY ($2::text[])
        ORDER BY j.lease_until LIMIT $3)
    ), free AS (
      SELECT j.id FROM jobs j WHERE j.id IN (SELECT d.id FROM due d)
        AND (j.state = 'waiting' OR j.lease_until <= statement_timestamp())
      ORDER BY j.run_at LIMIT $3 FOR UPDATE SKIP LOCKED
    )
    UPDATE jobs j SET state = 'running', attempts = j.attempts + 1, holder = $1, is_again = false,
      lease_until = ${after("$4")}
    FROM free f WHERE j.id = f.id AND j.state IN ('waiting', 'running')
    RETURNING j.id, j.kind, j.key, j.args, j.attempts, j.progress`,
};
const RENEW = {
  name: "renew_jobs",
  text: `UPDATE jobs j SET lease_until = ${after("$3")}
    WHERE j.id = ANY ($2::bigint[]) AND j.holder = $1 AND j.state = 'running' RETURNING j.id`,
};
const PROGRESS = {
  text: `UPDATE jobs j SET progress = $3
    WHERE j.id = $2 AND j.holder = $1 AND j.state = 'running' RETURNING j.id`,
};
const END_DONE = {
  text: `UPDATE jobs j SET state = 'done', holder = NULL, lease_until = NULL, result = $3,
      error = NULL, finished_at = clock_timestamp()
    WHERE j.id = $2 AND j.holder = $1 AND j.state = 'running' AND NOT j.is_again RETURNING j.id`,
};
// A job that was asked for again meanwhile runs at once, as a new one.
const END_AGAIN = {
  text: `UPDATE jobs j SET state = 'waiting', holder = NULL, lease_until = NULL, attempts = 0,
      is_again = false, error = NULL,
      run_at = CASE WHEN j.is_again THEN clock_timestamp() ELSE ${after("$3")} END
    WHERE j.id = $2 AND j.holder = $1 AND j.state = 'running' RETURNING j.id`,
};
const END_RETRY = {
  text: `UPDATE jobs j SET state = 'waiting', holder = NULL, lease_until = NULL, error = $4,
      run_at = ${after("$3")}
    WHERE j.id = $2 AND j.holder = $1 AND j.state = 'running' RETURNING j.id`,
};
const END_FAILED = {
  text: `UPDATE jobs j SET state = 'failed', holder = NULL, lease_until = NULL, error = $3,
      finished_at = clock_timestamp()
    WHERE j.id = $2 AND j.holder = $1 AND j.state = 'running' RETURNING j.id`,
};
const FORGET = {
  text: "DELETE FROM jobs j WHERE j.id = $1 AND j.state = 'done' AND j.asked_by IS NULL",
};
const NEXT = {
  name: "next_job",
  text: `SELECT (extract(epoch FROM min(n.at) - clock_timestamp()) * 1000)::float8 AS in_ms FROM (
      SELECT min(j.run_at) AS at FROM jobs j WHERE j.state = 'waiting' AND j.kind = ANY ($1::text[])
      UNION ALL
      SELECT min(j.lease_until) FROM jobs j
      WHERE j.state = 'running' AND j.kind = ANY ($1::text[])
    ) n`,
};
const JOB = {
  text: `SELECT j.id, j.kind, j.state, j.progress, j.result, j.error, j.asked_by
    FROM jobs j WHERE j.id = $1`,
};
const COUNTS = {
  text: `SELECT (SELECT count(*) FROM jobs j WHERE j.state = 'waiting')::int AS waiting,
      (SELECT count(*) FROM jobs j WHERE j.state = 'running')::int AS running,
      (SELECT count(*) FROM jobs j WHERE j.finished_at IS NOT NULL AND j.state = 'failed')::int
        AS failed,
      (SELECT greatest(0, extract(epoch FROM clock_timestamp() - min(j.run_at)) * 1000)
        FROM jobs j WHERE j.state = 'waiting')::float8 AS oldest_ms`,
};

export class PostgresJobs implements JobStore {
  readonly #database: Database;
  readonly #url: string;
  readonly #clock: Clock;

  constructor(database: Database, url: string, clock: Clock = systemClock) {
    this.#database = database;
    this.#url = url;
    this.#clock = clock;
  }

  async add({ kind, args = {}, key, inMs = 0, askedBy }: NewJob): Promise<string> {
    const values = [kind, key ?? null, JSON.stringify(args), inMs, askedBy ?? null];
    const [row] = await this.#database.write<{ id: string }>(ADD, values);
    return row!.id;
  }

  async claim(
    holder: string,
    kinds: readonly string[],
    most: number,
    leaseMs: number,
  ): Promise<HeldJob[]> {
    return this.#database.write<HeldJob>(CLAIM, [holder, kinds, most, leaseMs]);
  }

  async renew(holder: string, ids: readonly string[], leaseMs: number): Promise<string[]> {
    const rows = await this.#database.read<{ id: string }>(RENEW, [holder, ids, leaseMs]);
    return rows.map(({ id }) => id);
  }

  async progress(holder: string, id: string, progress: object): Promise<boolean> {
    const rows = await this.#database.write(PROGRESS, [holder, id, JSON.stringify(progress)]);
    return rows.length > 0;
  }

  async end(holder: string, id: string, end: JobEnd): Promise<boolean> {
    switch (end.is) {
      case "done": {
        const result = end.result === undefined ? null : JSON.stringify(end.result);
        const rows = await this.#database.write(END_DONE, [holder, id, result]);
        if (rows.length === 0) return this.end(holder, id, { is: "again", inMs: 0 });
        await this.#database.write(FORGET, [id]);
        return true;
      }
      case "again":
        return this.#ended(END_AGAIN, [holder, id, end.inMs]);
      case "retry":
        return this.#ended(END_RETRY, [holder, id, end.inMs, JSON.stringify(end.error)]);
      case "failed":
        return this.#ended(END_FAILED, [holder, id, JSON.stringify(end.error)]);
    }
  }

  async nextInMs(kinds: readonly string[]): Promise<number | null> {
    const [row] = await this.#database.read<{ in_ms: number | null }>(NEXT, [kinds]);
    return row?.in_ms ?? null;
  }

  async job(id: string): Promise<JobState | null> {
    const [row] = await this.#database.read<JobState>(JOB, [id]);
    return row ?? null;
  }

  async counts(): Promise<JobCounts> {
    const [row] = await this.#database.read<JobCounts & { oldest_ms: number | null }>(COUNTS, []);
    const { waiting, running, failed, oldest_ms } = row!;
    return { waiting, running, failed, oldest_ms: Math.round(oldest_ms ?? 0) };
  }

  listen(wake: () => void): { close(): Promise<void> } {
    const listener = new Listener(this.#url, this.#clock, wake);
    return { close: () => listener.close() };
  }

  async #ended(statement: { text: string }, values: unknown[]): Promise<boolean> {
    return (await this.#database.write(statement, values)).length > 0;
  }
}

/** One connection that is notified of new jobs; replaced when it breaks. */
class Listener {
  readonly #url: string;
  readonly #clock: Clock;
  readonly #wake: () => void;
  #client: Client | null = null;
  #cancelNext: () => void = () => undefined;
  #isClosed = false;

  constructor(url: string, clock: Clock, wake: () => void) {
    this.#url = url;
    this.#clock = clock;
    this.#wake = wake;
    void this.#connect();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelNext();
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    const client = new Client({
      ...connectionConfig(this.#url, DEADLINE_MS),
      application_name: "troupe jobs",
    });
    this.#client = client;
    client.on("notification", () => this.#wake());
    client.on("error", () => this.#lost(client));
    client.on("end", () => this.#lost(client));
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
      this.#wake();
    } catch {
      // PostgreSQL is out of reach, which the runner's own statements report.
      this.#lost(client);
    }
  }

  #lost(client: Client): void {
    if (this.#client !== client) return;
    this.#client = null;
    client.end().catch(() => undefined);
    if (this.#isClosed) return;
    this.#cancelNext = this.#clock.after(LISTEN_AGAIN_MS, () => void this.#connect());
  }
}

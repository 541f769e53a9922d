/** [JOB] The queue of jobs on PostgreSQL, and runners on several hosts that share it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { createLogger } from "../../src/base/log.ts";
import { type JobHandlers, JobRunner } from "../../src/jobs/runner.ts";
import type { JobStore } from "../../src/ports/jobs.ts";
import { PostgresJobs } from "../../src/storage/postgres/jobs.ts";
import { Database } from "../../src/storage/postgres/pool.ts";
import { eventually } from "../support/eventually.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";

const log = createLogger({ level: "silent" });
const LEASE_MS = 400;

describe("jobs", () => {
  let database: TestDatabase;
  let pool: Database;
  let store: PostgresJobs;
  const runners: JobRunner[] = [];

  beforeAll(async () => {
    database = await createDatabase();
    pool = new Database(database.url, 4);
    store = new PostgresJobs(pool, database.url);
  });
  afterAll(async () => {
    await Promise.all(runners.map((runner) => runner.close()));
    await pool.close();
    await database.stop();
  });

  function runs(handlers: JobHandlers, over: JobStore = store): JobRunner {
    const times = { leaseMs: LEASE_MS, renewMs: 100, retryMs: 20 };
    const runner = new JobRunner({
      store: over,
      handlers,
      atOnceMax: 5,
      times,
      clock: systemClock,
      log,
    });
    // One that has died cannot be closed.
    if (over === store) runners.push(runner);
    runner.start();
    return runner;
  }

  it("[JOB3] a job that is added wakes an idle runner at once, and each runs once over all of them", async () => {
    const ran: string[] = [];
    const note = async (job: { id: string }) => {
      ran.push(job.id);
      return undefined;
    };
    runs({ noted: note });
    runs({ noted: note });
    const ids = await Promise.all(Array.from({ length: 30 }, () => store.add({ kind: "noted" })));
    await eventually("all have run", () => ran.length >= 30, 5_000);
    expect([...ran].sort()).toEqual([...ids].sort());
    // Nobody asked for their outcome, so nothing is left of them.
    await eventually("they are gone", async () => (await store.job(ids[0]!)) === null);
  });

  it("[JOB1] a job of a runner that has died is run by another when its lease has ended", async () => {
    const begun: string[] = [];
    // A host that dies renews nothing and ends nothing.
    const dead: JobStore = Object.assign(new PostgresJobs(pool, database.url), {
      listen: () => ({ close: async () => undefined }),
      renew: async () => new Promise<string[]>(() => undefined),
      end: async () => new Promise<boolean>(() => undefined),
    });
    let lost: AbortSignal | undefined;
    const id = await store.add({ kind: "fatal", askedBy: "user:7" });
    runs(
      {
        fatal: async (_job, { signal }) => {
          begun.push("first");
          lost = signal;
          return undefined;
        },
      },
      dead,
    );
    await eventually("the first has begun", () => begun.length === 1);
    runs({ fatal: async () => ({ is: "done", result: { by: "second" } }) });
    await eventually(
      "another has done it",
      async () => (await store.job(id))?.state === "done",
      5_000,
    );
    expect((await store.job(id))?.result).toEqual({ by: "second" });
    expect(lost?.aborted).toBe(false);
  });

  it("[JOB2] a run that throws is tried again, and one that says so has failed", async () => {
    let tries = 0;
    runs({
      shaky: async ({ attempts }) => {
        tries = attempts;
        if (attempts < 3) throw new Error("not yet");
        return { is: "done", result: { attempts } };
      },
      hopeless: async () => ({ is: "failed", error: { code: "conflict", message: "No." } }),
    });
    const shaky = await store.add({ kind: "shaky", askedBy: "user:7" });
    const hopeless = await store.add({ kind: "hopeless", askedBy: "user:7" });
    await eventually("it has worked", async () => (await store.job(shaky))?.state === "done");
    expect(tries).toBe(3);
    await eventually("it has failed", async () => (await store.job(hopeless))?.state === "failed");
    expect((await store.job(hopeless))?.error).toEqual({ code: "conflict", message: "No." });
    expect((await store.counts()).failed).toBe(1);
  });

  it("[JOB4] of one key one job waits or runs at a time, and one that is asked for meanwhile runs once more", async () => {
    let running = 0;
    let most = 0;
    let runsDone = 0;
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const handlers: JobHandlers = {
      keyed: async () => {
        most = Math.max(most, ++running);
        await gate;
        running--;
        runsDone++;
        return undefined;
      },
    };
    const first = await store.add({ kind: "keyed", key: "a", inMs: 60_000 });
    expect(await store.add({ kind: "keyed", key: "a" })).toBe(first);
    runs(handlers);
    runs(handlers);
    await eventually("it runs", () => running === 1);
    for (let n = 0; n < 5; n++) expect(await store.add({ kind: "keyed", key: "a" })).toBe(first);
    release();
    await eventually("it ran once more", () => runsDone === 2);
    expect(most).toBe(1);
  });
});

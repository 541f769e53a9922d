/**
 * Bare group commit: multi-row inserts into Troupe's messages table and nothing else, a
 * connection for each worker that a server would have. The ceiling of `durable`.
 */
import pg from "pg";
import { Meter } from "../meter.ts";
import { type Scenario, WARM_UP_S } from "../scenarios/scenario.ts";
import { Histogram } from "../support/histogram.ts";

const BATCH = 256;
const BODY = "See you at eight, and bring the blue umbrella along.";
const INSERT = {
  name: "bare_commit",
  text: `INSERT INTO messages (conversation_id, seq, rev, sender_id, client_id, body, created_at)
    SELECT c, s, s + 1, 1, k, b, clock_timestamp()
    FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS x (c, s, k, b)`,
};

export const COMMITS: Scenario = {
  name: "commits",
  title: `rows of ${BATCH} in a statement, each statement its commit`,
  async run({ stack, plan, say }) {
    const url = stack.databaseUrl;
    if (url === null) throw new Error("commits wants a database of its own");
    const clients = await Promise.all(
      Array.from({ length: stack.workers }, async () => {
        const client = new pg.Client({ connectionString: url });
        await client.connect();
        return client;
      }),
    );
    let rows = 0;
    let untilMs = 0;
    const latencies = new Histogram();
    const turns = clients.map(() => 0);
    const lane = async (client: pg.Client, number: number) => {
      while (performance.now() < untilMs) {
        const sinceMs = performance.now();
        await client.query({ ...INSERT, values: batchOf(number, turns[number]!++) });
        latencies.add((performance.now() - sinceMs) * 1000);
        rows += BATCH;
      }
    };
    const runFor = (seconds: number) => {
      untilMs = performance.now() + seconds * 1000;
      return Promise.all(clients.map(lane));
    };
    try {
      say("warming up");
      await runFor(WARM_UP_S);
      rows = 0;
      say("measuring", () => rows);
      const meter = Meter.start(stack, () => rows);
      await runFor(plan.seconds);
      return meter.stop("commits", "row", {
        units: rows,
        latencies: latencies.percentilesMs(),
        latencyOf: `a batch of ${BATCH}`,
      });
    } finally {
      await Promise.all(clients.map((client) => client.end()));
    }
  },
};

/** Spread over conversations as sends are; no number twice. */
function batchOf(lane: number, turn: number): unknown[][] {
  const conversations: number[] = [];
  const seqs: number[] = [];
  const ids: string[] = [];
  for (let i = 0; i < BATCH; i++) {
    conversations.push(1 + lane * 1000 + (i % 100));
    seqs.push(1 + turn * BATCH + i);
    ids.push(`${turn}_${i}`);
  }
  return [conversations, seqs, ids, ids.map(() => BODY)];
}

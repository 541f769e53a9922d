/**
 * [SIX6] The search over many messages: how long it takes, and how late the index is under load.
 * SEARCH_MESSAGES sets how many (100,000); it prints what it has measured.
 */
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { createLogger } from "../../src/base/log.ts";
import { termsOf } from "../../src/base/search-text.ts";
import { searchMessages } from "../../src/edge/http/message-search.ts";
import { FEED_SEARCH, searchJobs } from "../../src/jobs/search.ts";
import { asUserId } from "../../src/protocol/schemas.ts";
import { createEdgePorts, type EdgeStorage } from "../../src/storage/postgres/edge-ports.ts";
import { eventually } from "../support/eventually.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { promised } from "../support/promised.ts";
import { chanceFrom } from "../support/random.ts";

const MESSAGES = Number(process.env["SEARCH_MESSAGES"] ?? 100_000);
const USERS = 1_000;
const CONVERSATIONS = 100;
const MEMBERS = 50;
const EACH = Math.ceil(MESSAGES / CONVERSATIONS);
const QUESTIONS = 1_000;
/** The figures that are promised; on a busy machine the processes get their turn later. */
const P99_MS_MAX = promised(100, 500);
const BEHIND_MS_MAX = promised(2_000, 6_000);
const FEED_DEADLINE_MS = 600_000;
const EVERYTHING = {
  conversationId: null,
  senderId: null,
  beforeMs: null,
  afterMs: null,
  hasAttachment: false,
};

const chance = chanceFrom(18);
const random = () => chance(1 << 30) / (1 << 30);
const WORDS = Array.from({ length: 20_000 }, (_, n) => `w${n.toString(36)}`);
/** The frequency of the n-th word is proportional to 1/n, as in any language. */
const word = () => WORDS[Math.floor(WORDS.length ** random()) - 1]!;
const text = () => Array.from({ length: 8 }, word).join(" ");

describe(`the search over ${MESSAGES} messages`, () => {
  let database: TestDatabase;
  let edge: EdgeStorage;
  let client: Client;
  const abort = new AbortController();
  let feeding: Promise<unknown> = Promise.resolve();

  beforeAll(async () => {
    database = await createDatabase();
    client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query(
      `INSERT INTO users (username, display_name, password_hash)
       SELECT 'u' || g, 'u' || g, 'h' FROM generate_series(1, ${USERS}) g`,
    );
    await client.query(
      `INSERT INTO conversations (kind, title, owner_id, last_seq, rev, member_count)
       SELECT 'group', 'g', 1, ${EACH}, ${EACH + 1}, ${MEMBERS}
       FROM generate_series(1, ${CONVERSATIONS})`,
    );
    await client.query(
      `INSERT INTO conversation_members (conversation_id, user_id)
       SELECT c.id, 1 + (c.id * 7 + m * 19) % ${USERS}
       FROM conversations c, generate_series(1, ${MEMBERS}) m`,
    );
    for (let from = 1; from <= EACH; from += 100) {
      const bodies = Array.from({ length: 100 * CONVERSATIONS }, text);
      await client.query(
        `INSERT INTO messages (conversation_id, seq, rev, sender_id, client_id, body, created_at)
         SELECT 1 + x.n % ${CONVERSATIONS}, s.seq, s.seq + 1, 1, 'c' || s.seq, x.body,
           clock_timestamp() - (${EACH} - s.seq) * interval '10 seconds'
         FROM unnest($1::text[]) WITH ORDINALITY AS x (body, n)
         CROSS JOIN LATERAL (SELECT $2::int + (x.n - 1) / ${CONVERSATIONS} AS seq) s
         WHERE s.seq <= ${EACH}`,
        [bodies, from],
      );
    }
    await client.query("ANALYZE messages");
    await client.query("ANALYZE conversations");
    await client.query("ANALYZE conversation_members");
    edge = createEdgePorts(database.url);
    const log = createLogger({ level: "silent" });
    const handler = searchJobs({ index: edge.searchIndex, clock: systemClock, log })[FEED_SEARCH]!;
    const job = { id: "1", kind: FEED_SEARCH, key: FEED_SEARCH, args: {}, attempts: 1 };
    feeding = handler(job, { signal: abort.signal, progress: async () => true });
    await eventually(
      "the index has everything",
      async () => (await edge.searchIndex.due(null, 1)).conversations.length === 0,
      FEED_DEADLINE_MS,
    );
  }, FEED_DEADLINE_MS);
  afterAll(async () => {
    abort.abort();
    await feeding;
    await edge?.close();
    await client?.end();
    await database?.stop();
  });

  it(`[SIX6] answers within ${P99_MS_MAX} ms, 99 of 100 times`, async () => {
    const questions = [
      word,
      () => `${word()} ${word()}`,
      () => `"${word()} ${word()}"`,
      () => `${word()} -${word()}`,
      () => word().slice(0, 3),
      () => "nowhere",
    ];
    const tookMs: number[] = [];
    let found = 0;
    for (let n = 0; n < QUESTIONS; n++) {
      const reader = asUserId(String(1 + Math.floor(random() * USERS)));
      const terms = termsOf(questions[n % questions.length]!());
      const begunMs = performance.now();
      await edge.search.behindMs(reader);
      const page = await searchMessages(edge.search, reader, terms, EVERYTHING, null, 50);
      tookMs.push(performance.now() - begunMs);
      found += page.items.length;
    }
    tookMs.sort((a, b) => a - b);
    const at = (share: number) => tookMs[Math.floor(share * QUESTIONS)]!.toFixed(1);
    console.info(`search: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms over ${MESSAGES} messages`);
    expect(found).toBeGreaterThan(QUESTIONS);
    expect(tookMs[Math.floor(0.99 * QUESTIONS)]).toBeLessThan(P99_MS_MAX);
  });

  it(`[SIX6] is at most ${BEHIND_MS_MAX} ms behind at 500 messages a second`, async () => {
    let mostMs = 0;
    for (let n = 0; n < 20; n++) {
      const untilMs = performance.now() + 200;
      await client.query(
        `WITH c AS (UPDATE conversations SET last_seq = last_seq + 1, rev = rev + 1
           RETURNING id, last_seq, rev)
         INSERT INTO messages (conversation_id, seq, rev, sender_id, client_id, body, created_at)
         SELECT id, last_seq, rev, 1, 'c' || last_seq, $1, clock_timestamp() FROM c`,
        [text()],
      );
      await eventually("the next batch is due", () => performance.now() >= untilMs);
      for (const reader of ["1", "500"]) {
        mostMs = Math.max(mostMs, await edge.search.behindMs(asUserId(reader)));
      }
    }
    console.info(
      `search: at most ${mostMs} ms behind at ${(CONVERSATIONS * 1_000) / 200} a second`,
    );
    expect(mostMs).toBeLessThan(BEHIND_MS_MAX);
    await eventually("the index has everything", async () => {
      return (await edge.searchIndex.due(null, 1)).conversations.length === 0;
    });
  });
});

/** [SIX] The index of messages and the job that feeds it, on PostgreSQL. */
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { createLogger } from "../../src/base/log.ts";
import { segmentsOf, senderToken, termsOf, tokensOf } from "../../src/base/search-text.ts";
import { decodeSearchPlace, searchMessages } from "../../src/edge/http/message-search.ts";
import { FEED_SEARCH, searchJobs } from "../../src/jobs/search.ts";
import type { SearchIndex } from "../../src/ports/search.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { type ActorStorage, createActorPorts } from "../../src/storage/postgres/actor-ports.ts";
import { createEdgePorts, type EdgeStorage } from "../../src/storage/postgres/edge-ports.ts";
import { eventually } from "../support/eventually.ts";
import { edits, removes } from "../support/message-changes.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { granted } from "./adapters.ts";

const log = createLogger({ level: "silent" });
const NOTHING_ELSE = {
  conversationId: null,
  senderId: null,
  beforeMs: null,
  afterMs: null,
  hasAttachment: false,
};

describe("the index of messages", () => {
  let database: TestDatabase;
  let edge: EdgeStorage;
  let actors: ActorStorage;
  let client: Client;
  let users: UserId[];
  let group: ConversationId;
  const feeding: { stop(): Promise<void> }[] = [];
  let clientIds = 0;

  beforeAll(async () => {
    database = await createDatabase();
    edge = createEdgePorts(database.url);
    actors = createActorPorts(database.url);
    client = new Client({ connectionString: database.url });
    await client.connect();
    users = [];
    for (const name of ["ann", "bob"]) {
      users.push((await granted(edge.accounts.register(name, name, "h"))).id as UserId);
    }
  });
  beforeEach(async () => {
    const made = await granted(
      actors.ports.conversations.create("group", users[0]!, users, "A group"),
    );
    group = made.conversation.id as ConversationId;
  });
  afterEach(async () => {
    await Promise.all(feeding.splice(0).map((each) => each.stop()));
  });
  afterAll(async () => {
    await client.end();
    await actors.close();
    await edge.close();
    await database.stop();
  });

  /** A host that feeds, and takes the job up again as a runner would. */
  function feeds(index: SearchIndex = edge.searchIndex): { stop(): Promise<void> } {
    const handler = searchJobs({ index, clock: systemClock, log })[FEED_SEARCH]!;
    const abort = new AbortController();
    const job = { id: "1", kind: FEED_SEARCH, key: FEED_SEARCH, args: {}, attempts: 1 };
    const ended = (async () => {
      while (!abort.signal.aborted) {
        await handler(job, { signal: abort.signal, progress: async () => true });
        // Lets others in where each run ends at once.
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const feeder = {
      async stop() {
        abort.abort();
        await ended;
      },
    };
    feeding.push(feeder);
    return feeder;
  }

  const say = (body: string, by = users[0]!, id = group) =>
    granted(
      actors.ports.conversations.append({
        conversationId: id,
        senderId: by,
        clientId: `c${++clientIds}`,
        body,
        replyToSeq: null,
      }),
    );
  const isFed = () =>
    eventually("the index has everything", async () => {
      return (await edge.searchIndex.due(null, 10)).conversations.length === 0;
    });
  async function finds(q: string, reader = users[1]!): Promise<string[]> {
    const page = await searchMessages(
      edge.search,
      reader,
      termsOf(q),
      { ...NOTHING_ELSE, conversationId: group },
      null,
      100,
    );
    return page.items.map(({ message }) => message.body);
  }

  /** Tokens by message, as the index has them. */
  async function indexed(): Promise<Map<number, string[]>> {
    const { rows } = await client.query<{ seq: string; tokens: string[] }>(
      `SELECT b.first_seq + p - 1 AS seq, array_agg(u.lexeme ORDER BY u.lexeme COLLATE "C") AS tokens
       FROM search_blocks b CROSS JOIN LATERAL unnest(b.tokens) u
       CROSS JOIN LATERAL unnest(u.positions) p
       WHERE b.conversation_id = $1 GROUP BY 1`,
      [group],
    );
    return new Map(rows.map(({ seq, tokens }) => [Number(seq), tokens]));
  }
  /** The same as the messages say. */
  async function expected(): Promise<Map<number, string[]>> {
    const { rows } = await client.query<{ seq: string; body: string; sender_id: string }>(
      `SELECT seq, body, sender_id FROM messages
       WHERE conversation_id = $1 AND deleted_at IS NULL`,
      [group],
    );
    return new Map(
      rows.map(({ seq, body, sender_id }) => {
        const tokens = tokensOf(segmentsOf(body)).add(senderToken(sender_id));
        return [Number(seq), [...tokens].sort()];
      }),
    );
  }
  async function expectExact(): Promise<void> {
    const bySeq = (tokens: Map<number, string[]>) => [...tokens].sort(([a], [b]) => a - b);
    expect(bySeq(await indexed())).toEqual(bySeq(await expected()));
  }

  it("[SIX1] has what the messages say, after sends, edits and deletions in any order", async () => {
    feeds();
    for (let n = 1; n <= 200; n++) {
      await say(`word${n} common`);
      if (n % 7 === 0)
        await granted(edits(actors.ports.conversations, group, n, users[0]!, `e${n}`));
      if (n % 11 === 0) await granted(removes(actors.ports.conversations, group, n - 3, users[0]!));
    }
    await isFed();
    await expectExact();
    expect(await finds('"word13"')).toEqual(["word13 common"]);
    expect(await finds('"word14"')).toEqual([]);
    expect(await finds('"e14"')).toEqual(["e14"]);
  });

  it("[SIX1] a message that commits late is not missed", async () => {
    feeds();
    await isFed();
    const late = new Client({ connectionString: database.url });
    await late.connect();
    try {
      await late.query("BEGIN");
      await late.query(
        `WITH c AS (UPDATE conversations SET last_seq = last_seq + 1, rev = rev + 1
           WHERE id = $1 RETURNING id, last_seq, rev)
         INSERT INTO messages (conversation_id, seq, rev, sender_id, client_id, body, created_at)
         SELECT id, last_seq, rev, $2, 'late', 'belated', now() FROM c`,
        [group, users[0]],
      );
      // Others are fed meanwhile, in later transactions.
      const other = await granted(
        actors.ports.conversations.create("group", users[0]!, users, "Another"),
      );
      await say("meanwhile", users[0]!, other.conversation.id as ConversationId);
      await isFed();
      await late.query("COMMIT");
    } finally {
      await late.end();
    }
    await isFed();
    expect(await finds("belated")).toEqual(["belated"]);
  });

  it("[SIX1] messages that were erased with one rev leave the index together", async () => {
    const before = feeds();
    for (let n = 1; n <= 90; n++) await say(`erased${n}`);
    await isFed();
    await before.stop();
    await client.query(
      `WITH c AS (UPDATE conversations SET rev = rev + 1 WHERE id = $1 RETURNING id, rev)
       UPDATE messages m SET rev = c.rev, body = '', deleted_at = now() FROM c
       WHERE m.conversation_id = c.id AND m.seq <= 80`,
      [group],
    );
    const { conversations } = await edge.searchIndex.due(null, 500);
    const due = conversations.filter(({ id }) => id === group);
    expect(await edge.searchIndex.changes(due, 10)).toHaveLength(80);
    feeds();
    await isFed();
    await expectExact();
    expect((await indexed()).size).toBe(10);
  });

  it("[SIX1] what a feeder that dies leaves undone the next one does", async () => {
    let writes = 0;
    const dying: SearchIndex = {
      due: (...args) => edge.searchIndex.due(...args),
      changes: (...args) => edge.searchIndex.changes(...args),
      tails: (...args) => edge.searchIndex.tails(...args),
      blocksWith: (...args) => edge.searchIndex.blocksWith(...args),
      empty: () => edge.searchIndex.empty(),
      // It dies before its second write, and after each third one without an answer.
      async feed(some) {
        writes++;
        if (writes === 2) throw new Error("killed before it has written");
        const isFed = await edge.searchIndex.feed(some);
        if (writes % 3 === 0) throw new Error("killed after it has written");
        return isFed;
      },
    };
    feeds(dying);
    feeds();
    for (let n = 1; n <= 300; n++) {
      await say(`dying${n}`);
      if (n % 50 === 0) await isFed();
    }
    await isFed();
    await expectExact();
  });

  it("[SIX3] texts of any size are found, and their rows are no larger than PostgreSQL takes", async () => {
    feeds();
    const han = (from: number) =>
      Array.from({ length: 4_000 }, (_, n) =>
        String.fromCodePoint(0x20000 + ((from * 4_000 + n * 7) % 40_000)),
      ).join("");
    for (let n = 0; n < 70; n++) await say(han(n));
    await isFed();
    await expectExact();
    const part = [...han(33)].slice(2_000, 2_002).join("");
    expect(await finds(part)).toContain(han(33));
    const { rows } = await client.query<{ most: number }>(
      "SELECT max(bytes)::int AS most FROM search_blocks WHERE conversation_id = $1",
      [group],
    );
    expect(rows[0]!.most).toBeLessThan(1_048_576);
  });

  it("[SIX4] an index that was emptied is built anew by the feeder that runs", async () => {
    feeds();
    await say("before it was emptied");
    await isFed();
    expect(await edge.searchIndex.empty()).toBeGreaterThan(0);
    await eventually("it is found again", async () => (await finds("emptied")).length === 1);
    await isFed();
    await expectExact();
  });

  it("[SIX5] a deleted conversation leaves the index", async () => {
    feeds();
    await say("soon gone");
    await isFed();
    await client.query("UPDATE conversations SET deleted_at = now(), rev = rev + 1 WHERE id = $1", [
      group,
    ]);
    await isFed();
    expect(await indexed()).toEqual(new Map());
  });

  it("[MSE1] pages are in order where many messages have one time, and none is given twice", async () => {
    feeds();
    for (let n = 0; n < 300; n++) await say(`moment ${n}`);
    await client.query("UPDATE messages SET created_at = '2026-01-01' WHERE conversation_id = $1", [
      group,
    ]);
    await edge.searchIndex.empty();
    await eventually("it is fed again", async () => (await finds("moment")).length === 100);
    await isFed();
    const found: string[] = [];
    for (let cursor: string | null = null, page = 0; page < 50; page++) {
      const place = cursor === null ? null : decodeSearchPlace(cursor)!;
      const { items, next_cursor } = await searchMessages(
        edge.search,
        users[1]!,
        termsOf("moment"),
        { ...NOTHING_ELSE, conversationId: group },
        place,
        20,
      );
      found.push(...items.map(({ message }) => message.body));
      cursor = next_cursor;
      if (cursor === null) break;
    }
    expect(new Set(found).size).toBe(300);
    expect(found).toHaveLength(300);
  });
});

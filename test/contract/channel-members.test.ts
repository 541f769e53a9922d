/** What only PostgreSQL's planner can get wrong: pages of the members of a large channel. */
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { UserId } from "../../src/protocol/ids.ts";
import { asConversationId } from "../../src/protocol/schemas.ts";
import { connectionConfig, prepareSession } from "../../src/storage/postgres/connection.ts";
import { createEdgePorts, type EdgeStorage } from "../../src/storage/postgres/edge-ports.ts";
import { MEMBERS, NAMED_MEMBERS } from "../../src/storage/postgres/members-query.ts";
import { migrate } from "../../src/storage/postgres/migrate.ts";
import { startPostgres, type TestDatabase } from "../support/postgres.ts";

const MEMBERS_IN_ALL = 20_000;
const OWNER = "1" as UserId;
const CHANNEL = asConversationId("1");
/** Member n has joined n milliseconds after this; every 4,000th is a moderator, the last 9,000 readers. */
const BEGAN = "2026-01-01T00:00:00Z";
const FIRST_READER = MEMBERS_IN_ALL - 8_999;

interface PlanNode {
  "Relation Name"?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  Plans?: PlanNode[];
}

describe("pages of a channel's members", () => {
  let database: TestDatabase;
  let client: Client;
  let edge: EdgeStorage;

  beforeAll(async () => {
    database = await startPostgres();
    await migrate(database.url);
    edge = createEdgePorts(database.url);
    client = new Client(connectionConfig(database.url, 30_000));
    await client.connect();
    await prepareSession(client, 30_000);
    await client.query(
      `INSERT INTO users (username, display_name)
       SELECT 'member.' || n, CASE n % 5000 WHEN 7 THEN 'Rara Avis' ELSE 'Common Name' END
       FROM generate_series(1, ${MEMBERS_IN_ALL}) n`,
    );
    await client.query("SET session_replication_role = replica");
    await client.query(
      `INSERT INTO conversations (kind, title, owner_id, member_count)
       VALUES ('channel', 'News', ${OWNER}, ${MEMBERS_IN_ALL})`,
    );
    await client.query(
      `INSERT INTO conversation_members (conversation_id, user_id, in_channel, joined_at, extra)
       SELECT ${CHANNEL}, n, true, '${BEGAN}'::timestamptz + n * interval '1 ms', CASE
         WHEN n % 4000 = 0 THEN '{"role":"moderator"}'
         WHEN n >= ${FIRST_READER} THEN '{"role":"reader"}' END::json
       FROM generate_series(1, ${MEMBERS_IN_ALL}) n`,
    );
    await client.query("SET session_replication_role = origin; ANALYZE");
  });
  afterAll(async () => {
    await client?.end();
    await edge?.close();
    await database?.stop();
  });

  async function pages(filter: object, limit = 100): Promise<{ ids: number[]; sizes: number[] }> {
    const ids: number[] = [];
    const sizes: number[] = [];
    for (let cursor: string | null = null; ; ) {
      const page = await edge.queries.members(OWNER, CHANNEL, limit, cursor, filter);
      if (page.is !== "page") throw new Error(page.is);
      ids.push(...page.items.map(({ user_id }) => Number(user_id)));
      sizes.push(page.items.length);
      cursor = page.next_cursor;
      if (cursor === null) return { ids, sizes };
    }
  }
  const every = (step: number, from: number, to = MEMBERS_IN_ALL) =>
    Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, n) => from + n * step);

  /** Rows of memberships that the statement read. */
  async function read(statement: { text: string }, values: (string | number)[]): Promise<number> {
    const text = values.reduce<string>(
      (sql, value, n) => sql.replaceAll(`$${n + 1}`, `'${value}'`),
      statement.text,
    );
    const { rows } = await client.query<{ "QUERY PLAN": { Plan: PlanNode }[] }>(
      `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`,
    );
    let count = 0;
    const walk = (node: PlanNode): void => {
      if (node["Relation Name"] === "conversation_members") {
        const each = node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0);
        count += each * node["Actual Loops"];
      }
      node.Plans?.forEach(walk);
    };
    walk(rows[0]!["QUERY PLAN"][0]!.Plan);
    return count;
  }
  const middle = new Date(Date.parse(BEGAN) + 10_000).toISOString();
  const place = [OWNER, CHANNEL, middle, 10_000, 101];

  it("[MPG1] come in the order of joining, all of them and those of a role", async () => {
    expect((await pages({})).ids).toEqual(every(1, 1));
    expect((await pages({ role: "owner" })).ids).toEqual([1]);
    expect((await pages({ role: "moderator" }, 2)).ids).toEqual(every(4_000, 4_000));
    const readers = every(1, FIRST_READER).filter((n) => n % 4_000 !== 0);
    expect((await pages({ role: "reader" })).ids).toEqual(readers);
    const members = every(1, 2, FIRST_READER - 1).filter((n) => n % 4_000 !== 0);
    expect((await pages({ role: "member" })).ids).toEqual(members);
    expect((await pages({ role: "admin" })).ids).toEqual([]);
  });

  it("[MPG1] read no more rows than they show", async () => {
    expect(await read(MEMBERS.all, place)).toBeLessThan(110);
    expect(await read(MEMBERS.member, place)).toBeLessThan(110);
    expect(await read(MEMBERS.owner, place)).toBeLessThan(110);
    expect(await read(MEMBERS.other, [...place, "moderator"])).toBeLessThan(110);
    expect(await read(MEMBERS.other, [...place, "reader"])).toBeLessThan(110);
  });

  it("[MPG2] of a rare name look up who has it, of a common one a bounded part at a time", async () => {
    expect(await pages({ q: "avis" })).toEqual({ ids: [7, 5_007, 10_007, 15_007], sizes: [4] });
    expect(await pages({ q: "Rara", role: "reader" })).toEqual({ ids: [15_007], sizes: [1] });
    expect((await pages({ q: "member.123" })).ids).toEqual([
      123,
      ...every(1, 1_230, 1_239),
      ...every(1, 12_300, 12_399),
    ]);
    expect((await pages({ q: "common" })).ids).toHaveLength(MEMBERS_IN_ALL - 4);
    // All have such a username, and few both words: pages have less than their limit.
    const both = await pages({ q: "member avis" });
    expect(both.ids).toEqual([7, 5_007, 10_007, 15_007]);
    expect(both.sizes.length).toBeGreaterThan(1);
    expect(await read(NAMED_MEMBERS.all, [...place, "avis"])).toBeLessThan(110);
    expect(await read(NAMED_MEMBERS.all, [...place, "member avis"])).toBeLessThan(10_100);
  });
});

/** What only PostgreSQL's planner can get wrong: the feed of someone who follows 1,000 people. */
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ListPage } from "../../src/ports/social.ts";
import type { UserId } from "../../src/protocol/ids.ts";
import type { JsonText } from "../../src/protocol/json-text.ts";
import type { Post } from "../../src/protocol/social.ts";
import { connectionConfig, prepareSession } from "../../src/storage/postgres/connection.ts";
import { createEdgePorts, type EdgeStorage } from "../../src/storage/postgres/edge-ports.ts";
import { FEEDS } from "../../src/storage/postgres/feed.ts";
import { TOP } from "../../src/storage/postgres/list-cursor.ts";
import { migrate } from "../../src/storage/postgres/migrate.ts";
import { startPostgres, type TestDatabase } from "../support/postgres.ts";

const FOLLOWED = 1000;
const POSTS = 20_000;
const PAGE = 50;
const READER = "1" as UserId;

interface PlanNode {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  Plans?: PlanNode[];
}

describe("the feed's plan", () => {
  let database: TestDatabase;
  let client: Client;
  let edge: EdgeStorage;

  beforeAll(async () => {
    database = await startPostgres();
    await migrate(database.url);
    edge = createEdgePorts(database.url);
    client = new Client(connectionConfig(database.url, 10_000));
    await client.connect();
    await prepareSession(client, 10_000);
    // Every user writes, of twice as many as are followed; the first of them far more than others.
    await client.query(
      `INSERT INTO users (username, display_name)
       SELECT 'user.' || n, 'User' FROM generate_series(1, ${2 * FOLLOWED + 1}) n`,
    );
    await client.query(
      `INSERT INTO follows (follower_id, followee_id)
       SELECT ${READER}, n FROM generate_series(2, ${FOLLOWED + 1}) n`,
    );
    await client.query(
      `INSERT INTO posts (author_id, body, deleted_at)
       SELECT CASE WHEN n % 4 = 0 THEN 2 ELSE 1 + (n * 7919) % ${2 * FOLLOWED} END, 'post ' || n,
         CASE WHEN n % 100 = 0 THEN now() END
       FROM generate_series(1, ${POSTS}) n`,
    );
  });
  afterAll(async () => {
    await client?.end();
    await edge?.close();
    await database?.stop();
  });

  const explained = async (): Promise<PlanNode[]> => {
    const { rows } = await client.query<{ "QUERY PLAN": { Plan: PlanNode }[] }>(
      `EXPLAIN (ANALYZE, FORMAT JSON) ${FEEDS.text}`
        .replaceAll("$1", `'{${READER}}'`)
        .replaceAll("$2", `'{${PAGE}}'`)
        .replaceAll("$3", `'{${TOP}}'`),
    );
    const nodes: PlanNode[] = [];
    const walk = (node: PlanNode) => {
      nodes.push(node);
      node.Plans?.forEach(walk);
    };
    walk(rows[0]!["QUERY PLAN"][0]!.Plan);
    return nodes;
  };
  const touched = (nodes: PlanNode[], index: string) =>
    nodes
      .filter((node) => node["Index Name"] === index)
      .reduce((sum, node) => sum + node["Actual Rows"] * node["Actual Loops"], 0);

  it.each([
    ["before statistics", ""],
    ["with statistics", "ANALYZE"],
    ["after a vacuum", "VACUUM ANALYZE"],
  ])("[FEED3] it reads few entries of one index, %s", async (_when, before) => {
    if (before) await client.query(before);
    const nodes = await explained();
    const scans = nodes.filter((node) => node["Relation Name"] !== undefined);
    for (const scan of scans) expect(scan["Node Type"]).toMatch(/^Index( Only)? Scan$/);
    // The newest of each author, and a page of each of the page's authors; not the 20,000.
    const entries = touched(nodes, "posts_feed");
    expect(entries).toBeGreaterThan(PAGE);
    expect(entries).toBeLessThanOrEqual(FOLLOWED + 1 + (PAGE + 1) ** 2);
    expect(touched(nodes, "posts_pkey")).toBe(PAGE + 1);
  });

  it("[FEED4] page by page it is everything by those followed, newest first", async () => {
    const { rows } = await client.query<{ id: string }>(
      `SELECT id FROM posts WHERE deleted_at IS NULL AND author_id BETWEEN 1 AND ${FOLLOWED + 1}
       ORDER BY id DESC LIMIT 1000`,
    );
    const seen: string[] = [];
    let cursor: string | null = null;
    while (seen.length < 1000) {
      const read: JsonText<ListPage<Post>> | undefined = await edge.queries.feed(
        READER,
        PAGE,
        cursor,
      );
      const page = read!.value();
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(rows.map(({ id }) => id));
  });
});

/**
 * [IMX8] A channel that an import has made is one as any other: its members' sessions begin with it, and
 *        whoever may read it reads it.
 */

import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asConversationId, asUserId } from "../../src/protocol/schemas.ts";
import { createEdgePorts, type EdgeStorage } from "../../src/storage/postgres/edge-ports.ts";
import { migrate } from "../../src/storage/postgres/migrate.ts";
import { startPostgres, type TestDatabase } from "../support/postgres.ts";

describe("imported channels", () => {
  let database: TestDatabase;
  let edge: EdgeStorage;

  beforeAll(async () => {
    database = await startPostgres();
    await migrate(database.url);
    edge = createEdgePorts(database.url);
  });
  afterAll(async () => {
    await edge?.close();
    await database?.stop();
  });

  it("[IMX8] has its audience, and its members know it as a channel", async () => {
    const client = new Client(database.url);
    await client.connect();
    try {
      await client.query(`INSERT INTO users (username, display_name, external_id)
        VALUES ('ann', 'Ann', 'ann'), ('bob', 'Bob', 'bob'), ('cid', 'Cid', 'cid')`);
    } finally {
      await client.end();
    }
    const { imports, queries } = edge;
    const { id } = await imports.begin("a file");
    const none = { usr: null, seq: null, client_id: null };
    const news = (external_id: string, more: object = {}) => ({
      type: "conversation",
      ref: external_id,
      ...none,
      line: { type: "conversation", kind: "channel", title: "News", owner: "ann", ...more },
    });
    const lines = [
      news("open", { members: ["bob"], audience: "anyone" }),
      news("closed", { members: ["bob"] }),
    ];
    await imports.stage(
      id,
      lines.map((line, n) => ({ ...line, n: n + 1 })),
    );
    await imports.accept(id);
    expect(await imports.writeConversations(id, ["open", "closed"])).toBe(0);

    const [bob, cid] = [asUserId("2"), asUserId("3")];
    const opening = await queries.openSession(bob);
    expect(opening?.conversations).toEqual([]);
    const channels = (opening?.channels ?? []).map(({ conversation_id }) => conversation_id).sort();
    expect(channels).toHaveLength(2);
    const seen = (user: typeof bob) =>
      Promise.all(channels.map((one) => queries.conversation(user, asConversationId(one))));
    expect(await seen(bob)).toMatchObject([{ audience: "anyone" }, { audience: "members" }]);
    expect(await seen(cid)).toMatchObject([{ audience: "anyone", member_count: 2 }, null]);
  });
});

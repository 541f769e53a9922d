/**
 * [FGC] A large conversation is deleted at once, and its rows later.
 *
 * [FGC2] While its rows are still there, nobody reads, lists or changes anything of it.
 * [FGC3] Its rows are deleted in bounded steps, whatever was done before, and memberships end as always.
 */
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { asConversationId } from "../../src/protocol/schemas.ts";
import { connectionConfig } from "../../src/storage/postgres/connection.ts";
import { createEdgePorts, type EdgeStorage } from "../../src/storage/postgres/edge-ports.ts";
import { ADAPTERS, codeOf, granted, newUsers, type OpenStorage, say } from "./adapters.ts";

const MORE = 3_000;
const STEP = 500;

describe("the deletion of a large channel", () => {
  let storage: OpenStorage;
  let edge: EdgeStorage;
  let client: Client;
  let owner: UserId;
  let moderator: UserId;
  let member: UserId;
  let channel: ConversationId;
  let thread: ConversationId;

  beforeAll(async () => {
    storage = await ADAPTERS.find(({ name }) => name === "postgres")!.open();
    edge = createEdgePorts(storage.url!);
    client = new Client(connectionConfig(storage.url!, 30_000));
    await client.connect();
    [owner, moderator, member] = (await newUsers(storage, 3)) as [UserId, UserId, UserId];
    const made = await granted(
      storage.conversations.create("channel", owner, [owner, moderator, member], "News", {
        audience: "anyone",
        extras: { settings: { join: "open" }, permissions: { send: "member" } },
      }),
    );
    channel = asConversationId(made.conversation.id);
    await storage.conversations.change(channel, [
      { by: owner, does: "member", userId: moderator, role: "moderator" },
    ]);
    await granted(say(storage, channel, owner, "the root"));
    thread = asConversationId(
      (await granted(storage.threads.create(channel, 1, member))).thread.id,
    );
    await granted(say(storage, thread, member, "a reply"));
    const change = { pinned: true };
    const asked = { userId: member, conversationId: channel, change, draftBy: "" as const };
    await granted(storage.prefs.change({ ...asked, session: "" }));
    await client.query(
      `WITH u AS (
         INSERT INTO users (username, display_name)
         SELECT 'crowd.' || n, 'Crowd' FROM generate_series(1, ${MORE}) n RETURNING id
       ), m AS (
         INSERT INTO conversation_members (conversation_id, user_id, in_channel)
         SELECT ${channel}, u.id, true FROM u RETURNING user_id
       ), p AS (
         INSERT INTO conversation_prefs (user_id, conversation_id, prefs_rev, set_by)
         SELECT user_id, ${channel}, 1, '' FROM m
       ), k AS (
         INSERT INTO prefs_counters (user_id, last_rev) SELECT user_id, 1 FROM m
         ON CONFLICT (user_id) DO UPDATE SET last_rev = 1
       )
       INSERT INTO conversation_leavers (conversation_id, user_id) SELECT ${channel}, u.id FROM u`,
    );
    await client.query(
      `UPDATE conversations SET member_count = member_count + ${MORE} WHERE id = ${channel}`,
    );
  });
  afterAll(async () => {
    await client?.end();
    await edge?.close();
    await storage?.close();
  });

  const count = async (table: string): Promise<number> => {
    const { rows } = await client.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM ${table} WHERE conversation_id IN (${channel}, ${thread})`,
    );
    return rows[0]!.n;
  };

  it("[FGC2] holds for everybody at once, while its rows are there", async () => {
    const change = await storage.conversations.change(channel, [{ by: owner, does: "delete" }]);
    expect(change).toMatchObject({ changed: true, deleted: true });
    expect(change.removedIds.toSorted()).toEqual([owner, moderator].toSorted());
    expect(await count("conversation_members")).toBeGreaterThan(MORE);

    const { queries, conversations } = storage;
    const window = { beforeSeq: null, afterSeq: null, limit: 10 };
    for (const id of [channel, thread]) {
      expect(await conversations.load(id)).toBeNull();
      expect(await queries.conversation(member, id)).toBeNull();
      expect(await queries.history(member, id, window)).toBeNull();
      expect(await queries.pins(member, id)).toBeNull();
      expect(await queries.prefs(member, id)).toBeNull();
      expect(await queries.standing(member, id)).toBeNull();
      expect(await queries.joiningChange(member, id)).toBeNull();
      expect(await queries.members(member, id, 10, null)).toEqual({ is: "not_found" });
      const again = { userId: member, after: new Map([[id, 1]]), complete: true };
      expect(await queries.sync(again)).toMatchObject({ conversations: [], removed: [id] });
    }
    expect(await queries.bans(member, channel, 10, null)).toEqual(
      await queries.bans(member, asConversationId("999999"), 10, null),
    );
    expect(await queries.invites(member, channel, 10, null)).toEqual(
      await queries.invites(member, asConversationId("999999"), 10, null),
    );
    expect(await queries.readableThreads(member, [thread])).toEqual([]);
    expect((await queries.threads(member, false, 10, null))?.items).toEqual([]);
    for (const filter of ["all", "pinned"] as const) {
      expect((await queries.conversations(member, 10, null, { filter }))?.items).toEqual([]);
    }
    expect(await queries.totals(member)).toMatchObject({ messages: 0, threads: 0 });
    expect(await queries.openSession(member)).toMatchObject({
      channels: [],
      conversations: [],
      threads: [],
    });
    expect(await codeOf(say(storage, channel, member, "late"))).toBe("not_found");
    expect(await codeOf(say(storage, thread, member, "late"))).toBe("not_found");
    expect(
      await codeOf(
        conversations.revise(thread, 1, member, { does: "edit", body: "x", names: [], all: false }),
      ),
    ).toBe("not_found");
    const joins = await conversations.change(channel, [{ by: member, does: "join" }]);
    expect(joins.outcomes).toMatchObject([{ error: { code: "not_found" } }]);
    expect(await storage.recount.recount(false)).toEqual([]);
  });

  it("[FGC1] [FGC3] deletes its rows in bounded steps, by a job that the deletion has added", async () => {
    const { rows } = await client.query("SELECT key FROM jobs WHERE kind = 'conversations.forget'");
    expect(rows).toEqual([{ key: channel }]);
    let left = await count("conversation_members");
    for (let steps = 1; await edge.deleted.forget(channel, STEP); steps++) {
      const now = await count("conversation_members");
      expect(left - now).toBeLessThanOrEqual(STEP);
      left = now;
      expect(steps).toBeLessThan(50);
    }
    expect(await count("conversation_members")).toBe(0);
    expect(await count("conversation_leavers")).toBe(0);
    const prefs = await client.query(
      `SELECT count(*)::int AS n FROM conversation_prefs
       WHERE conversation_id = ${channel} AND is_removed AND prefs_rev = 2
         AND user_id IN (SELECT id FROM users WHERE username LIKE 'crowd.%')`,
    );
    expect(prefs.rows).toEqual([{ n: MORE }]);
    const [removed] = await storage.queries.prefsAfter(member, 0, 10);
    expect(removed?.prefs).toMatchObject({ conversation_id: channel, removed: true });
    // It deletes nothing of a conversation that is there.
    const other = await granted(
      storage.conversations.create("channel", owner, [owner, member], "Other", {}),
    );
    expect(await edge.deleted.forget(other.conversation.id, STEP)).toBe(false);
    expect(
      await storage.queries.conversation(member, asConversationId(other.conversation.id)),
    ).not.toBeNull();
  });
});

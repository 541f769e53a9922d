/**
 * Pushes in PostgreSQL: the readers of a message, and the facts that decide about each.
 *
 * [PSQ1] In a large channel only those whom a message names, or who have chosen every message, are
 *        looked at, and never its sender.
 * [PSQ2] In a channel `@all` is for those who have chosen every message; in a group it mentions
 *        everybody.
 * [PSQ3] Where the first message was read, the time is counted from the first unread one.
 * [PSQ4] Messages of an import are not pushed.
 * [PSQ6] An address that several users register at once is the device of one of them.
 * [PSQ7] What is due for a provider without room waits, and the others' is claimed.
 * [PSQ8] With the last device nothing waits any more.
 * [PSQ5] A push that was put off while a newer message came is tried as often as any other.
 */
import { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { PushSubject } from "../../src/ports/push.ts";
import { asConversationId, asUserId } from "../../src/protocol/schemas.ts";
import { createEdgePorts, type EdgeStorage } from "../../src/storage/postgres/edge-ports.ts";
import { migrate } from "../../src/storage/postgres/migrate.ts";
import { startPostgres, type TestDatabase } from "../support/postgres.ts";

const [SENDER, NAMED, ALL_HERE, ALL_ANYWHERE, ALL_BUT_HERE] = ["1", "2", "3", "4", "5"] as const;
const MEMBERS = 8;
const [CHANNEL, GROUP] = ["1", "2"] as const;
/** More than the bound above which a channel is large. */
const MANY = 501;

describe("pushes in PostgreSQL", () => {
  let database: TestDatabase;
  let client: Client;
  let edge: EdgeStorage;

  beforeAll(async () => {
    database = await startPostgres();
    await migrate(database.url);
    edge = createEdgePorts(database.url);
    client = new Client(database.url);
    await client.connect();
    await client.query(
      `INSERT INTO users (username, display_name)
       SELECT 'user' || n, 'User' FROM generate_series(1, ${MEMBERS}) n`,
    );
    await client.query(
      `INSERT INTO push_devices (user_id, device_id, provider, address, address_hash)
       SELECT u.id, 'phone', 'fcm', 'token ' || u.id, 'hash ' || u.id FROM users u`,
    );
    await client.query(`INSERT INTO conversations (kind, title, owner_id, member_count)
      VALUES ('channel', 'News', 1, ${MANY}), ('group', 'Room', 1, ${MEMBERS})`);
    await client.query(`INSERT INTO conversation_members (conversation_id, user_id, in_channel)
      SELECT c.id, u.id, CASE c.kind WHEN 'channel' THEN true END FROM conversations c, users u`);
    await client.query(`INSERT INTO conversation_prefs (user_id, conversation_id, prefs_rev, level)
      VALUES (${ALL_HERE}, ${CHANNEL}, 1, 'all'), (${ALL_BUT_HERE}, ${CHANNEL}, 1, 'none')`);
    await client.query(`INSERT INTO push_settings (user_id, level)
      VALUES (${ALL_ANYWHERE}, 'all'), (${ALL_BUT_HERE}, 'all')`);
    await client.query("SELECT set_push_trigger('push_new_message', true)");
  });
  beforeEach(() =>
    client.query("TRUNCATE messages, push_feed, push_pending, push_sends, push_decisions"),
  );
  afterAll(async () => {
    await client?.end();
    await edge?.close();
    await database?.stop();
  });

  const says = (
    conversation: string,
    seq: number,
    {
      by = SENDER,
      ageS = 0,
      ...extra
    }: { by?: string; ageS?: number; [key: string]: unknown } = {},
  ) =>
    client.query(
      `INSERT INTO messages (conversation_id, seq, rev, sender_id, client_id, body, created_at, extra)
       SELECT $1, n, n, $3, 'm' || n, 'text', clock_timestamp() - $4::int * interval '1 second', $5
       FROM (SELECT $2::bigint AS n) x`,
      [conversation, seq, by, ageS, extra],
    );
  const lookedAt = async () => {
    const { fresh } = await edge.pushes.feed(100);
    return fresh.map(({ userId }) => userId).sort();
  };
  const subject = (user: string, conversation: string, firstSeq: number, seq: number) =>
    ({
      userId: asUserId(user),
      conversationId: asConversationId(conversation),
      notificationId: null,
      firstSeq,
      seq,
    }) satisfies PushSubject;
  const talkOf = async (...of: Parameters<typeof subject>) => {
    const [facts] = await edge.pushes.facts([subject(...of)]);
    return facts!.conversation!;
  };

  it("[PSQ1] of a large channel those who are named, or have chosen every message", async () => {
    await says(CHANNEL, 1);
    expect(await lookedAt()).toEqual([ALL_HERE, ALL_ANYWHERE]);
    await says(CHANNEL, 2, { mentions: [NAMED, SENDER] });
    expect(await lookedAt()).toEqual([NAMED, ALL_HERE, ALL_ANYWHERE]);
    await says(CHANNEL, 3, { by: ALL_HERE });
    const { fresh } = await edge.pushes.feed(100);
    const ranges = fresh.map(({ userId, firstSeq, seq }) => [userId, firstSeq, seq]);
    expect(ranges).toEqual([
      [NAMED, 2, 2],
      [ALL_HERE, 1, 3],
      [ALL_ANYWHERE, 1, 3],
    ]);
    await client.query("TRUNCATE push_feed");
    await says(CHANNEL, 4, { by: ALL_HERE });
    expect(await lookedAt()).toEqual([ALL_ANYWHERE]);
  });

  it("[PSQ1] of a group everybody else", async () => {
    await says(GROUP, 1);
    expect(await lookedAt()).toHaveLength(MEMBERS - 1);
  });

  it("[PSQ2] @all is no mention in a channel, and one in a group", async () => {
    await says(CHANNEL, 1, { mention_all: true });
    expect(await lookedAt()).toEqual([ALL_HERE, ALL_ANYWHERE]);
    expect(await talkOf(NAMED, CHANNEL, 1, 1)).toMatchObject({
      newest: null,
      last: { mention: false },
    });
    expect((await talkOf(ALL_HERE, CHANNEL, 1, 1)).newest).toMatchObject({ seq: 1 });
    await says(GROUP, 1, { mention_all: true });
    expect((await talkOf(NAMED, GROUP, 1, 1)).last).toMatchObject({ mention: true });
  });

  it("[PSQ3] the time is counted from the first message that was not read", async () => {
    await says(GROUP, 1, { ageS: 60 });
    await says(GROUP, 2, { ageS: 30 });
    await says(GROUP, 3);
    expect((await talkOf(NAMED, GROUP, 1, 3)).unread_ms).toBeNull();
    await client.query("UPDATE conversation_members SET read_seq = 1");
    const { unread_ms } = await talkOf(NAMED, GROUP, 1, 3);
    expect(unread_ms).toBeGreaterThanOrEqual(30_000);
    expect(unread_ms).toBeLessThan(60_000);
    await client.query("UPDATE conversation_members SET read_seq = 0");
  });

  it("[PSQ4] an import feeds nothing", async () => {
    await client.query("BEGIN");
    await client.query("SELECT set_config('troupe.events', 'off', true)");
    await says(GROUP, 1);
    await client.query("COMMIT");
    await says(GROUP, 2);
    const { fresh } = await edge.pushes.feed(100);
    expect(new Set(fresh.map(({ firstSeq }) => firstSeq))).toEqual(new Set([2]));
  });

  it("[PSQ5] a push that was put off while a newer message came is counted from 1 again", async () => {
    const { pushes } = edge;
    const one = { ...subject(NAMED, GROUP, 1, 1), at: new Date().toISOString() };
    const sends = async () => {
      await pushes.settleFeed({ ids: [], fresh: [one], reads: [] });
      await pushes.settle({ sent: [one], dropped: [], later: [], decisions: [] });
    };
    await sends();
    const [claimed] = await pushes.claim(1, 60_000, []);
    expect(claimed).toMatchObject({ attempts: 1 });
    await sends();
    await pushes.end(claimed!, { is: "later", retryInMs: 0 }, null);
    expect(await pushes.claim(1, 60_000, [])).toMatchObject([{ attempts: 1 }]);
  });

  it("[PSQ7] what is due for a provider without room keeps nobody else back", async () => {
    const { pushes, devices } = edge;
    const subscribed = ["https://hangs.example/a", "https://other.example/b"].map((address) => ({
      provider: "webpush" as const,
      address,
      keys: null,
    }));
    const [hangs, other] = [asUserId(NAMED), asUserId(ALL_HERE)];
    await devices.put(hangs, "browser", null, subscribed[0]!);
    await devices.put(other, "browser", null, subscribed[1]!);
    const at = new Date().toISOString();
    const sent = [NAMED, ALL_HERE].map((user) => ({ ...subject(user, GROUP, 1, 1), at }));
    await pushes.settleFeed({ ids: [], fresh: sent, reads: [] });
    await pushes.settle({ sent, dropped: [], later: [], decisions: [] });
    const claimed = await pushes.claim(10, 60_000, ["hangs.example", "fcm"]);
    expect(claimed.map(({ address }) => address)).toEqual(["https://other.example/b"]);
    const rest = await pushes.claim(10, 60_000, []);
    expect(
      rest.map(({ address, provider }) => (provider === "fcm" ? provider : address)).sort(),
    ).toEqual(["fcm", "fcm", "https://hangs.example/a"]);
    await devices.remove(hangs, "browser");
    await devices.remove(other, "browser");
  });

  it("[PSQ6] an address that everybody registers at once belongs to one", async () => {
    const users = Array.from({ length: MEMBERS }, (_, n) => asUserId(`${n + 1}`));
    const device = { provider: "fcm" as const, address: "one token", keys: null };
    for (let n = 0; n < 5; n++) {
      const put = await Promise.all(
        users.map((user) => edge.devices.put(user, `phone ${n}`, null, device)),
      );
      expect(put).toHaveLength(MEMBERS);
      const { rows } = await client.query("SELECT 1 FROM push_devices WHERE address = 'one token'");
      expect(rows).toHaveLength(1);
    }
  });

  it("[PSQ8] with the last device what waits for a decision ends, too", async () => {
    const { pushes } = edge;
    const one = { ...subject(NAMED, GROUP, 1, 1), at: new Date().toISOString() };
    await pushes.settleFeed({ ids: [], fresh: [one], reads: [] });
    expect(await pushes.keepFeed()).toBe(true);
    expect(await pushes.counts()).toMatchObject({ waiting: 1 });
    await client.query("DELETE FROM push_devices");
    expect(await pushes.keepFeed()).toBe(false);
    expect(await pushes.counts()).toMatchObject({ waiting: 0, sending: 0 });
  });
});

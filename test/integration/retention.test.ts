/**
 * [RET] Retention: what is older than a conversation keeps is not served from that second on, counts
 * no more, and is gone from the tables soon after. Messages are made old in the database, since the
 * shortest retention is an hour.
 *
 * [RET1] A setting and RETENTION_DAYS are in force with their answer, and the shorter one counts.
 * [RET2] No read serves an old message from that second on, and no count counts it.
 * [RET3] first_seq moves by a change that live sessions receive, and sync says truncated_before_seq.
 * [RET4] The rows are gone with all that belongs to them, and recount finds nothing wrong.
 * [RET5] An old message can be neither changed, reacted to, pinned nor replied to.
 */
import { Client } from "pg";
import { describe, expect, it } from "vitest";
import type { FileObject } from "../../src/protocol/files.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { createRecount } from "../../src/storage/postgres/recount.ts";
import { rowsOf } from "../support/dump.ts";
import { eventually } from "../support/eventually.ts";
import { expectRefusal, upTo } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const HOUR_S = 3_600;
/** A move is gathered for half a minute and looked for every ten seconds. */
const GONE_WITHIN_MS = 90_000;

interface Page {
  items: Message[];
  has_more: boolean;
}
type Listed = Conversation & { unread_count: number; mention_count?: number };

describe("retention", () => {
  const troupe = troupeForFile({ workers: 2, env: { RATE_LIMITS: "off" } });

  async function sql(text: string, ...values: unknown[]): Promise<Record<string, unknown>[]> {
    const client = new Client(troupe().databaseUrl!);
    await client.connect();
    try {
      return (await client.query(text, values)).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  }

  /** As if the first `upto` messages had been sent `ageS` ago. */
  async function ages(id: string, upto: number, ageS = HOUR_S + 60): Promise<void> {
    const age = `interval '${ageS} seconds'`;
    await sql(
      `UPDATE messages SET created_at = clock_timestamp() - ${age}
       WHERE conversation_id = $1 AND seq <= $2`,
      id,
      upto,
    );
    await sql(
      `UPDATE conversations SET kept_next_at = clock_timestamp() - ${age}
         + kept_s * interval '1 second'
       WHERE id = $1 AND kept_s IS NOT NULL`,
      id,
    );
  }

  const keeps = (by: Person, id: string, retention_s: number | null) =>
    by.api.patch<Conversation>(`/api/conversations/${id}`, { settings: { retention_s } });
  const history = async (by: Person, id: string, query = "") =>
    expectStatus(await by.api.get<Page>(`/api/conversations/${id}/messages${query}`), 200);
  const listed = async (by: Person, id: string) => {
    const { items } = expectStatus(
      await by.api.get<{ items: Listed[] }>("/api/conversations?filter=all"),
      200,
    );
    return items.find((one) => one.id === id)!;
  };

  async function talk(retention_s?: number) {
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const group = await ann.startsGroup(bob);
    if (retention_s !== undefined) expectStatus(await keeps(ann, group.id, retention_s), 200);
    return { ann, bob, group };
  }

  it("[RET1] a setting is in force with its answer: what is older goes with that change", async () => {
    const { ann, bob, group } = await talk();
    for (const body of ["one", "two", "three"]) await ann.posts(group.id, body);
    await ages(group.id, 2);
    expect((await history(bob, group.id)).items).toHaveLength(3);
    const heard = await bob.connects({ contract: "1.1" });
    const changed = expectStatus(await keeps(ann, group.id, HOUR_S), 200);
    expect(changed).toMatchObject({ first_seq: 3, first_n: 2, settings: { retention_s: HOUR_S } });
    const event = await heard.next("conversation_updated");
    expect(event).toMatchObject({ rev: changed.rev, first_seq: 3, first_n: 2 });
    expect((await history(bob, group.id)).items.map(({ seq }) => seq)).toEqual([3]);
    expect(await listed(bob, group.id)).toMatchObject({ unread_count: 1, first_seq: 3 });
    // What is gone does not come back.
    expectStatus(await keeps(ann, group.id, null), 200);
    expect((await history(bob, group.id)).items.map(({ seq }) => seq)).toEqual([3]);
    expectRefusal(await keeps(ann, group.id, 3_599), "invalid_payload");
    expectRefusal(await keeps(ann, group.id, 315_360_001), "invalid_payload");
    expectRefusal(await keeps(bob, group.id, HOUR_S), "forbidden");
  });

  it("[RET2] no read serves it from that second on, and no count counts it", async () => {
    const { ann, bob, group } = await talk(HOUR_S);
    const file = await ann.uploads("old bytes", "old.txt");
    await ann.posts(group.id, `old @${bob.user.username} zanzibar`, [file]);
    const silent = { client_id: "s", body: "a silent zanzibar", silent: true };
    expectStatus(await ann.api.post(`/api/conversations/${group.id}/messages`, silent), 201);
    expectStatus(await ann.api.put(`/api/conversations/${group.id}/pins/1`), 200);
    const thread = expectStatus(
      await ann.api.post<Conversation>(`/api/conversations/${group.id}/messages/1/thread`),
      201,
    );
    await ann.posts(thread.id, "an old reply zanzibar");
    await ann.posts(group.id, "a young one");
    const found = async () =>
      expectStatus(await bob.api.get<{ items: unknown[] }>("/api/search/messages?q=zanzibar"), 200)
        .items;
    await eventually("the messages are found", async () => (await found()).length === 3);
    expect(await listed(bob, group.id)).toMatchObject({ unread_count: 2, mention_count: 1 });

    const session = await bob.connects({ contract: "1.1" });
    await ages(group.id, 2);
    await ages(thread.id, 1);

    expect((await history(bob, group.id)).items.map(({ seq }) => seq)).toEqual([3]);
    expect(await history(bob, group.id, "?before_seq=3")).toEqual({ items: [], has_more: false });
    expect((await history(bob, thread.id)).items).toEqual([]);
    const joined = await session.does("join_conversation", { conversation_id: group.id });
    expect(joined.messages.map(({ seq }) => seq)).toEqual([3]);
    expect(joined.has_more).toBe(false);
    const after = { conversation_id: group.id, after_rev: 1 };
    const changes = await session.does("join_conversation", after);
    expect(changes.messages.map(({ seq }) => seq)).toEqual([3]);
    const synced = await session.does("sync", { conversations: [after], complete: false });
    expect(synced.conversations[0]).toMatchObject({ truncated_before_seq: 3, unread_count: 1 });
    expect(synced.conversations[0]!.messages.map(({ seq }) => seq)).toEqual([3]);
    const all = await session.does("sync", { conversations: [] });
    const fresh = all.conversations.find((one) => one.conversation_id === group.id)!;
    expect(fresh).toMatchObject({ truncated_before_seq: 3 });
    expect(fresh.messages.map(({ seq }) => seq)).toEqual([3]);
    const again = await bob.connects({ contract: "1.1", waitForReady: false });
    const { unread } = await again.next("ready");
    const ready = unread.conversations.find((one) => one.conversation_id === group.id);
    expect(ready).toMatchObject({ unread_count: 1, first_n: 1 });
    expect(await listed(bob, group.id)).toMatchObject({ unread_count: 1 });
    expect((await listed(bob, group.id)).mention_count).toBeUndefined();
    const totals = expectStatus(await bob.api.get<Record<string, number>>("/api/me/totals"), 200);
    expect(totals).toMatchObject({ messages: 1, mentions: 0, threads: 0 });
    const pins = expectStatus(
      await bob.api.get<{ items: Message[] }>(`/api/conversations/${group.id}/pins`),
      200,
    );
    expect(pins.items).toEqual([]);
    expect(await found()).toEqual([]);
    expectRefusal(await bob.api.get(`/api/files/${file.id}`), "not_found");
    const files = await bob.api.get<{ items: FileObject[] }>(
      `/api/conversations/${group.id}/files`,
    );
    expect(expectStatus(files, 200).items).toEqual([]);
    expectRefusal(
      await bob.api.get(`/api/conversations/${group.id}/messages/1/reactions`),
      "not_found",
    );
  });

  it("[RET5] it can be neither changed, reacted to, pinned, threaded nor replied to", async () => {
    const { ann, bob, group } = await talk(HOUR_S);
    await ann.posts(group.id, "old");
    await ann.posts(group.id, "young");
    await ages(group.id, 1);
    const base = `/api/conversations/${group.id}`;
    expectRefusal(await ann.api.patch(`${base}/messages/1`, { body: "new" }), "not_found");
    expectRefusal(await ann.api.delete(`${base}/messages/1`), "not_found");
    expectRefusal(await bob.api.put(`${base}/messages/1/reactions/👍`), "not_found");
    expectRefusal(await ann.api.put(`${base}/pins/1`), "not_found");
    expectRefusal(await ann.api.post(`${base}/messages/1/thread`), "not_found");
    const reply = { client_id: "r", body: "to it", reply_to_seq: 1 };
    expectRefusal(await bob.api.post(`${base}/messages`, reply), "invalid_payload");
    expectStatus(await bob.api.post(`${base}/messages`, { ...reply, reply_to_seq: 2 }), 201);
  });

  it("[RET3] [RTJ1] [RET4] [RTJ2] first_seq moves by one change, and the rows are gone with what is theirs", async () => {
    const { ann, bob, group } = await talk(HOUR_S);
    const file = await ann.uploads("the bytes", "a.txt");
    for (let n = 1; n <= 5; n++) await ann.posts(group.id, `quondam${n}`, n === 1 ? [file] : []);
    const silent = { client_id: "s", body: "quondam6", silent: true };
    expectStatus(await ann.api.post(`/api/conversations/${group.id}/messages`, silent), 201);
    await bob.api.put(`/api/conversations/${group.id}/messages/2/reactions/👍`);
    await ann.api.patch(`/api/conversations/${group.id}/messages/3`, { body: "quondam edited" });
    const thread = expectStatus(
      await ann.api.post<Conversation>(`/api/conversations/${group.id}/messages/6/thread`),
      201,
    );
    await bob.posts(thread.id, "quondam reply");
    await eventually("the index has them", async () => {
      const answer = await bob.api.get<{ items: unknown[] }>("/api/search/messages?q=quondam");
      return expectStatus(answer, 200).items.length >= 7;
    });
    const session = await bob.connects({ contract: "1.1" });
    await ages(group.id, 6);
    await ages(thread.id, 1);
    const moved = await session.next(
      "conversation_updated",
      ({ id }) => id === group.id,
      GONE_WITHIN_MS,
    );
    expect(moved).toMatchObject({ first_seq: 7, first_n: 5, last_seq: 6 });
    await eventually(
      "the rows are gone",
      async () =>
        (await sql("SELECT 1 FROM messages WHERE conversation_id IN ($1, $2)", group.id, thread.id))
          .length === 0,
      GONE_WITHIN_MS,
    );
    for (const table of [
      "message_reactions",
      "message_versions",
      "message_files",
      "old_messages",
    ]) {
      const left = await sql(
        `SELECT 1 FROM ${table} WHERE conversation_id IN ($1, $2)`,
        group.id,
        thread.id,
      );
      expect([table, left.length]).toEqual([table, 0]);
    }
    const rows = await rowsOf(troupe().databaseUrl!);
    expect(rows.filter((row) => row.includes("quondam"))).toEqual([]);
    // The seq and the counts go on, whether a member has read nothing or everything.
    const next = await ann.posts(group.id, "after all that");
    expect(next).toMatchObject({ seq: 7, n: 6 });
    expect(await listed(bob, group.id)).toMatchObject({ unread_count: 1, last_seq: 7, last_n: 6 });
    await bob.api.put(`/api/conversations/${group.id}/read`, { seq: 6 });
    expect(await listed(bob, group.id)).toMatchObject({ unread_count: 1 });
    const rest = await session.does("sync", {
      conversations: [{ conversation_id: group.id, after_rev: 2 }],
      complete: false,
    });
    expect(rest.conversations[0]).toMatchObject({ truncated_before_seq: 7, unread_count: 1 });
    expect(await createRecount(troupe().databaseUrl!).recount(false)).toEqual([]);
  });

  it("[RET3] many that become old are few changes, and live sessions miss none", async () => {
    const { ann, bob, group } = await talk(HOUR_S);
    for (const n of upTo(20)) await ann.posts(group.id, `m${n}`);
    const session = await bob.connects({ contract: "1.1" });
    const before = (await listed(bob, group.id)).rev;
    await ages(group.id, 20);
    const moved = await session.next(
      "conversation_updated",
      ({ id }) => id === group.id,
      GONE_WITHIN_MS,
    );
    expect(moved.rev).toBe(before + 1);
    const sent = await ann.posts(group.id, "next");
    expect(sent.rev).toBe(before + 2);
    expect(await session.next("message", ({ seq }) => seq === sent.seq)).toMatchObject({
      rev: before + 2,
    });
  });
});

describe("RETENTION_DAYS", () => {
  const troupe = troupeForFile({ workers: 1, env: { RATE_LIMITS: "off", RETENTION_DAYS: "1" } });

  it("[RET1] is the cap of every conversation, of those without a setting, too", async () => {
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const direct = await ann.startsDirect(bob);
    const group = await ann.startsGroup(bob);
    const long = { settings: { retention_s: 30 * 86_400 } };
    expectStatus(await ann.api.patch(`/api/conversations/${group.id}`, long), 200);
    const client = new Client(troupe().databaseUrl!);
    await client.connect();
    for (const { id } of [direct, group]) {
      await ann.posts(id, "old");
      await ann.posts(id, "young");
      await client.query(
        `UPDATE messages SET created_at = clock_timestamp() - interval '25 hours'
         WHERE conversation_id = $1 AND seq = 1`,
        [id],
      );
      await client.query(
        "UPDATE conversations SET kept_next_at = clock_timestamp() WHERE id = $1",
        [id],
      );
      const page = await bob.api.get<Page>(`/api/conversations/${id}/messages`);
      expect(expectStatus(page, 200).items.map(({ seq }) => seq)).toEqual([2]);
    }
    await client.end();
  });
});

/** ModerationStore: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NewReport } from "../../src/ports/moderation.ts";
import type { PostId, UserId } from "../../src/protocol/ids.ts";
import { ADAPTERS, granted, newUsers, type OpenStorage } from "./adapters.ts";

const RESOLUTION = { action: "delete" as const, note: "bad", by: "moderators" };

describe.each(ADAPTERS)("moderation in $name", ({ open }) => {
  let storage: OpenStorage;
  let alice: UserId;
  let bob: UserId;
  beforeAll(async () => {
    storage = await open();
    [alice, bob] = (await newUsers(storage, 2)) as [UserId, UserId];
  });
  afterAll(() => storage?.close());

  const aReport = (report: Partial<NewReport> = {}): NewReport => ({
    by: { user: alice },
    subject: { user_id: bob },
    authorId: bob,
    reason: "spam",
    note: null,
    content: { id: bob, display_name: "Böse" },
    ...report,
  });
  const add = async (report: Partial<NewReport> = {}) => {
    const added = await storage.moderation.addReport(aReport(report), null);
    if ("waitMs" in added) throw new Error("limited");
    return added;
  };

  it("[RPT4] one report a person and subject, also of many at once", async () => {
    const made = await Promise.all(Array.from({ length: 10 }, () => add()));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    expect(made.filter(({ created }) => created)).toHaveLength(1);
    const others = await Promise.all([
      add({ by: { user: bob }, subject: { user_id: alice } }),
      add({ subject: { conversation_id: "42", seq: 1 } }),
      add({ subject: { conversation_id: "42", seq: 2 } }),
      add({ subject: { post_id: "9" } }),
      add({ subject: { comment_id: "9" } }),
      add({ by: { rule: "darn" } }),
    ]);
    expect(others.every(({ created }) => created)).toBe(true);
    expect(await add({ by: { rule: "darn" } })).toEqual({ id: others[5]!.id, created: false });
  });

  it("[RPT14] reports of one user within an hour are counted, repeats are not", async () => {
    const [eve] = (await newUsers(storage, 1)) as [UserId];
    const by = { user: eve };
    const report = (seq: number) =>
      storage.moderation.addReport(aReport({ by, subject: { conversation_id: "1", seq } }), 3);
    for (let seq = 1; seq <= 3; seq++) expect(await report(seq)).toMatchObject({ created: true });
    const refused = (await report(4)) as { waitMs: number };
    expect(refused.waitMs).toBeGreaterThan(3_500_000);
    expect(refused.waitMs).toBeLessThanOrEqual(3_600_000);
    expect(await report(2)).toMatchObject({ created: false });
  });

  it("[RPT5] reports are listed by state, newest first, as they were made", async () => {
    const { moderation } = storage;
    const subject = { conversation_id: "7", seq: 3 };
    const { id } = await add({ subject, note: "look", content: { body: "x", data: { a: [1] } } });
    const first = await moderation.reports("open", 1, null);
    expect(first?.items).toMatchObject([
      {
        id,
        state: "open",
        subject,
        author_id: bob,
        reporter_id: alice,
        rule: null,
        reason: "spam",
        note: "look",
        content: { body: "x", data: { a: [1] } },
        resolved_at: null,
      },
    ]);
    const rest = await moderation.reports("open", 100, first!.next_cursor);
    expect(rest?.items.map((report) => report.id)).not.toContain(id);
    expect(await moderation.reports(null, 10, "nonsense")).toBeUndefined();
  });

  it("[RPT6] a report is claimed by one, given back or resolved once", async () => {
    const { moderation } = storage;
    const { id } = await add({ subject: { post_id: "77" } });
    const claims = await Promise.all([1, 2, 3].map(() => moderation.claimReport(id, 60_000)));
    expect(claims.filter((claim) => claim === "taken")).toHaveLength(2);
    expect((await moderation.settleReport(id, null))?.state).toBe("open");
    expect(await moderation.claimReport(id, 60_000)).toMatchObject({ id });
    expect(await moderation.settleReport(id, RESOLUTION)).toMatchObject({
      id,
      state: "done",
      action: "delete",
      resolution_note: "bad",
      resolved_by: "moderators",
    });
    expect(await moderation.claimReport(id, 60_000)).toBe("taken");
    expect(await moderation.settleReport(id, RESOLUTION)).toBeNull();
    expect(await moderation.claimReport("999999999", 1)).toBeNull();
    const done = await moderation.reports("done", 100, null);
    expect(done?.items.map((report) => report.id)).toEqual([id]);
  });

  it("[RPT7] a comment is found by its id by those who see its post", async () => {
    const post = (await granted(storage.posts.create(alice, { body: "a post" }))).id as PostId;
    const { comment } = await granted(storage.posts.comment(post, bob, { body: "hm" }));
    expect(await storage.queries.comment(bob, comment.id)).toEqual(comment);
    await granted(storage.graph.block(alice, bob, true));
    expect(await storage.queries.comment(bob, comment.id)).toBeNull();
    expect(await storage.queries.comment(alice, "999999999")).toBeNull();
  });

  it("[WRD10] rules are replaced whole, and edges see that there are others", async () => {
    const { moderation, accounts } = storage;
    const revOf = async () => (await accounts.shutOutWithin(0, 0)).rulesRev;
    expect(await moderation.wordRules()).toEqual({ rev: await revOf(), rules: [] });
    const rules = [{ id: "r", match: { words: ["därn"] }, action: "mask" as const }];
    const rev = await moderation.putWordRules(rules);
    expect(await moderation.wordRules()).toEqual({ rev, rules });
    expect(await revOf()).toBe(rev);
    expect(await moderation.putWordRules([])).toBeGreaterThan(rev);
  });
});

/** Reports and word rules, from outside. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Report, ReportSubject } from "../../src/protocol/moderation-routes.ts";
import type { Message } from "../../src/protocol/schemas.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { Service } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";

// Its rules hold for a whole deployment, and reports have a rate.
const troupe = troupeForFile({ env: { RATE_LIMITS: "on" } });

let moderator: Service;
let ann: Person;
let ben: Person;
let cleo: Person;

beforeAll(async () => {
  moderator = await Service.of(troupe(), "moderate");
  [ann, ben, cleo] = (await troupe().users("ann", "ben", "cleo")) as [Person, Person, Person];
});
afterAll(() => setRules([]));

const report = (by: Person, subject: ReportSubject, note?: string) =>
  by.api.post<{ id: string }>("/api/reports", { subject, reason: "spam", note });
const resolve = (id: string, action: string) =>
  moderator.api.post<Report>(`/api/reports/${id}/resolve`, { action });

async function setRules(rules: object[]): Promise<void> {
  expectStatus<unknown>(await moderator.api.put("/api/moderation/rules", { rules }), 200);
}

async function openReport(id: string): Promise<Report | undefined> {
  const listed = await moderator.api.get<{ items: Report[] }>("/api/reports?state=open&limit=100");
  return expectStatus(listed, 200).items.find((one) => one.id === id);
}

describe("reports", () => {
  it("[RPT8] what one sees is reported once, with a copy of it", async () => {
    const group = await ann.startsGroup(ben);
    const message = await ben.posts(group.id, "buy this");
    const subject = { conversation_id: group.id, seq: message.seq };
    const first = await report(ann, subject, "he always does");
    const { id } = expectStatus(first, 201);
    expect(await report(ann, subject)).toMatchObject({ status: 200, body: { id } });
    await ben.api.patch(`/api/conversations/${group.id}/messages/${message.seq}`, { body: "hi" });
    expect(await openReport(id)).toMatchObject({
      subject,
      reporter_id: ann.id,
      author_id: ben.id,
      reason: "spam",
      note: "he always does",
      content: { body: "buy this" },
    });
    expect((await report(cleo, subject)).status).toBe(404);
    for (const wrong of [{}, { user_id: ben.id, post_id: "1" }, { seq: 1 }]) {
      expect((await report(ann, wrong)).status).toBe(400);
    }
    expect((await report(ann, { user_id: "999999999" })).status).toBe(404);
  });

  it("[RPT9] [RPT3] a resolution deletes, once, and the reporter hears of it but not what it was", async () => {
    const group = await ann.startsGroup(ben);
    const message = await ben.posts(group.id, "buy this");
    const subject = { conversation_id: group.id, seq: message.seq };
    const { id } = expectStatus(await report(ann, subject), 201);
    const done = expectStatus(await resolve(id, "delete"), 200);
    expect(done).toMatchObject({ state: "done", action: "delete", resolved_by: "shop" });
    expect((await resolve(id, "none")).status).toBe(409);
    await expect.poll(async () => (await ann.reads(group.id)).at(-1)?.deleted_at).not.toBeNull();
    await expect
      .poll(async () => (await ann.notices()).filter(({ type }) => type === "report_resolved"))
      .toHaveLength(1);
    const [notice] = (await ann.notices()).filter(({ type }) => type === "report_resolved");
    expect(JSON.stringify(notice)).not.toContain("delete");
    expect((await resolve("999999999", "none")).status).toBe(404);
  });

  it("[RPT10] an action must fit what was reported", async () => {
    const [dora] = await troupe().users("dora");
    const post = await dora!.publishes("a post");
    const comment = await dora!.comments(post, "a comment");
    const direct = await ann.startsDirect(dora!);
    const message = await dora!.posts(direct.id, "hm");
    const ofUser = expectStatus(await report(ann, { user_id: dora!.id }), 201).id;
    const ofPost = expectStatus(await report(ann, { post_id: post.id }), 201).id;
    const ofComment = expectStatus(await report(ann, { comment_id: comment.id }), 201).id;
    const inDirect = expectStatus(
      await report(ann, { conversation_id: direct.id, seq: message.seq }),
      201,
    ).id;
    for (const [id, action] of [
      [ofUser, "delete"],
      [ofUser, "ban"],
      [ofPost, "ban"],
      [ofComment, "ban"],
      [inDirect, "ban"],
    ] as const) {
      expect((await resolve(id, action)).status, `${id} ${action}`).toBe(409);
    }
    expect((await resolve(ofComment, "delete")).status).toBe(200);
    expect(await ann.lists(`/api/posts/${post.id}/comments`)).toEqual([]);
    expect((await resolve(ofPost, "delete")).status).toBe(200);
    expect((await ann.api.get(`/api/posts/${post.id}`)).status).toBe(404);
    expect((await resolve(ofUser, "suspend")).status).toBe(200);
    await expect.poll(() => dora!.api.get("/api/me").then(({ status }) => status)).toBe(403);
    expect((await moderator.api.delete(`/api/users/${dora!.id}/suspend`)).status).toBe(200);
  });

  it("[RPT11] a ban removes from the conversation and keeps out", async () => {
    const group = await ann.startsGroup(ben, cleo);
    const message = await ben.posts(group.id, "buy this");
    const subject = { conversation_id: group.id, seq: message.seq };
    const { id } = expectStatus(await report(cleo, subject), 201);
    expect((await resolve(id, "ban")).status).toBe(200);
    expect((await ben.api.get(`/api/conversations/${group.id}`)).status).toBe(404);
    const again = await ann.api.post(`/api/conversations/${group.id}/members`, {
      user_ids: [ben.id],
    });
    expect(again.status).toBe(403);
  });

  it("[RPT13] twenty reports an hour", async () => {
    const [eve] = await troupe().users("eve");
    const group = await ben.startsGroup(eve!);
    const statuses: number[] = [];
    for (let i = 0; i < 21; i++) {
      const { seq } = await ben.posts(group.id, `${i}`);
      const { status, body } = await report(eve!, { conversation_id: group.id, seq });
      statuses.push(status);
      if (i === 20) {
        expect(body).toMatchObject({
          error: { code: "rate_limited", retry_after_ms: expect.any(Number) },
        });
      }
    }
    expect(statuses).toEqual([...Array(20).fill(201), 429]);
  });

  it("[RPT12] the audit log names what was done, and no content", async () => {
    const auditor = await Service.of(troupe(), "admin");
    const listed = await auditor.api.get<{ items: { act: string; target: string }[] }>(
      "/api/audit?limit=100",
    );
    const acts = expectStatus(listed, 200).items;
    expect(acts.map(({ act }) => act)).toContain("resolve_report");
    expect(JSON.stringify(acts)).not.toContain("buy this");
  });
});

describe("word rules", () => {
  it("[WRD11] texts are masked, refused and reported before they are written", async () => {
    await setRules([
      { id: "m", match: { words: ["darn"] }, action: "mask" },
      { id: "n", match: { words: ["nope"] }, action: "refuse" },
      { id: "t", match: { domains: ["evil.example"] }, action: "report" },
    ]);
    const group = await ann.startsGroup(ben);
    const session = await ann.connects();
    const send = (body: string) =>
      session.emits("send_message", {
        conversation_id: group.id,
        client_id: ann.nextClientId(),
        body,
      });
    // Rules are in force on every worker within 2 s.
    await expect
      .poll(async () => (await send("DÄRN it")) as { message?: Message }, { timeout: 2_000 })
      .toMatchObject({ ok: true, message: { body: "**** it" } });
    expect(await send("nope")).toMatchObject({
      ok: false,
      error: { code: "forbidden", details: { rule: "n" } },
    });
    await expect
      .poll(() => ann.api.post("/api/posts", { body: "darn" }).then(({ body }) => body))
      .toMatchObject({ body: "****" });
    const told = (await send("see www.evil.example")) as unknown as { message: Message };
    expect(told.message.body).toBe("see www.evil.example");
    await expect
      .poll(async () => {
        const { body } = await moderator.api.get<{ items: Report[] }>("/api/reports?state=open");
        return body.items.filter(({ rule }) => rule === "t");
      })
      .toMatchObject([
        { reporter_id: null, subject: { conversation_id: group.id, seq: told.message.seq } },
      ]);
    const edit = await session.emits("edit_message", {
      conversation_id: group.id,
      seq: told.message.seq,
      body: "darn edit",
    });
    expect(edit).toMatchObject({ ok: true, message: { body: "**** edit" } });
    // Each call may reach another worker.
    for (const change of [{ display_name: "nope" }, { username: "darn_it" }]) {
      await expect
        .poll(() => ann.api.patch("/api/me", change).then(({ status }) => status))
        .toBe(403);
    }
    await expect
      .poll(() => ann.api.patch("/api/me", { display_name: "a darn name" }).then((one) => one.body))
      .toMatchObject({ display_name: "a **** name" });
    const service = await Service.of(troupe(), "users");
    const batch = (n: number) =>
      service.api.post<{ items: object[] }>("/api/users/batch", {
        users: [
          { external_id: `wr:${n}:1`, display_name: "nope" },
          { external_id: `wr:${n}:2`, display_name: "darn" },
        ],
      });
    let tries = 0;
    await expect
      .poll(async () => expectStatus(await batch(++tries), 200).items)
      .toMatchObject([
        { error: { code: "forbidden", details: { rule: "n" } } },
        { user: { display_name: "****" } },
      ]);
  });

  it("[WRD12] rules that are none are refused, and none of them counts", async () => {
    const rules = [
      { id: "a", match: { words: ["fine"] }, action: "refuse" },
      { id: "b", match: { pattern: "(" }, action: "refuse" },
    ];
    const answer = await moderator.api.put("/api/moderation/rules", { rules });
    expect(answer.status).toBe(400);
    const many = Array.from({ length: 501 }, (_, i) => ({ ...rules[0], id: `r${i}` }));
    expect((await moderator.api.put("/api/moderation/rules", { rules: many })).status).toBe(400);
    const kept = await moderator.api.get<{ rules: { id: string }[] }>("/api/moderation/rules");
    expect(kept.body.rules.map(({ id }) => id)).not.toContain("a");
  });
});

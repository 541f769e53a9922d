/** Signals: ephemeral events of the application, over workers, with the default limits. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ErrorObject } from "../../src/protocol/errors.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { type Crowd, gather } from "../support/crowd.ts";
import { expectErrorObject, upTo } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const SILENCE_MS = 400;
const NEW = { contract: "1.1" };
const troupe = troupeForFile({ workers: 2, env: { RATE_LIMITS: "on" } });

async function trio(): Promise<{ ann: Person; bob: Person; cleo: Person; group: Conversation }> {
  const [ann, bob, cleo] = await troupe().users("ann", "bob", "cleo");
  const group = await ann!.startsGroup(bob!, cleo!);
  return { ann: ann!, bob: bob!, cleo: cleo!, group };
}

describe("signals", () => {
  it("[CTR-SGN1] reach the other members' sessions of contract 1.1, and none of one's own", async () => {
    const { ann, bob, cleo, group } = await trio();
    const [sender, own] = [await ann.connects(NEW), await ann.connects(NEW)];
    const former = await bob.connects();
    const others = [
      ...(await troupe().sessionOnEachWorker(bob, NEW)),
      await cleo.connects({ ...NEW, transports: ["polling"] }),
    ];
    const data = { x: 0.5, path: [1, null, "é😀"], deep: { a: { b: true } } };
    const answer = await sender.emits("signal", {
      conversation_id: group.id,
      type: "cursor.moved",
      data,
      key: "cursor",
    });
    expect(answer).toEqual({ ok: true });
    for (const session of others) {
      const { sent_at, ...signal } = await session.next("signal");
      expect(signal).toEqual({
        conversation_id: group.id,
        user_id: ann.id,
        type: "cursor.moved",
        data,
        key: "cursor",
      });
      expect(Math.abs(Date.parse(sent_at) - Date.now())).toBeLessThan(30_000);
    }
    await sender.does("signal", { conversation_id: group.id, type: "wave" });
    const bare = await others[0]!.next("signal");
    expect(Object.keys(bare).sort()).toEqual(["conversation_id", "sent_at", "type", "user_id"]);
    await Promise.all([own, sender, former].map((session) => session.never("signal", SILENCE_MS)));
  });

  it("[CTR-SGN2] reach only those of `to` who are members", async () => {
    const { ann, bob, cleo, group } = await trio();
    const [stranger] = await troupe().users("eve");
    const sender = await ann.connects(NEW);
    const [second, named, passed, outside] = [
      await ann.connects(NEW),
      await bob.connects(NEW),
      await cleo.connects(NEW),
      await stranger!.connects(NEW),
    ];
    const to = [bob.id, stranger!.id, ann.id, "999999999"];
    await sender.does("signal", { conversation_id: group.id, type: "call", to });
    await sender.does("signal", { conversation_id: group.id, type: "nobody", to: [] });
    expect(await named.next("signal")).toMatchObject({ type: "call" });
    const rest = [second, named, passed, outside];
    await Promise.all(rest.map((session) => session.never("signal", SILENCE_MS)));
  });

  it("[CTR-SGN3] arrive in the order in which one session sent them, and are not stored", async () => {
    const { ann, bob, group } = await trio();
    const sender = await ann.connects(NEW);
    const others = await troupe().sessionOnEachWorker(bob, NEW);
    await Promise.all(
      upTo(150).map((n) =>
        sender.does("signal", {
          conversation_id: group.id,
          type: "n",
          data: { n },
          ...(n % 3 === 0 && { to: [bob.id] }),
          ...(n % 2 === 0 && { key: "k" }),
        }),
      ),
    );
    for (const session of others) {
      await session.next("signal", ({ data }) => data?.["n"] === 149);
      expect(session.heard("signal").map(({ data }) => data?.["n"])).toEqual(upTo(150));
    }
    const late = await bob.connects(NEW);
    const { conversation, messages } = await late.does("join_conversation", {
      conversation_id: group.id,
    });
    expect([conversation.rev, messages]).toEqual([group.rev, []]);
    await late.never("signal", SILENCE_MS);
  });

  it("[CTR-SGN4] end with membership and under a block", async () => {
    const { ann, bob, group } = await trio();
    const direct = await ann.startsDirect(bob);
    const [anns, bobs] = [await ann.connects(NEW), await bob.connects(NEW)];
    const here = { conversation_id: direct.id, type: "ring" };
    await bobs.does("signal", here);
    await anns.next("signal");
    await ann.blocks(bob);
    expectErrorObject(await bobs.isRefused("signal", here), "forbidden");
    expectErrorObject(await anns.isRefused("signal", here), "forbidden");
    const removed = await ann.api.delete(`/api/conversations/${group.id}/members/${bob.id}`);
    expectStatus<unknown>(removed, 204);
    await anns.does("signal", { conversation_id: group.id, type: "ring" });
    expectErrorObject(
      await bobs.isRefused("signal", { conversation_id: group.id, type: "ring" }),
      "not_found",
    );
    await bobs.never("signal", SILENCE_MS);
  });

  it.each([
    ["no type", {}],
    ["a type in capitals", { type: "Cursor" }],
    ["a type that begins with a digit", { type: "1up" }],
    ["a type of 33 characters", { type: "x".repeat(33) }],
    ["data that is a list", { type: "x", data: [1] }],
    ["data that is text", { type: "x", data: "text" }],
    ["data of more than 1 KiB", { type: "x", data: { text: "é".repeat(520) } }],
    ["data nested seven deep", { type: "x", data: { a: { b: { c: { d: { e: { f: {} } } } } } } }],
    ["data with a prototype's name", { type: "x", data: { a: [{ constructor: 1 }] } }],
    ["101 names", { type: "x", to: upTo(101).map((n) => `${n + 1}`) }],
    ["a name that is a number", { type: "x", to: [1] }],
    ["an empty key", { type: "x", key: "" }],
    ["a key of 65 characters", { type: "x", key: "k".repeat(65) }],
    ["a key that is not known", { type: "x", volatile: true }],
  ])("[CTR-SGN5] %s is invalid_payload", async (_what, wrong) => {
    const { ann, bob, group } = await trio();
    const [sender, other] = [await ann.connects(NEW), await bob.connects(NEW)];
    const refusal = await sender.isRefused("signal", { conversation_id: group.id, ...wrong });
    expectErrorObject(refusal, "invalid_payload");
    await sender.does("signal", { conversation_id: group.id, type: "after" });
    expect(await other.next("signal")).toMatchObject({ type: "after" });
  });

  it("[CTR-SGN6] past the limit they are refused with the time to wait, and nobody is ended", async () => {
    const { ann, bob, group } = await trio();
    const [sender, other] = [await ann.connects(NEW), await bob.connects(NEW)];
    const signals = (count: number) =>
      Promise.all(
        upTo(count).map(() => sender.emits("signal", { conversation_id: group.id, type: "x" })),
      );
    const startedMs = performance.now();
    const answers = await signals(1_500);
    const refilled = ((performance.now() - startedMs) / 1000) * 60;
    const passed = answers.filter(({ ok }) => ok).length;
    expect(passed).toBeGreaterThanOrEqual(200);
    expect(passed).toBeLessThanOrEqual(200 + Math.ceil(refilled));
    const refused = answers.find(({ ok }) => !ok)?.error as ErrorObject;
    expectErrorObject(refused, "rate_limited");
    expect(refused.retry_after_ms).toBeGreaterThan(0);
    await other.next("signal");
    await sender.never("session_ended", 0);
    expect((await sender.sends(group.id, "still here")).seq).toBe(1);
  });
});

describe("in a group of 1,000", () => {
  let crowd: Crowd;

  beforeAll(async () => {
    crowd = await gather(troupe(), 1_000);
  });
  afterAll(() => crowd.agent.destroy());

  it("[CTR-SGN7] one signal counts as fifty, and one to twenty of them as one", async () => {
    const [maker, other, ...rest] = crowd.members;
    const member_ids = [other!, ...rest].map(({ id }) => id);
    const made = await maker!.api.post<Conversation>("/api/conversations", { member_ids });
    const conversation_id = expectStatus(made, 201).id;
    const sender = await Session.open(troupe(), "maker", { token: maker!.token, ...NEW });
    const receiver = await Session.open(troupe(), "other", { token: other!.token, ...NEW });
    const passed = async (count: number, extra: object) => {
      const signals = upTo(count).map(() =>
        sender.emits("signal", { conversation_id, type: "x", ...extra }),
      );
      return (await Promise.all(signals)).filter(({ ok }) => ok).length;
    };
    const all = await passed(40, {});
    expect(all).toBeGreaterThanOrEqual(4);
    expect(all).toBeLessThanOrEqual(5);
    await receiver.next("signal");
    const someone = await Session.open(troupe(), "someone", { token: rest[0]!.token, ...NEW });
    const named = { conversation_id, type: "x", to: member_ids.slice(0, 20) };
    const answers = await Promise.all(upTo(150).map(() => someone.emits("signal", named)));
    expect(answers.every(({ ok }) => ok)).toBe(true);
  });
});

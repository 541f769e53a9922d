/** [ACN] An application's own actors, from outside. */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { expectRefusal, upTo } from "../support/expectations.ts";
import { Api } from "../support/http.ts";
import { expectStatus } from "../support/person.ts";
import { serviceTokenOf } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";
import { JWT_SECRET } from "../support/tokens.ts";

const ACTORS_DIR = fileURLToPath(new URL("../support/fixtures/actors", import.meta.url));
const troupe = troupeForFile({
  workers: 2,
  env: { ACTORS_DIR, RATE_LIMITS: "off", PRESENCE_GRACE_MS: "300", LOG_LEVEL: "fatal" },
});

let made = 0;
const fresh = () => `k${++made}`;
const callId = () => `c${++made}`;

async function probe() {
  const [ann, bob] = await troupe().users("ann", "bob");
  const [one, other] = await Promise.all([ann!.connects(), bob!.connects()]);
  const key = fresh();
  await one.does("create_actor", { kind: "probe", key, args: {}, call_id: callId() });
  const at = { kind: "probe", key };
  const calls = (session: typeof one, action: string, args: object = {}, call_id = callId()) =>
    session.does("call", { ...at, action, args, call_id });
  return { ann: ann!, bob: bob!, one, other, key, at, calls };
}

describe("create, call, watch", () => {
  it("[ACN1] [AWT3] [AWT1] two clients share a poll: its events reach both, gapless, a caller's own before the ack", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const [one, other] = await Promise.all([ann!.connects(), bob!.connects()]);
    const at = { kind: "poll", key: fresh() };
    const args = { question: "Tea?" };
    const view = { question: "Tea?", totals: {}, open: true };
    expect(await one.does("create_actor", { ...at, args, call_id: "c1" })).toEqual({
      ok: true,
      view,
      rev: 0,
    });
    expect(await one.does("watch_actor", at)).toEqual({ ok: true, rev: 0, view });
    await other.does("watch_actor", at);
    const voted = await one.does("call", {
      ...at,
      action: "vote",
      args: { choice: 2 },
      call_id: "c2",
    });
    expect(voted).toEqual({ ok: true, result: { choice: 2 }, rev: 1 });
    expect(one.record.at(-1)).toMatchObject({ kind: "ack", name: "call" });
    expect(one.record.at(-2)).toMatchObject({
      name: "actor_event",
      payload: { ...at, rev: 1, name: "totals", data: { 2: 1 } },
    });
    expect(await other.next("actor_event")).toEqual({
      ...at,
      rev: 1,
      name: "totals",
      data: { 2: 1 },
    });
    await other.does("call", { ...at, action: "vote", args: { choice: 2 }, call_id: "c1" });
    expect(await one.next("actor_event", ({ rev }) => rev === 2)).toMatchObject({ data: { 2: 2 } });
    expect(await one.isRefused("create_actor", { ...at, args, call_id: "c9" })).toMatchObject({
      code: "conflict",
    });
    await other.does("unwatch_actor", at);
    await one.does("call", { ...at, action: "close", call_id: "c3" });
    expect(
      await one.isRefused("call", { ...at, action: "vote", args: { choice: 1 }, call_id: "c4" }),
    ).toEqual({ code: "conflict", message: "The poll is closed." });
    await one.next("actor_event", ({ rev }) => rev === 3);
    expect(other.heard("actor_event").map(({ rev }) => rev)).toEqual([1, 2]);
  });

  it("[ACN2] what is wrong is refused: kinds, keys, actions, args, authorize", async () => {
    const { one, other, at, ann, bob } = await probe();
    const call_id = callId();
    const code = async (event: string, payload: object) =>
      (await one.isRefused(event, payload)).code;
    expect(await code("call", { ...at, action: "nothing", call_id })).toBe("not_found");
    expect(await code("call", { ...at, key: "none", action: "add", call_id })).toBe("not_found");
    expect(await code("watch_actor", { kind: "nobody", key: "a" })).toBe("not_found");
    expect(await code("watch_actor", { kind: "probe", key: "none" })).toBe("not_found");
    expect(await code("call", { ...at, key: ".a", action: "add", call_id })).toBe(
      "invalid_payload",
    );
    expect(await code("call", { ...at, action: "Add", call_id })).toBe("invalid_payload");
    expect(await code("call", { ...at, action: "add", args: { by: "x" }, call_id })).toBe(
      "invalid_payload",
    );
    expect(await code("call", { ...at, action: "add", args: { far: 1 }, call_id })).toBe(
      "invalid_payload",
    );
    expect(
      await code("call", { ...at, action: "tell", args: { user: "x".repeat(17_000) }, call_id }),
    ).toBe("invalid_payload");
    await one.does("watch_actor", at);
    await other.does("watch_actor", at);
    await one.does("call", { ...at, action: "ban", args: { user: bob.id }, call_id });
    expect(await other.next("actor_closed")).toEqual({ ...at, code: "forbidden" });
    expect(await other.isRefused("watch_actor", at)).toMatchObject({ code: "forbidden" });
    expect(await other.isRefused("call", { ...at, action: "add", call_id })).toMatchObject({
      code: "forbidden",
    });
    await one.does("call", { ...at, action: "kick", args: { user: ann.id }, call_id: callId() });
    expect(await one.next("actor_closed")).toEqual({ ...at, code: "unwatched" });
  });

  it("[ACN3] [APP4] a call_id runs one turn, and its repeat has the same answer", async () => {
    const { one, other, at, calls } = await probe();
    const first = await calls(one, "add", { by: 5 }, "same");
    expect(first).toMatchObject({ result: 5, rev: 1 });
    expect(await calls(one, "add", { by: 5 }, "same")).toEqual(first);
    const elsewhere = { ...at, action: "add", args: { by: 6 }, call_id: "same" };
    expect(await one.isRefused("call", elsewhere)).toMatchObject({ code: "conflict" });
    // Another caller's is another.
    expect(await calls(other, "add", { by: 5 }, "same")).toMatchObject({ result: 10 });
    const many = await Promise.all(upTo(50).map(() => calls(one, "add", { by: 1 }, "burst")));
    expect(new Set(many.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(await calls(one, "look")).toMatchObject({ result: { n: 11 } });
  });

  it("[ACN4] what a turn that refuses or throws wrote is gone, and it costs that turn only", async () => {
    const { one, at, calls } = await probe();
    await one.does("watch_actor", at);
    const code = async (how: string) => {
      const error = await one.isRefused("call", {
        ...at,
        action: "spoil",
        args: { how },
        call_id: callId(),
      });
      return error.code;
    };
    expect(await code("refuse")).toBe("conflict");
    for (const how of ["throw", "nan", "nul", "large", "result"]) {
      expect(`${how} ${await code(how)}`).toBe(`${how} internal`);
    }
    expect(await calls(one, "look")).toMatchObject({ result: { n: 0 }, rev: 0 });
    expect(one.heard("actor_event")).toEqual([]);
  });

  it("[ACN5] [AWT4] an event for some comes to the others as its rev, live, in watches and in sync", async () => {
    const { one, other, at, calls, ann } = await probe();
    await Promise.all([one.does("watch_actor", at), other.does("watch_actor", at)]);
    await calls(one, "whisper", { to: ann.id, text: "psst" });
    await calls(one, "add");
    expect(await other.next("actor_event")).toEqual({ ...at, rev: 1 });
    expect(await one.next("actor_event")).toEqual({
      ...at,
      rev: 1,
      name: "whispered",
      data: { text: "psst" },
    });
    const counted = { ...at, rev: 2, name: "counted", data: { n: 1 } };
    expect(await other.does("watch_actor", { ...at, after_rev: 0 })).toEqual({
      ok: true,
      rev: 2,
      events: [{ ...at, rev: 1 }, counted],
    });
    const synced = await other.does("sync", {
      conversations: [],
      actors: [
        { ...at, after_rev: 1 },
        { ...at, after_rev: 9 },
        { kind: "probe", key: "none", after_rev: 0 },
      ],
    });
    expect(synced.actors).toEqual([
      { ...at, rev: 2, events: [counted] },
      { ...at, rev: 2, view: { n: 1, heard: expect.any(Array) }, reset: true },
      { kind: "probe", key: "none", gone: true },
    ]);
    for (let n = 0; n < 205; n++) await calls(one, "add");
    expect(await one.does("watch_actor", { ...at, after_rev: 2 })).toMatchObject({
      rev: 207,
      view: { n: 206 },
    });
  });

  it("[ACN6] destroyed, its watchers hear it last, and its numbers go on where they ended", async () => {
    const { one, other, at, calls } = await probe();
    await other.does("watch_actor", at);
    await calls(one, "add");
    await calls(one, "end");
    expect(await other.next("actor_closed")).toEqual({ ...at, code: "destroyed" });
    expect(await one.isRefused("watch_actor", at)).toMatchObject({ code: "not_found" });
    const again = await one.does("create_actor", { ...at, args: { n: 3 }, call_id: callId() });
    expect(again).toMatchObject({ rev: 1, view: { n: 3 } });
    expect(await calls(one, "add")).toMatchObject({ result: 4, rev: 2 });
    expect(other.heard("actor_event").map(({ rev }) => rev)).toEqual([1]);
  });

  it("[ACN7] a user's first and last watching session are turns, the last one after the grace", async () => {
    const { one, at, calls, ann } = await probe();
    const second = await ann.connects();
    await one.does("watch_actor", at);
    await second.does("watch_actor", at);
    const heard = async () => {
      const { result } = await calls(one, "look");
      expect(result).toBeDefined();
      const { view } = await one.does("watch_actor", at);
      return (view as { heard: string[] }).heard;
    };
    expect(await heard()).toEqual([`+${ann.id}`]);
    await second.disconnects();
    await one.does("unwatch_actor", at);
    await eventually("the last session has left", async () => {
      const answer = await ann.api.get<{ view: { heard: string[] } }>(
        `/api/actors/probe/${at.key}`,
      );
      return answer.body.view.heard.join() === `+${ann.id},-${ann.id}`;
    });
  });
});

describe("effects", () => {
  it("[ACN8] a timer rings, a message is sent once, a notification and a signal arrive, another actor answers", async () => {
    const { one, other, at, calls, ann, bob, key } = await probe();
    await other.does("watch_actor", at);
    await calls(one, "ring", { inMs: 1_000 });
    await other.next("actor_event", ({ name }) => name === "counted");
    const group = await ann.startsGroup(bob);
    const fresh11 = await bob.connects({ contract: "1.1" });
    await calls(one, "say", { conversation: group.id, as: ann.id, body: "from the probe" });
    expect(await other.next("message")).toMatchObject({
      sender_id: ann.id,
      body: "from the probe",
    });
    expect(await fresh11.next("signal")).toMatchObject({ user_id: null, type: "probe.said" });
    await calls(one, "say", { conversation: group.id, as: "system", body: "a system's" });
    expect(await other.next("message")).toMatchObject({ sender_id: null, type: "system" });
    await calls(one, "tell", { user: bob.id, message: "Look here" });
    expect(await other.next("notification")).toMatchObject({ type: "probe", message: "Look here" });
    const second = `${key}b`;
    await one.does("create_actor", { kind: "probe", key: second, args: {}, call_id: callId() });
    await calls(one, "pass", { key: second, by: 4 });
    await other.next("actor_event", ({ rev }) => rev === 2);
    const { view } = await other.does("watch_actor", at);
    expect((view as { heard: string[] }).heard).toContain(`to ${second}: 4`);
  });

  it("[ACN9] [APP6] an actor that is bound to a conversation is for its present members, and ends with it", async () => {
    const [ann, bob, cid] = await troupe().users("ann", "bob", "cid");
    const [one, other, third] = await Promise.all(
      [ann!, bob!, cid!].map((person) => person.connects()),
    );
    const group = await ann!.startsGroup(bob!);
    const at = { kind: "probe", key: fresh() };
    const bound = { ...at, args: {}, conversation_id: group.id };
    expect(await third!.isRefused("create_actor", { ...bound, call_id: "c" })).toMatchObject({
      code: "not_found",
    });
    await one!.does("create_actor", { ...bound, call_id: "c" });
    await Promise.all([one!.does("watch_actor", at), other!.does("watch_actor", at)]);
    expect(await third!.isRefused("watch_actor", at)).toMatchObject({ code: "not_found" });
    const look = await one!.does("call", { ...at, action: "look", call_id: callId() });
    expect(look.result).toMatchObject({ caller: { user: ann!.id, role: "owner" } });
    const path = `/api/conversations/${group.id}/members/${bob!.id}`;
    expectStatus<unknown>(await ann!.api.delete(path), 204);
    expect(await other!.next("actor_closed")).toEqual({ ...at, code: "forbidden" });
    expectStatus<unknown>(await ann!.api.delete(`/api/conversations/${group.id}`), 204);
    expect(await one!.next("actor_closed")).toEqual({ ...at, code: "destroyed" });
  });

  it("[ACN10] an actor in memory has timers from 50 ms", async () => {
    const [ann] = await troupe().users("ann");
    const one = await ann!.connects();
    const at = { kind: "cursors", key: fresh() };
    await one.does("create_actor", { ...at, args: { start: 7 }, call_id: "c" });
    expect(await one.does("watch_actor", at)).toMatchObject({ view: { at: { start: 7 } } });
    await one.does("call", { ...at, action: "tick", call_id: "d" });
    expect(await one.next("actor_event")).toMatchObject({ rev: 1, name: "ticked" });
  });
});

describe("over HTTP", () => {
  it("[ACN11] a user creates, calls and reads; a service calls as itself and lists", async () => {
    const [ann] = await troupe().users("ann");
    const key = fresh();
    const path = `/api/actors/probe/${key}`;
    const created = await ann!.api.post(path, { args: { n: 1 }, call_id: "c1" });
    expect(expectStatus<unknown>(created, 201)).toEqual({ view: { n: 1, heard: [] }, rev: 0 });
    const added = await ann!.api.post(`${path}/add`, { args: { by: 2 }, call_id: "c2" });
    expect(expectStatus<unknown>(added, 200)).toEqual({ result: 3, rev: 1 });
    expect(expectStatus<unknown>(await ann!.api.get(path), 200)).toEqual({
      view: { n: 3, heard: [] },
      rev: 1,
    });
    const token = await serviceTokenOf(JWT_SECRET, ["actors"], "shop");
    const shop = new Api(troupe().url, () => token);
    const looked = await shop.post<{ result: object }>(`${path}/look`, { call_id: "c3" });
    expect(expectStatus(looked, 200).result).toMatchObject({
      caller: { user: null, session: null, service: "shop" },
    });
    const listed = await shop.get<{ items: object[] }>("/api/actors/probe?limit=100");
    expect(expectStatus(listed, 200).items).toContainEqual({
      kind: "probe",
      key,
      rev: 1,
      created_at: expect.any(String),
    });
    expectRefusal(await ann!.api.get("/api/actors/probe"), "forbidden");
    const notifier = await serviceTokenOf(JWT_SECRET, ["notify"], "other");
    expectRefusal(await new Api(troupe().url, () => notifier).get(path), "forbidden");
  });
});

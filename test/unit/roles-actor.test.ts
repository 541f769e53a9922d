/** What the conversation's actor lets members do by role, silence, frost and slow mode. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { translationIn } from "../../src/protocol/contract.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { SELF, SoloActors, type Told } from "../support/solo-actors.ts";

let actors: SoloActors;
let ann: UserId;
let bob: UserId;
let cat: UserId;
let room: ConversationId;

beforeEach(async () => {
  actors = new SoloActors();
  [ann, bob, cat] = (await actors.users(3)) as [UserId, UserId, UserId];
  room = await actors.group([ann, bob, cat]);
});
afterEach(() => actors.close());

const key = () => `conversation:${room}`;
const asks = (op: string, user: UserId, body: object) =>
  actors.asks(key(), op, { user, session: `s${user}`, ...body });
const changes = (op: string, user: UserId, body: object) =>
  actors.changes(key(), op, { user, session: `s${user}`, ...body });
const sends = (user: UserId, client_id: string) =>
  asks("send", user, { client_id, body: client_id, reply_to_seq: null });
const types = (user: UserId) => asks("typing", user, { is_typing: true, worker: SELF });
const update = (user: UserId, patch: object) => changes("update", user, patch);
const gives = (user: UserId, user_id: UserId, patch: object) =>
  changes("update_member", user, { user_id, ...patch });
const codeOf = (told: Told) => ("code" in told ? told.code : "ok");

describe("roles", () => {
  test("[RGT2] a reader reads and leaves, and neither sends, types nor edits", async () => {
    await sends(bob, "before");
    expect(codeOf(await gives(ann, bob, { role: "reader" }))).toBe("ok");
    expect(codeOf(await sends(bob, "after"))).toBe("forbidden");
    expect(codeOf(await types(bob))).toBe("forbidden");
    expect(codeOf(await asks("edit", bob, { seq: 1, body: "another" }))).toBe("forbidden");
    expect(codeOf(await asks("mark", bob, { seq: 1, read: true }))).toBe("ok");
    expect(codeOf(await asks("join", bob, { after_rev: null, limit: 5 }))).toBe("ok");
    expect(codeOf(await changes("remove_member", bob, { user_id: bob }))).toBe("ok");
  });

  test("[RGT2] a permission taken away stops who is typing", async () => {
    await types(bob);
    await update(ann, { permissions: { send: "moderator" } });
    expect(actors.said("typing").at(-1)).toMatchObject({ user_id: bob, is_typing: false });
    expect(codeOf(await sends(bob, "x"))).toBe("forbidden");
    await gives(ann, bob, { role: "moderator" });
    expect(codeOf(await sends(bob, "x"))).toBe("ok");
  });

  test("[RGT4] what the role does not allow costs the conversation's budget nothing", async () => {
    actors.close();
    actors = new SoloActors(undefined, { perS: 1, burst: 3 });
    [ann, bob, cat] = (await actors.users(3)) as [UserId, UserId, UserId];
    room = await actors.group([ann, bob, cat]);
    for (let n = 0; n < 10; n++) {
      expect(codeOf(await asks("update", bob, { settings: { frozen: true } }))).toBe("forbidden");
      expect(codeOf(await asks("update_member", bob, { user_id: cat, role: "reader" }))).toBe(
        "forbidden",
      );
      expect(codeOf(await asks("remove_member", bob, { user_id: cat }))).toBe("forbidden");
    }
    expect(codeOf(await update(ann, { settings: { frozen: true } }))).toBe("ok");
  });

  test("[RLA1] a change of roles and settings is one event with its one rev", async () => {
    const told = await gives(ann, bob, { role: "moderator" });
    expect(told).toMatchObject({ rev: 2, value: { conversation: { rev: 2 } } });
    await update(ann, { settings: { frozen: true }, data: { a: 1 } });
    const [first, second] = actors.said("conversation_updated");
    expect(first).toMatchObject({ rev: 2, members: [{}, { user_id: bob, role: "moderator" }, {}] });
    expect(first).not.toHaveProperty("settings");
    expect(second).toMatchObject({
      rev: 3,
      meta_rev: 3,
      settings: { frozen: true },
      data: { a: 1 },
    });
  });
});

describe("silence and frost", () => {
  const inMs = (ms: number) => new Date(actors.clock.nowMs() + ms).toISOString();

  test("[RGT1] a silenced member is told until when, and speaks again after it", async () => {
    await types(bob);
    const until = inMs(60_000);
    await gives(ann, bob, { silenced_until: until });
    expect(actors.said("typing").at(-1)).toMatchObject({ user_id: bob, is_typing: false });
    expect(codeOf(await sends(bob, "x"))).toBe("forbidden");
    expect(codeOf(await types(bob))).toBe("forbidden");
    expect(codeOf(await sends(cat, "x"))).toBe("ok");
    await actors.clock.advance(60_001);
    expect(codeOf(await sends(bob, "x"))).toBe("ok");
  });

  test("[RGT2] frozen, only moderators and above send; the rest goes on", async () => {
    await sends(bob, "before");
    await gives(ann, cat, { role: "moderator" });
    await update(ann, { settings: { frozen: true } });
    expect(codeOf(await sends(bob, "x"))).toBe("forbidden");
    expect(codeOf(await sends(cat, "x"))).toBe("ok");
    expect(codeOf(await sends(ann, "x"))).toBe("ok");
    expect(codeOf(await asks("edit", bob, { seq: 1, body: "another" }))).toBe("ok");
    expect(codeOf(await asks("mark", bob, { seq: 2, read: true }))).toBe("ok");
    await update(ann, { settings: { frozen: false } });
    expect(codeOf(await sends(bob, "x"))).toBe("ok");
  });
});

describe("slow mode", () => {
  const again = async (user: UserId, client_id: string) => codeOf(await sends(user, client_id));

  test("[SLW1] a member's next send too early is rate_limited, a moderator's is not", async () => {
    await update(ann, { settings: { slow_mode_s: 30 } });
    expect([await again(bob, "1"), await again(bob, "2")]).toEqual(["ok", "rate_limited"]);
    expect([await again(ann, "1"), await again(ann, "2")]).toEqual(["ok", "ok"]);
    expect(await again(cat, "1")).toBe("ok");
    await actors.clock.advance(29_000);
    expect(await again(bob, "2")).toBe("rate_limited");
    await actors.clock.advance(1_001);
    expect(await again(bob, "2")).toBe("ok");
  });

  test("[SLW1] [CHG3] a service that acts for a member waits for neither slow mode nor the limit", async () => {
    actors.close();
    actors = new SoloActors(undefined, { perS: 1, burst: 2 });
    [ann, bob, cat] = (await actors.users(3)) as [UserId, UserId, UserId];
    room = await actors.group([ann, bob, cat]);
    const isService = true;
    await asks("update", ann, { settings: { slow_mode_s: 30 } });
    for (let n = 0; n < 4; n++) {
      const message = { client_id: `${n}`, body: "x", reply_to_seq: null, isService };
      expect(codeOf(await asks("send", bob, message))).toBe("ok");
      expect(codeOf(await changes("update", ann, { data: { n }, isService }))).toBe("ok");
    }
    expect(codeOf(await sends(bob, "own"))).toBe("rate_limited");
    const told = await changes("update", ann, { title: "x", isService });
    expect(JSON.stringify(told)).not.toContain("isService");
  });

  test("[SLW1] it counts what was sent before the actor moved, or before it was turned on", async () => {
    expect(await again(bob, "1")).toBe("ok");
    await update(ann, { settings: { slow_mode_s: 600 } });
    expect(await again(bob, "2")).toBe("rate_limited");
    await actors.clock.advance(300_000);
    expect(await again(bob, "2")).toBe("rate_limited");
    await actors.clock.advance(300_000);
    expect(await again(bob, "2")).toBe("ok");
  });

  test("[SLW2] [SLW3] a message sent before is answered, and a refused one does not count", async () => {
    await update(ann, { settings: { slow_mode_s: 30 } });
    expect(await again(bob, "1")).toBe("ok");
    const told = await sends(bob, "1");
    expect(told).toMatchObject({ value: { duplicate: true, message: { seq: 1 } } });
    await actors.clock.advance(30_001);
    const bad = { client_id: "bad", body: "x", reply_to_seq: 99 };
    expect(codeOf(await asks("send", bob, bad))).toBe("invalid_payload");
    expect(await again(bob, "1")).toBe("ok");
    expect(await again(bob, "2")).toBe("ok");
  });
});

describe("coming in and going", () => {
  test("[MBR1] who joins an open conversation is announced, and refused where it is not open", async () => {
    const [dan] = (await actors.users(1)) as [UserId];
    expect(codeOf(await changes("come_in", dan, {}))).toBe("not_found");
    await update(ann, { settings: { join: "open" } });
    expect(await changes("come_in", dan, {})).toMatchObject({ rev: 3 });
    expect(actors.said("conversation_joined").at(-1)).toMatchObject({ user_ids: [dan] });
    expect(codeOf(await sends(dan, "hi"))).toBe("ok");
  });

  test("[MBR8] a deletion is the last event, for version 1 the conversation without members", async () => {
    expect(codeOf(await changes("delete_conversation", bob, {}))).toBe("forbidden");
    await types(bob);
    expect(await changes("delete_conversation", ann, {})).toMatchObject({ rev: 2 });
    const last = actors.events.at(-1)!;
    expect(last).toMatchObject({ name: "conversation_deleted", rev: 2 });
    const { body, former } = translationIn(last.body);
    expect(JSON.parse(body)).toEqual({ conversation_id: room, rev: 2 });
    expect(JSON.parse(former!.body)).toMatchObject({ id: room, members: [] });
    expect(codeOf(await sends(bob, "x"))).toBe("not_found");
    expect(codeOf(await asks("join", ann, { after_rev: null, limit: 5 }))).toBe("not_found");
  });

  test("[CHG1] bans and joins count as changes, an unban and a deletion do not", async () => {
    actors.close();
    actors = new SoloActors(undefined, { perS: 1, burst: 1 });
    [ann, bob, cat] = (await actors.users(3)) as [UserId, UserId, UserId];
    room = await actors.group([ann, bob, cat]);
    const ban = { user_id: bob, until: null, reason: null };
    expect(codeOf(await asks("ban", ann, ban))).toBe("ok");
    expect(codeOf(await asks("ban", ann, { ...ban, user_id: cat }))).toBe("rate_limited");
    expect(codeOf(await changes("unban", ann, { user_id: bob }))).toBe("ok");
    expect(codeOf(await changes("delete_conversation", ann, {}))).toBe("ok");
  });
});

describe("history from the moment of joining", () => {
  test("[RGT5] what came before is neither shown, quoted, changed nor reacted to", async () => {
    const [dan] = (await actors.users(1)) as [UserId];
    for (const body of ["1", "2"]) await sends(ann, body);
    await update(ann, { settings: { join: "open", history: "joined" } });
    await changes("come_in", dan, {});
    await sends(ann, "3");
    const told = await asks("join", dan, { after_rev: null, limit: 10 });
    expect(told).toMatchObject({ value: { messages: [{ seq: 3 }], has_more: false } });
    const since = await asks("join", dan, { after_rev: 1, limit: 10 });
    expect(since).toMatchObject({ value: { messages: [{ seq: 3 }], has_more: false } });
    const all = await asks("join", ann, { after_rev: null, limit: 2 });
    expect(all).toMatchObject({ value: { messages: [{ seq: 2 }, { seq: 3 }], has_more: true } });
    const quote = { client_id: "q", body: "q", reply_to_seq: 2 };
    expect(codeOf(await asks("send", dan, quote))).toBe("invalid_payload");
    expect(codeOf(await asks("send", dan, { ...quote, reply_to_seq: 3 }))).toBe("ok");
    expect(codeOf(await asks("delete", dan, { seq: 1 }))).toBe("not_found");
    expect(codeOf(await asks("edit", dan, { seq: 1, body: "x" }))).toBe("not_found");
    expect(codeOf(await asks("edit", dan, { seq: 3, body: "x" }))).toBe("forbidden");
    expect(codeOf(await asks("mark", dan, { seq: 1, read: true }))).toBe("ok");
  });
});

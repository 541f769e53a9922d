import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { USER_IDLE_MS } from "../../actors/limits.ts";
import type { UserId } from "../../src/protocol/ids.ts";
import { GRACE_MS, SELF, SESSIONS_MAX, SoloActors } from "../support/solo-actors.ts";

let actors: SoloActors;
let ann: UserId;
let bob: UserId;

beforeEach(async () => {
  actors = new SoloActors();
  [ann, bob] = (await actors.users(2)) as [UserId, UserId];
});

afterEach(() => actors.close());

const opens = (session: string, worker = SELF, status = "online") =>
  actors.tells(`user:${ann}`, "session_opened", { session, worker, status }, worker);
const closes = (session: string) => actors.tells(`user:${ann}`, "session_closed", { session });
const status = () => actors.asks(`user:${ann}`, "status", {});
const compares = (told: string) => actors.asks(`user:${ann}`, "compare_status", { told });
const statuses = () => actors.said("user_status").map((one) => one["status"]);

describe("presence", () => {
  test("[PRS1] the first session says online, the last one's end offline with its time", async () => {
    await opens("phone");
    await opens("laptop");
    await closes("phone");
    const endedAt = new Date(actors.clock.nowMs()).toISOString();
    await closes("laptop");
    await actors.clock.advance(GRACE_MS);
    expect(actors.said("user_status")).toEqual([
      { user_id: ann, status: "online", last_seen_at: null },
      { user_id: ann, status: "offline", last_seen_at: endedAt },
    ]);
    expect((await actors.storage.ports.users.lastSeen(ann))?.at).toBe(endedAt);
  });

  test("[PRS2] a reconnect within the grace period is not heard", async () => {
    await opens("phone");
    await closes("phone");
    await actors.clock.advance(GRACE_MS - 1);
    await opens("phone2");
    await actors.clock.advance(60_000);
    expect(statuses()).toEqual(["online"]);
  });

  test("[PRS3] set_status is answered, and heard at once", async () => {
    await opens("phone");
    const body = { session: "phone", worker: SELF, status: "away" };
    expect(await actors.asks(`user:${ann}`, "set_status", body)).toMatchObject({ value: {} });
    expect(statuses()).toEqual(["online", "away"]);
  });

  test("[PRS11] an invisible session counts for nothing, and leaves no trace when it ends", async () => {
    const sets = (session: string, to: string) =>
      actors.asks(`user:${ann}`, "set_status", { session, worker: SELF, status: to });
    await opens("phone");
    await opens("laptop");
    await sets("phone", "invisible");
    expect(statuses()).toEqual(["online"]);
    const seenAt = new Date(actors.clock.nowMs()).toISOString();
    await sets("laptop", "invisible");
    await actors.clock.advance(GRACE_MS + 60_000);
    await closes("phone");
    await closes("laptop");
    await actors.clock.advance(GRACE_MS + 60_000);
    expect(statuses()).toEqual(["online", "offline"]);
    expect(await status()).toMatchObject({ value: { status: "offline", last_seen_at: seenAt } });
    expect((await actors.storage.ports.users.lastSeen(ann))?.at).toBe(seenAt);
  });

  test("[PRS12] a push waits for a session that is online, until the last one's grace period has ended", async () => {
    const released: UserId[] = [];
    actors.storage.ports.users.releasePushes = async (id) => void released.push(id);
    const reach = async (hold = true) => {
      const answer = await actors.asks(`user:${ann}`, "push_reach", { hold });
      return "value" in answer ? answer.value["reach"] : answer.code;
    };
    const sets = (session: string, to: string) =>
      actors.asks(`user:${ann}`, "set_status", { session, worker: SELF, status: to });
    expect(await reach()).toBe("now");
    await opens("phone");
    await opens("laptop");
    await sets("laptop", "away");
    expect(await reach()).toBe("wait");
    await sets("phone", "invisible");
    expect(released).toEqual([ann]);
    expect(await reach()).toBe("now");
    await sets("phone", "online");
    expect(await reach()).toBe("wait");
    await closes("laptop");
    await closes("phone");
    expect(await reach()).toBe("wait");
    expect(released).toEqual([ann]);
    await actors.clock.advance(GRACE_MS);
    expect(released).toEqual([ann, ann]);
    expect(await reach()).toBe("now");
    // Nothing waits, so nothing is released.
    await opens("tablet");
    expect(await reach(false)).toBe("wait");
    await closes("tablet");
    await actors.clock.advance(GRACE_MS);
    expect(released).toEqual([ann, ann]);
  });

  test("[USR5] what is hidden is said to watchers with every status, and published when it changes", async () => {
    await opens("phone");
    const body = { patch: { presence: "contacts" } };
    expect(await actors.asks(`user:${ann}`, "set_privacy", body)).toMatchObject({
      value: { privacy: { presence: "contacts", receipts: true }, conversation_ids: [] },
    });
    // An order to the own sessions, and the news for those who watch.
    const told = [{}, { user_id: ann, status: "online", last_seen_at: null }];
    expect(actors.said("privacy_changed")).toEqual(told);
    expect(await actors.asks(`user:${ann}`, "privacy", {})).toMatchObject({
      value: { presence: "contacts" },
    });
    await actors.asks(`user:${ann}`, "set_privacy", { patch: { receipts: false } });
    expect(actors.said("privacy_changed")).toEqual(told);
  });

  test("[PRS2] a worker that dies takes its sessions, after the grace period", async () => {
    actors.neighbours("w2");
    await opens("phone", "w2");
    actors.neighbours();
    await actors.clock.advance(GRACE_MS - 1);
    expect(statuses()).toEqual(["online"]);
    await actors.clock.advance(1);
    expect(statuses()).toEqual(["online", "offline"]);
  });

  test("[ACT6] a session that a dead worker announced late never lives", async () => {
    actors.neighbours("w2");
    actors.neighbours();
    const body = { worker: "w2", sessions: [{ session: "phone", status: "online" }] };
    await actors.tells(`user:${ann}`, "sessions_announced", body, "w2");
    await actors.clock.advance(60_000);
    expect(await status()).toMatchObject({ value: { status: "offline" } });
    expect(statuses()).toEqual([]);
  });

  test("[PRS5] who asks while it settles is told the better of known and announced", async () => {
    const body = { worker: SELF, sessions: [{ session: "phone", status: "away" }] };
    await actors.tells(`user:${ann}`, "sessions_announced", body);
    expect(await status()).toMatchObject({ value: { status: "away" } });
    expect(await compares("online")).toMatchObject({ value: null });
    expect(await status()).toMatchObject({ value: { status: "online" } });
    expect(statuses()).toEqual([]);
  });

  test("[PRS4] what is said again after a move is marked as such", async () => {
    const body = { worker: SELF, sessions: [{ session: "phone", status: "online" }] };
    await actors.tells(`user:${ann}`, "sessions_announced", body);
    await actors.clock.advance(1_000);
    expect(actors.events).toMatchObject([{ name: "user_status", note: "restated" }]);
  });

  test("[CMP2] a status is answered where it is another than what was sent", async () => {
    await opens("phone", SELF, "away");
    expect(await compares("away")).toMatchObject({ value: null });
    expect(await compares("offline")).toMatchObject({ value: { status: "away" } });
  });

  test("[PRS6] known online, and nobody came: offline, last seen when the actor moved", async () => {
    const movedAt = new Date(actors.clock.nowMs()).toISOString();
    await compares("online");
    await actors.clock.advance(60_000);
    expect(actors.said("user_status")).toEqual([
      { user_id: ann, status: "offline", last_seen_at: movedAt },
    ]);
  });
});

describe("activation", () => {
  test("[HST4] a user with a session stays active, one without goes", async () => {
    await opens("phone");
    await actors.clock.advance(USER_IDLE_MS * 3);
    expect(actors.host.stats.actors).toEqual({ user: 1 });
    await closes("phone");
    await actors.clock.advance(USER_IDLE_MS * 3);
    expect(actors.host.stats.actors).toEqual({});
  });

  test("[USR2] a user that is not there is not found", async () => {
    expect(await actors.asks("user:999999", "status", {})).toEqual({ code: "not_found" });
  });
});

describe("new conversations", () => {
  const creates = (member_ids: UserId[], title: string | null = null) =>
    actors.asks(`user:${ann}`, "create_conversation", { member_ids, title });

  test("[USR1] one other and no title makes the one direct conversation of the pair", async () => {
    const first = await creates([bob]);
    expect(first).toMatchObject({ value: { created: true, conversation: { kind: "direct" } } });
    const second = await creates([bob, ann]);
    expect(second).toMatchObject({ value: { created: false } });
    expect(actors.events.map(({ name, key }) => [name, key])).toEqual([
      ["conversation_joined", `notifications:${ann}`],
      ["conversation_joined", `notifications:${bob}`],
    ]);
    expect(actors.events.map(({ body }) => JSON.parse(body).user_ids)).toEqual([[ann], [bob]]);
  });

  test("[USR1] with a title it is a group", async () => {
    const made = await creates([bob], "Two of us");
    expect(made).toMatchObject({ value: { conversation: { kind: "group", title: "Two of us" } } });
  });

  test("[USR1] somebody who is not there is not found", async () => {
    expect(await creates(["999999" as UserId])).toEqual({ code: "not_found" });
    expect(actors.events).toEqual([]);
  });
});

describe("[USR3] more sessions than may be", () => {
  const told = () =>
    actors.events
      .filter(({ name }) => name === "session_surplus")
      .map(({ note }) => (JSON.parse(note) as { session: string }).session);

  test("end the oldest, one for each that opens", async () => {
    for (let n = 0; n < SESSIONS_MAX; n++) {
      await opens(`s${n}`);
      await actors.clock.advance(10);
    }
    expect(told()).toEqual([]);
    await opens("new");
    await opens("newer");
    expect(told()).toEqual(["s0", "s1"]);
    await closes("s0");
    await closes("s1");
    await opens("newest");
    expect(told()).toEqual(["s0", "s1", "s2"]);
    expect(statuses()).toEqual(["online"]);
  });

  test("after a move the oldest are known by how long they have been open", async () => {
    const note = (session: string, age_ms: number) => ({ session, status: "online", age_ms });
    const many = Array.from({ length: SESSIONS_MAX - 1 }, (_, n) => note(`s${n}`, 1_000 + n));
    const here = { worker: SELF, sessions: many };
    await actors.tells(`user:${ann}`, "sessions_announced", here);
    const there = { worker: "w2", sessions: [note("old", 9_000), note("young", 10)] };
    actors.neighbours("w2");
    await actors.tells(`user:${ann}`, "sessions_announced", there, "w2");
    expect(told()).toEqual(["old"]);
  });
});

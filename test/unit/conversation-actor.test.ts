import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RING_MESSAGES, TYPING_SILENCE_MS } from "../../actors/limits.ts";
import type { ActorPorts } from "../../actors/ports.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { settled } from "../support/fake-clock.ts";
import { removeMember } from "../support/group-changes.ts";
import { SELF, SoloActors } from "../support/solo-actors.ts";

let actors: SoloActors;
let ann: UserId;
let bob: UserId;
let eve: UserId;
let room: ConversationId;
/** What the store does before it answers; set by tests of its absence. */
let storeIsAway: boolean;
let late: { name: string; until: Promise<void> } | null;

beforeEach(async () => {
  storeIsAway = false;
  late = null;
  actors = new SoloActors((ports) => ({ ...ports, conversations: unsteady(ports) }));
  [ann, bob, eve] = (await actors.users(3)) as [UserId, UserId, UserId];
  room = await actors.group([ann, bob]);
});

afterEach(() => actors.close());

/** The store, which rejects everything while it is away. */
function unsteady({ conversations }: ActorPorts): ActorPorts["conversations"] {
  return new Proxy(conversations, {
    get(target, name) {
      const method = Reflect.get(target, name, target) as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        if (storeIsAway) return Promise.reject(new Error("no route"));
        const answer = method.apply(target, args);
        return late?.name === name ? late.until.then(() => answer) : answer;
      };
    },
  });
}

/** The store reads at once, and answers calls of `name` when `comes` is called. */
function heldUp(name: string): { comes(): void } {
  let comes: () => void = () => undefined;
  const until = new Promise<void>((resolve) => {
    comes = resolve;
  });
  late = { name, until };
  return { comes };
}

const asks = (op: string, user: UserId, body: object, session = `s${user}`) =>
  actors.asks(`conversation:${room}`, op, { user, session, ...body });
const sends = (user: UserId, client_id: string, body = client_id) =>
  asks("send", user, { client_id, body, reply_to_seq: null });
const types = (user: UserId, is_typing = true, worker = SELF) =>
  asks("typing", user, { is_typing, worker });
const joins = (user: UserId, after_rev: number | null = null, limit = 50) =>
  asks("join", user, { after_rev, limit });
const joining = (user: UserId, after_rev: number | null, limit = 50) => ({
  user,
  session: `s${user}`,
  after_rev,
  limit,
});
const typing = () =>
  actors.said("typing").map((one) => `${one["user_id"]}${one["is_typing"] ? "+" : "-"}`);

describe("messages", () => {
  test("[CNV1] a message is committed, published, then answered with its rev", async () => {
    const told = await sends(ann, "c1", "hi");
    expect(told).toMatchObject({ rev: 2, value: { message: { seq: 1, rev: 2, body: "hi" } } });
    expect(actors.order).toEqual(["message 2", "answer 2"]);
    expect(actors.events[0]?.except).toBe(`s${ann}`);
    expect(await actors.storage.ports.conversations.newest(room, 5)).toHaveLength(1);
  });

  test("[CNV1] many at once keep their order", async () => {
    const tolds = Array.from({ length: 50 }, (_, n) =>
      actors.asking(`conversation:${room}`, "send", {
        user: n % 2 ? ann : bob,
        session: "s",
        client_id: `c${n}`,
        body: "x",
        reply_to_seq: null,
      }),
    );
    await Promise.all(tolds);
    expect(actors.said("message").map((one) => one["seq"])).toEqual(
      Array.from({ length: 50 }, (_, n) => n + 1),
    );
    expect(actors.said("message").map((one) => one["client_id"])).toEqual(
      Array.from({ length: 50 }, (_, n) => `c${n}`),
    );
  });

  test("[CNV2] the same client_id is one message, and says so", async () => {
    await sends(ann, "c1", "first");
    const again = await sends(ann, "c1", "second");
    expect(again).toMatchObject({ rev: 2, value: { duplicate: true, message: { body: "first" } } });
    expect(actors.said("message")).toHaveLength(1);
  });

  test("[CNV2] also while the first is on its way, and for both who ask", async () => {
    const body = { user: ann, session: "s", client_id: "c1", body: "x", reply_to_seq: null };
    const key = `conversation:${room}`;
    const both = [actors.asking(key, "send", body), actors.asking(key, "send", body)];
    const [first, second] = await Promise.all(both);
    expect(first).toMatchObject({ value: { message: { seq: 1 } } });
    expect(second).toMatchObject({ value: { duplicate: true, message: { seq: 1 } } });
    expect(actors.said("message")).toHaveLength(1);
  });

  test("[CNV2] two senders may use the same client_id", async () => {
    await sends(ann, "c1");
    expect(await sends(bob, "c1")).toMatchObject({ value: { message: { seq: 2 } } });
  });

  test("[CNV4] a reply to what is not there is refused", async () => {
    const body = { client_id: "c1", body: "x", reply_to_seq: 1 };
    expect(await asks("send", ann, body)).toEqual({ code: "invalid_payload" });
  });

  test("[CNV1] storage away: unavailable, nothing published, and it goes on after", async () => {
    await sends(ann, "c1");
    storeIsAway = true;
    expect(await sends(ann, "c2")).toEqual({ code: "unavailable" });
    expect(await asks("mark", bob, { seq: 1, read: true })).toEqual({ code: "unavailable" });
    expect(await asks("edit", ann, { seq: 1, body: "y" })).toEqual({ code: "unavailable" });
    storeIsAway = false;
    expect(await sends(ann, "c2")).toMatchObject({ value: { message: { seq: 2 } } });
    expect(actors.said("message")).toHaveLength(2);
  });

  test("[CNV1] an edit and a deletion take a rev each; a second deletion takes none", async () => {
    await sends(ann, "c1");
    expect(await asks("edit", ann, { seq: 1, body: "y" })).toMatchObject({ rev: 3 });
    expect(await asks("delete", ann, { seq: 1 })).toMatchObject({ rev: 4 });
    // Again: no change, and the answer has the place of the one that it shows.
    expect(await asks("delete", ann, { seq: 1 })).toMatchObject({ rev: 4 });
    expect(await asks("edit", ann, { seq: 1, body: "z" })).toEqual({ code: "conflict" });
    expect(await asks("edit", bob, { seq: 1, body: "z" })).toEqual({ code: "forbidden" });
    expect(actors.said("message_updated").map((one) => one["rev"])).toEqual([3, 4]);
  });
});

describe("cursors", () => {
  test("[DLV3] a mark is published once, and not when it moves nothing", async () => {
    await sends(ann, "c1");
    await sends(ann, "c2");
    expect(await asks("mark", bob, { seq: 2, read: true })).toMatchObject({
      value: { delivered_seq: 2, read_seq: 2 },
    });
    await asks("mark", bob, { seq: 1, read: true });
    await asks("mark", bob, { seq: 2, read: false });
    expect(actors.said("receipt")).toEqual([
      { conversation_id: room, user_id: bob, delivered_seq: 2, read_seq: 2 },
    ]);
  });

  test("[DLV4] past the last message it is refused", async () => {
    await sends(ann, "c1");
    expect(await asks("mark", bob, { seq: 2, read: false })).toEqual({ code: "invalid_payload" });
  });

  test("[DLV5] a send moves its sender's own cursors, without a receipt", async () => {
    await sends(ann, "c1");
    const members = expect.arrayContaining([{ user_id: ann, delivered_seq: 1, read_seq: 1 }]);
    expect(await joins(ann)).toMatchObject({ value: { conversation: { members } } });
    expect(actors.said("receipt")).toEqual([]);
  });
});

describe("members", () => {
  test("[ISO2] who is no member finds nothing, whatever they ask", async () => {
    await sends(ann, "c1");
    const attempts: [string, object][] = [
      ["send", { client_id: "x", body: "x", reply_to_seq: null }],
      ["edit", { seq: 1, body: "x" }],
      ["delete", { seq: 1 }],
      ["mark", { seq: 1, read: true }],
      ["typing", { worker: SELF, is_typing: true }],
      ["join", { after_rev: null, limit: 10 }],
      ["update", { title: "mine" }],
      ["add_members", { user_ids: [eve] }],
      ["remove_member", { user_id: ann }],
    ];
    for (const [op, body] of attempts) {
      expect(await asks(op, eve, body), op).toEqual({ code: "not_found" });
    }
    expect(actors.events).toHaveLength(1);
  });

  test("[ISO2] a conversation that is not there is not found either", async () => {
    room = "999999" as ConversationId;
    expect(await sends(ann, "c1")).toEqual({ code: "not_found" });
  });

  test("[ISO1] from the removal's answer on the removed is nobody here", async () => {
    await types(bob);
    expect(await asks("remove_member", ann, { user_id: bob })).toMatchObject({ rev: 2 });
    expect(await joins(bob)).toEqual({ code: "not_found" });
    expect(actors.order.slice(-4)).toEqual([
      "conversation_updated 2",
      "typing 0",
      "answer 2",
      "answer 0",
    ]);
    expect(typing()).toEqual([`${bob}+`, `${bob}-`]);
  });

  test("[ISO1] who is added is announced to their edges; again it is no change", async () => {
    await asks("add_members", ann, { user_ids: [eve] });
    await actors.changes(`conversation:${room}`, "add_members", {
      user: ann,
      session: "",
      user_ids: [eve],
    });
    expect(actors.said("conversation_updated")).toHaveLength(1);
    const orders = actors.events.filter(({ name }) => name === "conversation_joined");
    expect(orders).toMatchObject([{ key: `notifications:${eve}` }]);
    expect(JSON.parse(orders[0]!.body)).toMatchObject({
      user_ids: [eve],
      conversation: { rev: 2 },
    });
    expect(await sends(eve, "c1")).toMatchObject({ rev: 3 });
  });

  test("[JND1] a few who are added are named on their own topics, many once to all", async () => {
    const newcomers = await actors.users(20);
    const [few, many] = [newcomers.slice(0, 3), newcomers.slice(3)];
    const orders = () => actors.events.filter(({ name }) => name === "conversation_joined");
    await asks("add_members", ann, { user_ids: few });
    expect(orders().map(({ key }) => key)).toEqual(few.map((user) => `notifications:${user}`));
    expect(orders().map(({ body }) => JSON.parse(body).user_ids)).toEqual(few.map((u) => [u]));
    await actors.changes(`conversation:${room}`, "add_members", {
      user: ann,
      session: "",
      user_ids: many,
    });
    expect(orders().slice(few.length)).toMatchObject([{ key: "memberships" }]);
    expect(JSON.parse(orders().at(-1)!.body).user_ids).toEqual(many);
  });
});

describe("typing", () => {
  test("[TYP1][TYP2] is heard once, and ends by itself", async () => {
    await types(ann);
    await actors.clock.advance(3_000);
    await types(ann);
    await actors.clock.advance(TYPING_SILENCE_MS - 1);
    expect(typing()).toEqual([`${ann}+`]);
    await actors.clock.advance(1);
    expect(typing()).toEqual([`${ann}+`, `${ann}-`]);
    expect(actors.events.every(({ except }) => except === ann)).toBe(true);
  });

  test("[TYP3] ends before the message that ends it", async () => {
    await types(ann);
    await sends(ann, "c1");
    expect(actors.order.filter((one) => !one.startsWith("answer"))).toEqual([
      "typing 0",
      "typing 0",
      "message 2",
    ]);
  });

  test("[TYP4] ends with its session, and with its session's worker", async () => {
    actors.neighbours("w2");
    await types(ann);
    await types(bob, true, "w2");
    await actors.tells(`conversation:${room}`, "session_closed", { session: `s${ann}` });
    expect(typing()).toEqual([`${ann}+`, `${bob}+`, `${ann}-`]);
    actors.neighbours();
    expect(typing().at(-1)).toBe(`${bob}-`);
  });
});

describe("joins", () => {
  const revs = (told: unknown) =>
    (told as { value: { messages: { rev: number }[] } }).value.messages.map(({ rev }) => rev);

  test("[RNG1] the newest, and whether there are older ones", async () => {
    for (let n = 0; n < 5; n++) await sends(ann, `c${n}`);
    const told = await joins(bob, null, 3);
    expect(revs(told)).toEqual([4, 5, 6]);
    expect(told).toMatchObject({ value: { has_more: true, typing: [] } });
    expect(await joins(bob, null, 50)).toMatchObject({ value: { has_more: false } });
  });

  test("[JOI2] about 256 KiB of them, and whether there are others", async () => {
    for (let n = 0; n < 24; n++) await sends(ann, `c${n}`, "😀".repeat(3_900));
    const newest = await joins(bob, null, 50);
    const shown = revs(newest);
    expect(shown.length).toBeGreaterThan(14);
    expect(shown.length).toBeLessThan(18);
    expect(shown.at(-1)).toBe(25);
    expect(newest).toMatchObject({ value: { has_more: true } });
    const changed = await joins(bob, 1, 200);
    expect(revs(changed)).toEqual(shown.map((_, i) => i + 2));
    expect(changed).toMatchObject({ value: { has_more: true } });
  });

  test("[RNG2] what changed after a rev, from the ring or from storage alike", async () => {
    for (let n = 0; n < RING_MESSAGES + 30; n++) await sends(ann, `c${n}`);
    await joins(bob);
    await asks("edit", ann, { seq: 3, body: "changed" });
    const lastRev = RING_MESSAGES + 32;
    expect(revs(await joins(bob, lastRev - 2))).toEqual([lastRev - 1, lastRev]);
    expect(revs(await joins(bob, 1, 5))).toEqual([2, 3, 5, 6, 7]);
  });

  test("[TYP1] who joins is told who types, but not that they do so themselves", async () => {
    await types(ann);
    expect(await joins(bob)).toMatchObject({ value: { typing: [ann] } });
    expect(await joins(ann)).toMatchObject({ value: { typing: [] } });
  });

  test("[JOI3] a member who is removed while storage is read is refused", async () => {
    const answer = heldUp("newest");
    const joined = actors.asking(`conversation:${room}`, "join", joining(bob, null));
    await settled();
    await asks("remove_member", ann, { user_id: bob });
    answer.comes();
    expect(await joined).toEqual({ code: "not_found" });
  });

  test("[JOI3] so is one whose conversation is deleted meanwhile", async () => {
    const answer = heldUp("newest");
    const joined = actors.asking(`conversation:${room}`, "join", joining(bob, null));
    await settled();
    await asks("delete_conversation", ann, {});
    answer.comes();
    expect(await joined).toEqual({ code: "not_found" });
  });

  test("[JOI4] what is committed while storage is read is in the answer", async () => {
    await sends(ann, "before");
    const answer = heldUp("newest");
    const joined = actors.asking(`conversation:${room}`, "join", joining(bob, null));
    await settled();
    await sends(ann, "meanwhile");
    answer.comes();
    const told = await joined;
    expect(told).toMatchObject({ value: { conversation: { rev: 3 } } });
    expect(revs(told)).toEqual([2, 3]);
  });

  test("[JOI4] likewise where the ring does not go back far enough", async () => {
    for (let n = 0; n < RING_MESSAGES + 10; n++) await sends(ann, `c${n}`);
    await joins(bob);
    const answer = heldUp("changedAfter");
    const joined = actors.asking(`conversation:${room}`, "join", joining(bob, 2, 200));
    await settled();
    await sends(ann, "meanwhile");
    answer.comes();
    const told = await joined;
    expect(told).toMatchObject({ value: { conversation: { rev: RING_MESSAGES + 12 } } });
    expect(revs(told).at(-1)).toBe(RING_MESSAGES + 12);
  });
});

describe("two activations", () => {
  test("[CNV3] a jump in rev: it publishes, lets go of typing, and reads anew", async () => {
    await joins(ann);
    await types(bob);
    const other = actors.storage.ports.conversations;
    await removeMember(other, room, ann, bob);
    expect(await sends(ann, "c1")).toMatchObject({ rev: 3 });
    await settled();
    expect(typing()).toEqual([`${bob}+`, `${bob}-`]);
    expect(await joins(bob)).toEqual({ code: "not_found" });
    expect(await joins(ann)).toMatchObject({ value: { conversation: { rev: 3, last_seq: 1 } } });
  });
});

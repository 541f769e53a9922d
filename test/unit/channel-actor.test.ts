/** The actor of a channel: who may act in it, who receives what of it, and how often. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { asConversationId } from "../../src/protocol/schemas.ts";
import { topicOf } from "../../src/protocol/topics.ts";
import { settled } from "../support/fake-clock.ts";
import { SELF, SoloActors } from "../support/solo-actors.ts";

let actors: SoloActors;
let ann: UserId;
let bob: UserId;
let eve: UserId;
let channel: ConversationId;
/** A user about whom storage answers later. */
let heldUp: { user: UserId; until: Promise<void> } | null;
/** Users about whom storage was asked. */
let read: UserId[];

beforeEach(async () => {
  heldUp = null;
  read = [];
  actors = new SoloActors((ports) => ({
    ...ports,
    channels: {
      async standing(id, user) {
        read.push(user);
        const standing = await ports.channels.standing(id, user);
        if (user === heldUp?.user) await heldUp.until;
        return standing;
      },
    },
  }));
  [ann, bob, eve] = (await actors.users(3)) as [UserId, UserId, UserId];
  channel = await made("members");
});

afterEach(() => actors.close());

async function made(audience: "members" | "anyone"): Promise<ConversationId> {
  const created = await actors.storage.ports.conversations.create(
    "channel",
    ann,
    [ann, bob],
    "News",
    { audience, extras: { settings: { join: "open" } } },
  );
  if (!created.ok) throw new Error(created.error.message);
  return asConversationId(created.value.conversation.id);
}

const asks = (op: string, user: UserId, body: object = {}) =>
  actors.asks(`conversation:${channel}`, op, { user, session: `s${user}`, ...body });
/** Without waiting. */
const asking = (op: string, user: UserId, body: object) =>
  actors.asking(`conversation:${channel}`, op, { user, session: `s${user}`, ...body });
const joins = (user: UserId) => asks("join", user, { after_rev: null, limit: 10 });
const sends = (user: UserId, client_id: string) =>
  asks("send", user, { client_id, body: client_id, reply_to_seq: null });
const types = (user: UserId) => asks("typing", user, { is_typing: true, worker: SELF });
const watch = (sessions: number, worker = SELF) =>
  actors.tells(`conversation:${channel}`, "watching", { worker, sessions });
const named = (name: string) => actors.events.filter((event) => event.name === name);
const typing = () => actors.said("typing").map((one) => one["is_typing"]);

/** Storage answers how `user` stands when the result is called. */
function holdsUp(user: UserId): () => void {
  let opens: () => void = () => undefined;
  const until = new Promise<void>((resolve) => {
    opens = resolve;
  });
  heldUp = { user, until };
  return opens;
}

describe("who watches", () => {
  const told = () => actors.said("occupancy").map((one) => one["watching"]);

  test("[OCC1] is published within 2 s, and at most every 2 s", async () => {
    await watch(1);
    await actors.clock.advance(2_000);
    expect(actors.said("occupancy")).toEqual([
      { conversation_id: channel, watching: 1, member_count: 2 },
    ]);
    for (let sessions = 2; sessions < 40; sessions++) {
      await watch(sessions);
      await actors.clock.advance(100);
    }
    expect(told().length).toBeLessThanOrEqual(3);
    await actors.clock.advance(2_000);
    expect(told().at(-1)).toBe(39);
    const count = told().length;
    await actors.clock.advance(60_000);
    expect(told()).toHaveLength(count);
  });

  test("[OCC1] at most every 10 s where more than 10,000 do", async () => {
    await watch(10_001);
    await actors.clock.advance(2_000);
    await watch(10_002);
    await actors.clock.advance(7_000);
    expect(told()).toEqual([10_001]);
    await actors.clock.advance(3_000);
    expect(told()).toEqual([10_001, 10_002]);
  });

  test("[OCC2] a new activation asks, and a worker that has gone does not count", async () => {
    actors.neighbours("w2");
    await watch(2);
    await watch(3, "w2");
    expect(named("watchers_asked")).toHaveLength(1);
    await actors.clock.advance(2_000);
    actors.neighbours();
    await actors.clock.advance(2_000);
    expect(told()).toEqual([5, 2]);
  });

  test("[OCC3] activity is published at most once a second, and the last of it is", async () => {
    for (let n = 0; n < 50; n++) {
      await sends(ann, `m${n}`);
      await actors.clock.advance(50);
    }
    expect(named("channel_activity").length).toBeLessThanOrEqual(4);
    await actors.clock.advance(1_000);
    expect(actors.said("channel_activity").at(-1)).toMatchObject({ last_seq: 50 });
  });

  test("[CHN5] nobody types where more than 100 do, and who did stops", async () => {
    channel = await made("members");
    await types(ann);
    expect(typing()).toEqual([true]);
    await watch(101);
    expect(typing()).toEqual([true, false]);
    expect(await types(ann)).toMatchObject({ value: {} });
    expect(typing()).toHaveLength(2);
    await watch(100);
    await types(ann);
    expect(typing()).toEqual([true, false, true]);
  });
});

describe("members", () => {
  test("[CHN2] who comes and goes takes no rev, and only their own sessions receive it", async () => {
    expect(await asks("come_in", eve)).toMatchObject({
      value: { conversation: { rev: 1, member_count: 3 } },
    });
    expect(named("conversation_updated")).toEqual([]);
    expect(named("channel_membership").map(({ key }) => key)).toEqual([topicOf.user(eve)]);
    await asks("remove_member", eve, { user_id: eve });
    expect(named("conversation_updated")).toEqual([]);
    const [, left] = named("channel_membership").map(({ note }) => JSON.parse(note));
    expect(left).toMatchObject({ is: "left", may_read: false, conversation: { rev: 1 } });
  });

  test("[CHN3] who may not read it any more is taken out before anything else is published", async () => {
    await asks("remove_member", bob, { user_id: bob });
    const names = actors.events.map(({ name }) => name);
    expect(names.indexOf("channel_left")).toBeLessThan(names.indexOf("channel_membership"));
    const [order] = named("channel_left").map(({ note }) => JSON.parse(note));
    expect(order).toEqual({ conversation_id: channel, user_ids: [bob] });
    expect(await joins(bob)).toEqual({ code: "not_found" });
  });

  test("[CHN4] a mark is received by the reader's own sessions only", async () => {
    await sends(ann, "one");
    await asks("mark", bob, { seq: 1, read: true });
    expect(named("receipt").map(({ key }) => key)).toEqual([topicOf.user(bob)]);
  });

  test("[CHN6] a stranger watches one that is open to anyone, and does nothing else", async () => {
    expect(await joins(eve)).toEqual({ code: "not_found" });
    channel = await made("anyone");
    await sends(ann, "one");
    expect(await joins(eve)).toMatchObject({ value: { messages: [{ body: "one" }] } });
    expect(await sends(eve, "no")).toEqual({ code: "forbidden" });
    expect(await asks("mark", eve, { seq: 1, read: true })).toEqual({ code: "forbidden" });
    expect(await asks("react", eve, { seq: 1, key: "👍", on: true })).toEqual({
      code: "forbidden",
    });
  });

  test("[CHN1] a member who has gone while an earlier act was judged is judged again", async () => {
    const opens = holdsUp(ann);
    const removed = asking("remove_member", bob, { user_id: bob });
    const slow = asking("typing", ann, { is_typing: false, worker: SELF });
    const typed = asking("typing", bob, { is_typing: true, worker: SELF });
    expect(await removed).toMatchObject({ value: {} });
    opens();
    expect(await slow).toMatchObject({ value: {} });
    expect(await typed).toEqual({ code: "not_found" });
    expect(typing()).toEqual([]);
  });

  test("[CHN1] all who wait are judged again together", async () => {
    const opens = holdsUp(ann);
    const removed = asking("remove_member", bob, { user_id: bob });
    const slow = asking("typing", ann, { is_typing: false, worker: SELF });
    const coming = asking("come_in", eve, {});
    await removed;
    read = [];
    const opensAgain = holdsUp(ann);
    opens();
    await settled();
    expect(read).toEqual([ann, eve]);
    opensAgain();
    expect(await slow).toMatchObject({ value: {} });
    expect(await coming).toMatchObject({ value: { conversation: { member_count: 2 } } });
  });
});

/** Reactions as the conversation's actor gathers, publishes and answers them. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  LIKES_WINDOW_MS,
  REACTIONS_EVERY_MOST_MS,
  REACTIONS_EVERY_MS,
  REACTIONS_WAITING_MAX,
} from "../../actors/limits.ts";
import type { ActorPorts } from "../../actors/ports.ts";
import type { ReactionNote } from "../../src/protocol/actor-ops.ts";
import { translationIn } from "../../src/protocol/contract.ts";
import type { ServerPayload } from "../../src/protocol/events.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { settled } from "../support/fake-clock.ts";
import { SoloActors, type Told } from "../support/solo-actors.ts";

let actors: SoloActors;
let users: UserId[];
let ann: UserId;
let bob: UserId;
let room: ConversationId;
let isAway = false;

beforeEach(async () => {
  isAway = false;
  actors = new SoloActors((ports) => ({ ...ports, reactions: unsteady(ports) }));
  users = await actors.users(120);
  [ann, bob] = users as [UserId, UserId];
  room = await actors.group(users);
  for (const n of [1, 2, 3]) {
    await actors.asks(`conversation:${room}`, "send", {
      user: ann,
      session: "",
      client_id: `c${n}`,
      body: "hello",
      reply_to_seq: null,
    });
  }
});

afterEach(() => actors.close());

function unsteady({ reactions }: ActorPorts): ActorPorts["reactions"] {
  return {
    react: (...call) => (isAway ? Promise.reject(new Error("no route")) : reactions.react(...call)),
    own: (...call) => reactions.own(...call),
  };
}

let asked = 0;
const reacting = (user: UserId, key: string, rest: object = {}): Promise<Told> =>
  actors.asking(`conversation:${room}`, "react", {
    user,
    session: `s${user}`,
    ask: String(++asked),
    seq: 1,
    key,
    on: true,
    ...rest,
  });
const flushes = () =>
  actors.events
    .filter(({ name }) => name === "reaction")
    .map(({ body }) => JSON.parse(translationIn(body).body) as ServerPayload<"reaction">);
const notes = () => actors.said("notification");

describe("gathering reactions", () => {
  test("[REA1][REA3] the first is told at once, those within the pace together, with one rev", async () => {
    const first = reacting(bob, "👍");
    await settled();
    expect(await first).toEqual({
      rev: 5,
      value: {
        rev: 5,
        reactions: [{ key: "👍", count: 1, last_user_ids: [bob] }],
        own: ["👍"],
      },
    });
    const rest = users.slice(2, 22).map((user) => reacting(user, "👍"));
    await settled();
    expect(flushes()).toHaveLength(1);
    await actors.clock.advance(REACTIONS_EVERY_MS);
    expect(flushes().map(({ rev, changes }) => [rev, changes.length])).toEqual([
      [5, 1],
      [6, 20],
    ]);
    for (const told of await Promise.all(rest)) expect(told).toMatchObject({ rev: 6 });
    expect(flushes()[1]?.changed).toMatchObject([{ key: "👍", count: 21 }]);
    expect(actors.order.slice(-21)).toEqual(["reaction 6", ...Array(20).fill("answer 6")]);
  });

  test("[REA1] what changes nothing is answered without a rev and tells nobody", async () => {
    await reacting(bob, "👍");
    await actors.clock.advance(REACTIONS_EVERY_MS);
    const again = await reacting(bob, "👍");
    expect(again).toMatchObject({ rev: 0, value: { own: ["👍"] } });
    expect(again).not.toHaveProperty("value.rev");
    expect(flushes()).toHaveLength(1);
  });

  test("[REA1] more than fifty are several flushes, and nothing is lost", async () => {
    const tolds = users.map((user) => reacting(user, "👍"));
    for (let n = 0; n < 5; n++) {
      await settled();
      await actors.clock.advance(REACTIONS_EVERY_MS);
    }
    for (const told of await Promise.all(tolds)) expect(told).toHaveProperty("value.rev");
    for (const { changes } of flushes()) expect(changes.length).toBeLessThanOrEqual(50);
    expect(flushes().at(-1)?.changed).toMatchObject([{ key: "👍", count: 120 }]);
    const all = reacting(ann, "👍", { on: false, all: true });
    for (let n = 0; n < 5; n++) {
      await settled();
      await actors.clock.advance(REACTIONS_EVERY_MS);
    }
    const last = flushes().at(-1)!;
    expect(last.changed).toEqual([{ key: "👍", count: 0, last_user_ids: [] }]);
    expect(await all).toMatchObject({ rev: last.rev, value: { reactions: [], own: [] } });
  });

  test("[REA2] several messages share the pace, up to a second each", async () => {
    const busy = async () => {
      for (const seq of [1, 2, 3]) void reacting(bob, `k${++asked}`, { seq });
      await settled();
    };
    await busy();
    expect(flushes()).toHaveLength(3);
    await busy();
    await actors.clock.advance(REACTIONS_EVERY_MS);
    expect(flushes().length).toBeLessThan(6);
    await actors.clock.advance(REACTIONS_EVERY_MOST_MS);
    expect(flushes()).toHaveLength(6);
  });

  test("[REA3] where storage is away every caller is told, and the next one gets through", async () => {
    isAway = true;
    expect(await reacting(bob, "👍")).toEqual({ code: "unavailable" });
    isAway = false;
    expect(await reacting(bob, "👍")).toMatchObject({ rev: 5 });
  });

  test("[REA4] what waits is bounded", async () => {
    void reacting(bob, "first");
    await settled();
    const tolds: Promise<Told>[] = [];
    for (let n = 0; n < REACTIONS_WAITING_MAX + 1; n++) tolds.push(reacting(bob, `k${n % 10}`));
    expect(await tolds.at(-1)).toEqual({ code: "unavailable" });
  });

  test("[REA5] an activation that ends writes what waits at once", async () => {
    void reacting(bob, "a");
    await settled();
    const waiting = users.slice(2, 90).map((user) => reacting(user, "a"));
    await settled();
    // The actor moves to another worker.
    actors.host.setView({
      number: 99,
      workers: [{ incarnation: "w2", slot: "w2" }],
      draining: [],
      away: [],
    });
    await settled();
    for (const told of await Promise.all(waiting)) expect(told).toMatchObject({ value: {} });
    expect(flushes().at(-1)?.changed).toMatchObject([{ count: 89 }]);
  });

  test("[REA6] the event names the sockets whose acknowledgements stand for it, and has version 1's body", async () => {
    void reacting(bob, "👍");
    void reacting(users[2]!, "👍", { session: "", ask: "" });
    await settled();
    await actors.clock.advance(REACTIONS_EVERY_MS);
    const [first] = actors.events.filter(({ name }) => name === "reaction");
    const note = JSON.parse(first!.note) as ReactionNote;
    expect(note.makers).toMatchObject([{ session: `s${bob}`, own: ["👍"] }]);
    const { former } = translationIn(first!.body);
    expect(former?.name).toBe("message_updated");
    expect(JSON.parse(former!.body)).toMatchObject({ seq: 1, rev: 5, reactions: note.reactions });
  });

  test("[REA7] a join has one's own reactions beside the messages that have any", async () => {
    await reacting(bob, "👍");
    const joins = (user: UserId) =>
      actors.asks(`conversation:${room}`, "join", {
        user,
        session: "s",
        after_rev: null,
        limit: 9,
      });
    expect(await joins(bob)).toMatchObject({
      value: { own_reactions: [{ seq: 1, keys: ["👍"] }] },
    });
    expect(await joins(ann)).not.toHaveProperty("value.own_reactions");
    expect(await joins(ann)).toHaveProperty("value.messages.0.reactions");
  });
});

describe("notifications of reactions", () => {
  test("[REA8] the sender is notified of the first, and once more of the others", async () => {
    await reacting(bob, "👍");
    await settled();
    expect(notes()).toMatchObject([
      {
        type: "reaction",
        message: "user.2 reacted to your message",
        actor_id: bob,
        count: 1,
        data: { conversation_id: room, seq: 1 },
      },
    ]);
    void reacting(ann, "👍");
    for (const user of users.slice(2, 7)) void reacting(user, "👍");
    await actors.clock.advance(REACTIONS_EVERY_MS);
    await actors.clock.advance(LIKES_WINDOW_MS);
    await settled();
    expect(notes().at(-1)).toMatchObject({ type: "reaction", count: 6 });
    expect(notes()).toHaveLength(2);
  });
});

/**
 * [RLY6] Whatever the bus drops, delays and reorders, edges on other hosts tell every rev, in
 *        order and once: from the next event that shows a hole, or from the gap that is signalled.
 *
 * Real actors, relays, interests and streams on a memory bus. A seed that fails is printed.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import { Streams } from "../../src/edge/live/conversation-streams.ts";
import { TopicSubscriptions } from "../../src/edge/live/subscriptions.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { idIn } from "../../src/protocol/topics.ts";
import { type MemoryBus, MemoryNetwork } from "../../src/relay/memory.ts";
import { HostRelay } from "../../src/relay/relay.ts";
import { decodeAt, eachFrame, encode } from "../../src/runtime/frames.ts";
import { Placement } from "../../src/runtime/view.ts";
import { MemoryWitness } from "../../src/storage/memory/witness.ts";
import { FarEnd } from "../support/far-end.ts";
import { type Chance, chanceFrom, seedFor } from "../support/random.ts";
import { IDENTITY, membersOf } from "../support/relay-scene.ts";
import { SELF, SoloActors } from "../support/solo-actors.ts";

const RUNS = Number(process.env["TEST_RUNS"] ?? 12);
const STEPS = 60;
const LOG = createLogger({ level: "silent" });
const OWNER = new Placement({
  number: 1,
  workers: [{ incarnation: SELF, slot: SELF }],
  draining: [],
  away: [],
});

let actors: SoloActors;
let network: MemoryNetwork;
let hosts: ListeningHost[];

/** A host whose one edge has sessions; its relay takes it events, and tells it of gaps. */
class ListeningHost {
  readonly relay: HostRelay;
  readonly bus: MemoryBus;
  readonly streams: Streams;
  readonly ends: FarEnd[] = [];
  gaps = 0;
  readonly #interests: TopicSubscriptions;

  constructor(id: string) {
    const { clock } = actors;
    this.bus = network.bus();
    this.relay = new HostRelay({
      bus: this.bus,
      witness: new MemoryWitness(clock),
      host: id,
      identity: IDENTITY,
      clock,
      log: LOG,
      drops: { note: () => undefined },
    });
    this.#interests = new TopicSubscriptions({
      clock,
      subscribe: async (topics) => {
        await Promise.all(topics.map((topic) => this.relay.interest(topic, true)));
      },
      unsubscribe: (topics) => {
        for (const topic of topics) void this.relay.interest(topic, false);
      },
      onDropped: (topic) => this.streams.dropped(idIn("conversation", topic)!),
    });
    this.streams = new Streams({
      clock,
      log: LOG,
      queries: actors.storage.queries,
      interests: this.#interests,
      liveMax: 500,
      links: (text) => text,
      onLeft: () => undefined,
      onLostReceipts: () => undefined,
      onNotLive: () => undefined,
      sessionsOf: (user) =>
        this.ends.filter(({ session }) => session.user === user).map(({ session }) => session),
    });
    this.relay.announce(membersOf(id), 0);
    void this.relay.start({
      frames: (bytes) => {
        eachFrame(bytes, (at) => {
          const event = decodeAt(bytes, at);
          this.streams.onEvent(idIn("conversation", event.key)!, event, OWNER);
        });
      },
      cluster: () => undefined,
      away: () => undefined,
      gap: () => {
        this.gaps++;
      },
      doubt: (doubt) => this.streams.onDoubt(doubt),
    });
  }

  async begins(user: UserId, rooms: readonly ConversationId[]): Promise<void> {
    const far = new FarEnd({ user }).begins();
    this.ends.push(far);
    const attached = this.streams.attach(far.session, new Map(rooms.map((room) => [room, 1])));
    await actors.clock.advance(200);
    await attached;
  }

  close(): void {
    this.streams.close();
    this.#interests.close();
    void this.relay.close();
  }
}

/** The revs of one conversation that a session received. */
function revsOf({ heard }: FarEnd, room: ConversationId): number[] {
  return heard
    .map((one) => JSON.parse(one.slice(one.indexOf("{"))) as Record<string, unknown>)
    .filter((body) => (body["conversation_id"] ?? body["id"]) === room)
    .map((body) => body["rev"] as number);
}

/** Something that lasts happens in `room`, and its event is published. */
async function happens(chance: Chance, room: ConversationId, by: UserId, n: number): Promise<void> {
  const from = actors.events.length;
  const acting = { user: by, session: "" };
  const key = `conversation:${room}`;
  const dice = chance(10);
  if (dice < 5) {
    await actors.asks(key, "send", {
      ...acting,
      client_id: `c${n}`,
      body: "x",
      reply_to_seq: null,
    });
  } else if (dice < 7) {
    await actors.asks(key, "edit", { ...acting, seq: 1 + chance(5), body: `edit ${n}` });
  } else if (dice < 8) await actors.asks(key, "delete", { ...acting, seq: 1 + chance(5) });
  else await actors.changes(key, "update", { ...acting, title: `title ${n}` });
  publishes(from);
}

function publishes(from: number): void {
  for (const event of actors.events.slice(from)) hosts[0]!.relay.publish(event.key, encode(event));
}

beforeEach(() => {
  actors = new SoloActors();
  network = new MemoryNetwork(actors.clock);
  hosts = [];
});

afterEach(async () => {
  network.heal();
  for (const host of hosts) host.close();
  await actors.clock.advance(2_000);
  actors.host.close();
});

async function opens(): Promise<{ users: UserId[]; rooms: ConversationId[] }> {
  hosts = ["a", "b", "c"].map((id) => new ListeningHost(id));
  await actors.clock.advance(1_500);
  const users = await actors.users(3);
  const rooms = [await actors.group(users), await actors.group(users)];
  for (const [n, host] of hosts.entries()) await host.begins(users[n]!, rooms);
  return { users, rooms };
}

function expectEveryRev(rooms: readonly ConversationId[], hearers: readonly ListeningHost[]): void {
  for (const room of rooms) {
    const { rev } = actors.storage.tables.conversations.get(room)!;
    const all = Array.from({ length: rev - 1 }, (_, n) => n + 2);
    for (const { ends } of hearers) for (const end of ends) expect(revsOf(end, room)).toEqual(all);
  }
}

async function dropsAndReorders(seed: number): Promise<void> {
  const chance = chanceFrom(seed);
  const { users, rooms } = await opens();
  let dropped = 0;
  network.faults = {
    delayMs: 20,
    drops: (channel) => {
      const isDropped = channel.includes("conversations:") && chance(3) === 0;
      if (isDropped) dropped++;
      return isDropped;
    },
    rejects: () => false,
    shuffle: (items) => items.toSorted(() => chance(3) - 1),
  };
  for (let n = 0; n < STEPS; n++) {
    await happens(chance, rooms[chance(2)]!, users[chance(3)]!, n);
    await actors.clock.advance(chance(30));
  }
  network.heal();
  await actors.clock.advance(1_000);
  // The next event of each shows what was lost before it.
  for (const room of rooms) {
    const from = actors.events.length;
    const body = { user: users[0], session: "", client_id: "last", body: "x", reply_to_seq: null };
    await actors.asks(`conversation:${room}`, "send", body);
    publishes(from);
  }
  await actors.clock.advance(1_000);
  expect(dropped, "messages were dropped").toBeGreaterThan(0);
  expectEveryRev(rooms, hosts.slice(1));
}

describe("a bus that loses and reorders", () => {
  test("[RLY6] what was dropped is read when the next event shows it", async () => {
    const seed = seedFor("a bus that drops");
    const isOne = process.env["TEST_SEED"] !== undefined;
    const chance = chanceFrom(seed);
    for (let run = 0; run < (isOne ? 1 : RUNS); run++) {
      const runSeed = isOne ? seed : chance(2 ** 32);
      actors = new SoloActors();
      network = new MemoryNetwork(actors.clock);
      try {
        await dropsAndReorders(runSeed);
      } catch (error) {
        throw new Error(`TEST_SEED=${runSeed}`, { cause: error });
      }
      for (const host of hosts) host.close();
      await actors.clock.advance(2_000);
      actors.host.close();
      hosts = [];
    }
  }, 60_000);

  test("[RLY6] what was published while a host was cut off is read at the gap, without another event", async () => {
    const chance = chanceFrom(7);
    const { users, rooms } = await opens();
    const [, b, c] = hosts as [ListeningHost, ListeningHost, ListeningHost];
    const gapsBefore = [b.gaps, c.gaps];
    network.partition(b.bus);
    for (let n = 0; n < 20; n++) {
      await happens(chance, rooms[n % 2]!, users[0]!, n);
      await actors.clock.advance(20);
    }
    expectEveryRev(rooms, [c]);
    expect(revsOf(b.ends[0]!, rooms[0]!)).toEqual([]);
    network.partition(b.bus, false);
    await actors.clock.advance(3_000);
    expect(b.gaps).toBeGreaterThan(gapsBefore[0]!);
    expectEveryRev(rooms, [b, c]);
  });
});

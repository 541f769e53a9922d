/**
 * What recovery costs, counted on the real hub, gateway and relay.
 *
 * [RCV1] An edge recovers from a gap within seconds, however many users it watches, and no send
 *        is refused meanwhile.
 * [RCV3] The death of a worker costs each edge no statement a user: only what that worker's actors
 *        owned is looked at, and one statement finds the users that it gave orders to.
 * [RCV4] A host that comes back compares everything once, in bounded statements, and reads only the
 *        users of whom storage says that something changed.
 * [RCV2] A gap of one host costs the other hosts what that host may have published, whatever
 *        the number of hosts.
 */
import { afterEach, describe, expect, test } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import type { Topic } from "../../src/protocol/topics.ts";
import { MemoryNetwork } from "../../src/relay/memory.ts";
import { HostRelay } from "../../src/relay/relay.ts";
import { encode, FRAME, frame } from "../../src/runtime/frames.ts";
import { Placement, type View } from "../../src/runtime/view.ts";
import { MemoryWitness } from "../../src/storage/memory/witness.ts";
import { CountingEdge } from "../support/counting-edge.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { IDENTITY, membersOf } from "../support/relay-scene.ts";

const LOG = createLogger({ level: "silent" });
const EVERY = { topics: null, ageMs: 1_000 };

let edges: CountingEdge[] = [];
let relays: HostRelay[] = [];

afterEach(() => {
  for (const edge of edges) edge.close();
  edges = [];
  relays = [];
});

const ids = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => String(from + n));

function viewOf(number: number, incarnations: readonly string[]): View {
  const workers = incarnations.map((incarnation) => ({
    incarnation,
    slot: incarnation.replace(".", "/"),
  }));
  return { number, workers, draining: [], away: [] };
}

describe("an edge that watches many users", () => {
  const SESSIONS = 1_200;
  const WATCHED = 100;

  async function manyWatched(clock: FakeClock, sessions = SESSIONS): Promise<CountingEdge> {
    const view = viewOf(1, ["self.0.1", "other.0.1"]);
    const edge = new CountingEdge("self.0.1", clock, view);
    edges.push(edge);
    for (let n = 0; n < sessions; n++) {
      const followees = ids(1_000_000 + n * WATCHED, WATCHED);
      await edge.beginsAmongOnline({ user: String(1_000 + n), conversations: [], followees });
    }
    edge.resets();
    edge.answerMs = 300;
    return edge;
  }

  /** Sends five messages each half a second, and answers how many were refused. */
  async function sends(edge: CountingEdge, clock: FakeClock, forMs: number): Promise<number> {
    let refused = 0;
    for (let ms = 0; ms < forMs; ms += 500) {
      for (let n = 0; n < 5; n++) {
        edge.gateway.askText(`conversation:${n}`, "send", "{}", 0, (ok) => {
          if (!ok) refused++;
        });
      }
      await clock.advance(500);
    }
    return refused;
  }

  test("[RCV1] 120,000 watched users: one gap is over within 5 s, and no send is refused", async () => {
    const clock = new FakeClock();
    const edge = await manyWatched(clock);
    const changed = ["1000000", "1050000", "1119999"];
    for (const user of changed) edge.truth.set(user, "away");
    edge.hub.onDoubt(EVERY);
    expect(await sends(edge, clock, 5_000)).toBe(0);
    expect(edge.counts.usersAsked).toBe(SESSIONS * WATCHED);
    expect(edge.counts.usersUnderWayMost).toBeLessThanOrEqual(16_000);
    expect(edge.counts.asks - 50).toBeLessThanOrEqual(122);
    expect(changed.map((user) => edge.hub.watches.lastHeard(user as never))).toEqual(
      changed.map(() => "away"),
    );
    const told = [...edge.ends.values()].flatMap((far) => far.events("user_status"));
    expect(told.map((one) => one["user_id"]).sort()).toEqual(changed);
    // And it stays so.
    edge.resets();
    await clock.advance(30_000);
    expect(edge.counts.asks).toBe(0);
  }, 60_000);

  test("[RCV1] a worker that refuses does not hold up those of the others", async () => {
    const clock = new FakeClock();
    const edge = await manyWatched(clock, 300);
    edge.refuses = (to) => to === "other.0.1";
    edge.truth.set("1000000", "away");
    edge.hub.onDoubt(EVERY);
    expect(await sends(edge, clock, 10_000)).toBe(0);
    const whileRefused = edge.usersAskedOf.get("other.0.1")!;
    edge.refuses = () => false;
    expect(await sends(edge, clock, 10_000)).toBe(0);
    expect(edge.hub.watches.lastHeard("1000000" as never)).toBe("away");
    const { placement } = edge.gateway;
    const watched = ids(1_000_000, 300 * WATCHED);
    const others = watched.filter((user) => placement.ownerOf(`user:${user}`) === "other.0.1");
    // [CMP2] The users of the worker that answered were asked about once, the others again later.
    expect(edge.usersAskedOf.get("self.0.1")).toBe(watched.length - others.length);
    expect(whileRefused).toBeLessThanOrEqual(others.length * 6);
  }, 60_000);
});

describe("a host that comes back", () => {
  async function crowd(clock: FakeClock): Promise<CountingEdge> {
    const edge = new CountingEdge("self.0.1", clock, viewOf(1, ["self.0.1", "other.0.1"]));
    edges.push(edge);
    for (const user of ids(1, 400)) {
      const conversations = ids(Number(user) * 10, 10);
      await edge.begins({ user, conversations, followees: ids(10_000 + Number(user), 3) });
    }
    edge.resets();
    edge.changed.add("7").add("8");
    return edge;
  }

  test("[RCV4] [MSO2] [MSO4] [AUD1] [CMP1] it compares everything once, and reads the users that changed", async () => {
    const clock = new FakeClock();
    const edge = await crowd(clock);
    edge.hub.onDoubt({ topics: null, ageMs: 4_000 });
    await clock.advance(10_000);
    const { counts } = edge;
    expect(counts.revIds).toBe(4_000);
    expect(counts.revStatements).toBe(4);
    expect(counts.revIdsMost).toBe(1_000);
    expect(counts.openings).toBe(2);
    expect(counts.changeReads).toBe(1);
    expect(counts.seqStatements).toBe(1);
    expect(counts.notificationReads).toBe(0);
    expect(counts.asks).toBe(2);
    expect(counts.usersAsked).toBe(402);
  });

  test("[RCV4] after a time of which storage knows no more every user is read", async () => {
    const clock = new FakeClock();
    const edge = await crowd(clock);
    edge.hub.onDoubt({ topics: null, ageMs: 3_600_000 });
    await clock.advance(10_000);
    expect(edge.counts.openings).toBe(400);
  });

  test("[AUD2] a statement that fails is made again alone, and later each time", async () => {
    const clock = new FakeClock();
    const edge = await crowd(clock);
    edge.failingRevs = 3;
    edge.hub.onDoubt({ topics: null, ageMs: 4_000 });
    await clock.advance(3_400);
    expect(edge.counts.revStatements).toBe(3);
    await clock.advance(200);
    expect(edge.counts.revStatements).toBe(7);
    expect(edge.counts.revIds).toBe(7_000);
  });
});

describe("a worker that dies elsewhere", () => {
  test("[RCV3] it costs what its actors owned, and no statement a user", async () => {
    const clock = new FakeClock();
    const incarnations = ids(1, 16).map((n) => `h${n}.0.1`);
    const edge = new CountingEdge("h1.0.1", clock, viewOf(1, incarnations));
    edges.push(edge);
    const users = ids(1, 400);
    for (const user of users) {
      const conversations = ids(Number(user) * 10, 10);
      await edge.begins({ user, conversations, followees: ids(10_000 + Number(user) * 10, 10) });
    }
    edge.resets();
    edge.changed.add("7");
    edge.takesView(viewOf(2, incarnations.slice(0, -1)));
    await clock.advance(10_000);
    const { counts } = edge;
    // Twice, for a statement of the dead may still have been under way.
    expect(counts.openings).toBe(2);
    expect(counts.changeReads).toBe(2);
    expect(counts.notificationReads).toBe(0);
    expect(counts.seqStatements).toBe(2);
    expect(counts.revStatements).toBe(2);
    const owned = (4_000 / incarnations.length) * 1.5;
    expect(counts.revIds).toBeGreaterThan(0);
    expect(counts.revIds).toBeLessThanOrEqual(2 * owned);
    expect(counts.usersAsked).toBeLessThanOrEqual(owned);
    expect(counts.asks).toBeLessThanOrEqual(incarnations.length);
  });
});

describe("a gap of one host among many", () => {
  const USERS = 12;
  const CONVERSATIONS = 6;
  const WATCHED = 10;

  interface Cost {
    streams: number;
    revIds: number;
    usersAsked: number;
    openings: number;
    notificationReads: number;
    tells: number;
  }

  /**
   * `hostCount` hosts, and the first of them cannot publish for a moment, in which it publishes
   * everything that its actors can: what does that cost all others together?
   */
  async function costOfOneGap(hostCount: number): Promise<Cost> {
    const clock = new FakeClock();
    const network = new MemoryNetwork(clock);
    const hosts = Array.from({ length: hostCount }, (_, n) => `h${String(n).padStart(3, "0")}`);
    const incarnations = hosts.map((host) => `${host}.0.1`);
    const view = viewOf(1, incarnations);
    const placement = new Placement(view);
    edges = incarnations.map((incarnation) => new CountingEdge(incarnation, clock, view));
    const population = hostCount * USERS;
    for (const [h, edge] of edges.entries()) {
      for (let u = 0; u < USERS; u++) {
        const n = h * USERS + u;
        // Each conversation has a second member, and each user is watched, on other hosts.
        const conversations = ids(0, CONVERSATIONS).map((k) =>
          String(1 + ((n * CONVERSATIONS + Number(k) * (population + 1)) % (population * 3))),
        );
        const followees = ids(1, WATCHED).map((k) =>
          String(1 + ((n + Number(k) * 7) % population)),
        );
        await edge.begins({ user: String(1 + n), conversations, followees });
      }
    }
    relays = hosts.map((host, n) => {
      const relay = new HostRelay({
        bus: network.bus(),
        witness: new MemoryWitness(clock),
        host,
        identity: IDENTITY,
        clock,
        log: LOG,
        drops: { note: () => undefined },
      });
      relay.announce(membersOf(host), 0);
      void relay.start({
        frames: () => undefined,
        cluster: () => undefined,
        away: () => undefined,
        gap: (from) => edges[n]!.hub.onGap(from),
        doubt: (doubt) => edges[n]!.hub.onDoubt(doubt),
      });
      return relay;
    });
    await clock.advance(5_000);
    for (const edge of edges) edge.resets();

    network.faults = { ...network.faults, rejects: (channel) => channel.includes("s:") };
    const publishes = (topic: Topic, actor: string) => {
      if (placement.ownerOf(actor) !== incarnations[0]) return;
      relays[0]!.publish(topic, encode(frame(FRAME.event, { key: topic, name: "any" })));
    };
    for (const id of ids(1, population * 3)) publishes(`conversations:${id}`, `conversation:${id}`);
    for (const id of ids(1, population)) {
      publishes(`user_status:${id}`, `user:${id}`);
      publishes(`notifications:${id}`, `user:${id}`);
    }
    await clock.advance(3_000);
    network.heal();
    await clock.advance(10_000);

    const streams = edges.reduce((sum, edge) => sum + streamsOf(edge), 0);
    const all = edges.map(({ counts }) => counts);
    const sum = (of: (counts: (typeof all)[number]) => number) =>
      all.reduce((total, counts) => total + of(counts), 0);
    for (const relay of relays) void relay.close();
    await clock.advance(2_000);
    return {
      streams,
      revIds: sum(({ revIds }) => revIds),
      usersAsked: sum(({ usersAsked }) => usersAsked),
      openings: sum(({ openings }) => openings),
      notificationReads: sum(({ notificationReads }) => notificationReads),
      tells: sum(({ tells }) => tells),
    };
  }

  const streamsOf = (edge: CountingEdge) =>
    new Set([...edge.ends.values()].flatMap((far) => [...far.session.streams])).size;

  test("[RCV2] its cost is what that host owned, at 4, 8, 16 and 32 hosts", async () => {
    for (const hosts of [4, 8, 16, 32]) {
      const cost = await costOfOneGap(hosts);
      const owned = cost.streams / hosts;
      expect(cost.revIds, `${hosts} hosts`).toBeGreaterThan(0);
      expect(cost.revIds, `${hosts} hosts`).toBeLessThanOrEqual(2 * owned);
      expect(cost.usersAsked, `${hosts} hosts`).toBeGreaterThan(0);
      expect(cost.usersAsked, `${hosts} hosts`).toBeLessThanOrEqual(2 * USERS * WATCHED);
      expect(cost.openings, `${hosts} hosts`).toBeLessThanOrEqual(2 * USERS);
      expect(cost.notificationReads, `${hosts} hosts`).toBeLessThanOrEqual(2 * USERS);
      expect(cost.tells, `${hosts} hosts`).toBe(0);
      for (const edge of edges) edge.close();
      edges = [];
    }
  }, 60_000);
});

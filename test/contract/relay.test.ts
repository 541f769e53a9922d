/** One suite for every bus: what hosts hear of one another, and how they lose and find it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { msBetween } from "../../src/protocol/time.ts";
import { whyNoRedis, whyNoRedisCluster } from "../support/redis.ts";
import {
  channelOf,
  membersOf,
  memoryWorld,
  RelayHost,
  redisClusterWorld,
  redisWorld,
  type World,
} from "../support/relay-scene.ts";

const WORLDS = [
  { name: "memory", start: memoryWorld, skipped: null, isWired: true },
  { name: "Redis", start: redisWorld, skipped: whyNoRedis, isWired: true },
  { name: "a Redis Cluster", start: redisClusterWorld, skipped: whyNoRedisCluster, isWired: false },
];

for (const { name, start, skipped, isWired } of WORLDS) {
  describe.skipIf(skipped !== null)(`a relay over ${name}${skipped ? `: ${skipped}` : ""}`, () => {
    let world: World;
    let hosts: RelayHost[];

    beforeEach(async () => {
      world = await start();
      hosts = [];
    });

    afterEach(async () => {
      world.thaws();
      await Promise.race([
        Promise.all(hosts.map(({ relay }) => relay.close())),
        world.passes(5_000),
      ]);
      await world.stop();
    });

    async function join(...ids: string[]): Promise<RelayHost[]> {
      for (const id of ids) hosts.push(await RelayHost.starts(id, world));
      await all(hosts, "have joined");
      return hosts;
    }

    const all = (joined: RelayHost[], what: string) =>
      world.until(`all ${what}`, () => joined.every((host) => host.sees(...joined)));

    it("[HMB1] all see the same hosts under the same number, and those who leave are out", async () => {
      const [a, b, c] = await join("a", "b", "c");
      await world.until("all have the same number", () => {
        return new Set(hosts.map(({ cluster }) => cluster?.number)).size === 1;
      });
      expect(a!.cluster?.hosts.get("b")).toEqual(membersOf("b"));
      await c!.relay.close();
      await world.until("c is out", () => a!.sees(a!, b!) && b!.sees(a!, b!));
    });

    it("[HMB1] a number comes with a change only", async () => {
      const [a, b] = await join("a", "b");
      const before = a!.cluster?.number;
      await world.passes(2_500);
      expect(a!.cluster?.number).toBe(before);
      b!.relay.announce({ ...membersOf("b"), draining: ["b.0.0"] }, 0);
      await world.until("a has heard of it", () => {
        return a!.cluster?.hosts.get("b")?.draining.length === 1;
      });
      expect(a!.cluster?.number).toBeGreaterThan(before!);
    });

    it("[LSE1] a number used without Redis is passed by", async () => {
      const [a, b] = await join("a", "b");
      a!.relay.announce({ workers: [], draining: [] }, 40);
      await world.until("both are past it", () => {
        return (a!.cluster?.number ?? 0) > 40 && a!.cluster?.number === b!.cluster?.number;
      });
    });

    it("[BUS2] frames to a host arrive there, once and in order", async () => {
      const [a, b, c] = await join("a", "b", "c");
      const sent = Array.from({ length: 500 }, (_, n) => `${n}`);
      for (const n of sent) {
        expect(a!.tells(b!, n)).toBe(true);
        if (Number(n) % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await world.until("all have come", () => b!.names.length >= sent.length);
      expect(b!.names).toEqual(sent);
      expect(c!.names).toEqual([]);
    });

    it("[SUB1] a topic is heard from when it is confirmed until it is given up", async () => {
      const [a, b, c] = await join("a", "b", "c");
      expect(await world.channels()).not.toContain(channelOf("conversations:1"));
      await b!.relay.interest("conversations:1", true);
      a!.publishes("conversations:1", "first");
      a!.publishes("conversations:2", "nobody's");
      await world.until("b hears it", () => b!.names.length > 0);
      b!.relay.interest("conversations:1", false);
      await world.until("the channel is gone", async () => {
        return !(await world.channels()).includes(channelOf("conversations:1"));
      });
      a!.publishes("conversations:1", "second");
      a!.tells(b!, "last");
      await world.until("b hears the last", () => b!.names.includes("last"));
      expect(b!.names).toEqual(["first", "last"]);
      expect([...a!.names, ...c!.names]).toEqual([]);
    });

    it("[SUB2] many topics at once are all heard", async () => {
      const [a, b] = await join("a", "b");
      const topics = Array.from({ length: 1_500 }, (_, n) => `conversations:${n}`);
      await Promise.all(topics.map((topic) => b!.relay.interest(topic, true)));
      for (const topic of topics) a!.publishes(topic, topic);
      await world.until("all are heard", () => b!.names.length === topics.length);
      expect(new Set(b!.names)).toEqual(new Set(topics));
    });

    it("[RLY3] Redis is killed and comes back empty: numbers rise, topics are heard, all know of the gap", {
      timeout: 60_000,
    }, async () => {
      const [a, b] = await join("a", "b");
      await b!.relay.interest("conversations:1", true);
      const before = a!.cluster!.number;
      await world.dies();
      await world.until("both are away", () => hosts.every(({ relay }) => relay.state === "away"));
      expect(a!.tells(b!, "lost")).toBe(false);
      // The topic is subscribed to while nothing can arrive.
      await b!.relay.interest("conversations:2", true);
      for (const host of hosts) {
        host.forgets();
        host.relay.announce(membersOf(host.id), before + 1);
      }
      await world.comesBack();
      await all(hosts, "are back");
      await world.until("both were told of both gaps", () => {
        return (
          hosts.every(({ gaps }) => gaps.includes("")) &&
          a!.gaps.includes("b") &&
          b!.gaps.includes("a")
        );
      });
      expect(a!.cluster!.number).toBeGreaterThan(before + 1);
      // Nobody counted the other as gone.
      for (const host of hosts) {
        const seen = host.told.flatMap((it) => (it.what === "cluster" ? [it.cluster] : []));
        for (const { hosts: members } of seen) expect(members.size).toBe(2);
      }
      a!.publishes("conversations:1", "one");
      a!.publishes("conversations:2", "two");
      await world.until("both topics are heard", () => b!.names.length === 2);
    });

    it("[RLY4] a frozen Redis is away, and back when it thaws", { timeout: 60_000 }, async () => {
      const [a, b] = await join("a", "b");
      world.freezes();
      a!.tells(b!, "early");
      await world.until("both are away", () => hosts.every(({ relay }) => relay.state === "away"));
      await world.passes(3_000);
      world.thaws();
      await all(hosts, "are back");
      a!.tells(b!, "late");
      await world.until("b hears again", () => b!.names.includes("late"));
      expect(b!.names.filter((it) => it === "late")).toHaveLength(1);
      expect(b!.gaps).toContain("a");
    });

    it.skipIf(!isWired)(
      "[OBX4] the other host hears of a gap ahead of what was said after it",
      async () => {
        const [a, b] = await join("a", "b");
        a!.isCut(true);
        await world.until("a is away", () => a!.relay.state === "away");
        b!.forgets();
        a!.isCut(false);
        await world.until("a is back", () => a!.relay.state === "connected" && a!.sees(a!, b!));
        a!.tells(b!, "after");
        await world.until("b hears it", () => b!.names.includes("after"));
        const order = b!.told.flatMap((it) =>
          it.what === "gap" ? ["gap"] : it.what === "frame" ? [it.name] : [],
        );
        expect(order).toEqual(["gap", "after"]);
      },
    );

    it.skipIf(!isWired)(
      "[RLY1] a host that is cut off is out when its lease is over, and back with a new number",
      {
        timeout: 60_000,
      },
      async () => {
        const [a, b, c] = await join("a", "b", "c");
        b!.isCut(true);
        await world.until("b is away", () => b!.relay.state === "away");
        await world.until("the others go on without it", () => a!.sees(a!, c!) && c!.sees(a!, c!));
        const alone = a!.cluster!.number;
        b!.relay.announce(membersOf("b"), alone + 5);
        b!.isCut(false);
        await all(hosts, "are together again");
        expect(b!.cluster!.number).toBeGreaterThan(alone + 5);
      },
    );

    it.skipIf(!isWired)(
      "[BUS1] a connection on which nothing passes any more counts as lost",
      {
        timeout: 60_000,
      },
      async () => {
        const [a, b] = await join("a", "b");
        a!.goesSilent(true);
        await world.until("a is away", () => a!.relay.state === "away");
        await world.until("b goes on alone", () => b!.sees(b!));
        a!.goesSilent(false);
        await all(hosts, "are together again");
      },
    );

    const LEASE_AND_LOOK_MS = 4_250;

    /** b is cut off, and the others know it as away. */
    async function withoutB(): Promise<[RelayHost, RelayHost, RelayHost]> {
      const [a, b, c] = await join("a", "b", "c");
      b!.isCut(true);
      await world.until("b is away for the others", () => isAway(b!, a!) && isAway(b!, c!));
      return [a!, b!, c!];
    }

    const isAway = (it: RelayHost, from: RelayHost) =>
      from.cluster?.hosts.has(it.id) === false && from.cluster.away.has(it.id);
    const isGone = (it: RelayHost, from: RelayHost) =>
      from.cluster?.hosts.has(it.id) === false && !from.cluster.away.has(it.id);
    /** Whether it was neither a member nor away, in a view after it had joined. */
    const wasGone = (it: RelayHost, from: RelayHost) => {
      const seen = from.told.flatMap((told) => (told.what === "cluster" ? [told.cluster] : []));
      const since = seen.slice(seen.findIndex(({ hosts: members }) => members.has(it.id)));
      return since.some(({ hosts: members, away }) => !members.has(it.id) && !away.has(it.id));
    };

    async function msUntil(what: string, holds: () => boolean): Promise<number> {
      const fromMs = world.clock.monotonicMs();
      await world.until(what, holds);
      return msBetween(fromMs, world.clock.monotonicMs());
    }

    it.skipIf(!isWired)(
      "[RLY12] [LSE5] a host that cannot hear Redis is away for the others for as long as it signs, and back with all",
      { timeout: 60_000 },
      async () => {
        const [a, b, c] = await withoutB();
        expect(a.cluster!.away.get("b")).toEqual(membersOf("b"));
        const { number } = a.cluster!;
        expect(c.cluster!.number).toBe(number);
        for (const host of [a, c]) host.forgets();
        await world.passes(9_000);
        expect([a, c].map((host) => host.told)).toEqual([[], []]);
        b.isCut(false);
        await all(hosts, "are together again");
        expect([a, c].map((host) => wasGone(b, host))).toEqual([false, false]);
        expect(b.cluster!.away.size).toBe(0);
        await world.until("a knows of the gap", () => a.gaps.includes("b"));
        await world.until("b's row is gone", async () => (await b.witness.look(["b"])).size === 0);
      },
    );

    it.skipIf(!isWired)(
      "[LSE4] a host that dies is gone when its lease is over",
      { timeout: 60_000 },
      async () => {
        const [a, b, c] = await join("a", "b", "c");
        b!.dies();
        const tookMs = await msUntil("b is gone", () => isGone(b!, a!) && isGone(b!, c!));
        expect(tookMs).toBeLessThan(LEASE_AND_LOOK_MS);
        expect(a!.told.some((it) => it.what === "cluster" && it.cluster.away.size > 0)).toBe(false);
      },
    );

    it.skipIf(!isWired)(
      "[LSE5] a host that dies while it is away is gone when it has been silent for a lease",
      { timeout: 60_000 },
      async () => {
        const [a, b, c] = await withoutB();
        b.dies();
        const tookMs = await msUntil("b is gone", () => isGone(b, a) && isGone(b, c));
        expect(tookMs).toBeLessThan(LEASE_AND_LOOK_MS + 750);
      },
    );

    it.skipIf(!isWired)(
      "[SWT3] a host that stops while it is away is gone at once",
      { timeout: 60_000 },
      async () => {
        const [a, b, c] = await withoutB();
        await b.relay.close();
        const tookMs = await msUntil("b is gone", () => isGone(b, a) && isGone(b, c));
        expect(tookMs).toBeLessThan(2_000);
      },
    );

    it.skipIf(!isWired)(
      "[SWT2] one host cannot ask PostgreSQL: another one does, and b is never gone",
      { timeout: 60_000 },
      async () => {
        const [a, b, c] = await join("a", "b", "c");
        a!.witness.isOutOfReach = true;
        b!.isCut(true);
        await world.until("b is away", () => isAway(b!, a!) && isAway(b!, c!));
        await world.passes(9_000);
        expect([a!, c!].map((host) => wasGone(b!, host))).toEqual([false, false]);
        expect(isAway(b!, a!)).toBe(true);
        b!.dies();
        await world.until("b is gone", () => isGone(b!, a!) && isGone(b!, c!));
      },
    );

    it.skipIf(!isWired)(
      "[LSE4] nobody can ask PostgreSQL: a lease that is over is the end, as without a witness",
      { timeout: 60_000 },
      async () => {
        const [a, b, c] = await join("a", "b", "c");
        for (const { witness } of [a!, c!]) witness.isOutOfReach = true;
        b!.isCut(true);
        const tookMs = await msUntil("b is gone", () => isGone(b!, a!) && isGone(b!, c!));
        expect(tookMs).toBeLessThan(LEASE_AND_LOOK_MS + 750);
      },
    );

    it.skipIf(!isWired)(
      "[LSE5] PostgreSQL that is away for all, and for longer than a lease, proves nothing",
      { timeout: 60_000 },
      async () => {
        const [a, b, c] = await withoutB();
        for (const { witness } of hosts) witness.isOutOfReach = true;
        await world.passes(8_000);
        for (const { witness } of hosts) witness.isOutOfReach = false;
        await world.passes(5_000);
        expect([a, c].map((host) => wasGone(b, host))).toEqual([false, false]);
        expect(isAway(b, a)).toBe(true);
      },
    );

    it.skipIf(!isWired)(
      "[RLY12] Redis dies while a host is cut off and comes back empty: that host is still away, not gone",
      { timeout: 60_000 },
      async () => {
        const [a, b, c] = await withoutB();
        await world.dies();
        await world.until("all are away", () => hosts.every(({ relay }) => relay.state === "away"));
        await world.comesBack();
        await world.until("a and c are back", () => {
          return [a, c].every(({ relay, cluster }) => {
            return relay.state === "connected" && cluster!.hosts.size === 2;
          });
        });
        await world.passes(2_500);
        expect([a, c].map((host) => isAway(b, host))).toEqual([true, true]);
        expect([a, c].map((host) => wasGone(b, host))).toEqual([false, false]);
        b.isCut(false);
        await all(hosts, "are together again");
      },
    );

    it("[RLY4] started without Redis, it joins when there is one", {
      timeout: 60_000,
    }, async () => {
      await world.dies();
      hosts.push(await RelayHost.starts("a", world));
      await world.passes(300);
      expect(hosts[0]!.relay.state).toBe("away");
      await world.comesBack();
      await all(hosts, "have joined");
    });
  });
}

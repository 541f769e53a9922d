/** Others on the same Redis: other clusters, copies of the database, and who publishes anything. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KIND, sealedEnvelope } from "../../src/relay/envelope.ts";
import { encode, FRAME, frame } from "../../src/runtime/frames.ts";
import { chanceFrom, seedFor } from "../support/random.ts";
import { whyNoRedis, whyNoRedisCluster } from "../support/redis.ts";
import {
  channelOf,
  IDENTITY,
  identityWith,
  memoryWorld,
  RelayHost,
  redisClusterWorld,
  redisWorld,
  type World,
} from "../support/relay-scene.ts";

const WORLDS = [
  { name: "memory", start: memoryWorld, skipped: null },
  { name: "Redis", start: redisWorld, skipped: whyNoRedis },
  { name: "a Redis Cluster", start: redisClusterWorld, skipped: whyNoRedisCluster },
];
const TOPIC = "conversations:1";
const GARBAGE = 300;

for (const { name, start, skipped } of WORLDS) {
  describe.skipIf(skipped !== null)(`neighbours on ${name}${skipped ? `: ${skipped}` : ""}`, () => {
    let world: World;
    let hosts: RelayHost[];

    beforeEach(async () => {
      world = await start();
      hosts = [];
    });

    afterEach(async () => {
      await Promise.race([
        Promise.all(hosts.map(({ relay }) => relay.close())),
        world.passes(5_000),
      ]);
      await world.stop();
    });

    async function starts(id: string, identity = IDENTITY): Promise<RelayHost> {
      const host = await RelayHost.starts(id, world, identity);
      hosts.push(host);
      return host;
    }

    const sees = (host: RelayHost, ...others: RelayHost[]) =>
      world.until(`${host.id} sees ${others.map(({ id }) => id)}`, () => host.sees(...others));

    async function pair(): Promise<[RelayHost, RelayHost]> {
      const [a, b] = [await starts("a"), await starts("b")];
      await sees(a, a, b);
      await sees(b, a, b);
      await b.relay.interest(TOPIC, true);
      for (const host of [a, b]) host.forgets();
      return [a, b];
    }

    const eventNamed = (name: string) => encode(frame(FRAME.event, { key: TOPIC, name }));

    it("[RLY9] whatever anybody publishes on any channel is dropped, and changes nothing", async () => {
      const [a, b] = await pair();
      const seed = seedFor("neighbours");
      const chance = chanceFrom(seed);
      const genuine = sealedEnvelope(
        IDENTITY.key,
        channelOf(TOPIC),
        { host: "a", kind: KIND.events, number: 1 },
        [eventNamed("forged")],
      );
      const channels = [TOPIC, "news", "host:a", "host:b"].map((channel) => channelOf(channel));
      let onTopic = 0;
      for (let n = 0; n < GARBAGE; n++) {
        const bytes = Buffer.from(Array.from({ length: chance(80) }, () => chance(256)));
        // A part of what is like a genuine envelope, with a bit that is not.
        const near = Buffer.from(genuine.subarray(0, 1 + chance(genuine.length)));
        const at = chance(near.length);
        near[at] = (near[at] ?? 0) ^ (1 << chance(8));
        const channel = channels[chance(channels.length)] ?? "";
        if (channel === channelOf(TOPIC)) onTopic++;
        await a.bus.publish(channel, n % 2 === 0 ? bytes : near);
      }
      a.tells(b, "told");
      a.publishes(TOPIC, "said");
      await world.until("b hears a", () => b.names.length === 2);
      await world.until("all were counted", () => b.dropped.length > onTopic);
      expect(new Set(b.names), `seed ${seed}`).toEqual(new Set(["told", "said"]));
      for (const host of [a, b]) {
        expect(host.gaps, `seed ${seed}`).toEqual([]);
        expect(host.told.filter(({ what }) => what === "away")).toEqual([]);
      }
      expect(new Set(b.dropped)).toEqual(
        new Set(["relay malformed", "relay version", "relay signature"]),
      );
    });

    it("[RLY9] a genuine envelope is taken once, and on its own channel only", async () => {
      const [a, b] = await pair();
      await b.relay.interest("conversations:2", true);
      const envelope = sealedEnvelope(
        IDENTITY.key,
        channelOf(TOPIC),
        { host: "a", kind: KIND.events, number: 1_000 },
        [eventNamed("genuine")],
      );
      await a.bus.publish(channelOf(TOPIC), envelope);
      await a.bus.publish(channelOf(TOPIC), envelope);
      await a.bus.publish(channelOf("conversations:2"), envelope);
      await a.bus.publish(channelOf("host:b"), envelope);
      await world.until("all have been judged", () => b.dropped.length === 3);
      expect(b.names).toEqual(["genuine"]);
      expect([...b.dropped].sort()).toEqual(["relay repeat", "relay signature", "relay signature"]);
    });

    it("[RLY9] frames that are none are dropped though their host signed them", async () => {
      const [a, b] = await pair();
      const frames = [Buffer.from([0, 0, 0, 0]), Buffer.from([255, 255, 255, 255])];
      const cut = eventNamed("cut off");
      for (const [n, bytes] of [...frames, cut.subarray(0, cut.length - 1)].entries()) {
        const head = { host: "a", kind: KIND.events, number: 1_000 + n };
        await a.bus.publish(
          channelOf(TOPIC),
          sealedEnvelope(IDENTITY.key, channelOf(TOPIC), head, [bytes]),
        );
      }
      await world.until("all have been judged", () => b.dropped.length === 3);
      expect(new Set(b.dropped)).toEqual(new Set(["relay malformed"]));
      expect(b.names).toEqual([]);
    });

    it("[RLY10] clusters on one Redis do not see or hear each other", async () => {
      const other = identityWith({ id: "ffffffffffff", secret: "other" });
      const [a, b] = [await starts("a"), await starts("b", other)];
      await sees(a, a);
      await sees(b, b);
      await b.relay.interest(TOPIC, true);
      await a.relay.interest(TOPIC, true);
      b.tells(a, "told");
      a.publishes(TOPIC, "prod");
      b.publishes(TOPIC, "staging");
      // A renewal later both would have looked.
      await world.passes(1_600);
      expect([...a.names, ...b.names]).toEqual([]);
      expect([...a.dropped, ...b.dropped]).toEqual([]);
      expect([...a.warned, ...b.warned]).toEqual([]);
      expect(a.sees(a) && b.sees(b)).toBe(true);
    });

    it("[LSE2] hosts of one database with different secrets are told apart, and each says so once", async () => {
      const [a, b] = [await starts("a"), await starts("b", identityWith({ jwtSecret: "other" }))];
      await world.until("both have warned", () => a.warned.length > 0 && b.warned.length > 0);
      await sees(a, a);
      await sees(b, b);
      await world.passes(1_600);
      expect(a.warned).toEqual([
        expect.objectContaining({
          event: "foreign_member",
          host: "b",
          why: expect.stringContaining("set the same JWT_SECRET on every host"),
        }),
      ]);
      expect(b.warned).toHaveLength(1);
      await b.relay.interest(TOPIC, true);
      a.publishes(TOPIC, "said");
      await world.until("b has dropped it", () => b.dropped.includes("relay signature"));
      expect(b.names).toEqual([]);
    });

    it("[RLY10] a host of a copy of the database refuses to start, and leaves no lease", async () => {
      const a = await starts("a");
      await sees(a, a);
      const b = await starts("b", identityWith({ database: "system/2" }));
      await world.until("b refuses", () => b.refusal !== null);
      expect(String(b.refusal)).toMatch(/Host a has this cluster's id and another database/);
      await b.relay.close();
      const c = await starts("c");
      await sees(c, a, c);
      expect(a.sees(a, c)).toBe(true);
      expect(c.warned).toEqual([]);
    });
  });
}

/** What only a Redis Cluster does to a relay: slots that move, and one node of several that dies. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keySlot } from "../../src/relay/key-slot.ts";
import { whyNoRedisCluster } from "../support/redis.ts";
import { channelOf, RelayHost, redisClusterWorld } from "../support/relay-scene.ts";

const TOPIC = "conversations:1";
const CHANNEL = channelOf(TOPIC);

describe.skipIf(whyNoRedisCluster !== null)(
  `a Redis Cluster in trouble${whyNoRedisCluster ? `: ${whyNoRedisCluster}` : ""}`,
  () => {
    let world: Awaited<ReturnType<typeof redisClusterWorld>>;
    let a: RelayHost;
    let b: RelayHost;

    beforeEach(async () => {
      world = await redisClusterWorld();
      a = await RelayHost.starts("a", world);
      b = await RelayHost.starts("b", world);
      await world.until("both have joined", () => a.sees(a, b) && b.sees(a, b));
      await b.relay.interest(TOPIC, true);
      b.forgets();
    });

    afterEach(async () => {
      await Promise.all([a.relay.close(), b.relay.close()]);
      await world.stop();
    });

    async function hearsAgain(): Promise<void> {
      await world.until("b hears the topic", async () => {
        a.publishes(TOPIC, "again");
        await world.passes(20);
        return b.names.includes("again");
      });
    }

    it("[RCL1] the slots are those of the cluster", async () => {
      for (const key of [CHANNEL, "{troupe:0a}:cluster", "host:a", "a{}b", "ü{x}"]) {
        const slot = await world.cluster.servers[0]!.asks("CLUSTER", "KEYSLOT", key);
        expect(keySlot(key)).toBe(slot);
      }
    });

    it("[RCL1] a slot that moves is a gap, and its topics are heard where it went", {
      timeout: 60_000,
    }, async () => {
      const { servers } = world.cluster;
      const ids = await Promise.all(servers.map((server) => server.asks("CLUSTER", "MYID")));
      const holds = await Promise.all(
        servers.map(async (server) => {
          return ((await server.asks("PUBSUB", "SHARDCHANNELS")) as string[]).includes(CHANNEL);
        }),
      );
      const from = holds.indexOf(true);
      const to = (from + 1) % servers.length;
      for (const n of [to, from, 3 - to - from]) {
        const args = ["SETSLOT", `${keySlot(CHANNEL)}`, "NODE", String(ids[to])];
        await servers[n]!.asks("CLUSTER", ...args);
      }
      await world.until("b was told of a gap", () => b.gaps.includes(""));
      await hearsAgain();
      const there = (await servers[to]!.asks("PUBSUB", "SHARDCHANNELS")) as string[];
      expect(there).toContain(CHANNEL);
    });

    it("[RCL1] one node that dies takes the relay away, and it joins when that is back", {
      timeout: 60_000,
    }, async () => {
      const victim = world.cluster.servers[2]!;
      await victim.dies();
      await world.until("both are away", () => {
        return a.relay.state === "away" && b.relay.state === "away";
      });
      await victim.comesBack();
      await world.until("both are back", () => {
        return a.relay.state === "connected" && b.relay.state === "connected";
      });
      await hearsAgain();
    });
  },
);

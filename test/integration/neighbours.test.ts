/**
 * Others on the same Redis: deployments with databases of their own, hosts with another secret or
 * a copy of the database, and a program that publishes anything on any channel.
 */
import { Redis } from "ioredis";
import { afterEach, describe, expect, it } from "vitest";
import { KIND, sealedEnvelope } from "../../src/relay/envelope.ts";
import { sealKey } from "../../src/relay/seal.ts";
import { encode, FRAME, frame } from "../../src/runtime/frames.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { ClusterOfHosts, connectsTo, metric, readiness } from "../support/cluster-of-hosts.ts";
import { eventually } from "../support/eventually.ts";
import { revTrail } from "../support/expectations.ts";
import { createDatabase, startPostgres, type TestDatabase } from "../support/postgres.ts";
import { type Chance, chanceFrom, seedFor } from "../support/random.ts";
import { RedisServer, whyNoRedis } from "../support/redis.ts";
import { noSocketsLeft } from "../support/suite.ts";

const TIMEOUT_MS = 120_000;
const DROPPED = "troupe_dropped_messages_total";
const SENDS = 20;
const GARBAGE_ROUNDS = 12;

const afterwards: (() => Promise<unknown>)[] = [];
let shown: () => string = () => "";

afterEach(async (context) => {
  if (context.task.result?.state === "fail") console.error(shown());
  for (const undo of afterwards.splice(0).reverse()) await undo();
  await noSocketsLeft();
});

/** A program outside of Troupe that can reach Redis, and receives and publishes what it likes. */
class Neighbour {
  readonly overheard: { channel: string; message: Buffer }[] = [];
  readonly #publisher: Redis;
  readonly #subscriber: Redis;

  private constructor(port: number) {
    this.#publisher = new Redis(port, "127.0.0.1");
    this.#subscriber = new Redis(port, "127.0.0.1");
    this.#subscriber.on("pmessageBuffer", (_pattern, channel: Buffer, message: Buffer) => {
      this.overheard.push({ channel: channel.toString("latin1"), message });
    });
  }

  static async on(port: number): Promise<Neighbour> {
    const neighbour = new Neighbour(port);
    await neighbour.#subscriber.psubscribe("troupe:*");
    return neighbour;
  }

  async publishes(channel: string, message: Buffer): Promise<void> {
    await this.#publisher.publish(channel, message);
  }

  async channels(): Promise<string[]> {
    return (await this.#publisher.pubsub("CHANNELS", "*")) as string[];
  }

  async sets(key: string, field: string, value: string): Promise<void> {
    await this.#publisher.hset(key, field, value);
  }

  async keys(): Promise<string[]> {
    return this.#publisher.keys("*");
  }

  leaves(): void {
    this.#publisher.disconnect();
    this.#subscriber.disconnect();
  }
}

const relayMessagesIn = (host: Troupe) =>
  metric(host, "troupe_relay_messages_total", { direction: "in" });

describe.skipIf(whyNoRedis !== null)(`one Redis${whyNoRedis ? `: ${whyNoRedis}` : ""}`, () => {
  it("[NBR1] deployments with databases of their own do not meet, with the same database number or another", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const redis = await RedisServer.start();
    afterwards.push(() => redis.dies());
    const begins = async (number: string): Promise<Troupe> => {
      const database = await startPostgres();
      const host = await startTroupe({
        workers: 1,
        databaseUrl: database.url,
        env: { REDIS_URL: `${redis.url}/${number}` },
      });
      afterwards.push(async () => {
        await host.discard();
        await database.stop();
      });
      return host;
    };
    const [prod, staging, other] = [await begins("2"), await begins("2"), await begins("3")];
    const all = [prod, staging, other];
    shown = () => all.map((host) => host.logTail()).join("\n");
    const talks = await Promise.all(
      all.map(async (host) => {
        const [ann, bob] = [await host.user("ann"), await host.user("bob")];
        const talk = await ann.startsDirect(bob);
        return { ann, bob, talk, annHere: await ann.connects(), bobHere: await bob.connects() };
      }),
    );
    // All clusters use the same ids, so a leaked message of one would be delivered in the others.
    expect(new Set(talks.map(({ talk }) => talk.id)).size).toBe(1);
    expect(new Set(talks.map(({ bob }) => bob.id)).size).toBe(1);
    for (const [n, { annHere, talk }] of talks.entries()) await annHere.sends(talk.id, `of ${n}`);
    for (const [n, { bobHere, ann }] of talks.entries()) {
      await bobHere.next("message", ({ body }) => body === `of ${n}`);
      await ann.startsGroup(talks[n]!.bob);
      expect(bobHere.heard("message").map(({ body }) => body)).toEqual([`of ${n}`]);
    }
    for (const host of all) {
      expect(await readiness(host)).toBe("ready");
      expect(await relayMessagesIn(host)).toBe(0);
      expect(await metric(host, DROPPED)).toBe(0);
      expect(host.stderr).not.toContain("foreign_member");
    }
  });

  it("[NBR2] whatever a neighbour publishes or writes, hosts talk on, take nothing of it and count it", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const cluster = await ClusterOfHosts.start(2);
    afterwards.push(() => cluster.discard());
    shown = () => cluster.logTail();
    const [a, b] = cluster.hosts as [Troupe, Troupe];
    const neighbour = await Neighbour.on(cluster.redis.port);
    afterwards.push(async () => neighbour.leaves());
    const [ann, bob] = await a.users("ann", "bob");
    const group = await ann!.startsGroup(bob!);
    const annHere = await ann!.connects();
    const bobThere = await connectsTo(b, bob!);
    await annHere.types(group.id, true);
    await bobThere.next("typing", ({ is_typing }) => is_typing);
    await annHere.sends(group.id, "0");
    await bobThere.next("message");
    const pids = [a.pids(), b.pids()];
    const gaps = await Promise.all([a, b].map((host) => metric(host, "troupe_relay_gaps_total")));
    const typed = bobThere.heard("typing").length;

    const seed = seedFor("neighbour on Redis");
    const chance = chanceFrom(seed);
    const old = [...neighbour.overheard];
    expect(old.length, "something was overheard").toBeGreaterThan(0);
    const channels = [
      ...(await neighbour.channels()),
      // As they were called before channels had the cluster's id.
      ...["limits", "revocations", `conversations:${group.id}`, "{troupe}:news"],
    ];
    const forged = forgedEvents(ann!.id, bob!.id, group.id);
    const [key] = (await neighbour.keys()).filter((name) => name.endsWith(":cluster"));
    const startedMs = performance.now();
    for (let round = 0; round < GARBAGE_ROUNDS; round++) {
      for (const channel of channels) {
        await neighbour.publishes(channel, garbage(chance, channel, old, forged));
      }
      await neighbour.sets(key!, `field${chance(5)}`, "no lease");
      await neighbour.sets(key!, `host:ghost${chance(5)}`, ghost());
      await neighbour.sets(key!, "view", ["NaN", "-1", "1e300", "1.5"][chance(4)]!);
      await annHere.sends(group.id, `${round + 1}`);
    }
    for (const { channel, message } of old) await neighbour.publishes(channel, message);
    for (let n = GARBAGE_ROUNDS; n < SENDS; n++) await annHere.sends(group.id, `${n + 1}`);
    await bobThere.next("message", ({ body }) => body === `${SENDS}`);
    const tookS = (performance.now() - startedMs) / 1000;

    const heard = bobThere.heard("message").map(({ body }) => body);
    expect(heard, `seed ${seed}`).toEqual(Array.from({ length: SENDS + 1 }, (_, n) => `${n}`));
    expect(revTrail(bobThere, group.id).violations).toEqual([]);
    expect(bobThere.heard("typing"), "an old typing notice came again").toHaveLength(typed);
    for (const person of [ann!, bob!]) {
      const headers = { Authorization: `Bearer ${person.token}` };
      for (const host of [a, b]) {
        expect((await host.http.get("/api/me", { headers })).status).toBe(200);
      }
    }
    expect([a.pids(), b.pids()]).toEqual(pids);
    for (const [n, host] of [a, b].entries()) {
      expect(await readiness(host)).toBe("ready");
      expect(await metric(host, "troupe_relay_gaps_total")).toBe(gaps[n]);
      expect(host.stderr).not.toContain("relay_away");
      for (const reason of ["malformed", "signature"]) {
        expect(await metric(host, DROPPED, { source: "relay", reason }), reason).toBeGreaterThan(0);
      }
      const lines = host.stderr.split("\n").filter((line) => line.includes("messages_dropped"));
      expect(lines.length).toBeGreaterThan(0);
      // A line a second for each of four reasons.
      expect(lines.length).toBeLessThanOrEqual(4 * (tookS + 2));
    }
    expect(cluster.hosts.flatMap((host) => host.errorsLogged())).toEqual([]);
  });

  it("[NBR3] a host with another secret is told apart in words; one of a copied database refuses to start", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const cluster = await ClusterOfHosts.start(1);
    afterwards.push(() => cluster.discard());
    shown = () => cluster.logTail();
    const [a] = cluster.hosts as [Troupe];
    const b = await cluster.adds({ JWT_SECRET: "another secret, of more than 32 bytes too" });
    await eventually("both say so", () =>
      [a, b].every(({ stderr }) => stderr.includes("set the same JWT_SECRET on every host")),
    );
    expect(await Promise.all([readiness(a), readiness(b)])).toEqual(["ready", "ready"]);

    // Tests copy their databases from a template, as an operator copies one for staging.
    const copy: TestDatabase = await createDatabase();
    const c = await startTroupe({
      workers: 1,
      databaseUrl: copy.url,
      env: { REDIS_URL: cluster.redis.url },
      waitUntilReady: false,
    });
    afterwards.push(async () => {
      await c.discard();
      await copy.stop();
    });
    expect(await c.exited).toEqual({ code: 1, signal: null });
    expect(c.stdout + c.stderr).toMatch(/has this cluster's id and another database/);
    expect(await readiness(a)).toBe("ready");
  });
});

/** What no host said, as earlier versions of Troupe sent it and as this one does, with a key made up. */
function forgedEvents(ann: string, bob: string, group: string): (channel: string) => Buffer[] {
  const message = { conversation_id: group, seq: 99, rev: 99, sender_id: ann, body: "FORGED" };
  const frames = [
    frame(FRAME.event, {
      key: "revocations",
      name: "suspension",
      body: JSON.stringify({ user: bob, suspended: true }),
    }),
    frame(FRAME.event, {
      key: `conversations:${group}`,
      name: "message",
      rev: 99,
      body: JSON.stringify(message),
    }),
    frame(FRAME.tell, { key: `user:${bob}`, name: "set_status", body: "{}" }),
  ].map(encode);
  const madeUp = sealKey(Buffer.alloc(32, 7), "a made-up secret of more than 32 bytes");
  return (channel) =>
    frames.flatMap((bytes) => [
      // Version 0.1: u8 length of the host id, id, u8 kind, u32 number, frames.
      Buffer.concat([Buffer.from("\x08deadbeef\x00\x00\x00\x00\x01", "latin1"), bytes]),
      sealedEnvelope(madeUp, channel, { host: "deadbeef", kind: KIND.events, number: 9 }, [bytes]),
    ]);
}

function garbage(
  chance: Chance,
  channel: string,
  old: { channel: string; message: Buffer }[],
  forged: (channel: string) => Buffer[],
): Buffer {
  const any = <T>(from: readonly T[]): T => from[chance(from.length)]!;
  switch (chance(6)) {
    case 0:
      return Buffer.from([chance(256)]);
    case 1:
      return Buffer.from("hello from another application on this Redis");
    case 2:
      return Buffer.from(Array.from({ length: chance(300) }, () => chance(256)));
    case 3: {
      const { message } = any(old);
      return message.subarray(0, chance(message.length));
    }
    case 4:
      // Genuine, and from another time and mostly another channel.
      return any(old).message;
    default:
      return any(forged(channel));
  }
}

/** A lease of a host that is none. */
function ghost(): string {
  const members = { workers: [{ incarnation: "ghost.0.1", slot: "ghost/0" }], draining: [] };
  return `${Date.now() + 30_000}|${JSON.stringify(members)}`;
}

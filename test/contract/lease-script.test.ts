/** The script of the leases on a real Redis: what it answers, strangers, and hosts of version 0.1. */
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { KnownLease } from "../../src/relay/known-lease.ts";
import {
  LEASE_MS,
  type LeaseAnswer,
  type LeaseRequest,
  sealedMembers,
} from "../../src/relay/lease.ts";
import { renewOver } from "../../src/relay/lease-script.ts";
import { FIRST_SCRIPT } from "../support/first-lease-script.ts";
import { RedisServer, whyNoRedis } from "../support/redis.ts";
import { IDENTITY, membersOf } from "../support/relay-scene.ts";

const KEY = (name: string) => `{troupe:${IDENTITY.id}}:${name}`;
const passes = (ms: number) => new Promise<void>((resolve) => systemClock.after(ms, resolve));

describe.skipIf(whyNoRedis !== null)(`the script of leases${whyNoRedis ?? ""}`, () => {
  let server: RedisServer;
  let redis: Redis;

  beforeEach(async () => {
    server = await RedisServer.start();
    redis = new Redis<"legacy">(server.url);
  });
  afterEach(async () => {
    redis.disconnect();
    await server.dies();
  });

  class Client {
    readonly lease = new KnownLease(IDENTITY);
    readonly changes: LeaseAnswer["change"]["is"][] = [];
    number = 0;
    #digest = "";
    draining: string[] = [];
    readonly id: string;

    constructor(id: string) {
      this.id = id;
    }

    /** The hosts that it knows afterwards. */
    async renews(verdicts: LeaseRequest["verdicts"] = []): Promise<string[]> {
      const answer = await renewOver(redis, {
        cluster: IDENTITY.id,
        host: this.id,
        members: sealedMembers(IDENTITY, this.id, {
          ...membersOf(this.id),
          draining: this.draining,
        }),
        number: this.number,
        digest: this.#digest,
        mayLook: false,
        has: this.lease.has,
        verdicts,
      });
      this.changes.push(answer.change.is);
      const taken = this.lease.take(answer);
      if (taken === null) return this.renews();
      [this.number, this.#digest] = [answer.number, answer.digest];
      return [...taken.cluster.hosts.keys()].sort();
    }
  }

  async function joined(...ids: string[]): Promise<Client[]> {
    const clients = ids.map((id) => new Client(id));
    for (const client of clients) await client.renews();
    for (const client of clients) expect(await client.renews()).toEqual([...ids].sort());
    for (const client of clients) client.changes.splice(0);
    return clients;
  }

  /** A renewal of a host of version 0.1: number, and the hosts that it sees. */
  async function firstRenews(id: string, at = { number: 0, digest: "" }) {
    const { workers, draining } = membersOf(id);
    const members = sealedMembers(IDENTITY, id, { workers, draining });
    const answer = (await redis.eval(
      FIRST_SCRIPT,
      1,
      ...[KEY("cluster"), id, members, LEASE_MS, at.number, at.digest],
    )) as (string | number)[];
    const hosts = answer.slice(4).filter((_, n) => n % 2 === 0);
    return { number: Number(answer[0]), digest: String(answer[1]), hosts };
  }

  it("[LSC1] [LSC2] nothing changed: no entries; something did: what changed, and no more", async () => {
    const [a, b, c] = await joined("a", "b", "c");
    for (let n = 0; n < 40; n++) await a!.renews();
    expect(new Set(a!.changes)).toEqual(new Set(["none"]));
    b!.draining = ["b.0.0"];
    await b!.renews();
    await new Client("d").renews();
    expect(await a!.renews()).toEqual(["a", "b", "c", "d"]);
    expect(a!.changes.at(-1)).toBe("some");
    expect(await c!.renews()).toEqual(["a", "b", "c", "d"]);
    expect(c!.changes).toEqual(["some"]);
    expect(a!.number).toBe(c!.number);
  });

  it("[LSC3] [LSE3] whatever a stranger does to any key, renewals go on and all hosts are known", async () => {
    const [a, b] = await joined("a", "b");
    const disturbances: [string, ...string[]][] = [
      ["DEL", KEY("ends")],
      ["DEL", KEY("changes")],
      ["DEL", KEY("cluster")],
      ["SET", KEY("cluster"), "x"],
      ["SET", KEY("lapsed"), "x"],
      ["SET", KEY("ends"), "x"],
      ["SET", KEY("changes"), "x"],
      ["HSET", KEY("cluster"), "junk", "x", "host:evil", "x", "view", "nan"],
      ["HSET", KEY("lapsed"), "junk", "x", "away:evil", "x", "look:a", "1|2|3|b|"],
      ["ZADD", KEY("ends"), "1", "junk", "99999999999999", "host:evil"],
      ["XADD", KEY("changes"), "99999999999-0", "out:b", "x"],
      ["FLUSHALL"],
    ];
    for (const [n, [command, ...args]] of disturbances.entries()) {
      await redis.call(command, ...args);
      for (let times = 0; times < 20; times++) {
        await a!.renews();
        await b!.renews();
      }
      b!.draining = [`b.${n}.0`];
      await b!.renews();
      expect([await a!.renews(), await b!.renews()], command).toEqual([
        ["a", "b"],
        ["a", "b"],
      ]);
      expect(a!.number, command).toBe(b!.number);
    }
    await redis.call("HSET", KEY("lapsed"), "junk", "x");
    // One renewal in sixteen counts.
    for (let n = 0; n < 400; n++) await a!.renews();
    expect(await redis.hlen(KEY("lapsed"))).toBe(0);
  });

  it("[KNL1] changes that do not lead to the digest are not believed", async () => {
    const [a, b] = await joined("a", "b");
    const [number, digest] = (await redis.hmget(KEY("cluster"), "view", "digest")) as string[];
    b!.draining = ["b.0.0"];
    await b!.renews();
    const now = (await redis.hget(KEY("cluster"), "digest")) ?? "";
    await redis.del(KEY("changes"));
    const forged = ["number", number!, "digest", digest!, "now", now, "out:b", ""];
    await redis.call("XADD", KEY("changes"), `${b!.number}-0`, ...forged);
    expect(await a!.renews()).toEqual(["a", "b"]);
    expect(a!.changes).toEqual(["some", "all"]);
  });

  it("[LSE1] beside a host of version 0.1 nobody is away, and the number stays", async () => {
    const [a] = await joined("a");
    const sealed = sealedMembers(IDENTITY, "x", membersOf("x"));
    await a!.renews([{ host: "x", is: "vouched", sealed }]);
    expect(await redis.call("HKEYS", KEY("lapsed"))).toEqual(["away:x"]);
    let old = await firstRenews("old");
    await a!.renews();
    expect(await redis.call("HKEYS", KEY("lapsed"))).toEqual([]);
    old = await firstRenews("old", old);
    const settled = old.number;
    for (let n = 0; n < 5; n++) {
      await a!.renews();
      old = await firstRenews("old", old);
    }
    expect([a!.number, old.number]).toEqual([settled, settled]);
  });

  it("[LSC1] hosts of version 0.1 and of this one see each other, under one number, and the end of each", {
    timeout: 30_000,
  }, async () => {
    const [a, b] = await joined("a", "b");
    let old = await firstRenews("old");
    expect(old.hosts).toEqual(["a", "b", "old"]);
    for (const client of [a!, b!]) expect(await client.renews()).toEqual(["a", "b", "old"]);
    old = await firstRenews("old", old);
    expect([a!.number, b!.number]).toEqual([old.number, old.number]);
    // b dies, and the old host finds it; then the old one dies, and a finds it.
    for (let ms = 0; ms < LEASE_MS + 500; ms += 500) {
      await passes(500);
      await a!.renews();
      old = await firstRenews("old", old);
    }
    expect(old.hosts).toEqual(["a", "old"]);
    expect(await a!.renews()).toEqual(["a", "old"]);
    expect(a!.number).toBe(old.number);
    let hosts: string[] = [];
    for (let ms = 0; ms < LEASE_MS + 1_500; ms += 500) {
      await passes(500);
      hosts = await a!.renews();
    }
    expect(hosts).toEqual(["a"]);
    a!.changes.splice(0);
    await a!.renews();
    expect(a!.changes).toEqual(["none"]);
  });
});

/**
 * What the leases of many hosts cost one Redis: a process with that many lease clients, each with a
 * connection of its own, which renew and probe as a relay does, and one of which changes its entry
 * now and then. Run as `node dist/bench/limits/leases.js --hosts 1000 --seconds 30`.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import { LEASE_MS, RENEW_MS, sealedMembers } from "../../src/relay/lease.ts";
import { renewOver } from "../../src/relay/lease-script.ts";
import { type ClusterIdentity, sealKey } from "../../src/relay/seal.ts";
import { openRedis } from "../support/redis-box.ts";

const WORKERS = 8;
const SETTLE_MS = 2 * LEASE_MS;
const JOIN_EVERY_MS = 5;

const { values } = parseArgs({
  options: {
    hosts: { type: "string", default: "1000" },
    seconds: { type: "string", default: "30" },
    /** Entries that change a minute, over all hosts. */
    changes: { type: "string", default: "0" },
    /** Pings in the place of renewals: what the commands cost by themselves. */
    bare: { type: "boolean", default: false },
  },
});
const hosts = Number(values.hosts);
const seconds = Number(values.seconds);
const changesPerMin = Number(values.changes);

const identity: ClusterIdentity = {
  id: randomBytes(6).toString("hex"),
  database: "measured/1",
  key: sealKey(randomBytes(32), "secret"),
};

class LeaseClient {
  readonly id = randomBytes(4).toString("hex");
  readonly #redis: Redis;
  /** One process cannot keep the entries of a thousand hosts a thousand times. */
  #has = { number: 0, digest: "" };
  #restarts = 0;
  readonly longestMs = { is: 0 };
  timesOut = 0;
  /** Answers that carried entries. */
  reads = { some: 0, all: 0 };

  constructor(url: string) {
    this.#redis = new Redis<"legacy">(url, { lazyConnect: true });
    this.#redis.on("error", (error) => console.error(String(error)));
  }

  connect(): Promise<void> {
    return this.#redis.connect();
  }

  restartsWorker(): void {
    this.#restarts++;
  }

  async renew(): Promise<void> {
    if (values.bare) return this.probe();
    const workers = Array.from({ length: WORKERS }, (_, n) => ({
      incarnation: `${this.id}.${n}.${n === 0 ? this.#restarts : 0}`,
      slot: `${this.id}/${n}`,
    }));
    const members = sealedMembers(identity, this.id, { workers, draining: [] });
    const sinceMs = performance.now();
    const answer = await renewOver(this.#redis, {
      cluster: identity.id,
      host: this.id,
      members,
      ...this.#has,
      mayLook: true,
      has: this.#has,
      verdicts: [],
    });
    this.longestMs.is = Math.max(this.longestMs.is, performance.now() - sinceMs);
    if (answer.wasOut) this.timesOut++;
    if (answer.change.is !== "none") this.reads[answer.change.is]++;
    this.#has = { number: answer.number, digest: answer.digest };
    // A relay announces a new number, and the others renew at once.
    if (answer.isNew && isJoined)
      for (const client of clients) if (client !== this) client.hearsNews();
  }

  hearsNews(): void {
    setImmediate(() => void this.renew());
  }

  async probe(): Promise<void> {
    await this.#redis.ping();
  }

  close(): void {
    this.#redis.disconnect();
  }
}

const clients: LeaseClient[] = [];
let isJoined = false;

async function cpuSeconds(redis: Redis): Promise<{ cpu: number; bytes: number; calls: string }> {
  const of = (text: string, name: string) =>
    Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(text)?.[1] ?? 0);
  const cpu = await redis.info("cpu");
  const stats = await redis.info("stats");
  const calls = await redis.info("commandstats");
  return {
    cpu: of(cpu, "used_cpu_user") + of(cpu, "used_cpu_sys"),
    bytes: of(stats, "total_net_output_bytes"),
    calls: [...calls.matchAll(/^cmdstat_(?:evalsha|ping|eval):.*$/gm)].join("\n"),
  };
}

const scratch = await mkdtemp(join(tmpdir(), "troupe-leases-"));
const box = await openRedis(scratch, 0, false);
const watch = new Redis(box.directUrl);
const timers: NodeJS.Timeout[] = [];
try {
  for (let n = 0; n < hosts; n++) clients.push(new LeaseClient(box.directUrl));
  await Promise.all(clients.map((client) => client.connect()));
  // They join without news, which would make hundreds of thousands of renewals before the measurement.
  for (const [n, client] of clients.entries()) {
    await client.renew();
    await delay(JOIN_EVERY_MS);
    timers.push(
      setTimeout(
        () => timers.push(setInterval(() => void tick(client), RENEW_MS)),
        (n * RENEW_MS) / hosts,
      ),
    );
  }
  isJoined = true;
  if (changesPerMin > 0) {
    const next = () => {
      const client = clients[Math.floor(Math.random() * hosts)];
      client?.restartsWorker();
      void client?.renew();
    };
    timers.push(setInterval(next, 60_000 / changesPerMin));
  }
  await delay(SETTLE_MS);
  for (const client of clients) client.reads = { some: 0, all: 0 };
  await watch.config("RESETSTAT");
  const before = await cpuSeconds(watch);
  const sinceMs = performance.now();
  await delay(seconds * 1000);
  const after = await cpuSeconds(watch);
  const s = (performance.now() - sinceMs) / 1000;
  const sum = (of: (client: LeaseClient) => number) =>
    clients.reduce((total, client) => total + of(client), 0);
  console.log(
    [
      `${hosts} hosts, ${changesPerMin} changes a minute, ${s.toFixed(1)} s:`,
      `Redis used ${((100 * (after.cpu - before.cpu)) / s).toFixed(2)} % of a core`,
      `and sent ${((after.bytes - before.bytes) / s / 1024).toFixed(0)} KB/s;`,
      `${sum(({ reads }) => reads.some)} answers had changes, ${sum(({ reads }) => reads.all)} all entries;`,
      `${Math.max(0, sum(({ timesOut }) => timesOut) - hosts)} leases ended,`,
      `the longest renewal took ${Math.max(...clients.map(({ longestMs }) => longestMs.is)).toFixed(0)} ms`,
    ].join(" "),
  );
  console.log(after.calls);
} finally {
  for (const timer of timers) clearInterval(timer);
  for (const client of clients) client.close();
  watch.disconnect();
  await box.stop();
  await rm(scratch, { recursive: true, force: true });
}

async function tick(client: LeaseClient): Promise<void> {
  await Promise.all([client.renew(), client.probe()]);
}

/**
 * Faults of neighbours and of exhaustion: who else is on the same Redis, and what runs out:
 * PostgreSQL's connections, a process' descriptors, a disk.
 */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { Redis } from "ioredis";
import pg from "pg";
import { api } from "../support/api.ts";
import type { HostBox } from "../support/host-box.ts";
import { until } from "../support/waiting.ts";
import { type Chance, pick } from "./chance.ts";
import { claim, type Injection, redisOf, type Stage } from "./injection.ts";
import { Login } from "./login.ts";
import { stranger } from "./wire.ts";

/** Publications a second, on channels that the hosts use. */
const GARBAGE_EVERY_MS = 5;
const GARBAGE_BYTES_MAX = 4096;
/** So many of the hosts' own messages are the models of garbage. */
const MODELS_MAX = 200;
const COUNTED_WITHIN_MS = 5000;
const CONNECTIONS_MAX = 2000;
const CONNECTIONS_AT_ONCE = 20;
const CONNECT_WITHIN_MS = 5000;
/** A process that is at its limit may still open so many. */
const DESCRIPTORS_LEFT = 2;
const STRANGERS = 12;
const NEIGHBOUR_MESSAGES = 20;

/** Hosts drop and count what they cannot read or verify, and go on. */
export async function redisGarbage({ world, chance }: Stage): Promise<Injection> {
  const options = { retryStrategy: () => null, maxRetriesPerRequest: 1 };
  const listener = new Redis(redisOf(world).directUrl, options);
  const publisher = new Redis(redisOf(world).directUrl, options);
  const models: { channel: Buffer; bytes: Buffer }[] = [];
  await listener.psubscribe("*");
  listener.on("pmessageBuffer", (_pattern: string, channel: Buffer | string, bytes: Buffer) => {
    // Its own publications come back, too; they would be garbage of garbage.
    if (models.length < MODELS_MAX) models.push({ channel: Buffer.from(channel), bytes });
  });
  const isFull = await until(() => models.length >= MODELS_MAX, COUNTED_WITHIN_MS);
  await listener.punsubscribe("*");
  const dropped = async () =>
    (await Promise.all(world.hosts.map(droppedBy))).reduce((sum, n) => sum + n, 0);
  const before = await dropped();
  let published = 0;
  const timer = setInterval(() => {
    const model = models[chance(Math.max(1, models.length))];
    if (model === undefined) return;
    published++;
    void publisher.publish(model.channel, garbageOf(chance, model.bytes)).catch(() => undefined);
  }, GARBAGE_EVERY_MS);
  const channels = new Set(models.map(({ channel }) => channel.toString("latin1"))).size;
  return {
    detail: `${channels} channels`,
    async heal() {
      clearInterval(timer);
      const counted = await until(async () => (await dropped()) > before, COUNTED_WITHIN_MS);
      listener.disconnect();
      publisher.disconnect();
      return [
        claim("the hosts' messages were seen", isFull !== null, `${models.length} messages`),
        claim("garbage was published", published > 0, `${published} messages`),
        claim("the hosts count what they drop", counted !== null, counted),
      ];
    },
  };
}

/** Random bytes, a message cut short, one with bits turned, nothing at all. */
function garbageOf(chance: Chance, model: Buffer): Buffer {
  switch (chance(4)) {
    case 0:
      return Buffer.from(Array.from({ length: chance(GARBAGE_BYTES_MAX) }, () => chance(256)));
    case 1:
      return model.subarray(0, chance(Math.max(1, model.length)));
    case 2: {
      const turned = Buffer.from(model);
      if (turned.length > 0) turned[chance(turned.length)]! ^= 1 << chance(8);
      return turned;
    }
    default:
      return Buffer.alloc(0);
  }
}

async function droppedBy(host: HostBox): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${host.port}/metrics`);
  const text = await response.text();
  const lines = text.split("\n").filter((line) => line.startsWith("troupe_dropped_messages_total"));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** It has its own database, so it belongs to another cluster: neither hears of the other. */
export async function redisNeighbour({ world }: Stage): Promise<Injection> {
  const host = await world.neighbour();
  await host.start();
  const ann = await Login.register(host.port, "ann");
  const bob = await Login.register(host.port, "bob");
  const { token } = ann;
  const body = { member_ids: [bob.userId] };
  const opened = await api<{ id: string }>(host.port, "POST", "/api/conversations", {
    token,
    body,
  });
  const path = `/api/conversations/${opened.body?.id}/messages`;
  for (let n = 0; n < NEIGHBOUR_MESSAGES; n++) {
    const message = { client_id: `neighbour-${n}`, body: `message ${n}` };
    await api(host.port, "POST", path, { token, body: message });
  }
  return {
    detail: host.name,
    async heal() {
      const read = await api<{ items: unknown[] }>(host.port, "GET", path, { token: bob.token });
      const found = read.body?.items.length ?? 0;
      await host.stop();
      const isWhole = found === NEIGHBOUR_MESSAGES;
      return [claim("its own messages are whole", isWhole, `${found} messages`)];
    },
  };
}

/** Those that the hosts have go on; there are no more. */
export async function connectionsGone({ world }: Stage): Promise<Injection> {
  const held: pg.Client[] = [];
  let refusal: string | null = null;
  const takesOne = async () => {
    const client = new pg.Client({
      connectionString: world.database.url,
      connectionTimeoutMillis: CONNECT_WITHIN_MS,
    });
    client.on("error", () => undefined);
    try {
      await client.connect();
      held.push(client);
    } catch (error) {
      refusal = error instanceof Error ? error.message : String(error);
    }
  };
  while (refusal === null && held.length < CONNECTIONS_MAX) {
    await Promise.all(Array.from({ length: CONNECTIONS_AT_ONCE }, takesOne));
  }
  return {
    detail: `${held.length} taken`,
    async heal() {
      await Promise.allSettled(held.map((client) => client.end()));
      return [claim("a further connection is refused", refusal !== null, refusal)];
    },
  };
}

/** It refuses what is new; the sessions that it has go on, and so does the process. */
export function descriptorsGone({ world, scene, chance }: Stage): Injection {
  const host = pick(chance, world.hosts);
  const primary = host.pid!;
  const pid = pick(chance, [primary, ...host.workerPids()]);
  const before = softLimitOf(pid);
  const open = readdirSync(`/proc/${pid}/fd`).length;
  setSoftLimit(pid, String(open + DESCRIPTORS_LEFT));
  const people = scene.people.map(({ login }) => login.token);
  const strangers = Array.from({ length: STRANGERS }, () =>
    stranger(host.port, pick(chance, people)),
  );
  return {
    detail: `${pid === primary ? "the primary" : `worker ${pid}`} of ${host.name}, ${open} open`,
    async heal() {
      for (const wire of strangers) wire.drop();
      const isThere = pid === primary ? host.pid === pid : host.workerPids().includes(pid);
      if (isThere) setSoftLimit(pid, before);
      return [claim("the process is still there", isThere, isThere)];
    },
  };
}

function softLimitOf(pid: number): string {
  const args = ["--pid", String(pid), "--nofile", "--output", "SOFT", "--noheadings"];
  return execFileSync("prlimit", args, { encoding: "utf8" }).trim();
}

/** The hard limit stays as it is. */
function setSoftLimit(pid: number, limit: string): void {
  execFileSync("prlimit", ["--pid", String(pid), `--nofile=${limit}:`]);
}

/** PostgreSQL refuses what needs room, or ends and cannot recover until there is some. */
export function diskFull({ world }: Stage): Injection {
  const { disk } = world.database;
  if (disk === null) throw new Error("this world's PostgreSQL has no disk of its own");
  disk.fill();
  return {
    detail: "",
    async heal() {
      disk.empty();
      return [];
    },
  };
}

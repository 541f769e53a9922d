/**
 * Several whole Troupes on one database and one Redis, as an operator starts them. Each host
 * reaches Redis by a wire of its own that can be cut.
 */

import { startTroupe, type Troupe } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import type { Person } from "./person.ts";
import { createDatabase, type TestDatabase } from "./postgres.ts";
import { RedisServer, Wire } from "./redis.ts";
import { type ConnectOptions, Session } from "./session.ts";

const JOINED_WITHIN_MS = 15_000;

export class ClusterOfHosts {
  readonly hosts: Troupe[] = [];
  readonly wires: Wire[] = [];
  readonly redis: RedisServer;
  readonly #database: TestDatabase;

  private constructor(redis: RedisServer, database: TestDatabase) {
    this.redis = redis;
    this.#database = database;
  }

  static async start(hostCount: number, env: Record<string, string> = {}): Promise<ClusterOfHosts> {
    const cluster = new ClusterOfHosts(await RedisServer.start(), await createDatabase());
    try {
      for (let n = 0; n < hostCount; n++) await cluster.adds(env);
    } catch (error) {
      await cluster.discard();
      throw error;
    }
    await cluster.untilJoined();
    return cluster;
  }

  async adds(env: Record<string, string> = {}): Promise<Troupe> {
    const wire = await Wire.to(this.redis.port);
    this.wires.push(wire);
    const host = await startTroupe({
      workers: 1,
      databaseUrl: this.#database.url,
      env: { REDIS_URL: wire.url, ...env },
    });
    this.hosts.push(host);
    return host;
  }

  /** The running hosts, or `count` of them, hear one another. */
  async untilJoined(): Promise<void> {
    const running = this.hosts.filter((host) => !host.hasExited);
    await eventually(
      "all hosts hear Redis",
      async () => {
        const states = await Promise.all(running.map((host) => readiness(host)));
        return states.every((state) => state === "ready");
      },
      JOINED_WITHIN_MS,
    );
  }

  async untilAway(host: Troupe): Promise<void> {
    await eventually(
      "the host says that it is degraded",
      async () => (await readiness(host)) === "degraded",
      JOINED_WITHIN_MS,
    );
  }

  logTail(): string {
    return this.hosts.map((host, n) => `===== host ${n}\n${host.logTail()}`).join("\n");
  }

  async discard(): Promise<void> {
    this.redis.thaws();
    await Promise.all(this.hosts.map((host) => host.discard()));
    await Promise.all(this.wires.map((wire) => wire.close()));
    await this.redis.dies();
    await this.#database.stop();
  }
}

/** What /readyz says. */
export async function readiness(host: Troupe): Promise<string> {
  return (await host.http.get<{ status: string }>("/readyz")).body.status;
}

/** `person` on another host than the one where they registered. */
export function connectsTo(
  host: Troupe,
  person: Person,
  options: ConnectOptions = {},
): Promise<Session> {
  return Session.open(host, person.user.username, { token: person.token, ...options });
}

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** What /metrics says, sample by sample. */
export async function metrics(host: Troupe): Promise<Sample[]> {
  const { text } = await host.http.get("/metrics");
  return text.split("\n").flatMap((line) => {
    const [, name, labels, value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined) return [];
    const pairs = [...(labels ?? "").matchAll(/(\w+)="([^"]*)"/g)];
    return {
      name,
      labels: Object.fromEntries(pairs.map(([, label, text]) => [label, text])),
      value: Number(value),
    };
  });
}

/** The sum of a metric's samples whose labels contain all of `wanted`. */
export async function metric(
  host: Troupe,
  name: string,
  wanted: Record<string, string> = {},
): Promise<number> {
  return (await metrics(host))
    .filter((sample) => sample.name === name)
    .filter(({ labels }) => Object.entries(wanted).every(([key, text]) => labels[key] === text))
    .reduce((sum, { value }) => sum + value, 0);
}

/**
 * Hosts on one relay, for the suite that every bus has to pass: each host records what it
 * receives, and the scene can make the bus fail in every way that happens.
 */

import { type Clock, systemClock } from "../../src/base/clock.ts";
import type { Log } from "../../src/base/log.ts";
import type { Cluster, HostMembers } from "../../src/ports/relay.ts";
import type { Bus } from "../../src/relay/bus.ts";
import { type MemoryBus, MemoryNetwork } from "../../src/relay/memory.ts";
import { RedisBus } from "../../src/relay/redis-bus.ts";
import { HostRelay } from "../../src/relay/relay.ts";
import { type ClusterIdentity, sealKey } from "../../src/relay/seal.ts";
import { RedisUrlBus } from "../../src/relay/url-bus.ts";
import { decodeAt, eachFrame, encode, FRAME, frame } from "../../src/runtime/frames.ts";
import { MemoryWitness } from "../../src/storage/memory/witness.ts";
import { eventually } from "./eventually.ts";
import { FakeClock } from "./fake-clock.ts";
import { RedisCluster, RedisServer, Wire } from "./redis.ts";

/** The identity of the cluster that hosts of a scene belong to. */
export const IDENTITY: ClusterIdentity = identityWith({});

/** Another cluster, where it differs in anything. */
export function identityWith(other: {
  id?: string;
  database?: string;
  secret?: string;
  jwtSecret?: string;
}): ClusterIdentity {
  const { id = "0a1b2c3d4e5f", database = "system/1", secret = "s", jwtSecret = "j" } = other;
  return { id, database, key: sealKey(Buffer.from(secret.padEnd(32, "-")), jwtSecret) };
}

/** The channel of a topic, or of "host:<id>" or "news", in the cluster of a scene. */
export function channelOf(name: string, { id }: Pick<ClusterIdentity, "id"> = IDENTITY): string {
  return `troupe:${id}:${name}`;
}

/** What holds the hosts together, and how it breaks. */
export interface World {
  clock: Clock;
  /** The rows of PostgreSQL; each host has a connection of its own to them. */
  witness: MemoryWitness;
  bus(): Promise<{ bus: Bus; isCut(cut: boolean): void; goesSilent(silent: boolean): void }>;
  channels(): Promise<string[]>;
  /** Gone, with all it knew. */
  dies(): Promise<void>;
  comesBack(): Promise<void>;
  freezes(): void;
  thaws(): void;
  until(what: string, holds: () => boolean | Promise<boolean>): Promise<void>;
  passes(ms: number): Promise<void>;
  stop(): Promise<void>;
}

export type Told =
  | { what: "away" }
  | { what: "gap"; host: string }
  | { what: "doubt"; topics: readonly string[] | null }
  | { what: "cluster"; cluster: Cluster }
  | { what: "frame"; key: string; name: string };

export class RelayHost {
  readonly id: string;
  readonly relay: HostRelay;
  readonly told: Told[] = [];
  readonly bus: Bus;
  readonly witness: MemoryWitness;
  readonly isCut: (cut: boolean) => void;
  readonly goesSilent: (silent: boolean) => void;

  /** What was dropped, as "source reason", and warned of. */
  readonly dropped: string[] = [];
  readonly warned: Record<string, unknown>[] = [];
  started: Promise<void> = Promise.resolve();
  refusal: unknown = null;

  private constructor(
    id: string,
    world: World,
    made: Awaited<ReturnType<World["bus"]>>,
    identity: ClusterIdentity,
  ) {
    this.id = id;
    this.bus = made.bus;
    this.isCut = made.isCut;
    this.goesSilent = made.goesSilent;
    this.witness = world.witness.another();
    this.relay = new HostRelay({
      bus: made.bus,
      witness: this.witness,
      host: id,
      identity,
      clock: world.clock,
      log: {
        info: () => undefined,
        warn: (line: Record<string, unknown>) => void this.warned.push(line),
      } as unknown as Log,
      drops: { note: (source, reason) => void this.dropped.push(`${source} ${reason}`) },
    });
  }

  static async starts(
    id: string,
    world: World,
    identity: ClusterIdentity = IDENTITY,
  ): Promise<RelayHost> {
    const host = new RelayHost(id, world, await world.bus(), identity);
    host.relay.announce(membersOf(id), 0);
    host.started = host.relay.start({
      frames: (bytes) =>
        eachFrame(bytes, (at) => {
          const { key, name } = decodeAt(bytes, at);
          host.told.push({ what: "frame", key, name });
        }),
      cluster: (cluster) => host.told.push({ what: "cluster", cluster }),
      away: () => host.told.push({ what: "away" }),
      gap: (from) => host.told.push({ what: "gap", host: from }),
      doubt: ({ topics }) => host.told.push({ what: "doubt", topics }),
    });
    host.started.catch((refusal: unknown) => {
      host.refusal = refusal;
    });
    return host;
  }

  get cluster(): Cluster | undefined {
    return this.told.flatMap((it) => (it.what === "cluster" ? [it.cluster] : [])).at(-1);
  }

  get names(): string[] {
    return this.told.flatMap((it) => (it.what === "frame" ? [it.name] : []));
  }

  get gaps(): string[] {
    return this.told.flatMap((it) => (it.what === "gap" ? [it.host] : []));
  }

  /** Whether the cluster that this host last received consists of these hosts. */
  sees(...hosts: RelayHost[]): boolean {
    const seen = [...(this.cluster?.hosts.keys() ?? [])].sort();
    return this.relay.state === "connected" && `${seen}` === `${hosts.map(({ id }) => id).sort()}`;
  }

  /** Ends without a word, as by kill -9: nothing of it reaches anybody any more. */
  dies(): void {
    this.witness.isOutOfReach = true;
    this.isCut(true);
  }

  tells(other: RelayHost, name: string): boolean {
    const to = `${other.id}.0.1`;
    return this.relay.send(to, encode(frame(FRAME.tell, { to, from: `${this.id}.0.1`, name })));
  }

  publishes(topic: string, name: string): void {
    this.relay.publish(topic, encode(frame(FRAME.event, { key: topic, name })));
  }

  forgets(): void {
    this.told.splice(0);
  }
}

export function membersOf(id: string): HostMembers {
  const workers = [{ incarnation: `${id}.0.1`, slot: `${id}/0` }];
  return { workers, draining: [], placement: 2 };
}

export async function memoryWorld(): Promise<World & { network: MemoryNetwork; clock: FakeClock }> {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock);
  const STEP_MS = 50;
  const DEADLINE_MS = 15_000;
  return {
    clock,
    witness: new MemoryWitness(clock),
    network,
    async bus() {
      const bus: MemoryBus = network.bus();
      return {
        bus,
        isCut: (cut) => network.partition(bus, cut),
        goesSilent: (silent) => network.partition(bus, silent),
      };
    },
    channels: async () => [...network.channels],
    dies: async () => network.kill(),
    comesBack: async () => network.revive(),
    freezes: () => network.freeze(),
    thaws: () => network.thaw(),
    async until(what, holds) {
      const endMs = clock.nowMs() + DEADLINE_MS;
      while (!(await holds())) {
        if (clock.nowMs() >= endMs) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
        await clock.advance(STEP_MS);
      }
    },
    passes: (ms) => clock.advance(ms),
    stop: async () => undefined,
  };
}

export async function redisWorld(): Promise<World> {
  const server = await RedisServer.start();
  const wires: Wire[] = [];
  return {
    ...realTime,
    witness: new MemoryWitness(systemClock),
    async bus() {
      const wire = await Wire.to(server.port);
      wires.push(wire);
      return { bus: new RedisBus(wire.url), ...switchesOf(wire) };
    },
    channels: () => server.channels(),
    dies: () => server.dies(),
    comesBack: () => server.comesBack(),
    freezes: () => server.freezes(),
    thaws: () => server.thaws(),
    async stop() {
      await Promise.all(wires.map((wire) => wire.close()));
      server.thaws();
      await server.dies();
    },
  };
}

/** Nodes name one another's addresses, so that no wire fits between: hosts cannot be cut off. */
export async function redisClusterWorld(): Promise<World & { cluster: RedisCluster }> {
  const cluster = await RedisCluster.start();
  const all = (act: (server: RedisServer) => void) => () => cluster.servers.forEach(act);
  return {
    ...realTime,
    witness: new MemoryWitness(systemClock),
    cluster,
    async bus() {
      const nothing = () => undefined;
      const bus = new RedisUrlBus(cluster.url, systemClock);
      return { bus, isCut: nothing, goesSilent: nothing };
    },
    channels: () => cluster.channels(),
    dies: async () => void (await Promise.all(cluster.servers.map((server) => server.dies()))),
    comesBack: async () =>
      void (await Promise.all(cluster.servers.map((server) => server.comesBack()))),
    freezes: all((server) => server.freezes()),
    thaws: all((server) => server.thaws()),
    async stop() {
      for (const server of cluster.servers) server.thaws();
      await cluster.dies();
    },
  };
}

const REAL_DEADLINE_MS = 20_000;

const realTime = {
  clock: systemClock,
  until: async (what: string, holds: () => boolean | Promise<boolean>) =>
    void (await eventually(what, holds, REAL_DEADLINE_MS)),
  passes: (ms: number) => new Promise<void>((resolve) => systemClock.after(ms, resolve)),
};

function switchesOf(wire: Wire) {
  return {
    isCut: (cut: boolean) => (cut ? wire.cut() : wire.mends()),
    goesSilent: (silent: boolean) => (silent ? wire.goesSilent() : wire.mends()),
  };
}

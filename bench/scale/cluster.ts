/**
 * A cluster of simulated hosts with constant users a host, who talk to others all over the cluster:
 * whom a user talks to and watches is drawn by a seed, and how many is the same for every size. So
 * what is counted for a user or a message may not depend on the number of hosts.
 */
import { createLogger } from "../../src/base/log.ts";
import type { ConversationId, FamilyId, UserId } from "../../src/protocol/ids.ts";
import { asConversationId, asUserId } from "../../src/protocol/schemas.ts";
import { MemoryNetwork } from "../../src/relay/memory.ts";
import { sealKey } from "../../src/relay/seal.ts";
import { createMemoryStorage } from "../../src/storage/memory/ports.ts";
import { MemoryTables } from "../../src/storage/memory/tables.ts";
import { MemoryWitness } from "../../src/storage/memory/witness.ts";
import { Counts } from "./counts.ts";
import { SimHost } from "./sim-host.ts";
import { SimSession } from "./sim-session.ts";
import type { SimWorld } from "./sim-worker.ts";
import { VirtualClock } from "./virtual-clock.ts";

export interface Shape {
  hosts: number;
  workersPerHost: number;
  usersPerHost: number;
  /** What each user begins: direct conversations, groups (one for so many users), followees. */
  directs: number;
  groups: number;
  groupMembers: number;
  followees: number;
  seed: number;
}

export const SHAPE: Omit<Shape, "hosts"> = {
  workersPerHost: 2,
  usersPerHost: 8,
  directs: 2,
  groups: 0.25,
  groupMembers: 4,
  followees: 3,
  seed: 20_261_130,
};

const IDENTITY = {
  id: "5ca1e5ca1e00",
  database: "simulation/1",
  key: sealKey(Buffer.alloc(32, 1), "simulation"),
};
/** All hosts know each other well before this. */
const JOIN_MS = 2_000;
/** More than any look for new ones reaches back, less than a token is good for. */
const LOOK_BACK_MS = 130_000;
const TOKEN_TTL_MS = 3_600_000;

export class SimCluster {
  readonly shape: Shape;
  readonly world: SimWorld;
  readonly network: MemoryNetwork;
  readonly hosts: SimHost[] = [];
  readonly users: UserId[] = [];
  readonly conversations: { id: ConversationId; members: UserId[] }[] = [];
  readonly sessions = new Map<UserId, SimSession>();
  readonly random: () => number;
  #hostsMade = 0;
  #logins = 0;

  constructor(shape: Shape) {
    this.shape = shape;
    const clock = new VirtualClock();
    this.world = {
      clock,
      counts: new Counts(),
      storage: createMemoryStorage(new MemoryTables(() => Number(clock.wallMs()))),
      witness: new MemoryWitness(clock),
      log: createLogger({ level: "silent" }),
      bugs: [],
    };
    this.network = new MemoryNetwork(clock);
    this.random = randomFrom(shape.seed);
  }

  get alive(): SimHost[] {
    return this.hosts.filter((host) => host.alive.length > 0);
  }

  async start(): Promise<void> {
    const { hosts, usersPerHost } = this.shape;
    for (let n = 0; n < hosts * usersPerHost; n++) await this.#register(n);
    await this.#talks();
    // Some have ended logins whose tokens are still good, and which no look for new ones reads.
    for (const [n, user] of this.users.entries()) if (n % 8 === 0) await this.endsLogin(user);
    await this.world.clock.advance(LOOK_BACK_MS);
    for (let n = 0; n < hosts; n++) await this.addHost();
    await this.world.clock.advance(JOIN_MS);
  }

  async addHost(): Promise<SimHost> {
    const id = `h${String(++this.#hostsMade).padStart(4, "0")}`;
    const host = new SimHost(
      this.world,
      id,
      this.network.bus(),
      IDENTITY,
      this.shape.workersPerHost,
    );
    this.hosts.push(host);
    await host.start(this.shape.workersPerHost);
    return host;
  }

  /** Everybody's session begins, each on a host by turns. */
  async everybodyComes(): Promise<void> {
    const workers = this.alive.flatMap(({ alive }) => alive);
    for (const [n, user] of this.users.entries()) {
      this.sessions.set(user, new SimSession(this.world, user, workers[n % workers.length]!));
      await this.world.clock.advance(1);
    }
    await this.world.clock.advance(2_000);
    this.#holds();
  }

  /** Sessions whose worker has died begin on others. */
  async comesBack(): Promise<void> {
    const workers = this.alive.flatMap(({ alive }) => alive);
    for (const [user, session] of this.sessions) {
      if (!session.isOver) continue;
      const worker = workers[Math.floor(this.random() * workers.length)]!;
      this.sessions.set(user, new SimSession(this.world, user, worker));
    }
    await this.world.clock.advance(1_000);
    this.#holds();
  }

  /** In storage: a login of the user at another device, which began and ended. */
  async endsLogin(user: UserId): Promise<FamilyId> {
    const { accounts } = this.world.storage;
    const token = `token ${++this.#logins}`;
    const origin = { rootHash: `root of ${token}`, address: "", userAgent: null };
    const family = await accounts.startFamily(user, token, TOKEN_TTL_MS, origin);
    await accounts.endFamily(user, family);
    return family;
  }

  close(): void {
    for (const host of this.hosts) host.die();
    if (this.world.bugs.length > 0) {
      throw new Error(`${this.world.bugs.length} bugs: ${this.world.bugs.slice(0, 3).join("; ")}`);
    }
  }

  #holds(): void {
    const waiting = [...this.sessions.values()].filter(({ isReady }) => !isReady);
    if (waiting.length > 0) throw new Error(`${waiting.length} sessions have not begun`);
  }

  async #register(n: number): Promise<void> {
    const made = await this.world.storage.accounts.register(`user.${n}`, `user ${n}`, "hash");
    if (!made.ok) throw new Error(made.error.message);
    this.users.push(asUserId(made.value.id));
  }

  async #talks(): Promise<void> {
    const { directs, groups, groupMembers, followees } = this.shape;
    const { graph } = this.world.storage.ports;
    const pairs = new Set<string>();
    for (const [n, user] of this.users.entries()) {
      for (let k = 0; k < directs; k++) {
        const [other] = this.others(user, 1);
        const pair = [user, other].sort().join();
        if (pairs.has(pair)) continue;
        pairs.add(pair);
        await this.#conversation("direct", [user, other!]);
      }
      if (n % Math.round(1 / groups) === 0) {
        await this.#conversation("group", [user, ...this.others(user, groupMembers - 1)]);
      }
      for (const other of this.others(user, followees)) await graph.follow(user, other, true);
    }
  }

  others(user: UserId, count: number): UserId[] {
    const found = new Set<UserId>();
    while (found.size < count) {
      const other = this.users[Math.floor(this.random() * this.users.length)]!;
      if (other !== user) found.add(other);
    }
    return [...found];
  }

  async #conversation(kind: "direct" | "group", members: UserId[]): Promise<void> {
    const { conversations } = this.world.storage.ports;
    const title = kind === "group" ? "A group" : null;
    const made = await conversations.create(kind, members[0]!, members, title);
    if (!made.ok) throw new Error(made.error.message);
    this.conversations.push({ id: asConversationId(made.value.conversation.id), members });
  }
}

/** Numbers from 0 to 1, the same for each seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

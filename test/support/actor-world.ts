/**
 * A cluster in one process and without real time: workers with their real edges (exchange,
 * streams, watches, sessions, commands) and actor hosts, joined by the real switchboard over
 * lines with seeded delays, on one memory store that takes its time. Tests open sessions as
 * clients do, kill and add workers, and move the clock.
 *
 * Everything that happens follows from the seed: the same seed, the same history.
 */
import type { AppRunner } from "../../actors/app-ports.ts";
import { behaviours } from "../../actors/index.ts";
import type { ActorPorts } from "../../actors/ports.ts";
import { Tally } from "../../src/base/metrics.ts";
import { NO_UPLINK, Switchboard } from "../../src/primary/switchboard.ts";
import type { ErrorObject } from "../../src/protocol/errors.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { asConversationId, asUserId, type Conversation } from "../../src/protocol/schemas.ts";
import { ActorRuntime } from "../../src/runtime/actor-runtime.ts";
import { Exchange } from "../../src/runtime/exchange.ts";
import { decodeAt, eachFrame, encode, FRAME, type Frame, frame } from "../../src/runtime/frames.ts";
import { PLACEMENT, type View } from "../../src/runtime/view.ts";
import { MemoryConversations } from "../../src/storage/memory/conversations.ts";
import { createMemoryStorage, type MemoryStorage } from "../../src/storage/memory/ports.ts";
import { MemoryTables } from "../../src/storage/memory/tables.ts";
import { FakeClock } from "./fake-clock.ts";
import { type Chance, chanceFrom } from "./random.ts";
import { SimClient } from "./sim-client.ts";
import { SimEdge } from "./sim-edge.ts";

export const GRACE_MS = 5_000;
const LINE_DELAY_MS_MAX = 8;
const STORE_DELAY_MS_MAX = 12;

/** One direction between two boxes: in order, each batch late by chance. */
export class SlowLine {
  readonly #world: World;
  readonly #deliver: (bytes: Buffer) => void;
  #lastAtMs = 0;
  isCut = false;

  readonly isFull = false;
  constructor(world: World, deliver: (bytes: Buffer) => void) {
    this.#world = world;
    this.#deliver = deliver;
  }

  hold(): void {
    // No line of the simulation is ever full.
  }

  release(): void {
    // No line of the simulation is ever full.
  }

  pauseReading(): void {
    // No line of the simulation is ever full.
  }

  resumeReading(): void {
    // No line of the simulation is ever full.
  }

  send(sent: Frame): void {
    this.sendBytes(encode(sent));
  }

  sendBytes(bytes: Uint8Array): void {
    const copy = Buffer.from(bytes);
    const { clock, chance } = this.#world;
    const atMs = Math.max(this.#lastAtMs, clock.nowMs() + chance(LINE_DELAY_MS_MAX));
    this.#lastAtMs = atMs;
    clock.after(atMs - clock.nowMs(), () => {
      if (!this.isCut) this.#deliver(copy);
    });
  }

  flush(): void {
    // Nothing gathers here: every frame has a moment of its own.
  }
}

export class SimWorker {
  readonly incarnation: string;
  readonly slot: string;
  readonly edge: SimEdge;
  readonly host: ActorRuntime;
  readonly #lines: SlowLine[];
  isDead = false;

  constructor(world: World, incarnation: string, slot: string, slow: SlowStore) {
    this.incarnation = incarnation;
    this.slot = slot;
    const { clock, switchboard, storage } = world;
    const toEdge = new SlowLine(world, (bytes) => exchange.fromPrimary(bytes));
    const toPrimary = new SlowLine(world, (bytes) => switchboard.fromWorker(incarnation, bytes));
    const toThread = new SlowLine(world, (bytes) => this.#inThread(bytes));
    const fromThread = new SlowLine(world, (bytes) => exchange.fromThread(bytes));
    this.#lines = [toEdge, toPrimary, toThread, fromThread];
    const exchange: Exchange = new Exchange({
      incarnation,
      isCluster: false,
      clock,
      pipe: toPrimary,
      thread: toThread,
      drops: world.drops,
      onEvent: (event) => this.edge.onEvent(event),
      onView: (now, before) => this.edge.onView(now, before),
      onControl: () => undefined,
      onBatchEnd: () => undefined,
    });
    const queries = slow.wrap(storage.queries);
    const { apps, ...options } = world.options;
    const appKinds = apps && { appKinds: apps.kinds };
    this.edge = new SimEdge({ incarnation, clock, exchange, queries, ...appKinds, ...options });
    const ports: ActorPorts = {
      conversations: slow.wrap(storage.ports.conversations),
      channels: slow.wrap(storage.ports.channels),
      users: slow.wrap(storage.ports.users),
      reactions: slow.wrap(storage.ports.reactions),
      threads: slow.wrap(storage.ports.threads),
      posts: slow.wrap(storage.ports.posts),
      notifications: slow.wrap(storage.ports.notifications),
      graph: slow.wrap(storage.ports.graph),
      prefs: slow.wrap(storage.ports.prefs),
      apps: slow.wrap(storage.ports.apps),
      streams: slow.wrap(storage.ports.streams),
    };
    this.host = new ActorRuntime({
      clock,
      self: incarnation,
      behaviours: behaviours(ports, {
        graceMs: GRACE_MS,
        sessionsMax: 50,
        changes: null,
        apps: apps ?? null,
      }),
      send: (sent) => fromThread.send(sent),
      onBug: (key, bug) => world.bugs.push({ key, bug }),
      onMalformed: (key, bug) => world.bugs.push({ key, bug }),
    });
    switchboard.attach(incarnation, toEdge);
  }

  /** Gone between two instructions: what it had said and was not heard is lost. */
  die(): void {
    this.isDead = true;
    for (const line of this.#lines) line.isCut = true;
    this.edge.die();
    this.host.close();
  }

  #inThread(bytes: Buffer): void {
    eachFrame(bytes, (at) => {
      const f = decodeAt(bytes, at);
      if (f.type === FRAME.view) this.host.setView(JSON.parse(f.body) as View);
      else this.host.deliver(f);
    });
  }
}

/** A store's answers and statements late by chance, in the order of the calls of one worker. */
class SlowStore {
  readonly #world: World;
  #statementsAtMs = 0;
  #answersAtMs = 0;

  constructor(world: World) {
    this.#world = world;
  }

  wrap<T extends object>(store: T): T {
    return new Proxy(store, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name, target);
        if (typeof method !== "function") return method;
        return (...args: unknown[]) => this.#late(() => method.apply(target, args));
      },
    });
  }

  /** A worker that dies meanwhile does not take its statement back. */
  #late(run: () => Promise<unknown>): Promise<unknown> {
    const { clock, chance } = this.#world;
    const nowMs = clock.nowMs();
    this.#statementsAtMs = Math.max(this.#statementsAtMs, nowMs + chance(STORE_DELAY_MS_MAX));
    this.#answersAtMs = Math.max(
      this.#answersAtMs,
      this.#statementsAtMs + chance(STORE_DELAY_MS_MAX),
    );
    const answerInMs = this.#answersAtMs - this.#statementsAtMs;
    return new Promise((resolve, reject) => {
      clock.after(this.#statementsAtMs - nowMs, () => {
        const answer = run();
        clock.after(answerInMs, () => answer.then(resolve, reject));
      });
    });
  }
}

/** The members of a conversation from this rev on, and the moment of the change. */
export interface MembershipRecord {
  rev: number;
  members: ReadonlySet<string>;
  atMs: number;
}

class RecordedConversations extends MemoryConversations {
  readonly records = new Map<string, MembershipRecord[]>();
  readonly #nowMs: () => number;

  constructor(tables: MemoryTables) {
    super(tables);
    this.#nowMs = tables.nowMs;
  }

  override async create(...args: Parameters<MemoryConversations["create"]>) {
    const made = await super.create(...args);
    if (made.ok) this.#record(made.value.conversation);
    return made;
  }

  override async change(...args: Parameters<MemoryConversations["change"]>) {
    const change = await super.change(...args);
    if (change.conversation !== null) this.#record(change.conversation);
    return change;
  }

  #record({ id, rev, members }: Conversation): void {
    const records = this.records.get(id) ?? [];
    this.records.set(id, records);
    if ((records.at(-1)?.rev ?? 0) >= rev) return;
    const ids = new Set(members.map(({ user_id }) => user_id));
    records.push({ rev, members: ids, atMs: this.#nowMs() });
  }
}

export interface WorldOptions {
  liveMax?: number;
  /** Runs the turns of the application's own actors. */
  apps?: AppRunner;
  /** Actors are placed as they were before there were shards, and all workers are one host. */
  isOlder?: boolean;
}

export class World {
  readonly options: Pick<WorldOptions, "liveMax" | "apps">;
  readonly #isOlder: boolean;
  readonly clock = new FakeClock();
  readonly chance: Chance;
  readonly storage: MemoryStorage;
  readonly switchboard: Switchboard;
  readonly workers: SimWorker[] = [];
  readonly clients: SimClient[] = [];
  readonly bugs: { key: string; bug: unknown }[] = [];
  /** Between the parts of one program nothing is ever unreadable. */
  readonly drops = {
    note: (source: string, reason: string, bug?: unknown) =>
      void this.bugs.push({ key: `${source} ${reason}`, bug }),
  };
  readonly #conversations: RecordedConversations;
  #incarnations = 0;
  #viewNumber = 0;
  #names = 0;

  constructor(seed: number, { isOlder = false, ...options }: WorldOptions = {}) {
    this.options = options;
    this.#isOlder = isOlder;
    this.chance = chanceFrom(seed);
    const storage = createMemoryStorage(new MemoryTables(() => this.clock.nowMs()));
    this.#conversations = new RecordedConversations(storage.tables);
    this.storage = { ...storage, ports: { ...storage.ports, conversations: this.#conversations } };
    this.switchboard = new Switchboard(
      NO_UPLINK,
      { tally: new Tally(), drops: this.drops },
      () => undefined,
    );
  }

  get alive(): SimWorker[] {
    return this.workers.filter((worker) => !worker.isDead);
  }

  /** Starts a worker in the lowest free slot. */
  addWorker(): SimWorker {
    const taken = new Set(this.alive.map((worker) => worker.slot));
    let n = 0;
    while (taken.has(this.#slotAt(n))) n++;
    const incarnation = `life${++this.#incarnations}`;
    const worker = new SimWorker(this, incarnation, this.#slotAt(n), new SlowStore(this));
    this.workers.push(worker);
    this.#announceView();
    return worker;
  }

  killWorker(worker: SimWorker): void {
    worker.die();
    this.switchboard.detach(worker.incarnation);
    this.#announceView();
  }

  /** By rising rev. */
  membershipsOf(id: ConversationId): readonly MembershipRecord[] {
    return this.#conversations.records.get(id) ?? [];
  }

  async user(): Promise<UserId> {
    const name = `user.${++this.#names}`;
    const made = await this.storage.accounts.register(name, name, "hash");
    if (!made.ok) throw new Error(made.error.message);
    return asUserId(made.value.id);
  }

  async users(count: number): Promise<UserId[]> {
    const users: UserId[] = [];
    for (let n = 0; n < count; n++) users.push(await this.user());
    return users;
  }

  async group(members: UserId[]): Promise<ConversationId> {
    return this.#conversation("group", members, "A group");
  }

  async direct(pair: [UserId, UserId]): Promise<ConversationId> {
    return this.#conversation("direct", pair, null);
  }

  /** A client of `user`; `connects` gives it a session. */
  client(user: UserId): SimClient {
    const client = new SimClient(this, user);
    this.clients.push(client);
    return client;
  }

  /** A client with a session that is ready. */
  async connected(user: UserId, worker: SimWorker = this.alive[0]!): Promise<SimClient> {
    const client = this.client(user);
    client.connects(worker);
    await this.until(`user ${user} is ready`, () => client.isReady);
    return client;
  }

  async passes(ms: number): Promise<void> {
    await this.clock.advance(ms);
  }

  /** Moves time on until `holds`. */
  async until(what: string, holds: () => boolean, withinMs = 30_000): Promise<void> {
    const endMs = this.clock.nowMs() + withinMs;
    while (!holds()) {
      if (this.clock.nowMs() >= endMs) throw new Error(`not within ${withinMs} ms: ${what}`);
      await this.clock.advance(1);
    }
  }

  /** Ends everything; what is left on the clock is a leak. */
  async close(): Promise<void> {
    for (const client of this.clients) client.disconnects();
    await this.clock.advance(60_000);
    for (const worker of this.alive) worker.die();
    await this.clock.advance(60_000);
    if (this.clock.pending > 0) throw new Error(`${this.clock.pending} timers were left`);
    if (this.bugs.length > 0) {
      throw new Error(`bugs in actors: ${this.bugs.map(({ key, bug }) => `${key}: ${bug}`)}`);
    }
  }

  /** Every other worker is on the other one of two hosts. */
  #slotAt(n: number): string {
    return this.#isOlder ? `host/${n}` : `host${n % 2}/${Math.floor(n / 2)}`;
  }

  #announceView(): void {
    const workers = this.alive
      .map(({ incarnation, slot }) => ({ incarnation, slot }))
      .sort((a, b) => (a.slot < b.slot ? -1 : 1));
    const placement = this.#isOlder ? {} : { placement: PLACEMENT };
    const number = ++this.#viewNumber;
    const view: View = { number, workers, draining: [], away: [], ...placement };
    this.switchboard.announce(frame(FRAME.view, { view: view.number, body: JSON.stringify(view) }));
  }

  async #conversation(
    kind: "direct" | "group",
    members: UserId[],
    title: string | null,
  ): Promise<ConversationId> {
    const store = this.storage.ports.conversations;
    const made = await store.create(kind, members[0]!, members, title);
    if (!made.ok) throw new Error(made.error.message);
    return asConversationId(made.value.conversation.id);
  }
}

/** What a command was answered. */
export type Answer =
  | { ok: true; value: Record<string, unknown> }
  | { ok: false; error: ErrorObject };

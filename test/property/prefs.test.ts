/**
 * [PFS4] Whatever happens, all sessions of a user come to the same preferences, those in storage.
 * [PFS5] A session receives changes by rising `prefs_rev`, and none both by its acknowledgement
 *        and as an event. Without faults none is missing; with faults only numbers whose change
 *        a later one of the same conversation has replaced.
 *
 * Random histories of a simulated cluster: one user's sessions on several workers change
 * preferences, write drafts and send, the user leaves groups and comes back, workers die. A seed
 * that fails is printed; TEST_SEED=… runs one seed.
 */
import { describe, expect, test } from "vitest";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Prefs, PrefsChange } from "../../src/protocol/prefs.ts";
import { type SimWorker, World } from "../support/actor-world.ts";
import { chanceFrom, seedFor } from "../support/random.ts";
import type { SimClient } from "../support/sim-client.ts";

const RUNS = Number(process.env["TEST_RUNS"] ?? 10);
const LIMIT_MS = 120_000 * Math.max(1, RUNS / 10);
const STEPS = 80;
const PAUSE_MS_MAX = 400;

/** What an application with one session after another knows. */
class Device {
  readonly client: SimClient;
  readonly prefs = new Map<string, Prefs>();
  rev = 0;
  /** The numbers of the present session's events, and of the changes that it made. */
  events: number[] = [];
  acks = new Set<number>();
  isSynced = false;
  #taken = 0;
  #session = "";

  constructor(client: SimClient) {
    this.client = client;
  }

  /** Takes the events that have come since. */
  hears(): void {
    const { heard } = this.client;
    for (; this.#taken < heard.length; this.#taken++) {
      const { name, body } = heard[this.#taken]!;
      if (name !== "prefs_updated") continue;
      const prefs = body as Prefs;
      expect(prefs.prefs_rev).toBeGreaterThan(this.events.at(-1) ?? 0);
      this.events.push(prefs.prefs_rev);
      this.takes(prefs);
    }
  }

  takes(prefs: Prefs): void {
    const known = this.prefs.get(prefs.conversation_id);
    if (known !== undefined && known.prefs_rev > prefs.prefs_rev) return;
    this.prefs.set(prefs.conversation_id, prefs);
  }

  /** After each `ready`. */
  async syncs(): Promise<void> {
    this.hears();
    if (!this.client.isReady || this.client.session === this.#session) return;
    this.#session = this.client.session;
    this.events = [];
    this.acks = new Set();
    const payload = { conversations: [], complete: false, prefs_after_rev: this.rev };
    const answer = await this.client.says("sync", payload);
    if (!answer.ok) {
      this.#session = "";
      return;
    }
    for (const prefs of answer.value["prefs"] as Prefs[]) {
      this.takes(prefs);
      this.rev = prefs.prefs_rev;
    }
  }
}

class PrefsHistory {
  readonly world: World;
  readonly #faults: boolean;
  readonly #rooms: ConversationId[] = [];
  #ann!: UserId;
  #bob!: SimClient;
  #devices: Device[] = [];
  #sent = 0;

  constructor(seed: number, faults: boolean) {
    this.world = new World(seed);
    this.#faults = faults;
  }

  async run(): Promise<void> {
    const { world } = this;
    for (let n = 0; n < 3; n++) world.addWorker();
    await world.passes(50);
    const [ann, bob] = (await world.users(2)) as [UserId, UserId];
    this.#ann = ann;
    for (let n = 0; n < 3; n++) this.#rooms.push(await world.group([bob, ann]));
    this.#rooms.push(await world.direct([ann, bob]));
    this.#bob = await world.connected(bob);
    for (const worker of world.alive) {
      const client = world.client(ann);
      client.contract = "1.1";
      client.connects(worker);
      await world.until("a device is ready", () => client.isReady);
      this.#devices.push(new Device(client));
    }
    for (let step = 0; step < STEPS; step++) {
      await this.#step();
      await world.passes(world.chance(PAUSE_MS_MAX));
      await this.#comesBack();
    }
    if (this.#faults) await this.#diesSpeaking();
    // Drafts become changes, acknowledgements give up waiting, looks after a death are over.
    await world.passes(15_000);
    await this.#comesBack();
    await world.passes(5_000);
    await this.#check();
  }

  async #comesBack(): Promise<void> {
    const { world } = this;
    for (const { client } of [...this.#devices, { client: this.#bob }]) {
      if (!client.isConnected) client.connects(this.#pick(world.alive));
    }
    await world.until("everybody is back", () =>
      [...this.#devices.map(({ client }) => client), this.#bob].every((client) => client.isReady),
    );
    const syncing = Promise.all(this.#devices.map((device) => device.syncs()));
    let isDone = false;
    void syncing.then(() => {
      isDone = true;
    });
    await world.until("preferences are synced", () => isDone);
  }

  /** The user's actor dies about when it commits a change, which no later one brings to light. */
  async #diesSpeaking(): Promise<void> {
    const { world } = this;
    // A draft that became a change afterwards would show the gap.
    await world.passes(3_000);
    await this.#comesBack();
    const owner = world.alive[0]!.edge.exchange.placement.ownerOf(`user:${this.#ann}`);
    const away = this.#devices.filter(({ client }) => client.worker?.incarnation !== owner);
    if (away.length === 0) return;
    this.#sets(this.#pick(away), this.#rooms.at(-1)!);
    await world.passes(world.chance(40));
    this.#kills(world.alive.find(({ incarnation }) => incarnation === owner)!);
  }

  #kills(worker: SimWorker): void {
    this.world.killWorker(worker);
    this.world.addWorker();
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.world.chance(from.length)]!;
  }

  async #step(): Promise<void> {
    const { world } = this;
    const device = this.#pick(this.#devices);
    const room = this.#pick(this.#rooms);
    switch (world.chance(this.#faults ? 10 : 8)) {
      case 0:
        void device.client.sends(room, `m${++this.#sent}`);
        return;
      case 1:
        void device.client.says("set_prefs", {
          conversation_id: room,
          draft: world.chance(3) === 0 ? null : { body: `draft ${++this.#sent}` },
        });
        return;
      case 2: {
        const { gateway } = world.alive[0]!.edge.exchange;
        const change = { level: this.#pick(["all", "mentions", "none"] as const) };
        const body = { session: "" as const, conversation_id: room, change, draft_by: "" as const };
        void gateway.ask("user", this.#ann, "set_prefs", body);
        return;
      }
      case 4:
        // It may take away what was marked unread.
        if (!this.#faults) return;
        void device.client.says("mark_read", { conversation_id: room, seq: 1 + world.chance(4) });
        return;
      case 3:
        // Two actors publish then, so that a number can be replaced before it is read.
        if (!this.#faults) return;
        void this.#bob.changesMembers(
          room,
          world.chance(2) === 0 ? { remove: this.#ann } : { add: [this.#ann] },
        );
        return;
      case 8:
      case 9:
        this.#kills(this.#pick(world.alive));
        return;
      default:
        this.#sets(device, room);
    }
  }

  #sets(device: Device, room: ConversationId): void {
    const { world } = this;
    const change: PrefsChange = this.#pick([
      { pinned: world.chance(2) === 0 },
      { archived: world.chance(2) === 0 },
      // A send may take it away, so that two actors publish.
      this.#faults ? { unread_from_seq: 1 + world.chance(6) } : { archived: true },
      { cleared_before_seq: 1 + world.chance(6) },
      { muted_until: world.chance(2) === 0 ? "forever" : null },
    ]);
    const { acks, client } = device;
    void client.says("set_prefs", { conversation_id: room, ...change }).then((answer) => {
      if (!answer.ok) return;
      const { ok: _, ...prefs } = answer.value as unknown as Prefs & { ok?: true };
      acks.add(prefs.prefs_rev);
      device.takes(prefs);
    });
  }

  async #check(): Promise<void> {
    const stored = (await this.world.storage.queries.prefsAfter(this.#ann, 0, 1_000)).map(
      ({ prefs }) => prefs,
    );
    expect(stored.length).toBeGreaterThan(0);
    const newest = new Set(stored.map(({ prefs_rev }) => prefs_rev));
    for (const device of this.#devices) {
      device.hears();
      const known = [...device.prefs.values()].filter(({ prefs_rev }) => prefs_rev > 0);
      expect(known.sort((a, b) => a.prefs_rev - b.prefs_rev)).toEqual(stored);
      this.#checkNumbers(device, newest);
      expect(device.client.complaints).toEqual([]);
    }
  }

  /** [PFS5] */
  #checkNumbers({ events, acks }: Device, newest: ReadonlySet<number>): void {
    const all = new Set([...events, ...acks]);
    const first = events[0];
    const last = Math.max(...newest);
    if (first === undefined) return;
    for (let rev = first; rev <= last; rev++) {
      if (!this.#faults || newest.has(rev)) expect(all).toContain(rev);
    }
  }
}

async function holds(seed: number, faults: boolean): Promise<void> {
  const history = new PrefsHistory(seed, faults);
  try {
    await history.run();
    await history.world.close();
  } catch (error) {
    throw new Error(`TEST_SEED=${seed}`, { cause: error });
  }
}

function seeds(title: string): number[] {
  const seed = seedFor(title);
  if (process.env["TEST_SEED"] !== undefined) return [seed];
  const chance = chanceFrom(seed);
  return Array.from({ length: RUNS }, () => chance(2 ** 32));
}

describe("one user's preferences", () => {
  test(
    "[PFS4] [PFS5] without faults every change reaches every session",
    async () => {
      for (const seed of seeds("calm preferences")) await holds(seed, false);
    },
    LIMIT_MS,
  );

  test(
    "[PFS4] [PFS5] memberships that end and workers that die leave all sessions with the same",
    async () => {
      for (const seed of seeds("rough preferences")) await holds(seed, true);
    },
    LIMIT_MS,
  );
});

/**
 * A random history of SDK clients that use what hangs on messages and conversations (reactions,
 * threads, preferences, drafts, streamed messages) and an application's actors, over networks that
 * come and go. When it has come to rest, what each client shows is what the server answers. All
 * chance comes from the seed.
 */
import { expect } from "vitest";
import type { AppRunner } from "../../actors/app-ports.ts";
import { defineActor, Type } from "../../src/actor/api.ts";
import { KindOfActor } from "../../src/actor/turns.ts";
import { type ActorHandle, actorOf, type TypedActor } from "../../src/client/actors.ts";
import { createPrefs, type OwnPrefs } from "../../src/client/prefs.ts";
import { react } from "../../src/client/reactions.ts";
import { createStreams, type Streams, type Writing } from "../../src/client/streams.ts";
import { createThreads, type Threads } from "../../src/client/threads.ts";
import { AppKinds } from "../../src/protocol/app-kinds.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { GRACE_MS, World } from "../support/actor-world.ts";
import { SimSdk } from "../support/sim-sdk.ts";

const USERS = 3;
const CLIENTS_A_USER = 2;
const WORKERS_MAX = 4;
const PAUSE_MS_MAX = 60;
const REST_MS = 2 * GRACE_MS + 60_000;
const DUE_EVERY_MS = 2_000;
const KEYS = ["👍", "👀", "🎉"];
const TALLIES = ["a", "b"];
const ALL = 1_000;

type Tally = TypedActor<{
  view: { n: number };
  args: { add: Record<string, never> };
  results: { add: number };
  events: { counted: { n: number } };
}>;

const kind = new KindOfActor(
  defineActor({
    kind: "tally",
    version: 1,
    holdsUsers: false,
    state: Type.Object({ n: Type.Integer() }),
    create: { args: Type.Object({}), run: () => ({ n: 0 }) },
    view: (state) => state,
    events: { counted: Type.Object({ n: Type.Integer() }) },
    actions: {
      add: {
        run(ctx) {
          ctx.state.n++;
          ctx.emit("counted", { n: ctx.state.n });
          return ctx.state.n;
        },
      },
    },
  }),
);
const apps: AppRunner = {
  kinds: new AppKinds([kind.describe()]),
  run: async (batch) => kind.run(batch),
  fetch: () => null,
};
// The events count on from what is held: one that is missed or comes twice shows.
const shared = {
  kind: "tally",
  apply: ({ n }: { n: number }, _: "counted", event: { n: number }) => ({
    n: event.n === n + 1 ? event.n : Number.NaN,
  }),
};

interface Device {
  sdk: SimSdk;
  prefs: OwnPrefs;
  streams: Streams;
  threads: Threads;
  tallies: Map<string, ActorHandle<NonNullable<Tally["types"]>>>;
  /** Ends of subscriptions to actors and of opened conversations, by key and id. */
  ends: Map<string, () => void>;
}

export class SdkPartsHistory {
  readonly world: World;
  readonly #devices: Device[] = [];
  readonly #steps: number;
  readonly #workersDie: boolean;
  readonly #threads = new Set<string>();
  readonly #writings: Writing[] = [];
  #underWay = 0;
  #users: UserId[] = [];
  #rooms: ConversationId[] = [];

  constructor(seed: number, steps: number, workersDie: boolean) {
    this.world = new World(seed, { apps });
    this.#steps = steps;
    this.#workersDie = workersDie;
  }

  async run(): Promise<void> {
    const { world } = this;
    for (let n = 0; n < 3; n++) world.addWorker();
    await world.passes(50);
    this.#users = await world.users(USERS);
    const [one, two] = this.#users as [UserId, UserId];
    this.#rooms = [
      await world.group(this.#users),
      await world.group(this.#users),
      await world.direct([one, two]),
    ];
    for (const user of this.#users) {
      for (let n = 0; n < CLIENTS_A_USER; n++) this.#devices.push(this.#device(user));
    }
    await world.until("all clients are online", () => this.#areOnline, 60_000);
    for (const tally of this.#devices[0]!.tallies.values()) this.#goesOn(tally.create({}));
    await world.until("all actors are made", () => this.#underWay === 0);
    for (let step = 0; step < this.#steps; step++) {
      this.#step();
      await world.passes(world.chance(PAUSE_MS_MAX));
      if (step % 40 === 0) await this.#findsDue();
    }
    await this.#comeToRest();
  }

  async close(): Promise<void> {
    for (const { sdk } of this.#devices) sdk.client.close();
    await this.world.close();
  }

  #device(user: UserId): Device {
    const { clock } = this.world;
    const sdk = new SimSdk(this.world, user);
    const { client } = sdk;
    return {
      sdk,
      prefs: createPrefs(client, clock),
      streams: createStreams(client, clock),
      threads: createThreads(client, clock),
      tallies: new Map(TALLIES.map((key) => [key, actorOf<Tally>(client, shared, key, clock)])),
      ends: new Map(),
    };
  }

  #step(): void {
    const { world } = this;
    const { chance } = world;
    const device = this.#oneOf(this.#devices);
    const { sdk } = device;
    const room = this.#oneOf(this.#rooms);
    const seq = 1 + chance(12);
    const dice = chance(100);
    if (dice < 14) void sdk.client.send(room, "something").committed.catch(ignored);
    else if (dice < 32) {
      const reaction = { conversation_id: room, seq, key: this.#oneOf(KEYS) };
      react(sdk.client, { ...reaction, on: chance(3) > 0 }).catch(ignored);
    } else if (dice < 44) this.#usesThreads(device, room, seq);
    else if (dice < 56) this.#setsPrefs(device, room, seq);
    else if (dice < 66) this.#writes(device, room);
    else if (dice < 74) this.#usesActors(device);
    else if (dice < 77) this.#opensOrCloses(device, room);
    else if (dice < 80) this.#changesMembers(this.#rooms[chance(2)]!);
    else if (dice < 86) sdk.drops();
    else if (dice < 90) sdk.losesNetwork();
    else if (dice < 96) sdk.returns();
    else if (dice < 98) this.#killsWorker();
    else if (world.alive.length < WORKERS_MAX) world.addWorker();
  }

  #usesThreads({ sdk, threads }: Device, room: ConversationId, seq: number): void {
    const { chance } = this.world;
    const known = [...this.#threads];
    const dice = chance(4);
    if (known.length === 0 || dice === 0) {
      threads.of(room, seq).then((id) => this.#threads.add(id), ignored);
    } else if (dice === 1) {
      threads.follow(this.#oneOf(known), chance(2) === 0).catch(ignored);
    } else void sdk.client.send(this.#oneOf(known), "a reply").committed.catch(ignored);
  }

  #setsPrefs({ prefs }: Device, room: ConversationId, seq: number): void {
    const { chance } = this.world;
    const dice = chance(5);
    if (dice === 0) prefs.draft(room, chance(3) === 0 ? null : { body: `draft ${chance(1_000)}` });
    else if (dice === 1) prefs.set(room, { unread_from_seq: seq }).catch(ignored);
    else if (dice === 2) prefs.set(room, { archived: chance(2) === 0 }).catch(ignored);
    else prefs.set(room, { pinned: chance(2) === 0 }).catch(ignored);
  }

  #writes({ streams }: Device, room: ConversationId): void {
    const { chance } = this.world;
    const writing = this.#writings[chance(4)];
    if (writing === undefined) {
      this.#goesOn(
        streams.begin(room, { body: "It begins" }).then((begun) => {
          this.#writings.push(begun);
        }),
      );
    } else if (chance(4) > 0) writing.append(` and ${chance(100)}`);
    else {
      this.#writings.splice(this.#writings.indexOf(writing), 1);
      this.#goesOn(writing.end());
    }
  }

  #usesActors({ tallies, ends }: Device): void {
    const { chance } = this.world;
    const key = this.#oneOf(TALLIES);
    const tally = tallies.get(key)!;
    const end = ends.get(key);
    if (chance(3) > 0) tally.call("add", {}).catch(ignored);
    else if (end === undefined) ends.set(key, tally.subscribe(ignored));
    else {
      end();
      // As a component that is shown again at once, such as in React's strict mode.
      if (chance(2) === 0) ends.set(key, tally.subscribe(ignored));
      else ends.delete(key);
    }
  }

  #opensOrCloses({ sdk, ends }: Device, room: ConversationId): void {
    const end = ends.get(room);
    if (end === undefined) ends.set(room, sdk.client.open(room));
    else {
      end();
      ends.delete(room);
    }
  }

  /** As over HTTP, by somebody who can. */
  #changesMembers(room: ConversationId): void {
    const { world } = this;
    const { gateway } = this.#oneOf(world.alive).edge.exchange;
    const { members } = world.storage.tables.conversations.get(room)!;
    const member = this.#oneOf([...members.keys()]);
    const other = this.#oneOf(this.#users);
    if (member === undefined) return;
    const acting = { user: member as UserId, session: "" as const };
    if (world.chance(3) > 0) {
      void gateway.ask("conversation", room, "add_members", { ...acting, user_ids: [other] });
    } else {
      void gateway.ask("conversation", room, "remove_member", { ...acting, user_id: other });
    }
  }

  #killsWorker(): void {
    const { world } = this;
    if (!this.#workersDie || world.alive.length < 2) return;
    const worker = this.#oneOf(world.alive);
    world.killWorker(worker);
    for (const { sdk } of this.#devices) sdk.workerDied(worker);
  }

  /** What a host looks for every second: streams and summaries whose worker has died. */
  async #findsDue(): Promise<void> {
    const { storage, alive } = this.world;
    const { gateway } = this.#oneOf(alive).edge.exchange;
    for (const id of await storage.queries.claimStreams(ALL, DUE_EVERY_MS)) {
      gateway.tell("conversation", id, "streams_due", {});
    }
    for (const { parent, seq } of await storage.queries.claimSummaries(ALL, DUE_EVERY_MS)) {
      gateway.tell("conversation", parent, "thread_changed", { seq });
    }
  }

  async #comeToRest(): Promise<void> {
    const { world } = this;
    for (const { sdk, tallies, ends } of this.#devices) {
      sdk.returns();
      sdk.client.retryNow();
      for (const room of this.#rooms) {
        if (!ends.has(room)) ends.set(room, sdk.client.open(room));
      }
      for (const [key, tally] of tallies) {
        if (!ends.has(key)) ends.set(key, tally.subscribe(ignored));
      }
    }
    await world.until("all clients are online again", () => this.#areOnline, 60_000);
    for (const writing of this.#writings.splice(0)) this.#goesOn(writing.end());
    await world.until("all streams have ended", () => this.#underWay === 0, 120_000);
    for (let ms = 0; ms < REST_MS; ms += DUE_EVERY_MS) {
      await world.passes(DUE_EVERY_MS);
      await this.#findsDue();
    }
    await world.until("all are online still", () => this.#areOnline, 60_000);
    await world.passes(5_000);
  }

  async check(): Promise<void> {
    for (const [n, device] of this.#devices.entries()) {
      await this.#checkDevice(`client ${n} (user ${device.sdk.user})`, device);
    }
  }

  async #checkDevice(who: string, { sdk, prefs, threads, tallies }: Device): Promise<void> {
    const { client, user, errors } = sdk;
    const { queries, tables } = this.world.storage;
    expect(errors, `${who}: errors`).toEqual([]);

    const list = await queries.conversations(user, ALL, null);
    const views = client.conversations.get();
    expect(sortedIds(views), `${who}: conversations`).toEqual(sortedIds(list!.items));
    const followed = await queries.threads(user, false, ALL, null);
    expect(sortedIds(threads.followed.get()), `${who}: followed threads`).toEqual(
      sortedIds(followed!.items),
    );
    for (const stored of [...list!.items, ...followed!.items]) {
      const { id } = stored;
      const where = `${who}, ${stored.kind} ${id}`;
      const view = client.conversation(id).get()!;
      expect(view.conversation.rev, `${where}: rev`).toBe(stored.rev);
      expect(view.unread, `${where}: unread`).toBe(stored.unread_count);
      const first = view.messages[0]?.seq ?? 1;
      const window = { beforeSeq: null, afterSeq: first - 1, limit: ALL };
      const page = (await queries.history(user, id as ConversationId, window))!.value();
      expect(view.messages, `${where}: messages`).toEqual(page.items);
      if (!view.isLoaded) continue;
      const own = (page.own_reactions ?? []).map(({ seq, keys }) => [seq, [...keys].sort()]);
      const shown = [...view.ownReactions].map(([seq, keys]) => [seq, [...keys].sort()] as const);
      expect(
        shown.filter(([seq]) => seq >= first).sort(([a], [b]) => a - b),
        `${where}: own reactions`,
      ).toEqual(own);
    }

    const known = [...prefs.all.get().values()].filter(isTold);
    const stored = (await queries.prefsAfter(user, 0, ALL)).map((one) => one.prefs).filter(isTold);
    expect(sortedPrefs(known), `${who}: preferences`).toEqual(sortedPrefs(stored));

    for (const [key, tally] of tallies) {
      const state = tables.apps.get(`tally:${key}`)?.state ?? null;
      expect(tally.get(), `${who}: actor ${key}`).toEqual(state && JSON.parse(state));
    }
  }

  get #areOnline(): boolean {
    return this.#devices.every(({ sdk }) => sdk.isOnline);
  }

  #goesOn(work: Promise<unknown>): void {
    this.#underWay++;
    const done = () => {
      this.#underWay--;
    };
    // A refusal, such as of one who is no member any more, is an end as well.
    work.then(done, done);
  }

  #oneOf<T>(list: readonly T[]): T {
    return list[this.world.chance(list.length)]!;
  }
}

/** Not one's own, not there, or not to be reached: all of them are answers. */
const ignored = () => undefined;

const sortedIds = (list: readonly Pick<Conversation, "id">[]) => list.map(({ id }) => id).sort();

type Told = { conversation_id: string; removed?: boolean | undefined };
const isTold = ({ removed }: Told): boolean => removed !== true;
const sortedPrefs = <T extends Told>(list: readonly T[]): T[] =>
  [...list].sort((a, b) => (a.conversation_id < b.conversation_id ? -1 : 1));

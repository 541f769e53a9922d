/**
 * A random history of SDK clients whose networks come and go, and what must hold when it has
 * come to rest: what each client shows is what the server has. All chance comes from the seed.
 */
import { expect } from "vitest";
import type { Sending } from "../../src/client/outbox.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Message } from "../../src/protocol/schemas.ts";
import { countsAsUnread } from "../../src/protocol/unread.ts";
import { GRACE_MS, World } from "../support/actor-world.ts";
import { SimSdk } from "../support/sim-sdk.ts";

const USERS = 4;
const CLIENTS_A_USER = 2;
const WORKERS_MAX = 4;
const PAUSE_MS_MAX = 40;
const REST_MS = 2 * GRACE_MS + 40_000;

interface Sent {
  sdk: SimSdk;
  room: ConversationId;
  sending: Sending;
  /** What became of it. */
  end: "unsettled" | "committed" | "refused";
}

export class SdkHistory {
  readonly world: World;
  readonly sdks: SimSdk[] = [];
  readonly #steps: number;
  readonly #workersDie: boolean;
  readonly #sent: Sent[] = [];
  readonly #closers = new Map<SimSdk, Map<ConversationId, () => void>>();
  #users: UserId[] = [];
  #rooms: ConversationId[] = [];

  constructor(seed: number, steps: number, workersDie: boolean) {
    this.world = new World(seed);
    this.#steps = steps;
    this.#workersDie = workersDie;
  }

  async run(): Promise<void> {
    const { world } = this;
    for (let n = 0; n < 3; n++) world.addWorker();
    await world.passes(50);
    const users = await world.users(USERS);
    this.#users = users;
    this.#rooms = [
      await world.group(users),
      await world.group(users.slice(0, 3)),
      await world.direct([users[0]!, users[1]!]),
    ];
    for (const user of users) {
      for (let n = 0; n < CLIENTS_A_USER; n++) this.#begins(user);
    }
    for (let step = 0; step < this.#steps; step++) {
      await this.#step();
      await world.passes(world.chance(PAUSE_MS_MAX));
    }
    await this.#comeToRest();
  }

  async close(): Promise<void> {
    for (const sdk of this.sdks) sdk.client.close();
    await this.world.close();
  }

  #begins(user: UserId): void {
    const sdk = new SimSdk(this.world, user);
    sdk.presence.watch(this.#users);
    this.sdks.push(sdk);
    this.#closers.set(sdk, new Map());
  }

  async #step(): Promise<void> {
    const { world } = this;
    const { chance } = world;
    const sdk = this.#oneOf(this.sdks);
    const room = this.#oneOf(this.#rooms);
    const dice = chance(100);
    if (dice < 34) this.#sends(sdk, room);
    else if (dice < 42) this.#changesMessage(sdk, room);
    else if (dice < 50) sdk.client.markRead(room, 1 + chance(20));
    else if (dice < 58) sdk.typing.touch(room);
    else if (dice < 62) this.#opensOrCloses(sdk, room);
    else if (dice < 66) void sdk.client.loadOlder(room, 3).catch(() => undefined);
    else if (dice < 74) void this.#changesMembers(this.#rooms[chance(2)]!);
    else if (dice < 82) sdk.drops();
    else if (dice < 87) sdk.losesNetwork();
    else if (dice < 93) sdk.returns();
    else if (dice < 96) this.#killsWorker();
    else if (dice < 99 && world.alive.length < WORKERS_MAX) world.addWorker();
    else await this.#makesGroup();
  }

  #sends(sdk: SimSdk, room: ConversationId): void {
    const body = `${this.#sent.length} of ${sdk.user}`;
    const sent: Sent = { sdk, room, sending: sdk.client.send(room, body), end: "unsettled" };
    this.#sent.push(sent);
    sent.sending.committed.then(
      () => {
        sent.end = "committed";
      },
      () => {
        sent.end = "refused";
      },
    );
  }

  #changesMessage(sdk: SimSdk, room: ConversationId): void {
    const seq = 1 + this.world.chance(30);
    const change =
      this.world.chance(3) === 0
        ? sdk.client.remove(room, seq)
        : sdk.client.edit(room, seq, `edit of ${seq}`);
    // Not one's own, not there, or not to be reached: all of them are answers.
    change.catch(() => undefined);
  }

  #opensOrCloses(sdk: SimSdk, room: ConversationId): void {
    const closers = this.#closers.get(sdk)!;
    const close = closers.get(room);
    if (close === undefined) closers.set(room, sdk.client.open(room));
    else {
      close();
      closers.delete(room);
    }
  }

  /** As over HTTP, by somebody who can. */
  async #changesMembers(room: ConversationId): Promise<void> {
    const { world } = this;
    const worker = this.#oneOf(world.alive);
    const stored = world.storage.tables.conversations.get(room)!;
    const member = this.#oneOf([...stored.members.keys()]);
    const other = this.#oneOf(this.#users);
    if (member === undefined) return;
    const acting = { user: member as UserId, session: "" as const };
    const { gateway } = worker.edge.exchange;
    if (world.chance(3) > 0) {
      await gateway.ask("conversation", room, "add_members", { ...acting, user_ids: [other] });
    } else {
      await gateway.ask("conversation", room, "remove_member", { ...acting, user_id: other });
    }
  }

  /** A user starts a group of all through their actor, so that its event is published. */
  async #makesGroup(): Promise<void> {
    const worker = this.#oneOf(this.world.alive);
    const [user, ...others] = this.#users;
    if (this.#rooms.length > 5) return;
    void worker.edge.exchange.gateway
      .ask("user", user!, "create_conversation", { member_ids: others, title: "Another" })
      .then((made) => {
        if (made.ok) this.#rooms.push(made.value.conversation.id as ConversationId);
      });
  }

  #killsWorker(): void {
    const { world } = this;
    if (!this.#workersDie || world.alive.length < 2) return;
    const worker = this.#oneOf(world.alive);
    world.killWorker(worker);
    for (const sdk of this.sdks) sdk.workerDied(worker);
  }

  async #comeToRest(): Promise<void> {
    const { world } = this;
    for (const sdk of this.sdks) {
      sdk.returns();
      sdk.client.retryNow();
      for (const room of this.#rooms) {
        const closers = this.#closers.get(sdk)!;
        if (!closers.has(room)) closers.set(room, sdk.client.open(room));
      }
    }
    await world.until(
      "all clients are online",
      () => this.sdks.every((sdk) => sdk.isOnline),
      60_000,
    );
    await world.passes(REST_MS);
    await world.until("all are online still", () => this.sdks.every((sdk) => sdk.isOnline), 60_000);
    if (!this.#workersDie) return;
    // A receipt of a group can die with its actor's worker; then the next join tells of it.
    for (const closers of this.#closers.values()) for (const close of closers.values()) close();
    for (const sdk of this.sdks) for (const room of this.#rooms) sdk.client.open(room);
    await world.passes(5_000);
  }

  check(): void {
    this.#checkSent();
    for (const [n, sdk] of this.sdks.entries()) this.#checkClient(`client ${n}`, sdk);
  }

  /** Every message once; those of one client in one conversation in the order of the sends. */
  #checkSent(): void {
    const { conversations } = this.world.storage.tables;
    for (const { room, sending, end } of this.#sent) {
      const { messages } = conversations.get(room)!;
      const found = messages.filter(({ client_id }) => client_id === sending.clientId).length;
      expect(end, `the end of ${sending.clientId}`).not.toBe("unsettled");
      // A refusal may be of the membership's end, after a commit whose answer was lost.
      if (end === "committed") expect(found, `${sending.clientId} was acknowledged`).toBe(1);
    }
    for (const room of this.#rooms) {
      const { messages } = conversations.get(room)!;
      for (const sdk of this.sdks) {
        const order = this.#sent
          .filter((one) => one.sdk === sdk && one.room === room)
          .map(({ sending }) => sending.clientId);
        const stored = messages
          .filter(({ client_id }) => order.includes(client_id ?? ""))
          .map(({ client_id }) => client_id);
        expect(stored, `in the order of the sends of ${room}`).toEqual(
          order.filter((clientId) => stored.includes(clientId)),
        );
      }
    }
  }

  #checkClient(who: string, sdk: SimSdk): void {
    const { client, user, told, errors } = sdk;
    expect(errors, `${who}: errors`).toEqual([]);
    const { conversations } = this.world.storage.tables;
    const own = [...conversations.values()].filter((stored) => stored.members.has(user));
    const views = client.conversations.get();
    expect(views.map(({ id }) => id).sort(), `${who}: conversations`).toEqual(
      own.map(({ id }) => id).sort(),
    );
    for (const stored of own) {
      const view = views.find(({ id }) => id === stored.id)!;
      const where = `${who} (user ${user}), conversation ${stored.id}`;
      expect(view.conversation.rev, `${where}: rev`).toBe(stored.rev);
      expect(view.conversation.last_seq, `${where}: last_seq`).toBe(stored.messages.length);
      expect(view.typing, `${where}: typing`).toEqual([]);
      const members = [...stored.members.values()].map(({ userId, deliveredSeq, readSeq }) => ({
        user_id: userId,
        delivered_seq: deliveredSeq,
        read_seq: readSeq,
      }));
      expect(sorted(view.conversation.members), `${where}: members`).toEqual(sorted(members));
      const readSeq = stored.members.get(user)!.readSeq;
      const unread = stored.messages.slice(readSeq).filter(countsAsUnread).length;
      expect(view.unread, `${where}: unread`).toBe(unread);
      expect(view.isLoaded, `${where}: loaded`).toBe(true);
      expect(view.messages.map(shown), `${where}: messages`).toEqual(
        stored.messages.slice(stored.messages.length - view.messages.length).map(shown),
      );
      expect(view.hasOlder, `${where}: older`).toBe(view.messages.length < stored.messages.length);
      if (stored.messages.length > 0) expect(view.messages.length, where).toBeGreaterThan(0);
      expect(
        view.outgoing.filter(({ problem }) => problem === null),
        `${where}: outbox`,
      ).toEqual([]);
    }
    for (const [room, messages] of told) {
      const seqs = messages.map(({ seq }) => seq);
      expect(seqs, `${who}: told of ${room} once and in order`).toEqual(
        [...new Set(seqs)].sort((a, b) => a - b),
      );
    }
    for (const other of this.#users) {
      expect(sdk.presence.of(other).get()?.status, `${who}: status of ${other}`).toBe("online");
    }
  }

  #oneOf<T>(list: readonly T[]): T {
    return list[this.world.chance(list.length)]!;
  }
}

const shown = ({ seq, rev, body }: Message): string => `${seq} ${rev} ${body}`;

function sorted<T extends { user_id: string }>(members: readonly T[]): T[] {
  return [...members].sort((a, b) => (a.user_id < b.user_id ? -1 : 1));
}

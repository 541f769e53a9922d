/**
 * A random history of a simulated cluster, and what must hold when it has come to rest. All
 * chance comes from the world's seed.
 */
import { expect } from "vitest";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Message, PresenceStatus, Reacted } from "../../src/protocol/schemas.ts";
import { ownReactionsIn, reactionCounts } from "../../src/storage/memory/reactions.ts";
import { GRACE_MS, World } from "../support/actor-world.ts";
import type { SimClient } from "../support/sim-client.ts";

const USERS = 5;
const CLIENTS_A_USER = 2;
const WORKERS_MAX = 4;
const PAUSE_MS_MAX = 25;
/** A worker is missed, settling, the grace period and the last typing silence are over. */
const REST_MS = 2 * GRACE_MS + 5_000;

interface Sent {
  user: UserId;
  room: ConversationId;
  clientId: string;
  isSettled: boolean;
  isAcked: boolean;
}

export interface HistoryOptions {
  steps: number;
  /** Whether workers die and sessions end. */
  faults: boolean;
  /** Whether titles change too, and messages are edited twice at once. */
  busy?: boolean;
  /** Whether users react to messages, and every other client speaks 1.1. */
  reacting?: boolean;
  /** The seed was found while actors were placed without shards. */
  isOlder?: boolean;
}

export class History {
  readonly world: World;
  readonly #options: HistoryOptions;
  readonly #sent: Sent[] = [];
  readonly #left = new Map<SimClient, Set<ConversationId>>();
  readonly #aways = new Map<SimClient, PresenceStatus>();
  #users: UserId[] = [];
  #rooms: ConversationId[] = [];

  constructor(seed: number, options: HistoryOptions) {
    this.world = new World(seed, { isOlder: options.isOlder === true });
    this.#options = options;
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
      await world.direct([users[0]!, users[4]!]),
    ];
    for (const user of users) {
      for (let n = 0; n < CLIENTS_A_USER; n++) {
        const client = world.client(user);
        if (this.#options.reacting === true && n % 2 === 0) client.contract = "1.1";
      }
    }
    if (!this.#options.faults) await this.#allConnect();
    for (let step = 0; step < this.#options.steps; step++) {
      this.#step();
      await world.passes(world.chance(PAUSE_MS_MAX));
    }
    await this.#comeToRest();
  }

  #step(): void {
    const { world } = this;
    const { chance } = world;
    const client = this.#oneOf(world.clients);
    const room = this.#oneOf(this.#rooms);
    if (this.#options.busy === true && client.isConnected && chance(10) === 0) {
      void client.retitles(this.#rooms[chance(2)]!, `title ${chance(3)}`);
    }
    if (!client.isConnected) {
      if (client.worker === null || client.worker.isDead) this.#connects(client);
      return;
    }
    if (this.#options.reacting === true && chance(2) === 0) {
      void this.#reacts(client, room);
      return;
    }
    const dice = chance(100);
    if (dice < 34) this.#sends(client, room, `c${this.#sent.length}`);
    else if (dice < 40) this.#repeats(client);
    else if (dice < 48) void this.#edits(client, room);
    else if (dice < 52) void this.#deletes(client, room);
    else if (dice < 62) void this.#marks(client, room);
    else if (dice < 74) {
      void client.says("typing", { conversation_id: room, is_typing: chance(4) > 0 });
    } else if (dice < 78) {
      const status = chance(2) === 0 ? "away" : "online";
      this.#aways.set(client, status);
      void client.says("set_status", { status });
    } else if (dice < 83) this.#changesMembers(client, this.#rooms[chance(2)]!);
    else if (dice < 86) void this.#leavesOrJoins(client, room);
    else if (!this.#options.faults) return;
    else if (dice < 94) {
      client.disconnects();
    } else if (dice < 97) {
      if (world.alive.length > 1) world.killWorker(this.#oneOf(world.alive));
    } else if (world.alive.length < WORKERS_MAX) world.addWorker();
  }

  #sends(client: SimClient, room: ConversationId, clientId: string): void {
    const sent: Sent = { user: client.user, room, clientId, isSettled: false, isAcked: false };
    this.#sent.push(sent);
    this.#attempts(client, sent);
  }

  /** A send that may be on its way, or done, once more: from the same or another session. */
  #repeats(client: SimClient): void {
    const own = this.#sent.filter((sent) => sent.user === client.user);
    if (own.length > 0) this.#attempts(client, this.#oneOf(own));
  }

  #attempts(client: SimClient, sent: Sent): void {
    void client
      .sends(sent.room, sent.clientId, `${sent.clientId} of ${sent.user}`)
      .then((answer) => {
        if (answer.ok) sent.isAcked = true;
        if (answer.ok || answer.error.code === "not_found") sent.isSettled = true;
      });
  }

  async #edits(client: SimClient, room: ConversationId): Promise<void> {
    const seq = 1 + this.world.chance(12);
    const edits = async (body: string) => {
      const answer = await client.says("edit_message", { conversation_id: room, seq, body });
      if (!answer.ok) return;
      const { message } = answer.value as { message: Message };
      if (message.body !== body) client.complaints.push(`${body} was answered ${message.body}`);
    };
    const again = this.#options.busy === true ? [`edit ${seq} again`] : [];
    await Promise.all([`edit ${seq}`, ...again].map(edits));
  }

  async #reacts(client: SimClient, room: ConversationId): Promise<void> {
    const { chance } = this.world;
    const only = chance(8) === 0;
    const key = `k${chance(4)}`;
    const on = chance(3) > 0;
    const seq = 1 + chance(4);
    const answer = await client.says("react", {
      conversation_id: room,
      seq,
      key,
      on,
      ...(only && { only: true as const }),
    });
    if (!answer.ok) return;
    const { reactions } = answer.value as unknown as Reacted;
    const counts = reactions.map(({ count }) => count);
    if (counts.some((count) => count < 1 || count > USERS)) {
      client.complaints.push(`counts of ${counts.join()} for ${USERS} users`);
    }
  }

  async #deletes(client: SimClient, room: ConversationId): Promise<void> {
    const seq = 1 + this.world.chance(12);
    await client.says("delete_message", { conversation_id: room, seq });
  }

  async #marks(client: SimClient, room: ConversationId): Promise<void> {
    const { messages } = client.conversation(room);
    const seq = this.world.chance(messages.size + 1);
    const event = this.world.chance(2) === 0 ? "mark_read" : "mark_delivered";
    const answer = await client.says(event, { conversation_id: room, seq });
    if (!answer.ok) return;
    const { delivered_seq, read_seq } = answer.value as { delivered_seq: number; read_seq: number };
    if (delivered_seq < seq || (event === "mark_read" && read_seq < seq)) {
      client.complaints.push(`marked ${seq}, answered ${delivered_seq} and ${read_seq}`);
    }
  }

  #changesMembers(client: SimClient, room: ConversationId): void {
    const other = this.#oneOf(this.#users);
    const change = this.world.chance(3) > 0 ? { add: [other] } : { remove: other };
    void client.changesMembers(room, change);
  }

  async #leavesOrJoins(client: SimClient, room: ConversationId): Promise<void> {
    const left = this.#leftBy(client);
    if (!left.has(room)) {
      left.add(room);
      await client.says("leave_conversation", { conversation_id: room });
      client.conversation(room).typing.clear();
      return;
    }
    const { rev } = client.conversation(room);
    const join = { conversation_id: room, after_rev: rev, limit: 100 };
    const answer = await client.says("join_conversation", join);
    if (answer.ok) this.#left.get(client)?.delete(room);
  }

  #leftBy(client: SimClient): Set<ConversationId> {
    let left = this.#left.get(client);
    if (left === undefined) {
      left = new Set();
      this.#left.set(client, left);
    }
    return left;
  }

  #connects(client: SimClient): void {
    this.#left.delete(client);
    this.#aways.delete(client);
    client.connects(this.#oneOf(this.world.alive));
    const { clock } = this.world;
    clock.after(60, () => {
      if (client.isConnected) void client.says("watch_presence", { user_ids: this.#users });
    });
  }

  async #allConnect(): Promise<void> {
    const { world } = this;
    for (const client of world.clients) if (!client.isConnected) this.#connects(client);
    await world.until("all clients are ready", () => world.clients.every((one) => one.isReady));
  }

  async #comeToRest(): Promise<void> {
    const { world } = this;
    // One user stays away, whose end the others must have heard of.
    const gone = this.#users.at(-1)!;
    for (const client of world.clients) {
      if (client.user === gone) client.disconnects();
      else if (!client.isConnected) this.#connects(client);
    }
    const here = world.clients.filter((client) => client.user !== gone);
    await world.until("all clients are ready", () => here.every((client) => client.isReady));
    for (const client of here) void client.says("watch_presence", { user_ids: this.#users });
    for (const sent of this.#sent) {
      const client = here.find((one) => one.user === sent.user);
      if (!sent.isSettled && client !== undefined) this.#attempts(client, sent);
    }
    await world.passes(REST_MS);
  }

  /** What must hold of the store, and of every client that is connected. */
  check(): void {
    const complaints = this.world.clients.flatMap((client, n) =>
      client.complaints.map((complaint) => `client ${n} (user ${client.user}): ${complaint}`),
    );
    expect(complaints).toEqual([]);
    this.#checkStore();
    for (const client of this.world.clients) if (client.isConnected) this.#checkClient(client);
  }

  #checkStore(): void {
    const { conversations } = this.world.storage.tables;
    for (const room of this.#rooms) {
      const stored = conversations.get(room)!;
      expect(stored.messages.map(({ seq }) => seq)).toEqual(stored.messages.map((_, n) => n + 1));
      const revs = stored.messages.map(({ rev }) => rev);
      expect(new Set(revs).size, "every change has its own rev").toBe(revs.length);
      expect(Math.max(stored.metaRev, ...revs), "the newest change has the last rev").toBe(
        stored.rev,
      );
      const keys = stored.messages.map((message) => `${message.sender_id} ${message.client_id}`);
      expect(new Set(keys).size, "one message a client_id").toBe(keys.length);
      for (const { seq, reactions = [] } of stored.messages) {
        expect(reactions, `reactions to ${seq} equal their rows`).toEqual(
          reactionCounts(stored, seq, reactions),
        );
      }
      for (const { deliveredSeq, readSeq } of stored.members.values()) {
        expect(readSeq).toBeLessThanOrEqual(deliveredSeq);
        expect(deliveredSeq).toBeLessThanOrEqual(stored.messages.length);
      }
    }
    for (const { user, room, clientId, isAcked } of this.#sent) {
      if (!isAcked) continue;
      const found = conversations
        .get(room)!
        .messages.filter((one) => one.client_id === clientId && one.sender_id === user);
      expect(found, `${clientId} was acknowledged`).toHaveLength(1);
    }
  }

  #checkClient(client: SimClient): void {
    const who = `client ${this.world.clients.indexOf(client)}`;
    expect(
      client.answers.every((count) => count <= 1),
      `${who}: answered once`,
    ).toBe(true);
    for (const room of this.#rooms) {
      const stored = this.world.storage.tables.conversations.get(room)!;
      const isMember = stored.members.has(client.user);
      const known = client.conversation(room);
      expect([...known.typing], `${who}: typing in ${room} sticks`).toEqual([]);
      if (!isMember || this.#left.get(client)?.has(room)) continue;
      // Neither `reaction` nor the answer of `react` brings a message from before this user came.
      const isOlder = (seq: number) =>
        known.fromRev > 0 &&
        !known.messages.has(seq) &&
        stored.reactionChanges.some((change) => change.seq === seq);
      const theirs = [...known.messages.values()]
        .filter(({ rev }) => rev > known.fromRev)
        .sort((a, b) => a.seq - b.seq);
      const shown = (message: Message) =>
        `${message.seq} ${message.rev} ${message.body} ${JSON.stringify(message.reactions ?? [])}`;
      expect(theirs.map(shown), `${who}: messages of ${room} from ${known.fromRev}`).toEqual(
        stored.messages.filter(({ seq, rev }) => rev > known.fromRev && !isOlder(seq)).map(shown),
      );
      if (client.contract === "1") continue;
      for (const { seq } of theirs) {
        if (known.ownUnknown.has(seq)) continue;
        expect([...(known.own.get(seq) ?? [])].sort(), `${who}: own reactions to ${seq}`).toEqual(
          ownReactionsIn(stored, client.user, [seq]).flatMap(({ keys }) => keys.toSorted()),
        );
      }
    }
    for (const user of this.#users) {
      expect(client.statuses.get(user), `${who}: status of user ${user}`).toBe(this.#truth(user));
    }
  }

  #truth(user: UserId): PresenceStatus {
    const here = this.world.clients.filter((client) => client.user === user && client.isConnected);
    if (here.length === 0) return "offline";
    const statuses = here.map((client) => this.#aways.get(client) ?? "online");
    return statuses.includes("online") ? "online" : "away";
  }

  #oneOf<T>(list: readonly T[]): T {
    return list[this.world.chance(list.length)]!;
  }
}

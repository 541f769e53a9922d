/**
 * [CAC1] Whatever happens, a session receives each change of a conversation as its event, or a
 *        `conversation_activity` of that rev or a later one within 5 s.
 * [CAC2] Two activities of one conversation are at least 5 s apart in one session.
 * [CAC3] The conversation in which a user was active last is live in all their sessions.
 * [CAC4] An own change that was answered while its conversation was not live does not come as an
 *        event once it is: the client holds every packet against the acks it had (sim-client.ts).
 * [LIV1] No session has more live conversations than it may.
 *
 * Random histories of a simulated cluster in which a session may have three live conversations
 * and its user has more. A seed that fails is printed; TEST_SEED=… runs one seed.
 */
import { describe, expect, test } from "vitest";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { World } from "../support/actor-world.ts";
import { chanceFrom, seedFor } from "../support/random.ts";
import type { SimClient } from "../support/sim-client.ts";

const RUNS = Number(process.env["TEST_RUNS"] ?? 12);
const LIMIT_MS = 120_000 * Math.max(1, RUNS / 12);
const LIVE_MAX = 3;
const STEPS = 120;
const PAUSE_MS_MAX = 400;
const WITHIN_MS = 5_000;
/** For the lines and the store of the simulated cluster, which take their time. */
const ON_ITS_WAY_MS = 150;

interface Told {
  room: string;
  rev: number;
  atMs: number;
  /** It stands for every change up to its rev. */
  isSnapshot: boolean;
}

interface Window {
  client: SimClient;
  fromMs: number;
  toMs: number;
}

class LiveSetHistory {
  readonly world: World;
  readonly #faults: boolean;
  readonly #rooms: ConversationId[] = [];
  readonly #acks = new Map<SimClient, Told[]>();
  readonly #windows: Window[] = [];
  #ann!: UserId;
  #writers: SimClient[] = [];
  #watchers: SimClient[] = [];
  #lastActedIn: ConversationId | null = null;
  #sent = 0;

  constructor(seed: number, faults: boolean) {
    this.world = new World(seed, { liveMax: LIVE_MAX });
    this.#faults = faults;
  }

  async run(): Promise<void> {
    const { world } = this;
    for (let n = 0; n < 3; n++) world.addWorker();
    await world.passes(50);
    const [ann, bob, carol] = (await world.users(3)) as [UserId, UserId, UserId];
    this.#ann = ann;
    for (let n = 0; n < 7; n++) {
      this.#rooms.push(await world.group([bob, ann, carol]));
      await world.passes(5);
    }
    this.#rooms.push(await world.direct([ann, bob]));
    this.#writers = [await world.connected(bob), await world.connected(carol)];
    for (let n = 0; n < 2; n++) await this.#begins(world.client(ann));
    for (let step = 0; step < STEPS; step++) {
      await this.#step();
      await world.passes(world.chance(PAUSE_MS_MAX));
      this.#checkSizes();
    }
    await this.#allHere();
    await world.passes(2 * WITHIN_MS + 1_000);
  }

  async #begins(client: SimClient): Promise<void> {
    const { world } = this;
    if (!this.#watchers.includes(client)) this.#watchers.push(client);
    client.connects(world.alive[world.chance(world.alive.length)]!);
    await world.until("a session is ready", () => client.isReady);
    this.#windows.push({ client, fromMs: client.readySinceMs, toMs: Number.POSITIVE_INFINITY });
  }

  #ends(client: SimClient): void {
    const window = this.#windows.findLast((one) => one.client === client);
    if (window !== undefined) window.toMs = Math.min(window.toMs, this.world.clock.nowMs());
  }

  async #allHere(): Promise<void> {
    for (const writer of this.#writers) {
      if (!writer.isConnected) writer.connects(this.world.alive[0]!);
      await this.world.until("a writer is ready", () => writer.isReady);
    }
    for (const client of this.#watchers) if (!client.isConnected) await this.#begins(client);
  }

  async #step(): Promise<void> {
    const { world } = this;
    const { chance } = world;
    const room = this.#rooms[chance(this.#rooms.length)]!;
    const writer = this.#writers[chance(2)]!;
    const client = this.#watchers[chance(2)]!;
    const dice = chance(100);
    if (!writer.isConnected || !client.isConnected) {
      await this.#allHere();
    } else if (dice < 50) void writer.sends(room, `c${this.#sent++}`);
    else if (dice < 58) {
      void writer.says("edit_message", { conversation_id: room, seq: 1, body: `edit ${dice}` });
    } else if (dice < 62) void writer.retitles(this.#rooms[chance(7)]!, `title ${chance(99)}`);
    else if (dice < 70) void this.#annSends(client, room);
    else if (dice < 78) void this.#annReads(client, room);
    else if (dice < 82) void this.#annJoins(client, room);
    else if (dice < 86) void this.#bobTakesAnnIn();
    else if (dice < 90) {
      client.disconnects();
      this.#ends(client);
    } else if (dice < 94 && this.#faults && world.alive.length > 1) {
      world.killWorker(world.alive[chance(world.alive.length)]!);
      for (const each of this.#watchers) if (!each.isConnected) this.#ends(each);
    } else if (this.#faults && world.alive.length < 4) world.addWorker();
  }

  async #annSends(client: SimClient, room: ConversationId): Promise<void> {
    const answer = await client.sends(room, `a${this.#sent++}`);
    if (!answer.ok) return;
    const { rev } = answer.value["message"] as { rev: number };
    this.#acked(client, room, rev, false);
    this.#lastActedIn = room;
  }

  async #annReads(client: SimClient, room: ConversationId): Promise<void> {
    const seq = this.world.storage.tables.conversations.get(room)!.messages.length;
    const readBefore = this.#readSeq(room);
    const answer = await client.says("mark_read", { conversation_id: room, seq });
    if (answer.ok && seq > readBefore) this.#lastActedIn = room;
  }

  async #annJoins(client: SimClient, room: ConversationId): Promise<void> {
    const answer = await client.says("join_conversation", { conversation_id: room, limit: 10 });
    if (!answer.ok) return;
    this.#acked(client, room, (answer.value["conversation"] as Conversation).rev, true);
  }

  async #bobTakesAnnIn(): Promise<void> {
    const [bob] = this.#writers;
    const gateway = bob!.worker?.edge.exchange.gateway;
    const body = { member_ids: [this.#ann], title: "Taken in" };
    const made = await gateway?.ask("user", bob!.user, "create_conversation", body);
    if (made?.ok) this.#rooms.push(made.value.conversation.id as ConversationId);
  }

  #acked(client: SimClient, room: string, rev: number, isSnapshot: boolean): void {
    const acks = this.#acks.get(client) ?? [];
    this.#acks.set(client, acks);
    acks.push({ room, rev, atMs: this.world.clock.nowMs(), isSnapshot });
  }

  #readSeq(room: ConversationId): number {
    return this.world.storage.tables.conversations.get(room)!.members.get(this.#ann)!.readSeq;
  }

  /** Everything that a client received of its conversations: acks, events and answers. */
  #toldTo(client: SimClient): Told[] {
    const told = [...(this.#acks.get(client) ?? [])];
    for (const { name, body, atMs } of client.heard) {
      const { id, conversation_id, rev } = body as Record<string, string> & { rev: number };
      if (name === "message" || name === "message_updated") {
        told.push({ room: conversation_id!, rev, atMs, isSnapshot: false });
      } else if (name === "conversation_updated") {
        told.push({ room: id!, rev, atMs, isSnapshot: false });
      } else if (name === "conversation_activity") {
        told.push({ room: conversation_id!, rev, atMs, isSnapshot: true });
      }
    }
    return told;
  }

  /** Every change of a conversation after its creation, and when it was committed. */
  #changesOf(room: ConversationId): { rev: number; atMs: number }[] {
    const { messages, versions, undos } = this.world.storage.tables.conversations.get(room)!;
    const ofMessages = [...messages, ...versions].map((one) => ({
      rev: one.rev,
      atMs: Date.parse(one.deleted_at ?? one.edited_at ?? one.created_at),
    }));
    return [...ofMessages, ...undos.map(({ rev, changedAtMs }) => ({ rev, atMs: changedAtMs }))];
  }

  check(): void {
    expect(this.world.clients.flatMap((client) => client.complaints)).toEqual([]);
    const untold: string[] = [];
    const nowMs = this.world.clock.nowMs();
    for (const { client, fromMs, toMs } of this.#windows) {
      const told = this.#toldTo(client).filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
      for (const room of this.#rooms) {
        for (const { rev, atMs } of this.#changesOf(room)) {
          const untilMs = atMs + WITHIN_MS + ON_ITS_WAY_MS;
          if (atMs <= fromMs + ON_ITS_WAY_MS || untilMs > Math.min(toMs, nowMs)) continue;
          const isTold = told.some(
            (one) =>
              one.room === room &&
              (one.isSnapshot ? one.rev >= rev : one.rev === rev) &&
              one.atMs <= untilMs,
          );
          if (!isTold) untold.push(`rev ${rev} of ${room}, committed at ${atMs}`);
        }
      }
      this.#checkPace(client, fromMs, toMs);
    }
    expect(untold).toEqual([]);
  }

  #checkPace(client: SimClient, fromMs: number, toMs: number): void {
    const last = new Map<string, number>();
    for (const { name, body, atMs } of client.heard) {
      if (name !== "conversation_activity" || atMs < fromMs || atMs > toMs) continue;
      const { conversation_id } = body as { conversation_id: string };
      const sinceMs = atMs - (last.get(conversation_id) ?? Number.NEGATIVE_INFINITY);
      expect(sinceMs, `activities of ${conversation_id}`).toBeGreaterThanOrEqual(WITHIN_MS);
      last.set(conversation_id, atMs);
    }
  }

  #checkSizes(): void {
    for (const { edge } of this.world.alive) {
      for (const session of edge.sessions.ofUser(this.#ann)) {
        // One that has to be read first leaves when that is done.
        const live = [...session.streams].filter(({ isLive }) => isLive);
        expect(live.length).toBeLessThanOrEqual(LIVE_MAX);
      }
    }
  }

  /** [CAC3] */
  async checkLastActedIn(): Promise<void> {
    const room = this.#lastActedIn;
    if (room === null) return;
    const { world } = this;
    // Others were written to directly since then, or opened something: act once more.
    void this.#annSends(this.#watchers[0]!, room);
    await world.passes(WITHIN_MS);
    void this.#writers[0]!.sends(room, "at last");
    await world.passes(ON_ITS_WAY_MS);
    for (const client of this.#watchers) {
      const bodies = client.names("message").map((body) => (body as { body: string }).body);
      expect(bodies.at(-1), "the room is live").toBe("at last");
    }
  }
}

async function holds(seed: number, faults: boolean): Promise<void> {
  const history = new LiveSetHistory(seed, faults);
  try {
    await history.run();
    history.check();
    await history.checkLastActedIn();
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

/** Seeds of calm histories that showed a bug once. */
const FAILED_ONCE_CALM = [
  [1647556847, "an activity that came too soon after another waited for a look 2.5 s later"],
] as const;

describe("histories that failed once", () => {
  test.each(FAILED_ONCE_CALM)("[CAC1] %i: %s", async (seed) => {
    await holds(seed, false);
  });
});

describe("more conversations than are live", () => {
  test(
    "[CAC1] [CAC4] without faults every change is received, or told of within 5 s",
    async () => {
      for (const seed of seeds("calm live sets")) await holds(seed, false);
    },
    LIMIT_MS,
  );

  test(
    "[CAC1] [CAC4] workers that die and come change nothing about that",
    async () => {
      for (const seed of seeds("rough live sets")) await holds(seed, true);
    },
    LIMIT_MS,
  );
});

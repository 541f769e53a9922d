/**
 * [UNR5] Whatever happens, every number of unread messages that a user is shown is the recount by
 *        definition: messages that count, from the read point or what was marked unread on, and
 *        not before what was cleared.
 * [UNR6] All sessions of the user come to the same preferences; their numbers have no gap.
 *
 * Random histories of a simulated cluster: plain, silent and system messages, deletions, read
 * marks, marks of unread, clearing, archiving and muting from several sessions on several workers,
 * which die. A seed that fails is printed; TEST_SEED=… runs one seed.
 */
import { describe, expect, test } from "vitest";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Prefs, PrefsChange } from "../../src/protocol/prefs.ts";
import type { Message } from "../../src/protocol/schemas.ts";
import { countsAsUnread, type OwnMarks, unreadCount } from "../../src/protocol/unread.ts";
import { type Answer, World } from "../support/actor-world.ts";
import { chanceFrom, seedFor } from "../support/random.ts";
import type { SimClient } from "../support/sim-client.ts";

const RUNS = Number(process.env["TEST_RUNS"] ?? 8);
const LIMIT_MS = 120_000 * Math.max(1, RUNS / 10);
const STEPS = 60;
const REST_EVERY = 20;
const PAUSE_MS_MAX = 200;
/** Looks after a death are over, and what was held back has come. */
const REST_MS = 15_000;

type Shown = OwnMarks & {
  conversation_id: string;
  unread_count: number;
  last_seq?: number;
  last_n?: number;
  first_n?: number;
};

class UnreadHistory {
  readonly world: World;
  readonly #faults: boolean;
  readonly #rooms: ConversationId[] = [];
  #ann!: UserId;
  #bob!: SimClient;
  #devices: SimClient[] = [];
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
    for (let n = 0; n < 2; n++) this.#rooms.push(await world.group([bob, ann]));
    this.#rooms.push(await world.direct([ann, bob]));
    this.#bob = await world.connected(bob);
    for (const worker of world.alive) {
      const client = world.client(ann);
      client.contract = "1.1";
      client.connects(worker);
      this.#devices.push(client);
    }
    await this.#comesBack();
    for (let step = 1; step <= STEPS; step++) {
      this.#step();
      await world.passes(world.chance(PAUSE_MS_MAX));
      await this.#comesBack();
      if (step % REST_EVERY === 0) await this.#rests();
    }
  }

  async #comesBack(): Promise<void> {
    const { world } = this;
    const clients = [...this.#devices, this.#bob];
    for (const client of clients) if (!client.isConnected) client.connects(this.#pick(world.alive));
    await world.until("everybody is back", () => clients.every((client) => client.isReady));
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.world.chance(from.length)]!;
  }

  #messagesOf(id: ConversationId): Message[] {
    return this.world.storage.tables.conversations.get(id)!.messages;
  }

  #step(): void {
    const { world } = this;
    const device = this.#pick(this.#devices);
    const conversation_id = this.#pick(this.#rooms);
    const messages = this.#messagesOf(conversation_id);
    const seq = 1 + world.chance(Math.max(1, messages.length));
    const client_id = `m${++this.#sent}`;
    switch (world.chance(this.#faults ? 13 : 12)) {
      case 0:
      case 1:
        void this.#bob.says("send_message", { conversation_id, client_id, body: "x" });
        return;
      case 2:
        void this.#bob.says("send_message", {
          ...{ conversation_id, client_id, body: "x" },
          silent: true,
        });
        return;
      case 3:
        void device.sends(conversation_id, client_id);
        return;
      case 4:
        void this.#bob.says("delete_message", { conversation_id, seq });
        return;
      case 5:
      case 6:
        if (messages.length > 0) void this.#reads(device, conversation_id, seq);
        return;
      case 7:
      case 8:
        this.#sets(device, conversation_id, { unread_from_seq: seq });
        return;
      case 9:
        this.#sets(device, conversation_id, { cleared_before_seq: Math.max(1, seq - 3) });
        return;
      case 10:
        this.#sets(
          device,
          conversation_id,
          this.#pick([
            { archived: world.chance(2) === 0 },
            { muted_until: world.chance(2) === 0 ? ("forever" as const) : null },
          ]),
        );
        return;
      case 11: {
        const system = { subject: "shop", client_id, body: "", reply_to_seq: null };
        const content = { data: { event: "order" } };
        const { gateway } = this.#pick(world.alive).edge.exchange;
        void gateway.ask("conversation", conversation_id, "service_send", { ...system, content });
        return;
      }
      default:
        this.world.killWorker(this.#pick(world.alive));
        world.addWorker();
    }
  }

  async #reads(device: SimClient, conversation_id: ConversationId, seq: number): Promise<void> {
    const answer = await device.says("mark_read", { conversation_id, seq });
    if (answer.ok) this.#isTrue({ conversation_id, ...answer.value } as unknown as Shown);
  }

  /** One call in three comes over HTTP. */
  #sets(
    device: SimClient,
    conversation_id: ConversationId,
    change: Omit<PrefsChange, "draft">,
  ): void {
    if (this.world.chance(3) > 0) {
      void device.says("set_prefs", { conversation_id, ...change });
      return;
    }
    const { gateway } = this.world.alive[0]!.edge.exchange;
    const body = { session: "" as const, conversation_id, change, draft_by: "" as const };
    void gateway.ask("user", this.#ann, "set_prefs", body);
  }

  /** How many messages count up to that one: fixed at their sends, so it is true at all times. */
  #countTo(id: ConversationId, seq: number): number {
    return this.#messagesOf(id).filter((one) => one.seq <= seq && countsAsUnread(one)).length;
  }

  /** What any answer or event says of a point that may have changed since. */
  #isTrue(shown: Shown): void {
    const id = shown.conversation_id as ConversationId;
    expect(shown.read_n ?? shown.read_seq).toBe(this.#countTo(id, shown.read_seq));
    if (shown.last_seq === undefined) return;
    expect(shown.last_n ?? shown.last_seq).toBe(this.#countTo(id, shown.last_seq));
    expect(shown.unread_count).toBe(unreadCount({ ...shown, last_seq: shown.last_seq }, shown));
  }

  async #rests(): Promise<void> {
    const { world } = this;
    await world.passes(REST_MS);
    await this.#comesBack();
    await world.passes(REST_MS);
    const { queries, tables } = world.storage;
    for (const device of this.#devices) {
      for (const { name, body } of device.heard) {
        const isOwn = name === "receipt" && (body as { user_id: string }).user_id === this.#ann;
        if (isOwn) this.#isTrue(body as Shown);
      }
      expect(device.complaints).toEqual([]);
    }
    const now = tables.nowIso();
    const synced = new Map<string, number>();
    const asked = { conversations: [], complete: true };
    const answer = await this.#answerOf(this.#pick(this.#devices).says("sync", asked));
    for (const entry of answer["conversations"] as Shown[]) {
      synced.set(entry.conversation_id, entry.unread_count);
    }
    for (const id of this.#rooms) {
      const prefs = (await queries.prefs(this.#ann, id))!;
      const counted = await this.#recount(id, prefs);
      expect(synced.get(id), now).toBe(counted);
      const listed = (await queries.conversations(this.#ann, 10, null, { filter: "all" }))!.items;
      expect(listed.find((one) => one.id === id)?.unread_count, now).toBe(counted);
      const opening = (await queries.openSession(this.#ann))!.unread;
      const unread = opening.find((one) => one.conversation_id === id)?.unread_count ?? 0;
      expect(unread, now).toBe(counted);
      const { last_seq } = (await queries.standing(this.#ann, id))!;
      if (last_seq === 0) continue;
      const device = this.#pick(this.#devices);
      const mark = { conversation_id: id, seq: 1 };
      const marked = await this.#answerOf(device.says("mark_read", mark));
      expect(marked["unread_count"], now).toBe(
        await this.#recount(id, (await queries.prefs(this.#ann, id))!),
      );
    }
    let all = 0;
    for (const id of this.#rooms) {
      const prefs = (await queries.prefs(this.#ann, id))!;
      const isArchived = this.#countTo(id, Infinity) <= (prefs.archived_n ?? -1);
      if (!isArchived && prefs.muted_until === undefined) all += await this.#recount(id, prefs);
    }
    expect((await queries.totals(this.#ann)).messages, now).toBe(all);
    await this.#comparesPrefs();
  }

  async #answerOf(answering: Promise<Answer>): Promise<Record<string, unknown>> {
    let answered: Answer | null = null;
    void answering.then((answer) => {
      answered = answer;
    });
    await this.world.until("it is answered", () => answered !== null);
    const answer = answered as unknown as Answer;
    if (!answer.ok) throw new Error(answer.error.message);
    return answer.value;
  }

  async #recount(id: ConversationId, prefs: Prefs): Promise<number> {
    const { read_seq } = (await this.world.storage.queries.standing(this.#ann, id))!;
    const from = Math.max(prefs.unread_from_seq ?? read_seq + 1, prefs.cleared_before_seq ?? 1);
    return this.#messagesOf(id).filter((one) => one.seq >= from && countsAsUnread(one)).length;
  }

  /** [UNR6] */
  async #comparesPrefs(): Promise<void> {
    const { queries } = this.world.storage;
    await this.world.passes(2_000);
    const stored = (await queries.prefsAfter(this.#ann, 0, 100)).map(({ prefs }) => prefs);
    const revs = stored.map(({ prefs_rev }) => prefs_rev);
    expect(Math.max(0, ...revs)).toBe((await queries.prefsRevs([this.#ann])).get(this.#ann) ?? 0);
    for (const device of this.#devices) {
      const events = device.names("prefs_updated") as Prefs[];
      for (const one of events) {
        const truth = stored.find(({ prefs_rev }) => prefs_rev === one.prefs_rev);
        if (truth !== undefined) expect(one).toEqual(truth);
      }
    }
  }
}

async function holds(seed: number, faults: boolean): Promise<void> {
  const history = new UnreadHistory(seed, faults);
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

describe("what is unread", () => {
  test(
    "[UNR5] [UNR6] without faults every number is the recount",
    async () => {
      for (const seed of seeds("calm unread")) await holds(seed, false);
    },
    LIMIT_MS,
  );

  test(
    "[UNR5] [UNR6] with workers that die every number is the recount",
    async () => {
      for (const seed of seeds("rough unread")) await holds(seed, true);
    },
    LIMIT_MS,
  );
});

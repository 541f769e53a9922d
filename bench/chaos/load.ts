/**
 * The load during a run: people send, edit, delete, mark, type, connect and disconnect; the owner
 * of the door adds and removes people. Each client acts by its own seeded randomness. How the
 * actions interleave depends on the machine, so a seed repeats a plan, not a run in every detail.
 */
import { setTimeout as delay } from "node:timers/promises";
import { api } from "../support/api.ts";
import { type Chance, chanceOf, pick } from "./chance.ts";
import type { Client } from "./client.ts";
import { anyHost, type Scene } from "./scene.ts";

const PAUSE_MS = [40, 160] as const;
/** Some rest for less than the presence grace (5 s), some for longer. */
const REST_MS = [300, 9000] as const;
const DOOR_PAUSE_MS = [800, 2500] as const;
const GIVE_UP_AFTER_MS = 25_000;
const WORDS = "the quick brown fox jumps over a lazy dog while nobody reads along".split(" ");

export class Load {
  readonly #scene: Scene;
  readonly #ports: number[];
  readonly #running: Promise<void>[];
  #isStopping = false;
  #hasGivenUp = false;

  constructor(scene: Scene, ports: number[], seed: number) {
    this.#scene = scene;
    this.#ports = ports;
    this.#running = [
      ...scene.clients.map((client) => this.#live(client, chanceOf(seed, `${client.name} lives`))),
      this.#keepDoor(chanceOf(seed, "the door")),
    ];
  }

  /** Ends once every send that was begun is acknowledged or has timed out. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const timer = setTimeout(() => {
      this.#hasGivenUp = true;
    }, GIVE_UP_AFTER_MS);
    await Promise.all(this.#running);
    clearTimeout(timer);
  }

  /** Ends without waiting for any answer. */
  async abandon(): Promise<void> {
    this.#hasGivenUp = true;
    this.#isStopping = true;
    for (const client of this.#scene.clients) client.retire();
    await Promise.all(this.#running);
  }

  async #live(client: Client, chance: Chance): Promise<void> {
    while (!this.#isStopping) {
      await delay(between(chance, PAUSE_MS));
      const wish = chance(100);
      if (!client.isLive || !client.isReading) continue;
      const mine = this.#talksOf(client);
      if (mine.length === 0) continue;
      const conversation = pick(chance, mine);
      if (wish < 52) await this.#send(client, conversation, chance);
      else if (wish < 62) await this.#mark(client, conversation, "mark_read");
      else if (wish < 67) await this.#mark(client, conversation, "mark_delivered");
      else if (wish < 79) void this.#type(client, conversation, true);
      else if (wish < 83) void this.#type(client, conversation, false);
      else if (wish < 93) await this.#change(client, conversation, chance, "edit_message");
      else if (wish < 98) await this.#change(client, conversation, chance, "delete_message");
      else if (wish < 99) client.drop(false);
      else await this.#rest(client, chance);
    }
  }

  /** The conversations that the client knows it is in. */
  #talksOf(client: Client): string[] {
    return [...this.#scene.talks, this.#scene.door.id].filter((id) => client.replica.has(id));
  }

  async #send(client: Client, conversation: string, chance: Chance): Promise<void> {
    const words = Array.from({ length: 1 + chance(12) }, () => pick(chance, WORDS));
    await client.sends(conversation, words.join(" "), () => !this.#hasGivenUp);
  }

  async #mark(
    client: Client,
    conversation_id: string,
    name: "mark_read" | "mark_delivered",
  ): Promise<void> {
    const seq = client.replica.lastSeqOf(conversation_id);
    if (seq > 0) await client.does(name, { conversation_id, seq });
  }

  async #type(client: Client, conversation_id: string, is_typing: boolean): Promise<void> {
    await client.does("typing", { conversation_id, is_typing });
  }

  async #change(
    client: Client,
    conversation_id: string,
    chance: Chance,
    name: "edit_message" | "delete_message",
  ): Promise<void> {
    const own = client.replica.ownSeqs(conversation_id);
    if (own.length === 0) return;
    const seq = pick(chance, own.slice(-20));
    if (name === "delete_message") await client.does(name, { conversation_id, seq });
    else await client.does(name, { conversation_id, seq, body: `edited ${chance(1e6)}` });
  }

  async #rest(client: Client, chance: Chance): Promise<void> {
    client.rest();
    const untilMs = performance.now() + between(chance, REST_MS);
    while (performance.now() < untilMs && !this.#isStopping) await delay(50);
    if (!this.#hasGivenUp) client.begin();
  }

  async #keepDoor(chance: Chance): Promise<void> {
    const { id, owner, floaters } = this.#scene.door;
    const { login } = owner;
    const inside = new Set<string>();
    while (!this.#isStopping) {
      await delay(between(chance, DOOR_PAUSE_MS));
      const { userId } = pick(chance, floaters);
      const path = `/api/conversations/${id}/members`;
      if (login.isStale) await login.renew(pick(chance, this.#ports));
      const { token } = login;
      const answer = await anyHost(this.#ports, (port) =>
        inside.has(userId)
          ? api(port, "DELETE", `${path}/${userId}`, { token })
          : api(port, "POST", path, { token, body: { user_ids: [userId] } }),
      );
      // Without an answer the belief stays; both calls are idempotent.
      if (answer.status === 200) inside.add(userId);
      if (answer.status === 204 || answer.status === 404) inside.delete(userId);
    }
  }
}

function between(chance: Chance, [min, max]: readonly [number, number]): number {
  return min + chance(max - min);
}

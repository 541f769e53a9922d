/**
 * The load during a run: people send, edit, delete, react, mark, type, set preferences, open threads,
 * connect and disconnect; the owner of the door adds and removes people, and the owner of
 * everyone's conversation gives roles and pins. Each client acts by its own seeded randomness. How the
 * actions interleave depends on the machine, so a seed repeats a plan, not a run in every detail.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type ApiAnswer, api } from "../support/api.ts";
import { type Chance, chanceOf, pick } from "./chance.ts";
import type { Client } from "./client.ts";
import type { Rec, Recorder } from "./history.ts";
import { anyHost, follows, opensThread, type Scene } from "./scene.ts";

type Setting = Omit<Extract<Rec, { kind: "set" }>, "kind" | "atMs" | "fromMs" | "ok">;

const PAUSE_MS = [40, 160] as const;
/** Some rest for less than the presence grace (5 s), some for longer. */
const REST_MS = [300, 9000] as const;
const DOOR_PAUSE_MS = [800, 2500] as const;
const GIVE_UP_AFTER_MS = 25_000;
const SET_PAUSE_MS = [300, 900] as const;
/** Threads that people open, beside those that are there from the start. */
const OPENED_MAX = 4;
const KEYS = ["👍", "❤", "🎉", "ok"];
const ROLES = ["admin", "moderator", "member"] as const;
const LEVELS = ["all", "mentions", "none", null] as const;
const WORDS = "the quick brown fox jumps over a lazy dog while nobody reads along".split(" ");

export class Load {
  readonly #scene: Scene;
  readonly #ports: number[];
  readonly #recorder: Recorder;
  readonly #running: Promise<void>[];
  #isStopping = false;
  #hasGivenUp = false;

  constructor(scene: Scene, ports: number[], seed: number, recorder: Recorder) {
    this.#recorder = recorder;
    this.#scene = scene;
    this.#ports = ports;
    this.#running = [
      ...scene.clients.map((client) => this.#live(client, chanceOf(seed, `${client.name} lives`))),
      this.#keepDoor(chanceOf(seed, "the door")),
      this.#keepHouse(chanceOf(seed, "the house")),
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
      // Sessions of version 1 do what that version has.
      const isNewer = client.contract === "1.1";
      if (isNewer && wish < 12) await this.#react(client, conversation, chance);
      else if (isNewer && wish < 18) await this.#prefer(client, conversation, chance);
      else if (isNewer && wish < 19) await this.#openThread(client, chance);
      else if (wish < 52) await this.#send(client, conversation, chance);
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
    const { talks, door, threads } = this.#scene;
    const ids = [...talks, door.id, ...threads.map(({ id }) => id)];
    return ids.filter((id) => client.replica.has(id));
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

  async #react(client: Client, conversation_id: string, chance: Chance): Promise<void> {
    const last = client.replica.lastSeqOf(conversation_id);
    if (last === 0) return;
    const seq = Math.max(1, last - chance(8));
    const on = chance(10) < 7;
    await client.does("react", { conversation_id, seq, key: pick(chance, KEYS), on });
  }

  async #prefer(client: Client, conversation_id: string, chance: Chance): Promise<void> {
    const last = client.replica.lastSeqOf(conversation_id);
    const isMarked = chance(3) === 0 && last > 0;
    const change = isMarked
      ? { unread_from_seq: Math.max(1, last - chance(10)) }
      : pick(chance, [
          { pinned: chance(2) === 0 },
          { archived: chance(2) === 0 },
          { level: pick(chance, LEVELS) },
        ]);
    await client.does("set_prefs", { conversation_id, ...change });
  }

  async #openThread(client: Client, chance: Chance): Promise<void> {
    const { everyone, threads, people } = this.#scene;
    const last = client.replica.lastSeqOf(everyone.id);
    if (threads.length >= OPENED_MAX + 2 || last === 0) return;
    const person = people.find(({ userId }) => userId === client.user)!;
    const seq = Math.max(1, last - chance(10));
    if (client.login.isStale) await client.login.renew(pick(chance, this.#ports));
    const opener = { ...person, login: client.login };
    const thread = await opensThread(this.#ports, opener, everyone.id, seq);
    if (thread === null || threads.some(({ id }) => id === thread.id)) return;
    threads.push(thread);
    await client.sends(thread.id, "a reply", () => !this.#hasGivenUp);
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
      const isInside = inside.has(userId);
      const what = { what: "member", conversation: id, subject: userId } as const;
      const { status } = await this.#sets({ ...what, value: isInside ? "out" : "in" }, (port) =>
        isInside
          ? api(port, "DELETE", `${path}/${userId}`, { token })
          : api(port, "POST", path, { token, body: { user_ids: [userId] } }),
      );
      // Without an answer the belief stays; both calls are idempotent.
      if (status === 200) inside.add(userId);
      if (status === 204 || status === 404) inside.delete(userId);
      if (status !== 200) continue;
      const floater = floaters.find((one) => one.userId === userId)!;
      const thread = this.#scene.threads.find(({ parent }) => parent === id);
      if (floater.login.isStale) await floater.login.renew(pick(chance, this.#ports));
      if (thread !== undefined) await follows(this.#ports, floater, thread);
    }
  }

  /** Roles and pins of everyone's conversation, which its owner alone sets. */
  async #keepHouse(chance: Chance): Promise<void> {
    const { everyone, people } = this.#scene;
    const { login, clients } = everyone.owner;
    const path = `/api/conversations/${everyone.id}`;
    while (!this.#isStopping) {
      await delay(between(chance, SET_PAUSE_MS));
      if (login.isStale) await login.renew(pick(chance, this.#ports));
      const { token } = login;
      if (chance(2) === 0) {
        const { userId } = pick(chance, people.slice(1));
        const role = pick(chance, ROLES);
        const what = { what: "role", conversation: everyone.id, subject: userId, value: role };
        await this.#sets(what as Setting, (port) =>
          api(port, "PATCH", `${path}/members/${userId}`, { token, body: { role } }),
        );
        continue;
      }
      const last = clients[0]!.replica.lastSeqOf(everyone.id);
      const seq = Math.max(1, last - chance(12));
      const value = chance(3) < 2 ? "on" : "off";
      const what = { what: "pin", conversation: everyone.id, subject: `${seq}`, value };
      await this.#sets(what as Setting, (port) =>
        api(port, value === "on" ? "PUT" : "DELETE", `${path}/pins/${seq}`, { token }),
      );
    }
  }

  async #sets(
    setting: Setting,
    call: (port: number) => Promise<ApiAnswer<unknown>>,
  ): Promise<ApiAnswer<unknown>> {
    const fromMs = this.#recorder.nowMs();
    const answer = await anyHost(this.#ports, call);
    const { status } = answer;
    const ok = status === 0 || status >= 500 ? null : status < 300;
    this.#recorder.add({ kind: "set", ...setting, fromMs, atMs: this.#recorder.nowMs(), ok });
    return answer;
  }
}

function between(chance: Chance, [min, max]: readonly [number, number]): number {
  return min + chance(max - min);
}

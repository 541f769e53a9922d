/**
 * The people of a run and their conversations: people with one or two clients each, groups, pairs,
 * a group whose members come and go, and one for the flood that must end a slow reader.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { type ApiAnswer, api } from "../support/api.ts";
import { until } from "../support/waiting.ts";
import { chanceOf } from "./chance.ts";
import { Client } from "./client.ts";
import type { Recorder } from "./history.ts";
import { Login } from "./login.ts";
import type { Options } from "./options.ts";

export interface Person {
  userId: string;
  login: Login;
  clients: Client[];
}

export interface Thread {
  id: string;
  parent: string;
  seq: number;
}

export interface Scene {
  people: Person[];
  clients: Client[];
  /** The ordinary conversations, without the door and the flood. */
  talks: string[];
  /** `owner` adds and removes the `floaters`. */
  door: { id: string; owner: Person; floaters: Person[] };
  flood: { id: string; senders: Person[]; reader: Person };
  /** Of messages in `everyone` and at the door; those that people open are added. */
  threads: Thread[];
  /** The first of `talks`: its owner gives roles and pins. */
  everyone: { id: string; owner: Person };
  /** All of the above but the threads. */
  conversations: string[];
}

const CONNECT_MS = 30_000;

export async function openScene(
  options: Options,
  ports: number[],
  recorder: Recorder,
): Promise<Scene> {
  const people: Person[] = [];
  const clients: Client[] = [];
  for (let i = 0; i < options.people; i++) {
    const username = `p${String(i + 1).padStart(2, "0")}`;
    const port = ports[i % ports.length]!;
    const logins = [await Login.register(port, username)];
    if (i % 2 === 0) logins.push(await Login.again(port, username));
    const own = logins.map((login, n) => {
      const name = `${username}/${n + 1}`;
      const chance = chanceOf(options.seed, name);
      // A person with two clients speaks both contracts, or the newer one twice.
      const contract = n === 1 && i % 4 === 0 ? "1" : "1.1";
      const index = clients.length + n;
      return new Client({ index, name, contract, login, ports, chance, recorder });
    });
    clients.push(...own);
    people.push({ userId: logins[0]!.userId, login: logins[0]!, clients: own });
  }

  const port = ports[0]!;
  const begins = async (owner: Person, others: Person[], title?: string): Promise<string> => {
    const body = {
      member_ids: others.map((person) => person.userId),
      ...(title === undefined ? {} : { title }),
    };
    const { token } = owner.login;
    const answer = await api<Conversation>(port, "POST", "/api/conversations", { token, body });
    if (answer.body === null || answer.status >= 300) {
      throw new Error(`a conversation was refused with ${answer.status}`);
    }
    return answer.body.id;
  };
  const [first, second, third, fourth] = people as [Person, Person, Person, Person];
  const half = Math.ceil(people.length / 2);
  const talks = [
    await begins(first, people.slice(1), "everyone"),
    await begins(second, [first, ...people.slice(2, half)], "this side"),
    await begins(people.at(-1)!, people.slice(half, -1).concat(second), "that side"),
  ];
  for (let i = 0; i + 1 < people.length; i += 2) {
    talks.push(await begins(people[i]!, [people[i + 1]!]));
  }
  const floaters = people.slice(-2);
  const door = { id: await begins(first, [second, third], "the door"), owner: first, floaters };
  const flood = {
    id: await begins(first, [second, third, fourth], "the flood"),
    senders: [first, second, third],
    reader: fourth,
  };

  const userIds = people.map((person) => person.userId);
  for (const client of clients) {
    client.watches(userIds.filter((id) => id !== client.user));
    client.begin();
    await delay(5);
  }
  if ((await until(() => clients.every((client) => client.isSettled), CONNECT_MS)) === null) {
    throw new Error("not all clients could connect at the start");
  }
  const scene: Scene = {
    people,
    clients,
    talks,
    door,
    flood,
    threads: [],
    everyone: { id: talks[0]!, owner: first },
    conversations: [...talks, door.id, flood.id],
  };
  for (const [id, followers] of [
    [scene.everyone.id, people],
    [door.id, [first, second, third]],
  ] as const) {
    const thread = await beginsThread(port, first, id);
    scene.threads.push(thread);
    for (const person of followers) await follows([port], person, thread);
  }
  const areKnown = () =>
    scene.threads.every(({ id }) =>
      first.clients.every((one) => one.replica.has(id) || one.contract === "1"),
    );
  if ((await until(areKnown, CONNECT_MS)) === null) throw new Error("threads are not followed");
  return scene;
}

/** A thread of a new message of `owner`, which their first client sends. */
async function beginsThread(port: number, owner: Person, parent: string): Promise<Thread> {
  const client = owner.clients[0]!;
  await client.sends(parent, "a root", () => true);
  const seq = client.replica.ownSeqs(parent).at(-1);
  const thread = seq === undefined ? null : await opensThread([port], owner, parent, seq);
  if (thread === null) throw new Error("a thread was refused");
  return thread;
}

/** Null where it is refused, or no answer comes. */
export async function opensThread(
  ports: number[],
  { login }: Person,
  parent: string,
  seq: number,
): Promise<Thread | null> {
  const path = `/api/conversations/${parent}/messages/${seq}/thread`;
  const { token } = login;
  const { body, status } = await anyHost(ports, (port) =>
    api<Conversation>(port, "POST", path, { token }),
  );
  return body === null || status >= 300 ? null : { id: body.id, parent, seq };
}

export async function follows(ports: number[], { login }: Person, { id }: Thread): Promise<void> {
  const { token } = login;
  await anyHost(ports, (port) => api(port, "POST", `/api/conversations/${id}/follow`, { token }));
}

/** Asks each port in turn, in two rounds, until one answers. */
export async function anyHost<T>(
  ports: number[],
  call: (port: number) => Promise<ApiAnswer<T>>,
): Promise<ApiAnswer<T>> {
  let answer: ApiAnswer<T> = { status: 0, body: null };
  for (const port of [...ports, ...ports]) {
    answer = await call(port);
    if (answer.status !== 0 && answer.status !== 503) return answer;
  }
  return answer;
}

/**
 * Promises 1 to 5 while workers are killed, replaced and drained under load: several people
 * send without pause, retrying by client_id, and edit and type in between; afterwards the
 * history, what each session heard, presence and typing are held against what was acknowledged.
 */
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { revTrail, upTo } from "../support/expectations.ts";
import type { Person } from "../support/person.ts";
import { promised } from "../support/promised.ts";
import { type Chance, chanceFrom, seedFor } from "../support/random.ts";
import type { Session } from "../support/session.ts";
import { noSocketsLeft } from "../support/suite.ts";

const WORKERS = 3;
/** Each worker is started and drained after the other, on a machine that is busy with the load. */
const ROLLED_WITHIN_MS = 120_000;
const PEOPLE = ["ann", "bob", "cleo", "dora", "emil", "fay"];
/** Sends of one person under way at once: enough that a kill always meets a commit in flight. */
const SENDS_AT_ONCE = 3;
const RETRY_PAUSE_MS = 50;
const ACK_DEADLINE_MS = 1500;
const BACK_WITHIN_MS = 10_000;
/** A new worker: 2 s of work, which others on both cores can stretch to many times that. */
const STARTED_WITHIN_MS = promised(10_000, 40_000);
const PRESENCE_TRUE_WITHIN_MS = 10_000;
const TYPING_ENDS_WITHIN_MS = 7000;
const LOAD_BETWEEN_FAULTS_MS = 1500;

let troupe: Troupe | undefined;

afterEach(async (context) => {
  if (context.task.result?.state === "fail") console.error(troupe?.logTail());
  await troupe?.discard();
  troupe = undefined;
  await noSocketsLeft();
});

/** Someone who keeps sending on one session, several messages at once, until told to stop. */
class Sender {
  readonly person: Person;
  readonly session: Session;
  /** By client_id: what was acknowledged. */
  readonly acked = new Map<string, Message>();
  retries = 0;
  #isStopping = false;
  readonly #conversations: Conversation[];
  readonly #chance: Chance;

  constructor(person: Person, session: Session, conversations: Conversation[], chance: Chance) {
    this.person = person;
    this.session = session;
    this.#conversations = conversations;
    this.#chance = chance;
  }

  async runs(): Promise<void> {
    await Promise.all(upTo(SENDS_AT_ONCE).map(() => this.sendsOnAndOn()));
  }

  private async sendsOnAndOn(): Promise<void> {
    while (!this.#isStopping) {
      const conversation = this.#conversations[this.#chance(this.#conversations.length)]!;
      if (this.#chance(4) === 0) this.typesWithoutWaiting(conversation);
      await this.sendsUntilAcked(conversation);
      if (this.#chance(10) === 0) await this.editsSomething();
      await delay(this.#chance(30));
    }
  }

  stops(): void {
    this.#isStopping = true;
  }

  typesWithoutWaiting(conversation: Conversation): void {
    if (!this.session.isConnected) return;
    const payload = { conversation_id: conversation.id, is_typing: true };
    this.session.socket.volatile.emit("typing", payload);
  }

  private async sendsUntilAcked(conversation: Conversation): Promise<void> {
    const client_id = this.person.nextClientId();
    const payload = { conversation_id: conversation.id, client_id, body: `from ${client_id}` };
    for (;;) {
      const answer = await this.session.tries("send_message", payload, ACK_DEADLINE_MS);
      if (answer?.ok) {
        this.acked.set(client_id, (answer as unknown as { message: Message }).message);
        return;
      }
      if (answer !== null && answer.error?.code !== "unavailable") {
        throw new Error(`a send was refused: ${JSON.stringify(answer.error)}`);
      }
      this.retries++;
      await delay(RETRY_PAUSE_MS);
    }
  }

  private async editsSomething(): Promise<void> {
    const own = [...this.acked.values()];
    const { conversation_id, seq } = own[this.#chance(own.length)]!;
    const payload = { conversation_id, seq, body: `edited ${this.person.nextClientId()}` };
    await this.session.tries("edit_message", payload, ACK_DEADLINE_MS);
  }
}

interface Scene {
  troupe: Troupe;
  people: Person[];
  conversations: Conversation[];
  senders: Sender[];
  /** Listens only, never sends. */
  listeners: Session[];
  running: Promise<void>;
}

async function scene(chance: Chance): Promise<Scene> {
  troupe = await startTroupe({ workers: WORKERS });
  const people = await troupe.users(...PEOPLE);
  const conversations = [await people[0]!.startsGroup(...people.slice(1))];
  for (const i of upTo(4)) {
    const owner = people[i]!;
    conversations.push(await owner.startsGroup(...people.filter((person) => person !== owner)));
  }
  // Direct ones, so that presence is watched.
  for (const person of people.slice(1)) await people[0]!.startsDirect(person);
  const open = (person: Person, label: string) =>
    person.connects({ reconnection: true, label: `${person.user.display_name} ${label}` });
  const senders: Sender[] = [];
  const listeners: Session[] = [];
  for (const person of people) {
    const session = await open(person, "sending");
    senders.push(new Sender(person, session, conversations, chance));
    listeners.push(await open(person, "listening"));
  }
  const running = Promise.all(senders.map((sender) => sender.runs())).then(() => undefined);
  // Awaited in `settles`; until then a failure must not count as unhandled.
  running.catch(() => undefined);
  return { troupe, people, conversations, senders, listeners, running };
}

async function everyoneIsBack({ senders, listeners }: Scene): Promise<void> {
  const sessions = [...senders.map(({ session }) => session), ...listeners];
  await eventually(
    "every client is back by itself",
    () => sessions.every((session) => session.isConnected),
    BACK_WITHIN_MS,
  );
}

/** Also the replacement of a killed worker, which takes its time to start. */
async function everyWorkerServes(happening: Scene): Promise<void> {
  await eventually(
    "every worker serves",
    async () => {
      const sessions = await happening.troupe.sessionOnEachWorker(happening.people[0]!);
      await Promise.all(sessions.map((session) => session.disconnects()));
      return true;
    },
    STARTED_WITHIN_MS,
  );
}

/** Stops the load, and holds what happened against the promises. */
async function settles(happened: Scene): Promise<void> {
  const { people, conversations, senders, listeners } = happened;
  for (const sender of senders) sender.stops();
  await happened.running;
  const acked = senders.flatMap((sender) => [...sender.acked.values()]);
  expect(acked.length).toBeGreaterThan(100);

  for (const conversation of conversations) {
    const stored = await people[0]!.reads(conversation.id);
    const where = `conversation ${conversation.id}`;
    expect(
      stored.map(({ seq }) => seq),
      `${where}: seq without gaps`,
    ).toEqual(upTo(stored.length));
    const clientIds = stored.map(({ sender_id, client_id }) => `${sender_id} ${client_id}`);
    expect(new Set(clientIds).size, `${where}: no duplicates`).toBe(stored.length);
    const bySeq = new Map(stored.map((message) => [message.seq, message]));
    for (const message of acked.filter(
      ({ conversation_id }) => conversation_id === conversation.id,
    )) {
      const kept = bySeq.get(message.seq);
      expect(kept?.client_id, `${where}: nothing acknowledged is lost`).toBe(message.client_id);
      expect(kept?.id).toBe(message.id);
    }
    // What a killed worker could not tell, edges read from storage. There an edited message has
    // its last rev only, which stands for the earlier ones; and which of it answers a request
    // under way is not known yet, so echoes are no matter here.
    const sessions = [...senders.map((sender) => sender.session), ...listeners];
    const revsOf = changesOf(sessions, conversation);
    const isSuperseded = (rev: number, heard: ReadonlySet<number>) =>
      revsOf(rev).some((later) => later > rev && heard.has(later));
    for (const session of sessions) {
      expect(revTrail(session, conversation.id, isSuperseded).violations).toEqual([]);
    }
  }
}

/** All revs of the message that has, or once had, this rev, as far as anyone heard of them. */
function changesOf(sessions: Session[], { id }: Conversation): (rev: number) => number[] {
  const seqs = new Map<number, number>();
  const revs = new Map<number, number[]>();
  for (const { payload } of sessions.flatMap((session) => session.record)) {
    const carried =
      (payload as { message?: Message } | null)?.message ?? (payload as Message | null);
    if (carried?.conversation_id !== id || !carried.rev || !carried.seq) continue;
    if (seqs.has(carried.rev)) continue;
    seqs.set(carried.rev, carried.seq);
    revs.set(carried.seq, [...(revs.get(carried.seq) ?? []), carried.rev]);
  }
  return (rev) => revs.get(seqs.get(rev) ?? 0) ?? [];
}

async function presenceIsTrue(asking: Person, online: Person[], offline: Person[]): Promise<void> {
  const all = [...online, ...offline];
  const ids = all.map((person) => person.id).join(",");
  await eventually(
    "presence tells the truth",
    async () => {
      const { body } = await asking.api.get<{ items: { user_id: string; status: string }[] }>(
        `/api/presence?user_ids=${ids}`,
      );
      return all.every((person) => {
        const found = body.items.find(({ user_id }) => user_id === person.id);
        return found?.status === (online.includes(person) ? "online" : "offline");
      });
    },
    PRESENCE_TRUE_WITHIN_MS,
  );
}

async function nobodyTypes(asking: Session, conversations: Conversation[]): Promise<void> {
  await eventually(
    "no typing is left",
    async () => {
      for (const { id } of conversations) {
        const { typing } = await asking.does("join_conversation", { conversation_id: id });
        if (typing.length > 0) return false;
      }
      return true;
    },
    TYPING_ENDS_WITHIN_MS,
  );
}

/** What the listeners last heard of everyone's typing. */
function shownTyping(listeners: Session[]): string[] {
  return listeners.flatMap((session) => {
    const shown = new Map<string, boolean>();
    for (const { kind, name, payload } of session.record) {
      if (kind === "connect") shown.clear();
      if (kind !== "event" || name !== "typing") continue;
      const event = payload as { conversation_id: string; user_id: string; is_typing: boolean };
      shown.set(`${event.conversation_id} ${event.user_id}`, event.is_typing);
    }
    return [...shown].filter(([, is]) => is).map(([what]) => `${session.label}: ${what}`);
  });
}

describe("under load", () => {
  it("[FLT1] kill -9 of workers, a roll and a stop lose and double nothing", {
    timeout: 240_000,
  }, async () => {
    const chance = chanceFrom(seedFor("[FLT1]"));
    const happening = await scene(chance);
    const running = happening.troupe;

    for (const _ of upTo(2)) {
      await delay(LOAD_BETWEEN_FAULTS_MS);
      const victim = chance(WORKERS);
      const killed = await running.killWorker(victim);
      await eventually(
        `worker ${killed} is replaced`,
        () => running.pids().workers.length === WORKERS,
        BACK_WITHIN_MS,
      );
      await everyoneIsBack(happening);
      await presenceIsTrue(happening.people[0]!, happening.people, []);
    }

    await everyWorkerServes(happening);
    await delay(LOAD_BETWEEN_FAULTS_MS);
    const before = running.pids().workers;
    running.signal("SIGHUP");
    await eventually(
      "SIGHUP has replaced every worker",
      () => {
        const now = running.pids().workers;
        return now.length === WORKERS && now.every((pid) => !before.includes(pid));
      },
      ROLLED_WITHIN_MS,
    );
    await everyoneIsBack(happening);
    await delay(LOAD_BETWEEN_FAULTS_MS);

    await settles(happening);
    await nobodyTypes(happening.listeners[0]!, happening.conversations);
    await eventually(
      "no listener shows someone typing",
      () => shownTyping(happening.listeners).length === 0,
      TYPING_ENDS_WITHIN_MS,
    );
    await presenceIsTrue(happening.people[0]!, happening.people, []);

    // Those who leave are offline for good, the others stay online.
    const [leaving, ...staying] = happening.people;
    await happening.senders[0]!.session.disconnects();
    await happening.listeners[0]!.disconnects();
    await presenceIsTrue(staying[0]!, staying, [leaving!]);
    await running.stop();
  });

  it("[FLT2] SIGTERM under load: what was acknowledged is there after the next start", {
    timeout: 90_000,
  }, async () => {
    const happening = await scene(chanceFrom(seedFor("[FLT2]")));
    const { troupe: first, senders, people, conversations } = happening;
    await delay(LOAD_BETWEEN_FAULTS_MS);
    first.signal("SIGTERM");
    expect(await first.exited).toEqual({ code: 0, signal: null });
    const second = await startTroupe({
      port: first.port,
      databaseUrl: first.databaseUrl!,
      workers: WORKERS,
    });
    try {
      await everyoneIsBack(happening);
      await settles(happening);
      await presenceIsTrue(people[0]!, people, []);
      await nobodyTypes(senders[0]!.session, conversations);
      await Promise.all([...first.sessions].map((session) => session.disconnects()));
    } finally {
      await second.stop();
    }
  });

  it("[FLT3] of those on a killed worker who do not come back, all are offline within 10 s", {
    timeout: 60_000,
  }, async () => {
    troupe = await startTroupe({ workers: WORKERS });
    const people = await troupe.users("ann", "bob", "cleo", "dora", "emil");
    const [watching, ...others] = people;
    for (const person of others) await watching!.startsDirect(person);
    const group = await watching!.startsGroup(...others);
    const sessions = await Promise.all(others.map((person) => person.connects()));
    const victim = troupe.workerOf(sessions[0]!);
    const gone = others.filter((_, i) => troupe!.workerOf(sessions[i]!) === victim);
    const watcher = await watchedFrom(troupe, watching!, victim);
    for (const session of sessions) await session.types(group.id, true);
    await troupe.killWorker(troupe.pids().workers.indexOf(victim));
    for (const person of gone) {
      await watcher.next(
        "user_status",
        ({ user_id, status }) => user_id === person.id && status === "offline",
        PRESENCE_TRUE_WITHIN_MS,
      );
    }
    await presenceIsTrue(
      watching!,
      others.filter((person) => !gone.includes(person)),
      gone,
    );
    for (const person of others.filter((other) => !gone.includes(other))) {
      const heard = watcher.heard("user_status", ({ user_id }) => user_id === person.id);
      expect(heard.map(({ status }) => status)).not.toContain("offline");
    }
    await nobodyTypes(watcher, [group]);
    await eventually(
      "the watcher sees no one typing",
      () => shownTyping([watcher]).length === 0,
      TYPING_ENDS_WITHIN_MS,
    );
    await troupe.stop();
  });
});

/** A session of `person` on another worker than `not`. */
async function watchedFrom(cluster: Troupe, person: Person, not: number): Promise<Session> {
  for (const _ of upTo(WORKERS * 4)) {
    const session = await person.connects();
    if (cluster.workerOf(session) !== not) return session;
    await session.disconnects();
  }
  throw new Error("every connection reached the same worker");
}

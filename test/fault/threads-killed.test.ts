/**
 * Threads while the workers that hold the thread's and the parent's actors are killed under replies.
 * A test holds the conversation's row in PostgreSQL: the actor's next commit then waits for it, and
 * the kernel knows whose connection waits. That worker is killed with the commit in flight.
 */
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { afterEach, expect, it } from "vitest";
import type { ListPage } from "../../src/ports/social.ts";
import type { ConversationSummary } from "../../src/protocol/conversation-list.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { createRecount } from "../../src/storage/postgres/recount.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { upTo } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { createDatabase, type TestDatabase } from "../support/postgres.ts";
import { ownerOfConnection } from "../support/processes.ts";
import { type Chance, chanceFrom, seedFor } from "../support/random.ts";
import type { Session } from "../support/session.ts";
import { noSocketsLeft } from "../support/suite.ts";

const WORKERS = 3;
const CONTRACT = "1.1";
const RETRY_PAUSE_MS = 50;
const ACK_DEADLINE_MS = 1_500;
const BACK_WITHIN_MS = 20_000;
const SUMMARY_WITHIN_MS = 10_000;
const REPLIES_BETWEEN = 40;

let database: TestDatabase | undefined;
let troupe: Troupe | undefined;
let watching: pg.Client | undefined;
let holding: pg.Client | undefined;

afterEach(async (context) => {
  if (context.task.result?.state === "fail") console.error(troupe?.logTail());
  await watching?.end();
  await holding?.end();
  await troupe?.discard();
  await database?.stop();
  troupe = database = watching = holding = undefined;
  await noSocketsLeft();
});

/** Someone who replies without pause until told to stop, and deletes one of ten replies. */
class Replier {
  readonly session: Session;
  /** By client_id: what was acknowledged. */
  readonly acked = new Map<string, Message>();
  readonly deleted = new Set<number>();
  readonly #person: Person;
  readonly #thread: string;
  readonly #chance: Chance;
  #isStopping = false;

  constructor(person: Person, session: Session, thread: string, chance: Chance) {
    this.#person = person;
    this.session = session;
    this.#thread = thread;
    this.#chance = chance;
  }

  async runs(): Promise<void> {
    while (!this.#isStopping) {
      const sent = await this.#sendsUntilAcked();
      if (sent !== null && this.#chance(10) === 0) await this.#deletes(sent.seq);
      await delay(this.#chance(20));
    }
  }

  stops(): void {
    this.#isStopping = true;
  }

  async #sendsUntilAcked(): Promise<Message | null> {
    const client_id = this.#person.nextClientId();
    const payload = { conversation_id: this.#thread, client_id, body: client_id };
    for (;;) {
      const answer = await this.session.tries("send_message", payload, ACK_DEADLINE_MS);
      if (answer?.ok) {
        const { message } = answer as unknown as { message: Message };
        this.acked.set(client_id, message);
        return message;
      }
      if (answer !== null && answer.error?.code !== "unavailable") {
        throw new Error(`a reply was refused: ${JSON.stringify(answer.error)}`);
      }
      await delay(RETRY_PAUSE_MS);
    }
  }

  async #deletes(seq: number): Promise<void> {
    const payload = { conversation_id: this.#thread, seq };
    const answer = await this.session.tries("delete_message", payload, ACK_DEADLINE_MS);
    if (answer?.ok) this.deleted.add(seq);
  }
}

/**
 * Kills the worker whose commit waits for the row of `id`. `act` brings the actor to commit; its
 * answer is not waited for.
 */
async function killsTheWorkerOf(id: string, act: () => Promise<unknown>): Promise<void> {
  const running = troupe!;
  await holding!.query("BEGIN");
  await holding!.query("SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE", [id]);
  const acted = act().catch(() => undefined);
  let port = 0;
  await eventually("the actor's commit waits for the row", async () => {
    const { rows } = await watching!.query<{ client_port: number }>(
      `SELECT client_port FROM pg_stat_activity
       WHERE client_port > 0 AND wait_event_type = 'Lock' AND cardinality(pg_blocking_pids(pid)) > 0`,
    );
    port = rows[0]?.client_port ?? 0;
    return port > 0;
  });
  const { workers } = running.pids();
  const owner = ownerOfConnection(port, Number(new URL(database!.url).port), workers);
  if (owner === undefined) throw new Error(`no worker has the connection from port ${port}`);
  await running.killWorker(workers.indexOf(owner));
  await holding!.query("ROLLBACK");
  await acted;
  await eventually(
    "the worker is replaced",
    () => running.pids().workers.length === WORKERS,
    BACK_WITHIN_MS,
  );
}

it("[THK1] [THS3] [THS2] the thread's and the parent's workers are killed under replies: nothing is lost, counted wrong or heard after a removal", {
  timeout: 150_000,
}, async () => {
  const chance = chanceFrom(seedFor("[THK1]"));
  database = await createDatabase();
  watching = new pg.Client({ connectionString: database.url });
  holding = new pg.Client({ connectionString: database.url });
  await Promise.all([watching.connect(), holding.connect()]);
  troupe = await startTroupe({ workers: WORKERS, databaseUrl: database.url });
  const people = await troupe.users("ann", "bob", "cleo", "dora");
  const [ann, bob, cleo, dora] = people as [Person, Person, Person, Person];
  const group = await ann.startsGroup(bob, cleo, dora);
  const root = await bob.posts(group.id, "what now?");
  const rootPath = `/api/conversations/${group.id}/messages/${root.seq}`;
  const thread = expectStatus(await ann.api.post<Conversation>(`${rootPath}/thread`), 201);
  for (const person of people) {
    expectStatus(await person.api.post(`/api/conversations/${thread.id}/follow`), 200);
  }
  const opens = (person: Person) => person.connects({ contract: CONTRACT, reconnection: true });
  const repliers: Replier[] = [];
  for (const person of [bob, cleo, bob]) {
    repliers.push(new Replier(person, await opens(person), thread.id, chance));
  }
  const listening = [await opens(ann), await opens(cleo)];
  const doras = [await opens(dora), await opens(dora)];
  const running = Promise.all(repliers.map((replier) => replier.runs()));
  running.catch(() => undefined);
  const ackedCount = () => repliers.reduce((sum, { acked }) => sum + acked.size, 0);
  const goesOn = async () => {
    const before = ackedCount();
    await eventually(
      "replies go on",
      () => ackedCount() > before + REPLIES_BETWEEN,
      BACK_WITHIN_MS,
    );
  };

  await goesOn();
  await killsTheWorkerOf(thread.id, async () => undefined);
  await goesOn();
  // The parent's worker dies with the removal in flight; it is asked for until it is answered.
  const member = `/api/conversations/${group.id}/members/${dora.id}`;
  await killsTheWorkerOf(group.id, () => ann.api.delete(member));
  await eventually(
    "the removal is answered",
    async () => [204, 404].includes((await ann.api.delete(member)).status),
    BACK_WITHIN_MS,
  );
  const clientIdsBefore = new Set(
    (
      await watching.query<{ client_id: string }>(
        "SELECT client_id FROM messages WHERE conversation_id = $1",
        [thread.id],
      )
    ).rows.map(({ client_id }) => client_id),
  );
  await goesOn();
  await killsTheWorkerOf(thread.id, async () => undefined);
  await goesOn();
  await killsTheWorkerOf(group.id, () => ann.posts(group.id, "in the parent"));
  await goesOn();
  for (const replier of repliers) replier.stops();
  await running;

  // Nothing is lost and nothing is there twice.
  const stored = await ann.reads(thread.id);
  expect(stored.map(({ seq }) => seq)).toEqual(upTo(stored.length));
  expect(new Set(stored.map(({ client_id }) => client_id)).size).toBe(stored.length);
  const bySeq = new Map(stored.map((message) => [message.seq, message]));
  for (const { acked, deleted } of repliers) {
    for (const { seq, id } of acked.values()) expect(bySeq.get(seq)?.id).toBe(id);
    for (const seq of deleted) expect(bySeq.get(seq)?.deleted_at).not.toBeNull();
  }

  // The summary ends true, in reads of the root and in live sessions.
  const replies = stored.filter(({ deleted_at }) => deleted_at === null);
  const isTrue = (shown: Message["thread"]) =>
    shown?.reply_count === replies.length && shown.last_reply_at === replies.at(-1)?.created_at;
  await eventually(
    "the root's summary is true",
    async () => isTrue(expectStatus(await ann.api.get<Message>(rootPath), 200).thread),
    SUMMARY_WITHIN_MS,
  );
  const isRoot = ({ id }: { id: string }) => id === root.id;
  await eventually(
    "sessions have heard the true summary",
    () =>
      listening.every((session) => isTrue(session.heard("message_updated", isRoot).at(-1)?.thread)),
    SUMMARY_WITHIN_MS,
  );

  // Unread is exact: by definition, and by a recount of what is stored.
  for (const person of [ann, bob, cleo]) {
    const path = `/api/conversations/${thread.id}`;
    const { members } = expectStatus(await person.api.get<Conversation>(path), 200);
    const own = members.find(({ user_id }) => user_id === person.id);
    const { items } = expectStatus(
      await person.api.get<ListPage<ConversationSummary>>("/api/threads"),
      200,
    );
    const unread = stored.filter(({ seq }) => seq > own!.read_seq).length;
    expect(items.find(({ id }) => id === thread.id)?.unread_count).toBe(unread);
  }
  expect(await createRecount(database.url).recount(false)).toEqual([]);

  // A user who was removed from the parent has received nothing that came after the removal.
  const late = new Set(
    stored.filter(({ client_id }) => !clientIdsBefore.has(client_id!)).map(({ seq }) => seq),
  );
  expect(late.size).toBeGreaterThan(REPLIES_BETWEEN);
  for (const session of doras) {
    const heard = [...session.heard("message"), ...session.heard("message_updated")].filter(
      ({ conversation_id, seq }) => conversation_id === thread.id && late.has(seq),
    );
    expect(heard).toEqual([]);
    const own = await session.syncs({ [thread.id]: 1, [group.id]: 1 });
    expect([...own.removed].sort()).toEqual([thread.id, group.id].sort());
  }
  await troupe.stop();
});

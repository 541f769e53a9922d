/**
 * Somebody who sends one message after the other, and sends each again, with the same `client_id`,
 * until it is acknowledged: as a client does while a server is away.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Message } from "../../src/protocol/schemas.ts";
import type { Person } from "./person.ts";

const PAUSE_MS = 20;
/** The answers after which a client tries again. */
const TEMPORARY = new Set([429, 503]);

export class Talker {
  readonly acknowledged: string[] = [];
  /** How often a send was answered `unavailable`. */
  unavailable = 0;
  readonly #person: Person;
  readonly #conversationId: string;
  readonly #talking: Promise<void>;
  #isOver = false;

  constructor(person: Person, conversationId: string) {
    this.#person = person;
    this.#conversationId = conversationId;
    this.#talking = this.#talk();
  }

  /** Resolves when the last message was acknowledged; rejects where one was refused for good. */
  async stops(): Promise<void> {
    this.#isOver = true;
    await this.#talking;
  }

  async #talk(): Promise<void> {
    for (let n = 1; !this.#isOver; n++) {
      const clientId = `talk-${this.#person.user.username}-${n}`;
      while (!(await this.#sends(clientId))) await delay(PAUSE_MS);
      this.acknowledged.push(clientId);
    }
  }

  async #sends(clientId: string): Promise<boolean> {
    const path = `/api/conversations/${this.#conversationId}/messages`;
    const payload = { client_id: clientId, body: `message ${clientId}` };
    const answer = await this.#person.api.post<Message>(path, payload).catch(() => null);
    if (answer === null) return false;
    if (answer.status === 503) this.unavailable++;
    if (TEMPORARY.has(answer.status)) return false;
    if (answer.status === 200 || answer.status === 201) return true;
    throw new Error(`a send was answered ${answer.status}: ${answer.text}`);
  }
}

/** All messages of a conversation, the oldest first. */
export async function historyOf(person: Person, conversationId: string): Promise<Message[]> {
  const all: Message[] = [];
  for (let before = ""; ; ) {
    const path = `/api/conversations/${conversationId}/messages?limit=100${before}`;
    const { body } = await person.api.get<{ items: Message[] }>(path);
    all.push(...body.items);
    const last = Math.min(...body.items.map(({ seq }) => seq));
    if (body.items.length === 0 || last === 1) break;
    before = `&before_seq=${last}`;
  }
  return all.sort((one, other) => one.seq - other.seq);
}

/**
 * One ActorRuntime that owns everything, on the memory store and a clock of the test: asks and
 * tells go in, events and answers come out.
 */
import type { AppRunner } from "../../actors/app-ports.ts";
import type { ChangeRate } from "../../actors/changes.ts";
import { behaviours } from "../../actors/index.ts";
import { CHANGES_EVERY_MS } from "../../actors/limits.ts";
import type { ActorPorts } from "../../actors/ports.ts";
import type { ErrorCode } from "../../src/protocol/errors.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { asConversationId, asUserId } from "../../src/protocol/schemas.ts";
import { ActorRuntime } from "../../src/runtime/actor-runtime.ts";
import { FLAG, FRAME, type Frame, frame } from "../../src/runtime/frames.ts";
import { PLACEMENT, type View } from "../../src/runtime/view.ts";
import { createMemoryStorage, type MemoryStorage } from "../../src/storage/memory/ports.ts";
import { MemoryTables } from "../../src/storage/memory/tables.ts";
import { FakeClock, settled } from "./fake-clock.ts";

/** The answer of an ask: its value, or the code of its refusal. */
export type Told = { value: Record<string, unknown>; rev: number } | { code: ErrorCode };

export const SELF = "w1";
export const GRACE_MS = 5_000;
export const SESSIONS_MAX = 50;

export class SoloActors {
  readonly clock: FakeClock = new FakeClock();
  readonly storage: MemoryStorage;
  readonly host: ActorRuntime;
  readonly events: Frame[] = [];
  /** Events and answers in the order in which they left. */
  readonly order: string[] = [];
  readonly bugs: unknown[] = [];
  readonly #answers = new Map<number, (told: Told) => void>();
  #corr = 0;
  #users = 0;
  #viewNumber = 0;

  constructor(
    wrap: (ports: ActorPorts) => ActorPorts = (ports) => ports,
    changes: ChangeRate = null,
    { apps = null, of = null }: { apps?: AppRunner | null; of?: SoloActors | null } = {},
  ) {
    // `of`: another worker over the same storage and clock.
    if (of !== null) this.clock = of.clock;
    const tables = of?.storage.tables ?? new MemoryTables(() => this.clock.nowMs());
    this.storage = createMemoryStorage(tables);
    this.host = new ActorRuntime({
      clock: this.clock,
      self: SELF,
      behaviours: behaviours(wrap(this.storage.ports), {
        graceMs: GRACE_MS,
        sessionsMax: SESSIONS_MAX,
        changes,
        apps,
      }),
      send: (sent) => this.#onFrame(sent),
      onBug: (_key, bug) => this.bugs.push(bug),
      onMalformed: (_key, bug) => this.bugs.push(bug),
    });
    this.neighbours();
  }

  /** A new view: this worker and `lives`, which own nothing here that is asked for. */
  neighbours(...incarnations: string[]): void {
    const draining = incarnations;
    const view: View = {
      number: ++this.#viewNumber,
      workers: [{ incarnation: SELF, slot: SELF }],
      draining,
      away: [],
      placement: PLACEMENT,
    };
    this.host.setView(view);
  }

  async asks(key: string, op: string, body: object): Promise<Told> {
    const answer = this.asking(key, op, body);
    await settled();
    return answer;
  }

  /** Asks for a change of title or members when no earlier one keeps it waiting. */
  async changes(key: string, op: string, body: object): Promise<Told> {
    await this.clock.advance(CHANGES_EVERY_MS);
    return this.asks(key, op, body);
  }

  /** Like `asks`, without waiting. */
  asking(key: string, op: string, body: object): Promise<Told> {
    const corr = ++this.#corr;
    const told = new Promise<Told>((resolve) => this.#answers.set(corr, resolve));
    this.#deliver(FRAME.ask, key, op, body, corr);
    return told;
  }

  async tells(key: string, op: string, body: object, from = SELF): Promise<void> {
    this.#deliver(FRAME.tell, key, op, body, 0, from);
    await settled();
  }

  async users(count: number): Promise<UserId[]> {
    const users: UserId[] = [];
    for (let n = 0; n < count; n++) {
      const name = `user.${++this.#users}`;
      const made = await this.storage.accounts.register(name, name, "hash");
      if (!made.ok) throw new Error(made.error.message);
      users.push(asUserId(made.value.id));
    }
    return users;
  }

  async group(members: UserId[]): Promise<ConversationId> {
    const store = this.storage.ports.conversations;
    const made = await store.create("group", members[0]!, members, "A group");
    if (!made.ok) throw new Error(made.error.message);
    return asConversationId(made.value.conversation.id);
  }

  /** The payloads of the events of one name. */
  said(name: string): Record<string, unknown>[] {
    return this.events
      .filter((event) => event.name === name)
      .map((event) => JSON.parse(event.body) as Record<string, unknown>);
  }

  close(): void {
    this.host.close();
    if (this.clock.pending > 0) throw new Error(`${this.clock.pending} timers were left`);
    if (this.bugs.length > 0) throw new Error(`bugs in actors: ${this.bugs.join(", ")}`);
  }

  #deliver(
    type: typeof FRAME.ask | typeof FRAME.tell,
    key: string,
    name: string,
    body: object,
    corr: number,
    from = SELF,
  ): void {
    this.host.deliver(
      frame(type, { to: SELF, from, key, name, body: JSON.stringify(body), corr, rev: 10_000 }),
    );
  }

  #onFrame(sent: Frame): void {
    if (sent.type === FRAME.event) {
      this.events.push(sent);
      this.order.push(`${sent.name} ${sent.rev}`);
      return;
    }
    this.order.push(`answer ${sent.rev}`);
    const body = JSON.parse(sent.body) as Record<string, unknown>;
    const isOk = (sent.flags & FLAG.ok) !== 0;
    this.#answers.get(sent.corr)?.(
      isOk ? { value: body, rev: sent.rev } : { code: body["code"] as ErrorCode },
    );
    this.#answers.delete(sent.corr);
  }
}

/**
 * `troupe/actor/test`: runs an actor's turns in a test, without a server. Time stands still until
 * `advance`; a refused turn throws ActorRefusal, and a turn that throws or breaks a schema throws
 * an Error with its place.
 *
 *   const poll = testActor(definition);
 *   poll.create({ question: "Tea?" }, user("1"));
 *   poll.call("vote", { choice: 2 }, user("1"));
 *   expect(poll.events).toEqual([{ rev: 1, name: "totals", data: { 2: 1 } }]);
 */
import type { AppCaller, AppEffect, AppTurn, AppTurnDone } from "../protocol/app-actors.ts";
import type { ErrorObject } from "../protocol/errors.ts";
import type { ActorDefinition, ActorTypes, Answer } from "./define-actor.ts";
import { KindOfActor } from "./turns.ts";

/** What a client is answered. */
export class ActorRefusal extends Error {
  override readonly name = "ActorRefusal";
  readonly code: string;
  readonly details: unknown;
  constructor({ code, message, details }: ErrorObject) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

export interface TestEvent {
  rev: number;
  name: string;
  data: unknown;
  to?: string[];
}

export const user = (id: string, role?: string): AppCaller => ({
  user: id,
  session: `session of ${id}`,
  service: null,
  ...(role !== undefined && { role }),
});

export const service = (subject: string): AppCaller => ({
  user: null,
  session: null,
  service: subject,
});

export class TestActor<T extends ActorTypes> {
  readonly key: string;
  /** All of them so far. */
  readonly events: TestEvent[] = [];
  /** Messages, notifications, signals and calls, in their order. */
  readonly effects: AppEffect[] = [];
  nowMs: number;
  readonly #kind: KindOfActor;
  readonly #timers = new Map<string, number>();
  #text: string | null = null;

  constructor(definition: ActorDefinition<T>, { key = "test", nowMs = 0 } = {}) {
    this.#kind = new KindOfActor(definition as ActorDefinition);
    this.key = key;
    this.nowMs = nowMs;
  }

  /** Null: there is no such actor, or it was destroyed. */
  get state(): unknown {
    return this.#text === null ? null : JSON.parse(this.#text);
  }

  create(args: Record<string, unknown>, caller: AppCaller): T["view"] {
    if (this.#text !== null) throw new Error("It was made already.");
    return this.#turn({ does: "create", args, caller });
  }

  call<N extends keyof T["args"] & keyof T["results"] & string>(
    action: N,
    args: T["args"][N],
    caller: AppCaller,
  ): T["results"][N] {
    return this.#turn({ does: "call", action, args, caller }) as T["results"][N];
  }

  /** As the caller may see it. */
  view(caller: AppCaller): T["view"] {
    return this.#turn({ does: "see", caller });
  }

  watched(caller: AppCaller): void {
    this.#turn({ does: "watched", caller });
  }

  unwatched(caller: AppCaller): void {
    this.#turn({ does: "unwatched", caller });
  }

  answers(tag: string, answer: Answer): void {
    this.#turn({ does: "answer", tag, answer: answer as never });
  }

  erase(userId: string): void {
    this.#turn({ does: "erase", user: userId });
  }

  /** Time passes, and the timers that are due by then ring in their order. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const [next] = [...this.#timers].sort(([, a], [, b]) => a - b);
      if (next === undefined || next[1] > untilMs) break;
      const [timer, dueMs] = next;
      this.nowMs = Math.max(this.nowMs, dueMs);
      this.#timers.delete(timer);
      this.#turn({ does: "ring", timer });
    }
    this.nowMs = untilMs;
  }

  #turn(turn: AppTurn): unknown {
    const { turns } = this.#kind.run({
      kind: this.#kind.kind,
      key: this.key,
      state: this.#text,
      version: this.#kind.version,
      nowMs: this.nowMs,
      turns: [turn],
      timers: [...this.#timers.keys()],
      watching: [],
      hops: 0,
    });
    const [done] = turns as [AppTurnDone];
    if (done.is === "refused") throw new ActorRefusal(done.error);
    if (done.is === "failed") throw new Error(done.why);
    if (done.state !== undefined) this.#text = done.state;
    for (const { name, data, to } of done.events) {
      const rev = this.events.length + 1;
      this.events.push({ rev, name, data: JSON.parse(data) as unknown, ...(to && { to }) });
    }
    for (const { name, delayMs } of done.timers) {
      if (delayMs === null) this.#timers.delete(name);
      else this.#timers.set(name, this.nowMs + delayMs);
    }
    if (this.#text === null) this.#timers.clear();
    this.effects.push(...done.effects);
    return JSON.parse(done.answer);
  }
}

export function testActor<T extends ActorTypes>(
  definition: ActorDefinition<T>,
  options: { key?: string; nowMs?: number } = {},
): TestActor<T> {
  return new TestActor(definition, options);
}

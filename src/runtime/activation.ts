/**
 * One activation: a behaviour's state, the letters (asks and tells) that wait for it, its timers
 * and its work. It is also the context that its behaviour receives, so that an idle online user
 * costs little memory.
 *
 * [ACT1] While it loads or passivates, letters wait in order; none is lost or reordered.
 * [ACT2] The number of waiting letters is bounded; further callers are answered `unavailable`.
 * [ACT3] A turn that throws ends this activation; its callers are answered `internal`.
 * [ACT4] It ends when the work it has begun is done; letters that came meanwhile go to the next
 *        activation.
 * [ACT5] A timer rings once, unless it is set again or cancelled, and never after passivation
 * began.
 * [ACT7] While the actor runtime is held, letters and results of begun work wait there, in order.
 * [ACT8] Before it passivates, its behaviour is asked to do at once what waits for a timer.
 * [ACT6] A letter from a worker that is gone by then gets no turn: sessions that it announced would
 *        stay forever.
 */
import type { Behaviour, Context, Incoming, Reply, TopicEvent } from "../../actors/behaviour.ts";
import type { ActorAddress, ActorKind, Op, OpAnswer, OpBody } from "../protocol/actor-ops.ts";
import { type ErrorObject, REFUSALS, type Result } from "../protocol/errors.ts";
import type { Monotonic, WallTime } from "../protocol/time.ts";
import type { Topic } from "../protocol/topics.ts";

/**
 * The most waiting letters plus begun work of one actor; further callers are answered
 * `unavailable`.
 */
export const MAILBOX_MAX = 10_000;

export interface Letter {
  /** Incarnation id of the worker that wrote it. */
  from: string;
  op: string;
  body: string;
  /** After this time nobody waits for the answer. */
  expiresAtMs: Monotonic;
  answer: AnswerSink;
}

/** Receives the answer of an ask; null for a tell. */
export type AnswerSink = ((ok: boolean, body: string, rev: number) => void) | null;

/** The parts of the actor runtime that an activation uses. */
export interface ActivationOwner {
  monotonicMs(): Monotonic;
  wallMs(): WallTime;
  after(delayMs: number, ring: () => void): () => void;
  /** Runs a turn now, or when the runtime is no longer held. Turns keep their order. */
  whenOpen(turn: () => void): void;
  /** Whether that worker has left the cluster; its sessions are over then. */
  isGone(incarnation: string): boolean;
  /** Whether that worker is unreachable now, and may be alive. */
  isAway(incarnation: string): boolean;
  /** A context's outward effects: ask, tell, publish. */
  readonly effects: Pick<Context, "ask" | "tell" | "publish">;
  /** Called when the body of a letter is not JSON. */
  onMalformed(key: string, fault: unknown): void;
  /** `letters` came too late for this activation; the next one takes them. */
  onEnded(activation: Activation, letters: readonly Letter[], bug: unknown): void;
}

type Phase =
  /** The behaviour is loading its state. */
  | { is: "loading"; letters: Letter[] }
  /** Each letter gets its turn at once. */
  | { is: "active"; state: unknown }
  /** Begun work is finishing; no new work begins. */
  | { is: "passivating"; state: unknown; letters: Letter[] }
  /** Late results are ignored. */
  | { is: "ended" };

export class Activation implements Context {
  readonly key: string;
  readonly behaviour: Behaviour;
  lastTurnAtMs: Monotonic;
  readonly #host: ActivationOwner;
  /** Null while empty, here and below, since most actors are idle. */
  #timers: Map<string, () => void> | null = null;
  #unanswered: Set<ActorReply> | null = null;
  #phase: Phase = { is: "loading", letters: [] };
  #workBegun = 0;
  #wantsPassivation = false;
  #isTakingLettersIn = false;
  /** Read from the clock when a turn first asks for it. */
  #wallMs: WallTime | null = null;

  constructor(key: string, id: string, behaviour: Behaviour, host: ActivationOwner) {
    this.key = key;
    this.behaviour = behaviour;
    this.#host = host;
    this.lastTurnAtMs = host.monotonicMs();
    behaviour.activate(id).then(
      (state) => this.#onLoaded(state),
      () => this.end(REFUSALS.unavailable.error),
    );
  }

  /** Letters waiting and work begun. */
  get depth(): number {
    const waiting = "letters" in this.#phase ? this.#phase.letters.length : 0;
    return waiting + this.#workBegun;
  }

  /** Whether it can be dropped now without losing anything or leaving a caller waiting. */
  get isIdle(): boolean {
    return (
      this.#phase.is === "active" &&
      this.#workBegun === 0 &&
      (this.#unanswered?.size ?? 0) === 0 &&
      (this.#timers?.size ?? 0) === 0 &&
      !this.behaviour.isBusy(this.#phase.state)
    );
  }

  get hasUnfinishedWork(): boolean {
    const unanswered = this.#unanswered?.size ?? 0;
    return this.#phase.is === "loading" || this.#workBegun > 0 || unanswered > 0;
  }

  receive(letter: Letter): void {
    if (this.depth >= MAILBOX_MAX) {
      letter.answer?.(false, JSON.stringify(REFUSALS.unavailable.error), 0);
      return;
    }
    switch (this.#phase.is) {
      case "loading":
      case "passivating":
        this.#phase.letters.push(letter);
        return;
      case "active":
        this.#handle(letter);
        return;
      case "ended":
        letter.answer?.(false, JSON.stringify(REFUSALS.unavailable.error), 0);
        return;
    }
  }

  workersGone(incarnations: ReadonlySet<string>, mayBeBack = false): void {
    this.#turn((state, ctx) => this.behaviour.onWorkersGone(state, incarnations, ctx, mayBeBack));
  }

  /** The actor belongs to another worker now: ends it as soon as its begun work is done. */
  retire(): void {
    this.#wantsPassivation = true;
    this.#passivateIfWanted();
  }

  /** Ends it now; waiting callers are refused with `error`. */
  end(error: ErrorObject, bug?: unknown): void {
    const { is } = this.#phase;
    if (is === "ended") return;
    const letters = "letters" in this.#phase ? this.#phase.letters : [];
    this.#phase = { is: "ended" };
    this.#cancelTimers();
    for (const reply of this.#unanswered ?? []) reply.refuse(error);
    if (is === "loading") {
      const text = JSON.stringify(error);
      for (const letter of letters) letter.answer?.(false, text, 0);
    }
    this.#host.onEnded(this, is === "passivating" ? letters : [], bug);
  }

  // The behaviour's context; see Context.

  get monotonicMs(): Monotonic {
    return this.lastTurnAtMs;
  }

  get wallMs(): WallTime {
    this.#wallMs ??= this.#host.wallMs();
    return this.#wallMs;
  }

  isAway(incarnation: string): boolean {
    return this.#host.isAway(incarnation);
  }

  ask<K extends ActorKind, O extends Op<K>>(
    to: ActorAddress & { kind: K },
    op: O,
    body: OpBody<K, O>,
    answered: (answer: Result<OpAnswer<K, O>>) => void,
  ): void {
    this.#workBegun++;
    this.#host.effects.ask(to, op, body, (answer) => {
      this.#workBegun--;
      this.#turn(() => answered(answer));
    });
  }

  tell<K extends ActorKind, O extends Op<K>>(
    to: ActorAddress & { kind: K },
    op: O,
    body: OpBody<K, O>,
  ): void {
    this.#host.effects.tell(to, op, body);
  }

  publish(topic: Topic, event: TopicEvent): void {
    this.#host.effects.publish(topic, event);
  }

  after(delayMs: number, timer: string): void {
    this.#timers?.get(timer)?.();
    if (this.#phase.is !== "active") return;
    const cancel = this.#host.after(delayMs, () => {
      this.#timers?.delete(timer);
      this.#turn((state, ctx) => this.behaviour.onTimer(state, timer, ctx));
    });
    this.#timers ??= new Map();
    this.#timers.set(timer, cancel);
  }

  cancel(timer: string): void {
    this.#timers?.get(timer)?.();
    this.#timers?.delete(timer);
  }

  run<T>(work: Promise<T>, done: (value: T) => void, failed: (fault: unknown) => void): void {
    this.#workBegun++;
    const settled = (step: () => void) =>
      this.#host.whenOpen(() => {
        this.#workBegun--;
        this.#turn(step);
      });
    work.then(
      (value) => settled(() => done(value)),
      (fault) => settled(() => failed(fault)),
    );
  }

  passivate(): void {
    this.#wantsPassivation = true;
  }

  #onLoaded(state: unknown): void {
    if (this.#phase.is !== "loading") return;
    if (state === null) {
      this.end({ code: "not_found", message: `No such ${this.behaviour.kind}.` });
      return;
    }
    const { letters } = this.#phase;
    this.#phase = { is: "active", state };
    const nowMs = this.#host.monotonicMs();
    this.#isTakingLettersIn = true;
    for (const letter of letters) {
      if (letter.expiresAtMs > nowMs) this.receive(letter);
    }
    this.#isTakingLettersIn = false;
    this.#passivateIfWanted();
  }

  #handle(letter: Letter): void {
    // The sender's sessions are over, and no caller is left.
    if (this.#host.isGone(letter.from)) return;
    const reply = this.#replyTo(letter);
    let body: unknown;
    try {
      body = JSON.parse(letter.body);
    } catch (fault) {
      reply.refuse(REFUSALS.internal.error);
      this.#host.onMalformed(this.key, fault);
      return;
    }
    this.#turn((state, ctx) => {
      const message: Incoming = { op: letter.op, body, reply };
      this.behaviour.receive(state, message, ctx);
    });
  }

  #replyTo({ answer }: Letter): Reply {
    if (answer === null) return NO_REPLY;
    this.#unanswered ??= new Set();
    return new ActorReply(answer, this.#unanswered);
  }

  /** Runs one turn; a throw is a bug and ends this activation only. */
  #turn(step: (state: unknown, ctx: Context) => void): void {
    if (this.#phase.is !== "active" && this.#phase.is !== "passivating") return;
    this.lastTurnAtMs = this.#host.monotonicMs();
    this.#wallMs = null;
    try {
      step(this.#phase.state, this);
    } catch (bug) {
      this.end(REFUSALS.internal.error, bug);
      return;
    }
    this.#passivateIfWanted();
  }

  #passivateIfWanted(): void {
    if (!this.#wantsPassivation || this.#isTakingLettersIn) return;
    if (this.#phase.is === "active") {
      this.#cancelTimers();
      this.#phase = { is: "passivating", state: this.#phase.state, letters: [] };
      this.#turn((state, ctx) => this.behaviour.onRetiring?.(state, ctx));
    }
    if (this.#phase.is === "passivating" && !this.hasUnfinishedWork) {
      this.end(REFUSALS.unavailable.error);
    }
  }

  #cancelTimers(): void {
    for (const cancel of this.#timers?.values() ?? []) cancel();
    this.#timers = null;
  }
}

/** A tell's. */
const NO_REPLY: Reply = {
  ok: () => undefined,
  okText: () => undefined,
  refuse: () => undefined,
};

class ActorReply implements Reply {
  #answer: NonNullable<AnswerSink> | null;
  readonly #unanswered: Set<ActorReply>;

  constructor(answer: NonNullable<AnswerSink>, unanswered: Set<ActorReply>) {
    this.#answer = answer;
    this.#unanswered = unanswered;
    unanswered.add(this);
  }

  ok(value: unknown, rev = 0): void {
    this.okText(JSON.stringify(value), rev);
  }

  okText(body: string, rev = 0): void {
    this.#give(true, body, rev);
  }

  refuse(error: ErrorObject): void {
    this.#give(false, JSON.stringify(error), 0);
  }

  #give(ok: boolean, body: string, rev: number): void {
    const answer = this.#answer;
    if (answer === null) return;
    this.#answer = null;
    this.#unanswered.delete(this);
    answer(ok, body, rev);
  }
}

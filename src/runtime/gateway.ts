/**
 * The asking side: turns `ask(kind, id, op)` into frames for the actor's owner and brings the
 * answers back. One gateway on each edge, one in each actor thread (their `corr` numbers
 * differ in the top bit, so an answer finds its way within a worker).
 *
 * [ASK1] Every ask is answered exactly once: by the actor, or with `unavailable`.
 * [ASK2] An ask that is not answered by its deadline is answered `unavailable`.
 * [ASK3] An ask that may be lost is sent again: when its owner is gone from the view, and when the
 *        receiver was not the owner. Answers to earlier attempts are ignored.
 * [ASK4] An op that must not run twice is not repeated after its owner died.
 * [ASK5] While too much waits on the way to the owner, a new ask is answered `unavailable`.
 * [ASK7] Asks of recovery have a budget of their own, so that they never cause a user's ask to be
 *        refused.
 * [ASK6] An ask for many actors goes to one worker only: when that worker is lost, the caller is
 *        answered `unavailable` and groups its actors by the new placement.
 */
import type { Clock } from "../base/clock.ts";
import type { ActorKind, Op, OpAnswer, OpBody } from "../protocol/actor-ops.ts";
import { type ErrorObject, REFUSALS, type Result } from "../protocol/errors.ts";
import { later, type Monotonic, msBetween } from "../protocol/time.ts";
import { FLAG, FRAME, type Frame, frame, type ManyAnswers, type ManyLetters } from "./frames.ts";
import { NO_VIEW, Placement, type View } from "./view.ts";

/** Longer than storage's own deadline, so that its refusal arrives first. */
export const ASK_DEADLINE_MS = 10_000;
const SWEEP_MS = 250;
/** At one attempt a sweep these take some seconds; after that the views will not agree in time. */
const ATTEMPTS_MAX = 20;

/** The source of an ask: a user's action, or recovery after a gap between hosts or a new view. */
type Budget = "users" | "recovery";
/** Asks that may wait for their answer at one time; past it they are refused `unavailable`. */
const PENDING_MAX: Readonly<Record<Budget, number>> = { users: 100_000, recovery: 2_000 };

/** Ops that must not run twice for one ask. */
const ONCE_ONLY: ReadonlySet<string> = new Set([
  "create_conversation",
  "create_post",
  "comment",
  "signal",
  "service_signal",
]);

/** The answer's JSON text and the rev it stands for, or the refusal's. */
export type Answered = (ok: boolean, body: string, rev: number) => void;

interface Pending {
  key: string;
  op: string;
  body: string;
  flags: number;
  /** The worker that has the ask; "" while no view names an owner that would take it. */
  to: string;
  /** [ASK6] The only worker that it may go to; null for the owner of `key`. */
  worker: string | null;
  budget: Budget;
  attempts: number;
  expiresAtMs: Monotonic;
  answered: Answered;
}

export interface GatewayOptions {
  clock: Clock;
  /** Incarnation id of the worker that asks. */
  self: string;
  /** Top bit of `corr`: 0 on the edge, 1 in the actor thread. */
  side: "edge" | "thread";
  /** Whether a new ask may be sent to that worker; if not it is answered `unavailable` at once. */
  mayAsk?(owner: string): boolean;
  send(frame: Frame): void;
}

const INTERNAL_TEXT = JSON.stringify(REFUSALS.internal.error);
const UNAVAILABLE_TEXT = JSON.stringify(REFUSALS.unavailable.error);

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #pendingOf: Record<Budget, number> = { users: 0, recovery: 0 };
  readonly #corrBase: number;
  #lastCorr = 0;
  #placement = new Placement(NO_VIEW);
  #cancelSweep: (() => void) | null = null;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#corrBase = options.side === "thread" ? 0x80000000 : 0;
  }

  get placement(): Placement {
    return this.#placement;
  }

  get pendingAsks(): number {
    return this.#pending.size;
  }

  /** Never rejects. */
  ask<K extends ActorKind, O extends Op<K>>(
    kind: K,
    id: string,
    op: O,
    body: OpBody<K, O>,
  ): Promise<Result<OpAnswer<K, O>>> {
    return new Promise((resolve) => {
      this.askText(`${kind}:${id}`, op, JSON.stringify(body), 0, (ok, text) => {
        resolve(
          ok
            ? { ok: true, value: JSON.parse(text) as OpAnswer<K, O> }
            : { ok: false, error: JSON.parse(text) as ErrorObject },
        );
      });
    });
  }

  /** Like `ask`, but an actor that is not active is not activated and answers null. */
  peek<K extends ActorKind, O extends Op<K>>(
    kind: K,
    id: string,
    op: O,
    body: OpBody<K, O>,
  ): Promise<Result<OpAnswer<K, O> | null>> {
    return new Promise((resolve) => {
      this.askText(`${kind}:${id}`, op, JSON.stringify(body), FLAG.peek, (ok, text) => {
        resolve(
          ok
            ? { ok: true, value: JSON.parse(text) as OpAnswer<K, O> | null }
            : { ok: false, error: JSON.parse(text) as ErrorObject },
        );
      });
    });
  }

  /**
   * Asks many actors of one kind, all of which `worker` owns by the present placement, with one
   * frame. Never rejects. [ASK7] It counts as recovery.
   */
  askMany<K extends ActorKind, O extends Op<K>>(
    kind: K,
    worker: string,
    op: O,
    letters: readonly (ManyLetters & { body: OpBody<K, O> })[],
  ): Promise<Result<ManyAnswers<OpAnswer<K, O>>>> {
    const body = JSON.stringify(letters);
    return new Promise((resolve) => {
      const answered: Answered = (ok, text) => {
        resolve(
          ok
            ? { ok: true, value: JSON.parse(text) as ManyAnswers<OpAnswer<K, O>> }
            : { ok: false, error: JSON.parse(text) as ErrorObject },
        );
      };
      this.#ask({ key: kind, op, body, flags: FLAG.many, worker, budget: "recovery", answered });
    });
  }

  tell<K extends ActorKind, O extends Op<K>>(kind: K, id: string, op: O, body: OpBody<K, O>): void {
    const key = `${kind}:${id}`;
    const to = this.#placement.ownerOf(key);
    if (to === null) return;
    this.#send(FRAME.tell, key, op, JSON.stringify(body), 0, to, 0);
  }

  /** The hot form: JSON text in, JSON text out, no promise. */
  askText(key: string, op: string, body: string, flags: number, answered: Answered): void {
    this.#ask({ key, op, body, flags, worker: null, budget: "users", answered });
  }

  #ask(asked: Omit<Pending, "to" | "attempts" | "expiresAtMs">): void {
    const { budget, answered } = asked;
    if (this.#pendingOf[budget] >= PENDING_MAX[budget]) {
      answered(false, UNAVAILABLE_TEXT, 0);
      return;
    }
    const expiresAtMs = later(this.#options.clock.monotonicMs(), ASK_DEADLINE_MS);
    const { key, op, body, flags, worker } = asked;
    // Written out: a spread of `asked` costs a microsecond for each message that is sent.
    const to = "";
    const attempts = 0;
    const pending = { key, op, body, flags, to, worker, budget, attempts, expiresAtMs, answered };
    const corr = this.#nextCorr();
    this.#pending.set(corr, pending);
    this.#pendingOf[budget]++;
    this.#dispatch(corr, pending);
    this.#cancelSweep ??= this.#options.clock.after(SWEEP_MS, () => this.#sweep());
  }

  onAnswer(f: Frame): void {
    const pending = this.#pending.get(f.corr);
    if (pending === undefined) return;
    if ((f.flags & FLAG.notOwner) !== 0) {
      if (pending.worker !== null) {
        this.#give(f.corr, pending, false, UNAVAILABLE_TEXT);
        return;
      }
      // A newer view is here or on its way: setView or the sweep asks again.
      const refusedBy = pending.to;
      pending.to = "";
      if (this.#placement.ownerOf(pending.key) !== refusedBy) this.#dispatch(f.corr, pending);
      return;
    }
    try {
      this.#give(f.corr, pending, (f.flags & FLAG.ok) !== 0, f.body, f.rev);
    } catch (fault) {
      // The caller cannot read the answer. [ASK1]
      pending.answered(false, INTERNAL_TEXT, 0);
      throw fault;
    }
  }

  /**
   * Takes a newer view. Asks without an owner, or whose owner is lost, go to the new owner; a
   * draining worker still answers the asks that it has.
   */
  setView(view: View): void {
    if (view.number <= this.#placement.view.number) return;
    const before = this.#placement;
    this.#placement = new Placement(view, before);
    const lost = this.#placement.lostSince(before);
    for (const [corr, pending] of [...this.#pending]) {
      if (pending.to === "") this.#dispatch(corr, pending);
      else if (lost.has(pending.to)) this.#askAgain(corr, pending);
    }
  }

  /** Asks to these workers, or their answers, may be lost. */
  onGap(incarnations: ReadonlySet<string>): void {
    for (const [corr, pending] of [...this.#pending]) {
      if (incarnations.has(pending.to)) this.#askAgain(corr, pending);
    }
  }

  /** Answers all open asks with `unavailable` and stops the sweep. */
  close(): void {
    this.#cancelSweep?.();
    this.#cancelSweep = null;
    for (const [corr, pending] of this.#pending) {
      this.#give(corr, pending, false, UNAVAILABLE_TEXT);
    }
  }

  /** [ASK4] [ASK6] */
  #askAgain(corr: number, pending: Pending): void {
    const isLost = pending.worker !== null && !this.#placement.has(pending.worker);
    if (isLost || ONCE_ONLY.has(pending.op)) this.#give(corr, pending, false, UNAVAILABLE_TEXT);
    else this.#dispatch(corr, pending);
  }

  #dispatch(corr: number, pending: Pending): void {
    const to = pending.worker ?? this.#placement.ownerOf(pending.key);
    if (to === null) {
      pending.to = "";
      return;
    }
    if (pending.attempts >= ATTEMPTS_MAX) {
      this.#give(corr, pending, false, UNAVAILABLE_TEXT);
      return;
    }
    if (pending.attempts === 0 && this.#options.mayAsk?.(to) === false) {
      this.#give(corr, pending, false, UNAVAILABLE_TEXT);
      return;
    }
    let attempt = corr;
    if (pending.attempts > 0) {
      this.#pending.delete(corr);
      attempt = this.#nextCorr();
      this.#pending.set(attempt, pending);
    }
    pending.attempts++;
    pending.to = to;
    const budgetMs = Math.max(1, msBetween(this.#options.clock.monotonicMs(), pending.expiresAtMs));
    const { key, op, body, flags } = pending;
    this.#send(FRAME.ask, key, op, body, attempt, to, budgetMs, flags);
  }

  #send(
    type: typeof FRAME.ask | typeof FRAME.tell,
    key: string,
    name: string,
    body: string,
    corr: number,
    to: string,
    rev: number,
    flags = 0,
  ): void {
    this.#options.send(
      frame(type, {
        to,
        from: this.#options.self,
        view: this.#placement.view.number,
        key,
        name,
        body,
        corr,
        rev,
        flags,
      }),
    );
  }

  #give(corr: number, pending: Pending, ok: boolean, body: string, rev = 0): void {
    this.#pending.delete(corr);
    this.#pendingOf[pending.budget]--;
    pending.answered(ok, body, rev);
  }

  #nextCorr(): number {
    do {
      this.#lastCorr = (this.#lastCorr + 1) & 0x7fffffff;
    } while (this.#lastCorr === 0 || this.#pending.has(this.#corrBase + this.#lastCorr));
    return this.#corrBase + this.#lastCorr;
  }

  #sweep(): void {
    this.#cancelSweep = null;
    const nowMs = this.#options.clock.monotonicMs();
    for (const [corr, pending] of [...this.#pending]) {
      if (pending.expiresAtMs <= nowMs) this.#give(corr, pending, false, UNAVAILABLE_TEXT);
      else if (pending.to === "") this.#dispatch(corr, pending);
    }
    if (this.#pending.size > 0) {
      this.#cancelSweep = this.#options.clock.after(SWEEP_MS, () => this.#sweep());
    }
  }
}

/** Whether an answer belongs to the actor thread's gateway rather than the edge's. */
export function isThreadCorr(corr: number): boolean {
  return corr >= 0x80000000;
}

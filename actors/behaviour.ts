/**
 * An actor seen from inside: a state, one synchronous turn at a time, and a context
 * through which every effect leaves. `src/runtime` runs behaviours; a behaviour never waits:
 * storage work and asks come back as later turns of the same actor (`run`, `ask`).
 *
 * Invariant: between two turns a state is whole. A throw in a turn is a bug and costs this
 * activation only; its callers are answered `internal`.
 */
import type { ActorAddress, ActorKind, Op, OpAnswer, OpBody } from "../src/protocol/actor-ops.ts";
import type { ErrorObject, Result } from "../src/protocol/errors.ts";
import type { SessionId, UserId } from "../src/protocol/ids.ts";
import type { Monotonic, WallTime } from "../src/protocol/time.ts";
import type { Topic } from "../src/protocol/topics.ts";

/** An event for a topic. Encoded once, here; everything after passes the text on. */
export interface TopicEvent {
  /** The Socket.IO event name, or the name of an order to the edges. */
  name: string;
  /** JSON text of the payload. */
  body: string;
  /** The conversation's `rev` or the notification's `seq`; 0 for what is not durable. */
  rev: number;
  /** The session or user that does not receive it. */
  except?: SessionId | UserId | "";
  /** A word or JSON text for the edges, which clients never see. */
  note?: string;
}

/** How one ask is answered, exactly once; a later answer is ignored. */
export interface Reply {
  ok(value: unknown, rev?: number): void;
  /** `body`: the answer's JSON text; `rev`: the change that this answer stands for. */
  okText(body: string, rev?: number): void;
  refuse(error: ErrorObject): void;
}

export interface Incoming {
  op: string;
  body: unknown;
  /** A tell has a reply that goes nowhere. */
  reply: Reply;
}

export interface Context {
  /** For durations and deadlines; the same for the whole turn. */
  readonly monotonicMs: Monotonic;
  /** For timestamps; the same for the whole turn. */
  readonly wallMs: WallTime;
  /** Whether that worker is unreachable now, so that what is known of its sessions may be old. */
  isAway(incarnation: string): boolean;
  ask<K extends ActorKind, O extends Op<K>>(
    to: ActorAddress & { kind: K },
    op: O,
    body: OpBody<K, O>,
    answered: (answer: Result<OpAnswer<K, O>>) => void,
  ): void;
  tell<K extends ActorKind, O extends Op<K>>(
    to: ActorAddress & { kind: K },
    op: O,
    body: OpBody<K, O>,
  ): void;
  publish(topic: Topic, event: TopicEvent): void;
  /** (Re)starts the named timer; `onTimer` is called with the name once, unless cancelled. */
  after(delayMs: number, timer: string): void;
  cancel(timer: string): void;
  /** Storage work whose end is a turn: `done`, or `failed` when storage is out of reach. */
  run<T>(work: Promise<T>, done: (value: T) => void, failed: (fault: unknown) => void): void;
  /** Ends this activation after the turn; the next letter loads the state again. */
  passivate(): void;
}

export interface Behaviour<State = unknown> {
  readonly kind: ActorKind;
  /** Idle milliseconds after which an activation may be dropped; see limits.ts. */
  readonly idleMs: number;
  /** Loads the state; null when no such thing exists (asks are refused `not_found`). */
  activate(id: string): Promise<State | null>;
  receive(state: State, message: Incoming, ctx: Context): void;
  onTimer(state: State, timer: string, ctx: Context): void;
  /**
   * Workers left the cluster, and their sessions are over. With `mayBeBack` only announcements may
   * be lost: sessions that are still alive are announced again at once.
   */
  onWorkersGone(state: State, workers: ReadonlySet<string>, ctx: Context, mayBeBack: boolean): void;
  /**
   * The activation is about to end and its timers no longer ring: does at once, by `run`, what
   * waits for a timer. Absent when nothing ever waits.
   */
  onRetiring?(state: State, ctx: Context): void;
  /** Whether the activation holds something that is nowhere else (sessions, typing). */
  isBusy(state: State): boolean;
}

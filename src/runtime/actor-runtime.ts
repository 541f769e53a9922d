/**
 * Runs all activations of one actor thread. Frames come in through `deliver`, effects leave through
 * `send`. It knows nothing about chat or sockets.
 *
 * [HST1] A frame for an actor of another worker is forwarded once to the owner known here; a frame
 *        that was forwarded before is answered `notOwner`.
 * [HST2] A frame sent under a newer view waits for that view, up to 3 s.
 * [HST3] Activations that belong to another worker end as soon as their begun work is done.
 * [HST4] Activations that are idle for their kind's time and hold nothing end as well.
 * [HST5] After a gap between hosts, sessions of the other host count again once they are announced.
 * [HST6] While it is held, no turn begins: letters wait here in order, and asks beyond
 *        `HELD_MAX` are answered `unavailable`.
 * [HST8] A peek does not activate: without an activation it is answered `null`.
 * [HST9] An ask for many actors is answered once, when each of them that this host owns has
 *        answered or refused; those that it does not own are named.
 */
import type { Behaviour, TopicEvent } from "../../actors/behaviour.ts";
import type { Clock } from "../base/clock.ts";
import { Malformed } from "../base/errors.ts";
import type { ActorKind } from "../protocol/actor-ops.ts";
import { REFUSALS } from "../protocol/errors.ts";
import { later, msBetween, NEVER } from "../protocol/time.ts";
import type { Topic } from "../protocol/topics.ts";
import { Activation, type ActivationOwner, type Letter } from "./activation.ts";
import { FLAG, FRAME, type Frame, frame, type ManyAnswers, type ManyLetters } from "./frames.ts";
import { Gateway } from "./gateway.ts";
import { ShardIndex } from "./shard-index.ts";
import { Slices } from "./slices.ts";
import type { View } from "./view.ts";

const SWEEP_MS = 5_000;
/** An idle activation takes a few KB; above this number idle ones end early. */
const ACTIVATIONS_MAX = 200_000;
/** Frames sent under a view that has not arrived here yet. */
const PARKED_MAX = 10_000;
const PARKED_MS = 3_000;
/**
 * Turns that wait while the runtime is held. The edge sends nothing more meanwhile; see thread.ts.
 */
const HELD_MAX = 50_000;

export interface HostOptions {
  clock: Clock;
  /** Incarnation id of this worker. */
  self: string;
  behaviours: Partial<Record<ActorKind, Behaviour>>;
  send(frame: Frame): void;
  /** A turn threw: the activation is lost, the thread continues. */
  onBug(key: string, bug: unknown): void;
  /** The body of a message to an actor is not JSON: the message is refused. */
  onMalformed(key: string, fault: unknown): void;
}

export interface HostStats {
  /** By kind: how many actors are active, and how many activations there were. */
  actors: Record<string, number>;
  activated: Record<string, number>;
  mailboxDepth: number;
  /** The length of the longest mailbox. */
  mailboxDeepest: number;
}

export class ActorRuntime {
  readonly gateway: Gateway;
  readonly #options: HostOptions;
  readonly #activations = new Map<string, Activation>();
  readonly #byShard = new ShardIndex<Activation>(({ key }) => key);
  readonly #slices: Slices;
  readonly #activated: Record<string, number> = {};
  readonly #activationHost: ActivationOwner;
  #isClosed = false;
  #parked: Frame[] = [];
  #isHeld = false;
  #waiting: (() => void)[] = [];
  #cancelParked: (() => void) | null = null;
  #cancelSweep: () => void;

  constructor(options: HostOptions) {
    this.#options = options;
    this.gateway = new Gateway({
      clock: options.clock,
      self: options.self,
      side: "thread",
      send: (f) => this.#route(f),
    });
    this.#slices = new Slices(options.clock);
    this.#activationHost = this.#hostOfActivations();
    this.#cancelSweep = options.clock.after(SWEEP_MS, () => this.#sweep());
  }

  /**
   * [HST6] While held, no turn begins; waiting turns run in order once it is released. One of them
   * may cause it to be held again.
   */
  setHeld(isHeld: boolean): void {
    this.#isHeld = isHeld;
    const waiting = this.#waiting;
    let next = 0;
    while (!this.#isHeld && next < waiting.length) waiting[next++]?.();
    waiting.splice(0, next);
  }

  /** Takes an ask, tell or answer that reached this worker. */
  deliver(f: Frame): void {
    if (f.type === FRAME.answer) {
      this.gateway.onAnswer(f);
      return;
    }
    const { placement } = this.gateway;
    if (f.view > placement.view.number) {
      this.#park(f);
      return;
    }
    const mustWait = this.#isHeld || this.#waiting.length > 0;
    if (!mustWait) this.#take(f);
    else if (f.type === FRAME.ask && this.#waiting.length >= HELD_MAX) {
      this.#answer(f, false, JSON.stringify(REFUSALS.unavailable.error), 0);
    } else this.#waiting.push(() => this.#take(f));
  }

  #take(f: Frame): void {
    if ((f.flags & FLAG.many) !== 0) this.#receiveMany(f);
    else if (this.gateway.placement.ownerOf(f.key) === this.#options.self) this.#receive(f);
    else this.#passOn(f);
  }

  #whenOpen(turn: () => void): void {
    if (this.#isHeld || this.#waiting.length > 0) this.#waiting.push(turn);
    else turn();
  }

  setView(view: View): void {
    const before = this.gateway.placement;
    this.gateway.setView(view);
    const { placement } = this.gateway;
    if (placement === before) return;
    const gone = placement.goneSince(before);
    // Any activation may wait for a worker that is gone.
    const shards = gone.size > 0 ? null : placement.movedSince(before);
    this.#slices.walk(this.#byShard.of(shards), (activation) => {
      if (this.#retired(activation, placement) || gone.size === 0) return;
      // Those that are back by now have announced their sessions again.
      const still = this.gateway.placement === placement ? gone : this.#stillGone(gone);
      if (still.size > 0) activation.workersGone(still);
    });
    this.#unpark();
  }

  /** [HST5] Frames between this host and `host` ("": every other host) may be lost. */
  onGap(host: string): void {
    const incarnations = this.gateway.placement.incarnationsAcross(this.#options.self, host);
    if (incarnations.size === 0) return;
    for (const activation of [...this.#activations.values()]) {
      activation.workersGone(incarnations, true);
    }
    this.gateway.onGap(incarnations);
  }

  get stats(): HostStats {
    const actors: Record<string, number> = {};
    let mailboxDepth = 0;
    let mailboxDeepest = 0;
    for (const { behaviour, depth } of this.#activations.values()) {
      actors[behaviour.kind] = (actors[behaviour.kind] ?? 0) + 1;
      mailboxDepth += depth;
      if (depth > mailboxDeepest) mailboxDeepest = depth;
    }
    return { actors, activated: { ...this.#activated }, mailboxDepth, mailboxDeepest };
  }

  /** The ids of the active actors of one kind. */
  *idsOf(kind: string): Iterable<string> {
    for (const { behaviour, key } of this.#activations.values()) {
      if (behaviour.kind === kind) yield key.slice(kind.length + 1);
    }
  }

  /** Begun work that callers or storage still wait for. */
  get hasUnfinishedWork(): boolean {
    if (this.#waiting.length > 0) return true;
    for (const activation of this.#activations.values()) {
      if (activation.hasUnfinishedWork) return true;
    }
    return false;
  }

  close(): void {
    this.#isClosed = true;
    this.#slices.close();
    this.#cancelSweep();
    this.#cancelParked?.();
    for (const activation of [...this.#activations.values()]) {
      activation.end(REFUSALS.unavailable.error);
    }
    this.gateway.close();
  }

  #receive(f: Frame): void {
    if ((f.flags & FLAG.peek) !== 0 && !this.#activations.has(f.key)) {
      this.#answer(f, true, "null", 0);
      return;
    }
    this.#post(f.key, {
      from: f.from,
      op: f.name,
      body: f.body,
      expiresAtMs: f.type === FRAME.ask ? later(this.#options.clock.monotonicMs(), f.rev) : NEVER,
      answer: f.type === FRAME.ask ? (ok, body, rev) => this.#answer(f, ok, body, rev) : null,
    });
  }

  /** [HST9] */
  #receiveMany(f: Frame): void {
    const { self } = this.#options;
    let letters: ManyLetters[];
    try {
      letters = readManyLetters(f.body);
    } catch (fault) {
      if (f.type === FRAME.ask) {
        this.#answer(f, false, JSON.stringify(REFUSALS.internal.error), 0);
      }
      this.#options.onMalformed(f.key, fault);
      return;
    }
    const { placement } = this.gateway;
    const many: ManyAnswers<unknown> = { answers: [], undone: [] };
    const expiresAtMs = later(this.#options.clock.monotonicMs(), f.rev);
    // Starts at one for the loop itself, since an actor may answer before the next is asked.
    let unanswered = 1;
    const settle = () => {
      unanswered--;
      if (unanswered === 0) this.#answer(f, true, JSON.stringify(many), 0);
    };
    for (const { body, isPeek, ids } of letters) {
      const text = JSON.stringify(body);
      for (const id of ids) {
        const key = `${f.key}:${id}`;
        if (placement.ownerOf(key) !== self) {
          many.undone.push(id);
          continue;
        }
        if (isPeek && !this.#activations.has(key)) continue;
        unanswered++;
        const answer: Letter["answer"] = (ok, answered) => {
          if (!ok) many.undone.push(id);
          else if (answered !== "null") many.answers.push(JSON.parse(answered));
          settle();
        };
        this.#post(key, { from: f.from, op: f.name, body: text, expiresAtMs, answer });
      }
    }
    settle();
  }

  #post(key: string, letter: Letter): void {
    const activation = this.#activations.get(key) ?? this.#activate(key);
    if (activation !== undefined) activation.receive(letter);
    else letter.answer?.(false, JSON.stringify(REFUSALS.unavailable.error), 0);
  }

  /** One owner object for all activations. */
  #hostOfActivations(): ActivationOwner {
    const { clock, self } = this.#options;
    return {
      monotonicMs: () => clock.monotonicMs(),
      wallMs: () => clock.wallMs(),
      after: (delayMs, ring) => clock.after(delayMs, ring),
      whenOpen: (turn) => this.#whenOpen(turn),
      isGone: (incarnation) => incarnation !== self && !this.gateway.placement.has(incarnation),
      isAway: (incarnation) => this.gateway.placement.isAway(incarnation),
      effects: {
        ask: (to, op, body, answered) =>
          void this.gateway.ask(to.kind, to.id, op, body).then(answered),
        tell: (to, op, body) => this.gateway.tell(to.kind, to.id, op, body),
        publish: (topic, event) => this.#publish(topic, event),
      },
      onMalformed: (key, fault) => this.#options.onMalformed(key, fault),
      onEnded: (ended, letters, bug) => {
        if (this.#activations.get(ended.key) === ended) {
          this.#activations.delete(ended.key);
          this.#byShard.delete(ended);
        }
        if (bug !== undefined) this.#options.onBug(ended.key, bug);
        for (const letter of letters) this.#post(ended.key, letter);
      },
    };
  }

  /** Undefined when no behaviour has this kind, or there are too many activations. */
  #activate(key: string): Activation | undefined {
    const colon = key.indexOf(":");
    const kind = key.slice(0, colon);
    // Keys come from outside; an inherited property such as "constructor" is not a kind.
    if (!isKindOf(this.#options.behaviours, kind) || this.#isClosed) return undefined;
    const behaviour = this.#options.behaviours[kind];
    if (behaviour === undefined) return undefined;
    if (this.#activations.size >= ACTIVATIONS_MAX) {
      for (const idle of [...this.#activations.values()]) this.#passivate(idle, 0);
      if (this.#activations.size >= ACTIVATIONS_MAX) return undefined;
    }
    const activation = new Activation(key, key.slice(colon + 1), behaviour, this.#activationHost);
    this.#activations.set(key, activation);
    this.#byShard.add(activation);
    this.#activated[behaviour.kind] = (this.#activated[behaviour.kind] ?? 0) + 1;
    return activation;
  }

  #answer(f: Frame, ok: boolean, body: string, rev: number): void {
    this.#route(
      frame(FRAME.answer, {
        to: f.from,
        from: this.#options.self,
        corr: f.corr,
        flags: ok ? FLAG.ok : 0,
        body,
        rev,
      }),
    );
  }

  /**
   * The actor is not owned here: forwards the frame once, and answers `notOwner` the second time.
   */
  #passOn(f: Frame): void {
    const owner = this.gateway.placement.ownerOf(f.key);
    if ((f.flags & FLAG.forwarded) === 0 && owner !== null) {
      this.#route({ ...f, to: owner, flags: f.flags | FLAG.forwarded });
    } else if (f.type === FRAME.ask) {
      this.#route(
        frame(FRAME.answer, {
          to: f.from,
          from: this.#options.self,
          corr: f.corr,
          flags: FLAG.notOwner,
        }),
      );
    }
  }

  /** Frames to this worker stay here: asks between two actors of this thread. */
  #route(f: Frame): void {
    const isOwnTalk =
      f.to === this.#options.self && (f.type !== FRAME.answer || f.corr >= 0x80000000);
    if (isOwnTalk) queueMicrotask(() => this.deliver(f));
    else this.#options.send(f);
  }

  #publish(topic: Topic, event: TopicEvent): void {
    this.#options.send(
      frame(FRAME.event, {
        from: this.#options.self,
        view: this.gateway.placement.view.number,
        key: topic,
        name: event.name,
        rev: event.rev,
        except: event.except ?? "",
        note: event.note ?? "",
        body: event.body,
      }),
    );
  }

  #park(f: Frame): void {
    if (this.#parked.length >= PARKED_MAX) {
      this.#passOn({ ...f, flags: f.flags | FLAG.forwarded });
      return;
    }
    this.#parked.push(f);
    this.#cancelParked ??= this.#options.clock.after(PARKED_MS, () => {
      this.#cancelParked = null;
      const parked = this.#parked;
      this.#parked = [];
      for (const waiting of parked) this.deliver({ ...waiting, view: 0 });
    });
  }

  #unpark(): void {
    this.#cancelParked?.();
    this.#cancelParked = null;
    const parked = this.#parked;
    this.#parked = [];
    for (const waiting of parked) this.deliver(waiting);
  }

  #sweep(): void {
    // One of another worker was activated by a frame that timed out while parked.
    this.#slices.walk([...this.#activations.values()], (activation) => {
      if (!this.#retired(activation)) this.#passivate(activation, activation.behaviour.idleMs);
    });
    this.#cancelSweep = this.#options.clock.after(SWEEP_MS, () => this.#sweep());
  }

  /**
   * Whether it belongs to another worker, now or under the placement of a view that a walk began
   * with, or has ended; the former ends it. [HST3]
   */
  #retired(activation: Activation, under = this.gateway.placement): boolean {
    if (this.#activations.get(activation.key) !== activation) return true;
    const { self } = this.#options;
    const isOwn = this.gateway.placement.ownerOf(activation.key) === self;
    if (isOwn && under.ownerOf(activation.key) === self) return false;
    activation.retire();
    return true;
  }

  #stillGone(gone: ReadonlySet<string>): Set<string> {
    const { placement } = this.gateway;
    return new Set([...gone].filter((incarnation) => !placement.has(incarnation)));
  }

  /** Ends it if it has been idle for that long. */
  #passivate(activation: Activation, idleMs: number): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (msBetween(activation.lastTurnAtMs, nowMs) >= idleMs && activation.isIdle) {
      activation.end(REFUSALS.unavailable.error);
    }
  }
}

function isKindOf(behaviours: HostOptions["behaviours"], kind: string): kind is ActorKind {
  return Object.hasOwn(behaviours, kind);
}

/** Throws Malformed or a SyntaxError. */
function readManyLetters(text: string): ManyLetters[] {
  const value: unknown = JSON.parse(text);
  if (!Array.isArray(value) || !value.every(isManyLetters)) throw new Malformed("letters of many");
  return value;
}

function isManyLetters(value: unknown): value is ManyLetters {
  if (typeof value !== "object" || value === null) return false;
  if (!("body" in value) || !("isPeek" in value) || typeof value.isPeek !== "boolean") return false;
  return (
    "ids" in value && Array.isArray(value.ids) && value.ids.every((id) => typeof id === "string")
  );
}

/**
 * Passes frames between the workers of a host, and through the uplink between hosts: events to
 * subscribers of their topic, asks, tells and answers to the worker they name. Only headers are
 * read; bytes are forwarded unchanged. Frames for the primary go to `toPrimary`, with the id of the
 * sending worker, or "" when another host's primary sent them.
 *
 * While too much waits for a worker, the workers whose frames go there are not read, so that
 * their own pipes fill and they take no new work. Frames from other hosts cannot be held
 * back and are passed on.
 *
 * Invariants: frames of one sender to one receiver keep their order, and a subscription is
 * answered after it took effect and ahead of the topic's next event. A frame that cannot be read
 * is dropped and counted, and never thrown at the pipe or the relay that brought it.
 */

import type { Drops } from "../base/drops.ts";
import type { Tally } from "../base/metrics.ts";
import {
  decodeAt,
  eachFrameSafely,
  encode,
  FLAG,
  FRAME,
  type Frame,
  type FrameType,
  frame,
  headAt,
} from "../runtime/frames.ts";

/** The relay between hosts, as this module uses it. */
export interface Uplink {
  /** An event of this host, for the other hosts. `bytes` are valid during the call only. */
  publish(topic: string, bytes: Buffer): void;
  /** To a worker of another host; false when no host has it. */
  send(incarnation: string, bytes: Buffer): boolean;
  /**
   * A topic got its first subscriber here, or lost its last. Null when it is done; else the promise
   * resolves when it is, and never rejects (an unreachable topic is a gap that is healed later).
   */
  interest(topic: string, wanted: boolean): Promise<void> | null;
}

/** The uplink of a single host. */
export const NO_UPLINK: Uplink = {
  publish: () => undefined,
  send: () => false,
  interest: () => null,
};

const TYPE_NAMES = new Map<FrameType, string>(
  Object.entries(FRAME).map(([name, type]) => [type, name]),
);

/** The parts of a pipe that the switchboard uses. */
export interface Line {
  /** Whether too much waits for the worker; `relieved` is called when that is over. */
  readonly isFull: boolean;
  pauseReading(): void;
  resumeReading(): void;
  send(frame: Frame): void;
  sendBytes(bytes: Uint8Array, frames?: number): void;
}

interface Member {
  incarnation: string;
  line: Line;
  /** The full lines that this worker has sent to; it is not read meanwhile. */
  waitsFor: Set<Member>;
}

/** The subscribers of a topic. Most topics have one, and there are many topics. */
type Hearers = Member | Set<Member>;

export class Switchboard {
  readonly #uplink: Uplink;
  readonly #toPrimary: (incarnation: string, frame: Frame) => void;
  readonly #members = new Map<string, Member>();
  readonly #subscribers = new Map<string, Hearers>();
  readonly #tally: Tally;
  readonly #drops: Pick<Drops, "note">;
  #viewNumber = 0;

  constructor(
    uplink: Uplink,
    counted: { tally: Tally; drops: Pick<Drops, "note"> },
    toPrimary: (incarnation: string, frame: Frame) => void,
  ) {
    this.#uplink = uplink;
    this.#tally = counted.tally;
    this.#drops = counted.drops;
    this.#toPrimary = toPrimary;
  }

  attach(incarnation: string, line: Line): void {
    this.#members.set(incarnation, { incarnation, line, waitsFor: new Set() });
  }

  /** The line of that worker has room again. */
  relieved(incarnation: string): void {
    const member = this.#members.get(incarnation);
    if (member !== undefined) this.#readWhoWaitsFor(member);
  }

  detach(incarnation: string): void {
    const member = this.#members.get(incarnation);
    if (member === undefined) return;
    this.#members.delete(incarnation);
    this.#readWhoWaitsFor(member);
    for (const topic of [...this.#subscribers.keys()]) this.#unsubscribe(member, topic);
  }

  /** Sends a frame to every worker; a view's number is used in the switchboard's own answers. */
  announce(announced: Frame): void {
    if (announced.type === FRAME.view) this.#viewNumber = announced.view;
    for (const member of this.#members.values()) member.line.send(announced);
  }

  /** A batch from one of this host's workers. */
  fromWorker(incarnation: string, bytes: Buffer): void {
    const member = this.#members.get(incarnation);
    if (member === undefined) return;
    this.#routeAll("pipe", member, bytes);
  }

  /** A batch from another host: events go to their subscribers, the rest to the named worker. */
  fromUplink(bytes: Buffer): void {
    this.#routeAll("relay", null, bytes);
  }

  get topics(): number {
    return this.#subscribers.size;
  }

  #routeAll(from: "pipe" | "relay", source: Member | null, bytes: Buffer): void {
    eachFrameSafely(
      bytes,
      (at, length) => this.#route(source, bytes, at, length),
      (reason, fault) => this.#drops.note(from, reason, fault),
    );
  }

  #route(source: Member | null, bytes: Buffer, at: number, length: number): void {
    const { type, to, key } = headAt(bytes, at);
    this.#tally.add(TYPE_NAMES.get(type) ?? "unknown", source === null ? "from_host" : "in");
    switch (type) {
      case FRAME.event: {
        const one = bytes.subarray(at, at + length);
        const subscribers = this.#subscribers.get(key);
        if (subscribers instanceof Set) {
          for (const member of subscribers) this.#tellOf(member, source, one);
        } else if (subscribers !== undefined) this.#tellOf(subscribers, source, one);
        if (source !== null) this.#uplink.publish(key, one);
        return;
      }
      case FRAME.ask:
      case FRAME.tell:
      case FRAME.answer:
        this.#pass(source, to, bytes, at, length);
        return;
      case FRAME.subscribe:
      case FRAME.unsubscribe:
        if (source !== null) this.#subscription(source, decodeAt(bytes, at));
        return;
      case FRAME.control:
        this.#toPrimary(source?.incarnation ?? "", decodeAt(bytes, at));
        return;
      default:
        // Only the primary sends `view`, and this version does not know other types.
        return;
    }
  }

  #tellOf(hearer: Member, source: Member | null, event: Uint8Array): void {
    if (hearer === source) return;
    this.#give(hearer, source, event);
    this.#tally.add("event", "out");
  }

  #give(member: Member, source: Member | null, bytes: Uint8Array): void {
    member.line.sendBytes(bytes);
    if (source === null || !member.line.isFull || source.waitsFor.has(member)) return;
    if (source.waitsFor.size === 0) source.line.pauseReading();
    source.waitsFor.add(member);
  }

  #readWhoWaitsFor(member: Member): void {
    for (const source of this.#members.values()) {
      if (source.waitsFor.delete(member) && source.waitsFor.size === 0) source.line.resumeReading();
    }
  }

  #pass(source: Member | null, to: string, bytes: Buffer, at: number, length: number): void {
    const one = bytes.subarray(at, at + length);
    const member = this.#members.get(to);
    if (member !== undefined) {
      this.#give(member, source, one);
      return;
    }
    const type = bytes[at + 4];
    if (to === "" && type === FRAME.answer) {
      if (source !== null) this.#toPrimary(source.incarnation, decodeAt(bytes, at));
      return;
    }
    // Frames from another host are never sent out again: a stale view could make them circulate.
    if (source !== null && to !== "" && this.#uplink.send(to, one)) return;
    if (type === FRAME.ask) this.#notOwner(decodeAt(bytes, at));
  }

  #notOwner(asked: Frame): void {
    const answer = frame(FRAME.answer, {
      flags: FLAG.notOwner,
      to: asked.from,
      corr: asked.corr,
      view: this.#viewNumber,
      key: asked.key,
    });
    this.#sendTo(asked.from, answer);
  }

  #sendTo(incarnation: string, answer: Frame): void {
    const member = this.#members.get(incarnation);
    if (member !== undefined) member.line.send(answer);
    else this.#uplink.send(incarnation, encode(answer));
  }

  #subscription(member: Member, asked: Frame): void {
    const wanted = asked.type === FRAME.subscribe;
    const pending: Promise<void>[] = [];
    for (const topic of asked.body.split("\n")) {
      if (topic === "") continue;
      const effect = wanted ? this.#subscribe(member, topic) : this.#unsubscribe(member, topic);
      if (effect !== null) pending.push(effect);
    }
    if (asked.corr === 0) return;
    const answer = frame(FRAME.answer, {
      flags: FLAG.ok,
      to: member.incarnation,
      corr: asked.corr,
      view: this.#viewNumber,
      body: "null",
    });
    if (pending.length === 0) member.line.send(answer);
    else
      void Promise.all(pending).then(() =>
        this.#members.get(member.incarnation)?.line.send(answer),
      );
  }

  #subscribe(member: Member, topic: string): Promise<void> | null {
    const subscribers = this.#subscribers.get(topic);
    if (subscribers === undefined) {
      this.#subscribers.set(topic, member);
      return this.#interest(topic, true);
    }
    if (subscribers instanceof Set) subscribers.add(member);
    else if (subscribers !== member) this.#subscribers.set(topic, new Set([subscribers, member]));
    return this.#pendingInterest.get(topic) ?? null;
  }

  #unsubscribe(member: Member, topic: string): Promise<void> | null {
    const subscribers = this.#subscribers.get(topic);
    if (subscribers instanceof Set) {
      subscribers.delete(member);
      if (subscribers.size > 0) return null;
    } else if (subscribers !== member) return null;
    this.#subscribers.delete(topic);
    return this.#interest(topic, false);
  }

  /** A second worker that wants the same topic must wait for the first one's confirmation. */
  readonly #pendingInterest = new Map<string, Promise<void>>();

  #interest(topic: string, wanted: boolean): Promise<void> | null {
    this.#pendingInterest.delete(topic);
    const effect = this.#uplink.interest(topic, wanted);
    if (effect === null || !wanted) return effect;
    const pending = effect.then(() => {
      if (this.#pendingInterest.get(topic) === pending) this.#pendingInterest.delete(topic);
    });
    this.#pendingInterest.set(topic, pending);
    return pending;
  }
}

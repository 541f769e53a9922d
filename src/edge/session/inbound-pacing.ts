/**
 * The pace at which one connection is read. When a client sends faster than its session may, the
 * connection is paused and TCP holds the sender back, so that a flood costs neither parsing nor
 * checks and nothing is dropped. Packets that node had read already wait here, in order.
 *
 * It counts Engine.IO's packets, before Socket.IO's are parsed. Long-polling cannot be held back: a
 * packet that finds the queue full is refused.
 */
import type { Clock } from "../../base/clock.ts";
import type { Connection, ConnectionListener } from "../transport/connection.ts";
import type { ClientPacket } from "../transport/packet.ts";
import type { Session } from "./session.ts";

/** Waiting packets that are due are taken in slices of this length. */
const SLICE_MS = 10;
/** The 64 KiB that node reads at once hold about 1,100 of the smallest events. */
const QUEUE_MAX = 2_000;

/** Where all connections' packets go. */
export interface PacingOwner {
  clock: Clock;
  /** Whether the worker has more to do than it can: nobody's packets are taken meanwhile. */
  isCongested(): boolean;
  /** The packet is within the session's pace: handle it. */
  take(session: Session, packet: ClientPacket): void;
  /** The queue is full: refuse the packet. */
  refuse(session: Session, packet: ClientPacket): void;
  /** A packet has to wait, for the first time in a while. */
  held(): void;
  closed(session: Session): void;
}

export class InboundPacing implements ConnectionListener {
  readonly #connection: Pick<Connection, "pause" | "resume">;
  readonly #session: Session;
  readonly #host: PacingOwner;
  #waiting: ClientPacket[] | null = null;
  #cancel: (() => void) | null = null;
  #isStopped = false;

  constructor(
    connection: Pick<Connection, "pause" | "resume">,
    session: Session,
    host: PacingOwner,
  ) {
    this.#connection = connection;
    this.#session = session;
    this.#host = host;
  }

  arrived(): void {
    const { clock } = this.#host;
    if (!this.#session.limits.arrived(clock.monotonicMs()) || this.#host.isCongested())
      this.#hold();
  }

  event(packet: ClientPacket): void {
    if (this.#isStopped) return;
    if (this.#waiting !== null && this.#waiting.length >= QUEUE_MAX) {
      this.#host.refuse(this.#session, packet);
    } else if (this.#waiting !== null || !this.#isDue(1)) {
      this.#waiting ??= [];
      this.#waiting.push(packet);
      this.#hold();
    } else this.#host.take(this.#session, packet);
  }

  stopped(): void {
    this.#end();
  }

  /** Unless the connection must be cut, it is read again, or ws would not see the other side's close. */
  closed(): void {
    if (!this.#isStopped) {
      this.#end();
      this.#connection.resume();
    }
    this.#host.closed(this.#session);
  }

  /** Whether the first of `waiting` packets may be taken; with 0, whether more may be read. */
  #isDue(waiting: number): boolean {
    const { clock } = this.#host;
    return !this.#host.isCongested() && this.#session.limits.isDue(waiting, clock.monotonicMs());
  }

  #end(): void {
    this.#isStopped = true;
    this.#waiting = null;
    this.#cancel?.();
  }

  #hold(): void {
    if (this.#isStopped || this.#cancel !== null) return;
    this.#host.held();
    this.#connection.pause();
    this.#wait();
  }

  #wait(): void {
    this.#cancel = this.#host.clock.after(SLICE_MS, () => this.#slice());
  }

  #slice(): void {
    const waiting = this.#waiting ?? [];
    let due = 0;
    while (due < waiting.length && this.#isDue(waiting.length - due)) due++;
    for (const packet of waiting.splice(0, due)) {
      if (!this.#isStopped) this.#host.take(this.#session, packet);
    }
    if (this.#isStopped) return;
    if (waiting.length > 0 || !this.#isDue(0)) {
      this.#wait();
      return;
    }
    this.#waiting = null;
    this.#cancel = null;
    this.#connection.resume();
  }
}

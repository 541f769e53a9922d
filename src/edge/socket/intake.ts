/**
 * How fast one connection is heard. What comes faster than its session may send is left unread
 * in the connection (TCP then holds the sender back), so that a flood costs neither parsing nor
 * checks and nothing is dropped; what node had read with it waits here, in order.
 *
 * Counted at Engine.IO's packets, before Socket.IO parses them. Long-polling cannot be held
 * back: what finds the queue full is refused.
 * Leans on ws' `pause` and engine.io's "packet" event; pinned by limits-abuse.test.ts.
 */
import type { Socket as EngineSocket } from "engine.io";
import type { Clock } from "../../clock.ts";
import type { ClientPacket } from "./dispatch.ts";
import type { SessionLimits } from "./session-limits.ts";

/** How often what waits is looked at: what is due comes in slices of this. */
const SLICE_MS = 10;
/** The 64 KiB that node reads at once hold about 1,100 of the smallest events. */
const QUEUE_MAX = 2_000;

/** The members of engine.io's and ws's objects that this leans on. */
interface Conn {
  transport: {
    socket?: { pause(): void; resume(): void; on(event: "ping", tell: () => void): void };
  };
  on(event: "packet", tell: () => void): void;
  once(event: "close", tell: () => void): void;
}

export interface IntakeOptions {
  clock: Clock;
  limits: SessionLimits;
  /** Whose turn it is. */
  take(packet: ClientPacket): void;
  /** There is no room to wait. */
  refuse(packet: ClientPacket): void;
  /** It must wait for the first time in a while. */
  onHeld(): void;
}

export class Intake {
  readonly #conn: Conn;
  readonly #options: IntakeOptions;
  #waiting: ClientPacket[] = [];
  #cancel: (() => void) | null = null;
  #isStopped = false;

  constructor(conn: EngineSocket, options: IntakeOptions) {
    this.#conn = conn as unknown as Conn;
    this.#options = options;
    const arrived = () => this.#arrived();
    this.#conn.on("packet", arrived);
    // WebSocket's own pings are answered by ws and are no packets of Engine.IO.
    this.#conn.transport.socket?.on("ping", arrived);
    this.#conn.once("close", () => this.#closed());
  }

  /** An event of the client; its packet has been counted. */
  event(packet: ClientPacket): void {
    if (this.#isStopped) return;
    const { clock, limits, take, refuse } = this.#options;
    if (this.#waiting.length >= QUEUE_MAX) refuse(packet);
    else if (this.#waiting.length > 0 || !limits.isDue(1, clock.nowMs())) {
      this.#waiting.push(packet);
      this.#hold();
    } else take(packet);
  }

  /** Hears and reads no more: the connection is about to be cut. */
  stop(): void {
    this.#end();
    this.#conn.transport.socket?.pause();
  }

  /** Who is not to be cut is read again, or ws would not see the other side's goodbye. */
  #closed(): void {
    if (this.#isStopped) return;
    this.#end();
    this.#conn.transport.socket?.resume();
  }

  #end(): void {
    this.#isStopped = true;
    this.#waiting = [];
    this.#cancel?.();
  }

  #arrived(): void {
    const { clock, limits } = this.#options;
    if (!limits.arrived(clock.nowMs())) this.#hold();
  }

  #hold(): void {
    if (this.#isStopped || this.#cancel !== null) return;
    this.#options.onHeld();
    this.#conn.transport.socket?.pause();
    this.#wait();
  }

  #wait(): void {
    this.#cancel = this.#options.clock.after(SLICE_MS, () => this.#slice());
  }

  #slice(): void {
    const { clock, limits, take } = this.#options;
    const nowMs = clock.nowMs();
    let due = 0;
    while (due < this.#waiting.length && limits.isDue(this.#waiting.length - due, nowMs)) due++;
    for (const packet of this.#waiting.splice(0, due)) if (!this.#isStopped) take(packet);
    if (this.#isStopped) return;
    if (this.#waiting.length > 0 || !limits.isDue(0, nowMs)) {
      this.#wait();
      return;
    }
    this.#cancel = null;
    this.#conn.transport.socket?.resume();
  }
}

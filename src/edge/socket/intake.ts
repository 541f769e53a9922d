/**
 * How fast one connection is read. What comes faster than its session may send is left unread
 * in the connection (TCP then holds the sender back), so a flood costs neither parsing nor
 * checks, and nothing is dropped. Counted at Engine.IO's packets, before Socket.IO parses them.
 *
 * Long-polling cannot be held back: its packets are refused one by one (session-limits.ts).
 * Leans on ws' `pause` and engine.io's "packet" event; pinned by limits-abuse.test.ts.
 */
import type { Socket as EngineSocket } from "engine.io";
import type { Clock } from "../../clock.ts";
import type { SessionLimits } from "./session-limits.ts";

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
  limits: Pick<SessionLimits, "arrived" | "heldMs">;
  onHeld(): void;
}

export class Intake {
  readonly #conn: Conn;
  readonly #options: IntakeOptions;
  #cancel: (() => void) | null = null;
  #isStopped = false;

  constructor(conn: EngineSocket, options: IntakeOptions) {
    this.#conn = conn as unknown as Conn;
    this.#options = options;
    const arrived = () => this.#arrived();
    this.#conn.on("packet", arrived);
    // WebSocket's own pings are answered by ws and are no packets of Engine.IO.
    this.#conn.transport.socket?.on("ping", arrived);
    this.#conn.once("close", () => this.#cancel?.());
  }

  /** Reads no more, for good: the connection is about to be cut. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
    this.#conn.transport.socket?.pause();
  }

  #arrived(): void {
    const { clock, limits, onHeld } = this.#options;
    const waitMs = limits.arrived(clock.nowMs());
    // What was read in one piece comes on although reading has stopped, and counts.
    if (waitMs === 0 || this.#isStopped || this.#cancel !== null) return;
    onHeld();
    this.#conn.transport.socket?.pause();
    this.#hold(waitMs);
  }

  #hold(waitMs: number): void {
    this.#cancel = this.#options.clock.after(waitMs, () => this.#resume());
  }

  #resume(): void {
    this.#cancel = null;
    if (this.#isStopped) return;
    const { clock, limits } = this.#options;
    const waitMs = limits.heldMs(clock.nowMs());
    if (waitMs > 0) this.#hold(waitMs);
    else this.#conn.transport.socket?.resume();
  }
}

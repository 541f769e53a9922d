/** One direction between two parts of a host: what one turn sends arrives in the next, in order. */
import { encode, type Frame } from "../../src/runtime/frames.ts";
import type { VirtualClock } from "./virtual-clock.ts";

const nothing = () => undefined;

export class SimLine {
  /** No line of the simulation is ever full. */
  readonly isFull = false;
  readonly hold = nothing;
  readonly release = nothing;
  readonly pauseReading = nothing;
  readonly resumeReading = nothing;
  readonly flush = nothing;
  isCut = false;
  readonly #clock: VirtualClock;
  readonly #deliver: (bytes: Buffer) => void;
  #waiting: Uint8Array[] = [];

  constructor(clock: VirtualClock, deliver: (bytes: Buffer) => void) {
    this.#clock = clock;
    this.#deliver = deliver;
  }

  send(sent: Frame): void {
    this.sendBytes(encode(sent));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#clock.activity++;
    if (this.#waiting.length === 0) setImmediate(() => this.#arrive());
    this.#waiting.push(Uint8Array.prototype.slice.call(bytes));
  }

  #arrive(): void {
    const batch = Buffer.concat(this.#waiting);
    this.#waiting = [];
    if (!this.isCut) this.#deliver(batch);
  }
}

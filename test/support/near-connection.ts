/** A connection whose client is in this process: what is written has arrived. */
import type { Connection } from "../../src/edge/transport/connection.ts";
import type { Packet } from "../../src/edge/transport/packet.ts";

const nothing = () => undefined;

export class NearConnection implements Connection {
  readonly transport = "polling";
  readonly isOpen = true;
  /** Grows with what is written while the client does not read. */
  queuedBytes = 0;
  isReading = true;
  readonly #take: (text: string) => void;
  #drained: (() => void)[] = [];

  readonly pause = nothing;
  readonly resume = nothing;
  readonly stop = nothing;
  readonly carry = nothing;
  readonly close = nothing;
  readonly terminate = nothing;

  constructor(take: (text: string) => void) {
    this.#take = take;
  }

  write(packet: Packet): void {
    if (!this.isReading) this.queuedBytes += packet.byteLength;
    this.#take(packet.text);
  }

  onceDrained(tell: () => void): void {
    this.#drained.push(tell);
  }

  /** The client reads again, all that was written. */
  readsAgain(): void {
    this.isReading = true;
    this.queuedBytes = 0;
    const drained = this.#drained;
    this.#drained = [];
    for (const tell of drained) tell();
  }

  whenTaken(): Promise<void> {
    return Promise.resolve();
  }
}

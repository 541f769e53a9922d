/** A connection whose client is in this process: what is written has arrived. */
import type { Connection } from "../../src/edge/transport/connection.ts";
import type { Packet } from "../../src/edge/transport/packet.ts";

const nothing = () => undefined;

export class NearConnection implements Connection {
  readonly transport = "polling";
  readonly isOpen = true;
  readonly queuedBytes = 0;
  readonly #take: (text: string) => void;

  readonly onceDrained = nothing;
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
    this.#take(packet.text);
  }

  whenTaken(): Promise<void> {
    return Promise.resolve();
  }
}

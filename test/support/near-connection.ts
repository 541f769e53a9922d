/** A connection whose client is in this process: what is written has arrived. */
import type { Connection } from "../../src/edge/socket/connection.ts";
import type { Packet } from "../../src/edge/socket/packet.ts";

export class NearConnection implements Connection {
  readonly transport = "polling";
  readonly isOpen = true;
  readonly queuedBytes = 0;
  readonly #take: (text: string) => void;

  /** `take` is given each packet's text. */
  constructor(take: (text: string) => void) {
    this.#take = take;
  }

  write(packet: Packet): void {
    this.#take(packet.text);
  }

  whenTaken(): Promise<void> {
    return Promise.resolve();
  }

  onceDrained(): void {}
  pause(): void {}
  resume(): void {}
  stop(): void {}
  carry(): void {}
  close(): void {}
  terminate(): void {}
}

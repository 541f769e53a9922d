/**
 * Reports the ends of this worker's connections to the primary, which counts the open ones of
 * each address (primary/open-connections.ts). Gathered, so that a storm is one report.
 */
import type { Socket } from "node:net";
import { subscriberOf } from "../../base/address.ts";

const REPORT_AFTER_MS = 50;

export class ClosedConnections {
  readonly #report: (counts: Record<string, number>) => void;
  readonly #watched = new WeakSet<Socket>();
  #counts: Record<string, number> | null = null;

  constructor(report: (counts: Record<string, number>) => void) {
    this.#report = report;
  }

  /** A connection that the front door has handed over, from the address that it counts for. */
  watch(socket: Socket, address: string = subscriberOf(socket.remoteAddress ?? "")): void {
    if (this.#watched.has(socket)) return;
    this.#watched.add(socket);
    socket.once("close", () => this.ended(address));
  }

  ended(address: string): void {
    if (this.#counts === null) {
      this.#counts = {};
      setTimeout(() => this.#flush(), REPORT_AFTER_MS).unref();
    }
    this.#counts[address] = (this.#counts[address] ?? 0) + 1;
  }

  #flush(): void {
    const counts = this.#counts;
    this.#counts = null;
    if (counts !== null) this.#report(counts);
  }
}

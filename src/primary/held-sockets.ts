/**
 * The sockets that the primary still holds: being looked at, refused, waiting to be handed
 * over, or tunnelled by sticky. What must be cut when a worker dies or the door closes.
 *
 * A handle that sticky has sent away says nothing, so such sockets are swept out whenever the
 * set has doubled: it stays within twice what is really held.
 */
import type { Socket } from "node:net";
import { isOurs } from "./socket-handle.ts";

const SWEEP_AT_LEAST = 256;

export class HeldSockets {
  /** Cluster id of the worker that it depends on; 0: none. */
  readonly #sockets = new Map<Socket, number>();
  #sweepAt = SWEEP_AT_LEAST;

  add(socket: Socket): void {
    this.#sockets.set(socket, 0);
    socket.once("close", () => this.#sockets.delete(socket));
    if (this.#sockets.size >= this.#sweepAt) {
      this.#sweep();
      this.#sweepAt = Math.max(SWEEP_AT_LEAST, this.#sockets.size * 2);
    }
  }

  /** From now on `socket` lives and dies with that worker. */
  bind(socket: Socket, workerId: number): void {
    if (this.#sockets.has(socket)) this.#sockets.set(socket, workerId);
  }

  forget(socket: Socket): void {
    this.#sockets.delete(socket);
  }

  destroyBoundTo(workerId: number): void {
    for (const [socket, id] of this.#sockets) if (id === workerId) socket.destroy();
  }

  destroyAll(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
    this.#sockets.clear();
  }

  get size(): number {
    this.#sweep();
    return this.#sockets.size;
  }

  #sweep(): void {
    for (const socket of this.#sockets.keys()) if (!isOurs(socket)) this.#sockets.delete(socket);
  }
}

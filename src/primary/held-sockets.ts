/**
 * The sockets that the primary still holds: being read, refused, waiting to be handed
 * over, or tunnelled by sticky. They are closed when their worker dies or the server stops.
 *
 * A socket whose handle sticky has sent away emits no event, so such sockets are removed
 * whenever the set has doubled. The set therefore stays within twice the sockets really held.
 */
import type { Socket } from "node:net";
import { isOurs } from "./socket-handle.ts";

const SWEEP_AT_LEAST = 256;

export class HeldSockets {
  /** The cluster id of the worker that a socket depends on; 0 for none. */
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

  /** From now on `socket` is closed when that worker dies. */
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

/**
 * Hands a connection to a worker, over the cluster's IPC channel, with what has been read of
 * it. Node passes handles one at a time and forgets those still in line when the worker dies:
 * each is kept here until it is really sent, and tried once more elsewhere, or refused.
 */
import type { Worker } from "node:cluster";
import type { Socket } from "node:net";
import { subscriberOf } from "../base/address.ts";
import type { Handed, SocketHandover } from "../runtime/control.ts";
import type { HeldSockets } from "./held-sockets.ts";
import type { OpenConnections } from "./open-connections.ts";
import { closeUnacknowledged, detachFromServer, isOurs } from "./socket-handle.ts";

/** Milliseconds after which a connection that a stuck worker does not take is closed. */
const IN_LINE_MS = 10_000;

export class HandOver {
  readonly #held: HeldSockets;
  readonly #open: OpenConnections;
  /** Sockets in line for each worker, with what to do when it cannot take them. */
  readonly #inLine = new Map<Worker, Map<Socket, () => void>>();

  constructor(held: HeldSockets, open: OpenConnections) {
    this.#held = held;
    this.#open = open;
  }

  /** Reads of `socket` are stopped. `failed` is called when it is still ours afterwards. */
  give(socket: Socket, worker: Worker, how: Handed, failed: () => void): void {
    if (!isOurs(socket)) return;
    let line = this.#inLine.get(worker);
    if (line === undefined) {
      line = new Map();
      this.#inLine.set(worker, line);
    }
    line.set(socket, failed);
    socket.setTimeout(IN_LINE_MS, destroyOnTimeout);
    detachFromServer(socket);
    this.#open.handedTo(socket, worker);
    const address = subscriberOf(socket.remoteAddress ?? "");
    const message: SocketHandover = { type: "troupe:socket", address, ...how };
    worker.send(message, socket, () => {
      // Called twice where Node had to send the handle again.
      if (line.delete(socket)) this.#settle(socket, failed);
    });
  }

  /** The worker is gone: what stood in line for it is given back. */
  workerGone(worker: Worker): void {
    closeUnacknowledged(worker);
    const line = this.#inLine.get(worker);
    this.#inLine.delete(worker);
    if (line === undefined) return;
    for (const [socket, failed] of line) this.#settle(socket, failed);
    line.clear();
  }

  /** Ours still: the worker could not be told, or died with the socket in line. */
  #settle(socket: Socket, failed: () => void): void {
    socket.off("timeout", destroyOnTimeout);
    if (!isOurs(socket)) {
      this.#held.forget(socket);
      return;
    }
    socket.setTimeout(0);
    this.#open.takenBack(socket);
    failed();
  }
}

function destroyOnTimeout(this: Socket): void {
  this.destroy();
}

/**
 * Hands a connection to a worker over the cluster's IPC channel, with the bytes already read from
 * it. Node passes handles one at a time and forgets those still queued when the worker dies, so
 * each is kept here until it is sent, and tried once more with another worker or refused.
 */
import type { Worker } from "node:cluster";
import type { Socket } from "node:net";
import { subscriberOf } from "../base/address.ts";
import type { Handed, SocketHandover } from "../runtime/control.ts";
import type { HeldSockets } from "./held-sockets.ts";
import type { OpenConnections } from "./open-connections.ts";
import { closeUnacknowledged, detachFromServer, isOurs } from "./socket-handle.ts";

/** A connection that a worker does not take within this time is closed. */
const IN_LINE_MS = 10_000;

export class HandOver {
  readonly #held: HeldSockets;
  readonly #open: OpenConnections;
  /** Sockets queued for each worker, with the callback for when it cannot take them. */
  readonly #inLine = new Map<Worker, Map<Socket, () => void>>();

  constructor(held: HeldSockets, open: OpenConnections) {
    this.#held = held;
    this.#open = open;
  }

  /** Reads of `socket` are stopped. `failed` is called when the hand-over did not happen. */
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
      // Node calls this twice when it had to send the handle again.
      if (line.delete(socket)) this.#settle(socket, failed);
    });
  }

  /** The worker is gone: returns the sockets that were queued for it. */
  workerGone(worker: Worker): void {
    closeUnacknowledged(worker);
    const line = this.#inLine.get(worker);
    this.#inLine.delete(worker);
    if (line === undefined) return;
    for (const [socket, failed] of line) this.#settle(socket, failed);
    line.clear();
  }

  /** The socket was not handed over: the worker died, or the message could not be sent. */
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

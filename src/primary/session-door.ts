/**
 * Engine.IO sessions and their workers: @socket.io/sticky behind a server that never listens.
 * The front door gives sticky only requests whose session is known here, so that it never has to
 * choose a worker (it would choose starting or draining ones), and closes tunnelled connections
 * when their worker dies: their next bytes would become a new request at another worker.
 *
 * One instance a process, because sticky never removes its listeners from `cluster`.
 */
import cluster, { type Worker } from "node:cluster";
import type { Server as HttpServer } from "node:http";
import { createServer, type Socket } from "node:net";
import { setupMaster } from "@socket.io/sticky";
import type { HeldSockets } from "./held-sockets.ts";
import type { OpenConnections } from "./open-connections.ts";
import { detachFromServer, isOurs, startReading } from "./socket-handle.ts";

/** A long poll lasts the ping interval and more (25 s + 20 s by default). */
const TUNNEL_IDLE_MS = 60_000;
/** Far more than any body that Engine.IO accepts; the tunnel has no back-pressure. */
const TUNNEL_BYTES_MAX = 2 * 1024 * 1024;
/** The time in which the client reads the answer of a tunnelled request and closes. */
const LINGER_MS = 1000;

export class SessionDoor {
  readonly #sticky = createServer();
  readonly #held: HeldSockets;
  readonly #open: OpenConnections;
  readonly #owners = new Map<string, Worker>();

  constructor(held: HeldSockets, open: OpenConnections) {
    this.#held = held;
    this.#open = open;
    // sticky only listens for "connection"; a real HTTP server would start to parse.
    setupMaster(this.#sticky as HttpServer, { loadBalancingMethod: "round-robin" });
    cluster.on("message", this.#onMessage);
  }

  /** The worker that has this session; null when there is none or it cannot be reached. */
  ownerOf(sid: string): Worker | null {
    const worker = this.#owners.get(sid);
    if (worker === undefined) return null;
    return worker.isConnected() && cluster.workers?.[worker.id] === worker ? worker : null;
  }

  /** Reads of `socket` are stopped, and `ownerOf` has just named `owner`. */
  give(socket: Socket, bytes: Buffer, owner: Worker, tunnelled: boolean): void {
    this.#held.bind(socket, owner.id);
    socket.setTimeout(TUNNEL_IDLE_MS, () => socket.destroy());
    detachFromServer(socket);
    this.#sticky.emit("connection", socket);
    socket.emit("data", bytes);
    if (!tunnelled || !isOurs(socket)) {
      this.#open.handedTo(socket, owner);
      return;
    }
    socket.on("data", () => {
      if (socket.bytesRead > TUNNEL_BYTES_MAX) socket.destroy();
    });
    socket.once("finish", () => setTimeout(() => socket.destroy(), LINGER_MS).unref());
    startReading(socket);
  }

  workerGone(worker: Worker): void {
    this.#held.destroyBoundTo(worker.id);
    for (const [sid, owner] of this.#owners) if (owner === worker) this.#owners.delete(sid);
  }

  close(): void {
    cluster.off("message", this.#onMessage);
  }

  /** Workers report sessions to sticky; this listener reads the same messages. */
  readonly #onMessage = (worker: Worker, message: unknown) => {
    if (typeof message !== "object" || message === null || !("type" in message)) return;
    if (!("data" in message) || typeof message.data !== "string") return;
    if (message.type === "sticky:connection") this.#owners.set(message.data, worker);
    else if (message.type === "sticky:disconnection") this.#owners.delete(message.data);
  };
}

/** A TCP link to PostgreSQL that a test can cut, close and freeze. Loopback only. */

import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";

export class WeakLink {
  readonly #target: URL;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #state: "open" | "frozen" | "closed" = "open";
  #answersDropped = 0;

  private constructor(target: URL) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  static async to(url: string): Promise<WeakLink> {
    const link = new WeakLink(new URL(url));
    await new Promise<void>((listening) => link.#server.listen(0, "127.0.0.1", listening));
    return link;
  }

  get url(): string {
    const url = new URL(this.#target);
    url.hostname = "127.0.0.1";
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  /** Breaks what is connected; new connections are let through. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Breaks what is connected, and whoever connects. */
  close(): void {
    this.#state = "closed";
    this.cut();
  }

  /** Nothing passes any more, and neither side gets an error. */
  freeze(): void {
    this.#state = "frozen";
    for (const socket of this.#sockets) socket.pause();
  }

  open(): void {
    this.#state = "open";
    for (const socket of this.#sockets) socket.resume();
  }

  /** The next answer of PostgreSQL is lost, and its connection with it. Resolves once it is. */
  loseNextAnswer(): void {
    this.#answersDropped = 1;
  }

  async stop(): Promise<void> {
    this.close();
    await new Promise((closed) => this.#server.close(closed));
  }

  #accept(client: Socket): void {
    if (this.#state === "closed") {
      client.destroy();
      return;
    }
    const server = connect(Number(this.#target.port), this.#target.hostname);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      if (this.#state === "frozen") socket.pause();
      socket.on("data", (bytes) => {
        if (socket === server && this.#answersDropped > 0) {
          this.#answersDropped--;
          socket.destroy();
          return;
        }
        other.write(bytes);
      });
      // The close that follows is what counts.
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }
}

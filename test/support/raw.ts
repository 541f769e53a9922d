/**
 * Below the client library: bytes on the port, and an Engine.IO / Socket.IO connection over a
 * bare WebSocket, for clients that break the rules.
 */
import { connect, type Socket } from "node:net";
import { WebSocket } from "ws";
import { within } from "./eventually.ts";

const DEADLINE_MS = 15_000;

export class RawConnection {
  readonly tcp: Socket;
  readonly closed: Promise<void>;
  received = "";
  isClosed = false;

  private constructor(tcp: Socket) {
    this.tcp = tcp;
    tcp.on("data", (chunk: Buffer) => {
      this.received += chunk.toString("latin1");
    });
    // A reset is one of the ways in which the server may end it; "close" follows.
    tcp.on("error", () => undefined);
    this.closed = new Promise((resolve) =>
      tcp.once("close", () => {
        this.isClosed = true;
        resolve();
      }),
    );
  }

  static async to(port: number): Promise<RawConnection> {
    const tcp = connect({ port, host: "127.0.0.1" });
    const connection = new RawConnection(tcp);
    await within("the port accepts", new Promise<void>((resolve) => tcp.once("connect", resolve)));
    return connection;
  }

  writes(bytes: string | Buffer): void {
    this.tcp.write(bytes);
  }

  async untilClosed(deadlineMs = DEADLINE_MS): Promise<void> {
    await within("the server closes the connection", this.closed, deadlineMs);
  }

  end(): void {
    this.tcp.destroy();
  }
}

/** An Engine.IO WebSocket without a client library. */
export class RawWebSocket {
  readonly ws: WebSocket;
  readonly closed: Promise<number>;
  readonly frames: string[] = [];
  readonly #listeners = new Set<(frame: string) => void>();

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on("message", (bytes) => {
      const frame = bytes.toString();
      this.frames.push(frame);
      for (const listener of this.#listeners) listener(frame);
    });
    // A server may end a rule breaker by reset; "close" follows.
    ws.on("error", () => undefined);
    this.closed = new Promise((resolve) => ws.once("close", (code) => resolve(code)));
  }

  static async to(port: number): Promise<RawWebSocket> {
    const ws = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
    const raw = new RawWebSocket(ws);
    await within("the WebSocket opens", new Promise<void>((resolve) => ws.once("open", resolve)));
    return raw;
  }

  /** A connection whose Socket.IO handshake is done. */
  static async signedIn(port: number, token: string): Promise<RawWebSocket> {
    const raw = await RawWebSocket.to(port);
    raw.writes(`40${JSON.stringify({ token })}`);
    await raw.frame((frame) => frame.startsWith("40"), "the namespace is joined");
    return raw;
  }

  writes(frame: string | Buffer): void {
    this.ws.send(frame);
  }

  /** The first frame, past or to come, that matches. */
  async frame(matches: (frame: string) => boolean, what: string): Promise<string> {
    const before = this.frames.find(matches);
    if (before !== undefined) return before;
    let listener: ((frame: string) => void) | undefined;
    const come = new Promise<string>((resolve) => {
      listener = (frame) => {
        if (matches(frame)) resolve(frame);
      };
      this.#listeners.add(listener);
    });
    try {
      return await within(what, come, DEADLINE_MS);
    } finally {
      if (listener !== undefined) this.#listeners.delete(listener);
    }
  }

  async untilClosed(deadlineMs = DEADLINE_MS): Promise<number> {
    return within("the server closes the WebSocket", this.closed, deadlineMs);
  }

  end(): void {
    this.ws.terminate();
  }
}

/**
 * The namespaces that a client uses on a WebSocket of ws-connection.ts, beside the main one or
 * without it. To Socket.IO's server a carrier looks like a connection of Engine.IO: what the client
 * sends for such a namespace is passed on as it came, and what Socket.IO writes goes out between
 * the main namespace's packets. Made at the first CONNECT of such a namespace. The members that
 * Socket.IO uses are pinned by test/unit/namespace-carrier.test.ts.
 */
import { EventEmitter } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import type { Socket as TcpSocket } from "node:net";
import type { WebSocket } from "ws";
import { ENGINE, encodeBinaryFrame, encodeFrame } from "./packet.ts";
import type { WriteBatcher } from "./write-batcher.ts";

/** The part of the handshake's request that namespaces can read. */
export interface HandshakeRequest {
  url: string;
  headers: IncomingHttpHeaders;
}

export interface CarrierOptions {
  id: string;
  ws: WebSocket;
  tcp: TcpSocket;
  turn: WriteBatcher;
  request: HandshakeRequest;
  /** The client is in a namespace now. */
  accepted(): void;
  /** Socket.IO has closed the connection. */
  closed(): void;
}

/** A reader that has not taken so much is given up. */
const QUEUE_BYTES_MAX = 1024 * 1024;

interface WriteOptions {
  /** The frame that Socket.IO has made once for a broadcast. */
  wsPreEncodedFrame?: Buffer | Buffer[];
}

export class NamespaceCarrier extends EventEmitter {
  readonly id: string;
  readonly protocol = 4;
  readonly remoteAddress: string | undefined;
  readonly request: object;
  readonly transport: { name: "websocket"; readonly writable: boolean; socket: WebSocket };
  readonly writeBuffer: never[] = [];
  readyState: "open" | "closed" = "open";
  readonly #options: CarrierOptions;

  constructor(options: CarrierOptions) {
    super();
    const { tcp, ws, request } = options;
    this.#options = options;
    this.id = options.id;
    this.remoteAddress = tcp.remoteAddress;
    const query = new URL(request.url, "http://localhost").searchParams;
    this.request = {
      ...request,
      method: "GET",
      connection: tcp,
      socket: tcp,
      _query: Object.fromEntries(query),
    };
    this.transport = {
      name: "websocket",
      get writable() {
        return tcp.writableLength === 0;
      },
      socket: ws,
    };
  }

  /** Of Troupe's own namespaces module: the client has come in. */
  accepted(): void {
    this.#options.accepted();
  }

  write(data: string | Buffer, { wsPreEncodedFrame }: WriteOptions = {}): void {
    const { tcp, turn } = this.#options;
    if (this.readyState !== "open" || !tcp.writable) return;
    if (tcp.writableLength > QUEUE_BYTES_MAX) {
      this.close();
      this.#options.ws.terminate();
      return;
    }
    if (wsPreEncodedFrame !== undefined) {
      for (const part of [wsPreEncodedFrame].flat()) turn.write(tcp, part);
    } else if (typeof data === "string") {
      turn.write(tcp, encodeFrame(ENGINE.message, data));
    } else {
      turn.write(tcp, encodeBinaryFrame(data));
    }
  }

  /** A packet's text, or an attachment, that the client has sent. */
  heard(data: string | Buffer): void {
    this.emit("data", data);
  }

  /** Socket.IO ends it. */
  close(): void {
    if (this.readyState === "closed") return;
    this.over("forced close");
    this.#options.closed();
  }

  /** The WebSocket is gone. */
  over(reason: string): void {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    this.emit("close", reason);
  }
}

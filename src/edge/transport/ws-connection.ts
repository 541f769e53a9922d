/**
 * A client that came with a WebSocket at once: Engine.IO's and Socket.IO's protocols spoken
 * straight over ws, for one namespace. Objects of socket.io and engine.io are three quarters of a
 * bare Socket.IO connection's heap, and are saved here; figures in bench/RESULTS.md.
 * https://socket.io/docs/v4/engine-io-protocol and …/socket-io-protocol (revisions 4 and 5).
 *
 * Phases: `open` (a CONNECT is awaited) → `connecting` (it is looked at) → `connected`, or back
 * to `open` when it was refused → `closed`. A client that breaks the protocol is closed.
 */
import type { Socket as TcpSocket } from "node:net";
import { PacketType } from "socket.io-parser";
import { WebSocket } from "ws";
import type { Connection, ConnectionListener } from "./connection.ts";
import type { HandshakeRequest, NamespaceCarrier } from "./namespace-carrier.ts";
import { forNamespace, type NamespaceNames } from "./namespace-names.ts";
import { ENGINE, encodeFrame, type Packet } from "./packet.ts";
import { type DecodedPacket, decodeText, NAMESPACE } from "./packet-decoder.ts";
import type { WriteBatcher } from "./write-batcher.ts";

/** The parts that all connections of a server share. */
export interface WsConnectionOwner {
  turn: WriteBatcher;
  /** The client sent CONNECT with this `auth`. */
  connect(connection: WsConnection, auth: Readonly<Record<string, unknown>>): void;
  /** Engine.IO's answer to a ping. */
  pong(connection: WsConnection): void;
  /** It is over. Called once; `isGone` false: the closing handshake still runs. */
  closed(connection: WsConnection, isGone: boolean): void;
  /** The namespaces beside the main one; empty where the application has defined none. */
  readonly namespaces: NamespaceNames;
  /** Makes the carrier of this connection's namespaces. Null: it may not have any (now). */
  carry(connection: WsConnection): NamespaceCarrier | null;
}

/** Bytes of the protocol's own answers that may wait for a client that does not read. */
const UNREAD_BYTES_MAX = 64 * 1024;
const PING_FRAME = encodeFrame(ENGINE.ping, "");
const DISCONNECT_FRAME = encodeFrame(ENGINE.message, `${PacketType.DISCONNECT}`);

const CONNECTION = Symbol("connection");
type OwnWebSocket = WebSocket & { [CONNECTION]: WsConnection };

export class WsConnection implements Connection {
  readonly #ws: WebSocket;
  readonly #tcp: TcpSocket;
  readonly #host: WsConnectionOwner;
  #phase: "open" | "connecting" | "connected" | "closed" = "open";
  #listener: ConnectionListener | null = null;
  /** Binary messages that belong to a packet which was refused by its header. */
  #attachmentsDue = 0;
  /** Has been refused, at least once. */
  isRefused = false;
  /** Cancels the wait for the client's CONNECT, or for its close. The code that sets it clears it. */
  cancelDeadline: (() => void) | null = null;

  /** The handshake's Authorization header, while a CONNECT may come. */
  authorization: string | undefined;
  /** Kept only where the application has namespaces. */
  request: HandshakeRequest | null = null;
  #carrier: NamespaceCarrier | null = null;
  /** Binary messages that belong to a packet of a namespace. */
  #carriedDue = 0;

  constructor(
    ws: WebSocket,
    tcp: TcpSocket,
    authorization: string | undefined,
    host: WsConnectionOwner,
  ) {
    this.#ws = ws;
    this.#tcp = tcp;
    this.#host = host;
    this.authorization = authorization;
    (ws as OwnWebSocket)[CONNECTION] = this;
    // Functions that all connections share: each finds its own by `this`.
    ws.on("message", onMessage).on("ping", onPing).on("error", onOver).on("close", onOver);
  }

  get transport(): string {
    return "websocket";
  }

  get isOpen(): boolean {
    return this.#phase !== "closed" && this.#ws.readyState === WebSocket.OPEN;
  }

  get queuedBytes(): number {
    return this.#tcp.writableLength;
  }

  /** Whether the client is in other namespaces, which outlive the main one's session. */
  get isShared(): boolean {
    return this.#carrier?.readyState === "open";
  }

  get hasSession(): boolean {
    return this.#phase === "connected";
  }

  get parts(): { ws: WebSocket; tcp: TcpSocket } {
    return { ws: this.#ws, tcp: this.#tcp };
  }

  write(packet: Packet): void {
    this.#turn.write(this.#tcp, packet.frame);
  }

  /** Sends Engine.IO's handshake, as JSON: the first packet. */
  open(handshake: string): void {
    this.#say(encodeFrame(ENGINE.open, handshake));
  }

  ping(): void {
    this.#say(PING_FRAME);
  }

  onceDrained(tell: () => void): void {
    this.#tcp.once("drain", tell);
  }

  whenTaken(): Promise<void> {
    return Promise.resolve();
  }

  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    this.#ws.resume();
  }

  stop(): void {
    this.#listener?.stopped();
    this.pause();
  }

  carry(listener: ConnectionListener): void {
    this.#listener = listener;
  }

  /** Welcome: `id` is the session's. */
  accept(id: string): void {
    this.#phase = "connected";
    this.authorization = undefined;
    this.#answer(`${PacketType.CONNECT}{"sid":"${id}"}`);
  }

  /** Not welcome; it may ask again as long as it is open. */
  refuse(error: { message: string; data?: unknown }): void {
    this.isRefused = true;
    if (this.#phase === "connecting") this.#phase = "open";
    this.#listener = null;
    this.#answer(`${PacketType.CONNECT_ERROR}${JSON.stringify(error)}`);
  }

  close(comeBack: boolean): void {
    if (!comeBack && this.#phase === "connected") this.#say(DISCONNECT_FRAME);
    this.#ws.close();
  }

  terminate(): void {
    this.#ws.terminate();
  }

  /** A message of WebSocket's. */
  heard(data: Buffer, isBinary: boolean): void {
    if (this.#phase === "closed") return;
    this.#listener?.arrived();
    if (isBinary) {
      if (this.#carriedDue > 0) this.#carried(data);
      else this.#dropAttachment();
      return;
    }
    const text = data.toString();
    switch (text.charCodeAt(0)) {
      case ENGINE.message:
        this.#decode(text.slice(1));
        return;
      case ENGINE.pong:
        this.#host.pong(this);
        return;
      case ENGINE.open:
      case ENGINE.close:
      case ENGINE.upgrade:
      case ENGINE.noop:
        return;
      case ENGINE.base64:
        if (this.#carriedDue > 0) this.#carried(Buffer.from(text.slice(1), "base64"));
        else this.#dropAttachment();
        return;
      default:
        // A ping too: it is the server that pings.
        this.#fails();
    }
  }

  pinged(): void {
    this.#listener?.arrived();
  }

  over(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.cancelDeadline?.();
    this.#carrier?.over("transport close");
    this.#tellClosed();
    this.#host.closed(this, this.#ws.readyState === WebSocket.CLOSED);
  }

  get #turn(): WriteBatcher {
    return this.#host.turn;
  }

  #say(frame: Buffer): void {
    if (this.isOpen) this.#turn.write(this.#tcp, frame);
  }

  /** A packet of Socket.IO. */
  #answer(text: string): void {
    this.#say(encodeFrame(ENGINE.message, text));
  }

  /** [BIN1, BIN2] */
  #dropAttachment(): void {
    if (this.#attachmentsDue > 0) this.#attachmentsDue--;
    else this.#fails();
  }

  #carried(attachment: Buffer): void {
    this.#carriedDue--;
    this.#carrier?.heard(attachment);
  }

  /** Whether the packet is one of another namespace, and so Socket.IO's to read. */
  #isCarried(text: string): boolean {
    const packet = forNamespace(text, this.#host.namespaces);
    if (packet === null) return false;
    if (packet.isConnect && !this.isShared) this.#carrier = this.#host.carry(this);
    if (this.#carrier?.readyState !== "open") {
      this.#fails();
      return true;
    }
    this.#carriedDue = packet.attachments;
    this.#carrier.heard(text);
    return true;
  }

  #decode(text: string): void {
    if (this.#carriedDue > 0) {
      this.#fails();
      return;
    }
    if (this.#attachmentsDue === 0 && this.#isCarried(text)) return;
    if (this.#attachmentsDue > 0) {
      this.#fails();
      return;
    }
    let packet: DecodedPacket;
    try {
      packet = decodeText(text);
    } catch {
      // It is not a packet of Socket.IO, or it is one that cannot be answered.
      this.#fails();
      return;
    }
    this.#attachmentsDue = packet.attachments;
    this.#packet(packet);
  }

  #packet(packet: DecodedPacket): void {
    const { type } = packet;
    if (packet.nsp !== NAMESPACE) {
      this.#elsewhere(packet);
    } else if (this.#phase === "connected") {
      this.#spoken(packet);
    } else if (this.#phase === "open" && type === PacketType.CONNECT) {
      this.#phase = "connecting";
      this.#host.connect(this, (packet.data as Record<string, unknown> | undefined) ?? {});
    } else {
      this.#fails();
    }
  }

  /** There are no other namespaces; who asks for them has to read that. */
  #elsewhere({ type, nsp }: DecodedPacket): void {
    if (type !== PacketType.CONNECT || this.queuedBytes >= UNREAD_BYTES_MAX) this.#fails();
    else this.#answer(`${PacketType.CONNECT_ERROR}${nsp},{"message":"Invalid namespace"}`);
  }

  #spoken(packet: DecodedPacket): void {
    switch (packet.type) {
      case PacketType.EVENT:
      // Refused by the dispatch, which counts it as any other event.
      case PacketType.BINARY_EVENT:
        this.#listener?.event(packet);
        return;
      case PacketType.ACK:
        // No event of ours asks for one.
        return;
      case PacketType.DISCONNECT:
        // The client may stay for other namespaces, and come back to this one.
        if (this.isShared) this.#phase = "open";
        this.#tellClosed();
        return;
      default:
        this.#fails();
    }
  }

  #tellClosed(): void {
    const listener = this.#listener;
    this.#listener = null;
    listener?.closed();
  }

  #fails(): void {
    this.#ws.close();
    this.over();
  }
}

function onMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
  (this as OwnWebSocket)[CONNECTION].heard(data as Buffer, isBinary);
}

function onPing(this: WebSocket): void {
  (this as OwnWebSocket)[CONNECTION].pinged();
}

/** Also after an error: ws then closes the connection by itself and emits nothing more. */
function onOver(this: WebSocket): void {
  (this as OwnWebSocket)[CONNECTION].over();
}

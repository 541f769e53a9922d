/**
 * A connection that goes through Socket.IO and Engine.IO: long-polling, and a WebSocket that it
 * was upgraded to. Takes the place of socket.io's own event dispatch (`Socket.onevent`), which
 * would cost a listener a socket and an event, and could not see an acknowledgement's id.
 *
 * Over WebSocket, frames go straight to the TCP stream. Order is kept with what Engine.IO itself
 * writes: as soon as anything waits in its buffer, or the transport is no plain open WebSocket,
 * packets take its way.
 */
import type { Socket as TcpSocket } from "node:net";
import type { Socket } from "socket.io";
import type { Connection, ConnectionListener } from "./connection.ts";
import type { ClientPacket, Packet } from "./packet.ts";
import type { WriteBatcher } from "./write-batcher.ts";

/** The members of engine.io's and ws's objects that this leans on; pinned by a test. */
interface WebSocketEnd {
  _socket?: TcpSocket | null;
  readyState: number;
  pause(): void;
  resume(): void;
  terminate(): void;
  on(event: "ping", tell: () => void): void;
}
interface Conn {
  readyState: string;
  writeBuffer: { data?: string }[];
  transport: { name: string; socket?: WebSocketEnd };
  write(text: string, options: { compress: boolean }): void;
  on(event: "packet", tell: () => void): void;
  once(event: "drain" | "close", tell: () => void): void;
  close(): void;
}

const WS_OPEN = 1;

export class EngineConnection implements Connection {
  readonly #socket: Socket;
  readonly #conn: Conn;
  readonly #turn: WriteBatcher;
  #listener: ConnectionListener | null = null;

  constructor(socket: Socket, turn: WriteBatcher) {
    this.#socket = socket;
    this.#conn = socket.conn as unknown as Conn;
    this.#turn = turn;
  }

  get transport(): string {
    return this.#conn.transport.name;
  }

  get isOpen(): boolean {
    return this.#conn.readyState === "open";
  }

  /** Whether the client is in other namespaces, too. */
  get isShared(): boolean {
    const { sockets } = this.#socket.client as unknown as { sockets: ReadonlyMap<string, unknown> };
    return sockets.size > (sockets.has(this.#socket.id) ? 1 : 0);
  }

  get queuedBytes(): number {
    const { transport, writeBuffer } = this.#conn;
    let bytes = transport.socket?._socket?.writableLength ?? 0;
    for (const { data } of writeBuffer) bytes += data?.length ?? 0;
    return bytes;
  }

  write(packet: Packet): void {
    const { transport, writeBuffer } = this.#conn;
    const ws = transport.socket;
    const tcp = ws?._socket;
    if (
      tcp != null &&
      transport.name === "websocket" &&
      ws!.readyState === WS_OPEN &&
      writeBuffer.length === 0
    ) {
      this.#turn.write(tcp, packet.frame);
    } else {
      this.#conn.write(packet.text, { compress: false });
    }
  }

  /** Packets that engine.io writes itself next leave together with the others of this turn. */
  hold(): void {
    const tcp = this.#conn.transport.socket?._socket;
    if (tcp != null) this.#turn.hold(tcp);
  }

  onceDrained(tell: () => void): void {
    const { transport, writeBuffer } = this.#conn;
    const tcp = transport.socket?._socket;
    // For packets in engine.io's own buffer, engine.io emits the event.
    if (tcp != null && writeBuffer.length === 0) tcp.once("drain", tell);
    else this.#conn.once("drain", tell);
  }

  whenTaken(): Promise<void> {
    const conn = this.#conn;
    if (conn.writeBuffer.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      conn.once("drain", resolve);
      conn.once("close", resolve);
    });
  }

  pause(): void {
    this.#conn.transport.socket?.pause();
  }

  resume(): void {
    this.#conn.transport.socket?.resume();
  }

  stop(): void {
    this.#listener?.stopped();
    this.pause();
  }

  carry(listener: ConnectionListener): void {
    this.#listener = listener;
    const socket = this.#socket as unknown as { onevent: (packet: ClientPacket) => void };
    socket.onevent = (packet) => listener.event(packet);
    const arrived = () => listener.arrived();
    this.#conn.on("packet", arrived);
    // WebSocket's own pings are answered by ws and are no packets of Engine.IO.
    this.#conn.transport.socket?.on("ping", arrived);
    let isOver = false;
    const closed = () => {
      if (isOver) return;
      isOver = true;
      listener.closed();
    };
    this.#conn.once("close", closed);
    // Its goodbye: the transport closes after it.
    this.#socket.once("disconnect", closed);
  }

  /**
   * A DISCONNECT packet makes clients stay away; a closed transport makes them come back by
   * themselves.
   */
  close(comeBack: boolean): void {
    if (comeBack || !this.#socket.connected) this.#conn.close();
    else this.#socket.disconnect(true);
  }

  terminate(): void {
    // Polling has no TCP connection of its own to drop.
    this.#conn.close();
    this.#conn.transport.socket?.terminate();
  }
}

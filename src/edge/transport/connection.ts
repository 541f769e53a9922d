/**
 * One client's connection, below its session. There are two kinds: a WebSocket from the first request
 * on (ws-connection.ts), and a connection through Engine.IO, which begins with long-polling
 * (engine-connection.ts).
 */
import type { ClientPacket, Packet } from "./packet.ts";

/** Contract: a larger frame closes its connection. */
export const FRAME_BYTES_MAX = 64 * 1024;
/** How long a client may keep a transport open without sending CONNECT. */
export const CONNECT_TIMEOUT_MS = 8_000;
/** How long a client that was refused or ended may take to close its side. */
export const CLOSE_TIMEOUT_MS = 3_000;

export interface Connection {
  /** "websocket" or "polling"; a connection that began with polling may become a WebSocket. */
  readonly transport: string;
  readonly isOpen: boolean;
  /** Bytes that the client has not taken yet. */
  readonly queuedBytes: number;
  /** Sends after all that was written before; nothing when it is not open. */
  write(packet: Packet): void;
  /** Calls back once, when the queue has gone down; never if the connection closes before. */
  onceDrained(tell: () => void): void;
  /** Whether it carries more than the session: then it stays when the session ends by itself. */
  readonly isShared?: boolean;
  /** Resolves when nothing waits for the client's next request any more, or it is closed. */
  whenTaken(): Promise<void>;
  /** Stops reading, so that TCP holds the client back; has no effect on long-polling. */
  pause(): void;
  resume(): void;
  /** Stops reading for good; the listener is called only for the end. It is about to be cut. */
  stop(): void;
  /** From now on calls this listener for packets of the client and for the end. */
  carry(listener: ConnectionListener): void;
  /** Closes it so that the client reconnects by itself (`comeBack`), or does not. */
  close(comeBack: boolean): void;
  /** Cuts it at once, with everything that waits to be sent. */
  terminate(): void;
}

export interface ConnectionListener {
  /** A packet of any kind was read; its `event`, if it is one, follows. */
  arrived(): void;
  /** An event of the client. */
  event(packet: ClientPacket): void;
  /** Its events are not wanted any more. */
  stopped(): void;
  /** It is over. Called once. */
  closed(): void;
}

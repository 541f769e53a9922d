/**
 * What a session stands on: one client's connection, however it came. Two kinds: a WebSocket
 * that is one from its first request (ws-connection.ts), and what goes through Engine.IO, which
 * is long-polling and what began with it (engine-connection.ts).
 */
import type { ClientPacket, Packet } from "./packet.ts";

/** Contract: a larger frame closes its connection. */
export const FRAME_BYTES_MAX = 64 * 1024;
/** How long a client may keep a transport open without sending CONNECT. */
export const CONNECT_TIMEOUT_MS = 8_000;
/** How long a client that was refused or ended may take to close its side. */
export const CLOSE_TIMEOUT_MS = 3_000;

export interface Connection {
  /** "websocket" or "polling"; what began with polling may become the other. */
  readonly transport: string;
  readonly isOpen: boolean;
  /** What the reader has not taken yet. */
  readonly queuedBytes: number;
  /** Sends after all that was written before; nothing when it is not open. */
  write(packet: Packet): void;
  /** Calls back once, when what waits has gone down; never when it closes before. */
  onceDrained(tell: () => void): void;
  /** Whether it carries more than the session: then it stays when the session ends by itself. */
  readonly isShared?: boolean;
  /** Resolves when nothing waits for the client's next request any more, or it is closed. */
  whenTaken(): Promise<void>;
  /** Leaves unread what comes; of long-polling nothing can be left unread. */
  pause(): void;
  resume(): void;
  /** Reads no more and tells the listener of nothing but the end: it is about to be cut. */
  stop(): void;
  /** From now on tells this listener of what the client sends, and of the end. */
  carry(listener: ConnectionListener): void;
  /** So that a client comes back by itself (`comeBack`), or stays away. */
  close(comeBack: boolean): void;
  /** Drops it with all that waits to be sent. */
  terminate(): void;
}

export interface ConnectionListener {
  /** Something was read, of whatever kind, ahead of its `event`. */
  arrived(): void;
  /** An event of the client. */
  event(packet: ClientPacket): void;
  /** Its events are not wanted any more. */
  stopped(): void;
  /** It is over. Called once. */
  closed(): void;
}

/**
 * The way out to one socket. Over WebSocket, frames go straight to the TCP stream, corked for
 * the turn of the event loop: a system call is about 10 µs here and nearly the whole cost of a
 * delivery (measured, room of 500: 13 µs a delivery as socket.io writes, 3.4 µs corked).
 *
 * [OUT1] Order is kept with what engine.io itself writes: as soon as anything waits in its
 *        buffer, or the transport is no plain open WebSocket, packets take engine.io's way.
 * [OUT2] Past `LATEST_ONLY_BYTES` unread, of events that are a newest value only that is kept.
 * [OUT3] Past `QUEUE_BYTES_MAX` the reader is given up, once.
 */
import type { Socket as TcpSocket } from "node:net";
import type { Socket as EngineSocket } from "engine.io";
import type { Packet } from "./packet.ts";

const LATEST_ONLY_BYTES = 128 * 1024;
const QUEUE_BYTES_MAX = 1024 * 1024;
const LATEST_KEPT_MAX = 2_000;
const TURN_BYTES_MAX = 64 * 1024;

/** The members of engine.io's and ws's objects that this leans on; pinned by a test. */
interface WebSocketTransport {
  name: string;
  socket?: { _socket?: TcpSocket | null; readyState: number; terminate(): void };
}
interface Conn {
  readyState: string;
  upgrading: boolean;
  writeBuffer: { data?: string }[];
  transport: WebSocketTransport;
  write(text: string, options: { compress: boolean }): void;
  once(event: "drain" | "close", listener: () => void): void;
}

const WS_OPEN = 1;

/** Collects the sockets written to in this turn and lets them go together. */
export class WriteTurn {
  readonly #corked: TcpSocket[] = [];
  #isScheduled = false;
  deliveries = 0;

  write(tcp: TcpSocket, bytes: Buffer): void {
    this.hold(tcp);
    tcp.write(bytes);
    // Handed to the kernel early, so that one long turn does not look like a slow reader.
    if (tcp.writableLength > TURN_BYTES_MAX) tcp.uncork();
  }

  /** What others write to `tcp` in this turn goes with the rest. */
  hold(tcp: TcpSocket): void {
    if (tcp.writableCorked > 0) return;
    tcp.cork();
    this.#corked.push(tcp);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.flush());
  }

  flush(): void {
    this.#isScheduled = false;
    for (const tcp of this.#corked) tcp.uncork();
    this.#corked.length = 0;
  }
}

export class Outlet {
  readonly #conn: Conn;
  readonly #turn: WriteTurn;
  readonly #onSlow: () => void;
  #latest: Map<string, Packet> | null = null;
  #isGivenUp = false;

  constructor(conn: EngineSocket, turn: WriteTurn, onSlow: () => void) {
    this.#conn = conn as unknown as Conn;
    this.#turn = turn;
    this.#onSlow = onSlow;
  }

  /**
   * Sends `packet`. With a `latestKey` it may be dropped for a newer one of the same key while
   * the reader is behind.
   */
  send(packet: Packet, latestKey: string | null = null): void {
    if (this.#isGivenUp) return;
    const queued = this.queuedBytes;
    if (queued > QUEUE_BYTES_MAX) {
      this.#isGivenUp = true;
      this.#latest = null;
      this.#onSlow();
      return;
    }
    if (latestKey !== null && queued > LATEST_ONLY_BYTES) {
      this.#keepLatest(latestKey, packet);
      return;
    }
    if (this.#latest !== null && queued <= LATEST_ONLY_BYTES) this.#releaseLatest();
    this.#write(packet);
  }

  /** The last word to a socket that is about to be closed; no bound is looked at. */
  sendLast(packet: Packet): void {
    this.#isGivenUp = true;
    this.#latest = null;
    this.#write(packet);
    this.#turn.flush();
  }

  get transport(): string {
    return this.#conn.transport.name;
  }

  /** What the reader has not taken yet. */
  get queuedBytes(): number {
    const { transport, writeBuffer } = this.#conn;
    let bytes = transport.socket?._socket?.writableLength ?? 0;
    for (const { data } of writeBuffer) bytes += data?.length ?? 0;
    return bytes;
  }

  /** Resolves when nothing waits for the client's next long-polling request any more. */
  whenTaken(): Promise<void> {
    const conn = this.#conn;
    if (conn.writeBuffer.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      conn.once("drain", resolve);
      conn.once("close", resolve);
    });
  }

  /** What engine.io is about to write itself leaves with the rest of this turn. */
  hold(): void {
    const tcp = this.#conn.transport.socket?._socket;
    if (tcp != null) this.#turn.hold(tcp);
  }

  #write(packet: Packet): void {
    const conn = this.#conn;
    if (conn.readyState !== "open") return;
    this.#turn.deliveries++;
    const ws = conn.transport.socket;
    const tcp = ws?._socket;
    if (
      tcp != null &&
      conn.transport.name === "websocket" &&
      ws!.readyState === WS_OPEN &&
      conn.writeBuffer.length === 0
    ) {
      this.#turn.write(tcp, packet.frame);
    } else {
      conn.write(packet.text, { compress: false });
    }
  }

  #keepLatest(key: string, packet: Packet): void {
    if (this.#latest === null) {
      this.#latest = new Map();
      this.#awaitDrain();
    }
    if (this.#latest.size >= LATEST_KEPT_MAX && !this.#latest.has(key)) return;
    this.#latest.set(key, packet);
  }

  #awaitDrain(): void {
    const { transport, writeBuffer } = this.#conn;
    const drained = () => {
      if (this.#latest === null || this.#isGivenUp) return;
      if (this.queuedBytes > LATEST_ONLY_BYTES) this.#awaitDrain();
      else this.#releaseLatest();
    };
    const tcp = transport.socket?._socket;
    // What waits in engine.io's own buffer goes when engine.io says so.
    if (tcp != null && writeBuffer.length === 0) tcp.once("drain", drained);
    else this.#conn.once("drain", drained);
  }

  #releaseLatest(): void {
    const latest = this.#latest;
    this.#latest = null;
    for (const packet of latest?.values() ?? []) this.#write(packet);
  }
}

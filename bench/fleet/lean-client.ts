/**
 * One client of the fleet: a TCP connection, the WebSocket handshake, and as much of Engine.IO
 * 4 and Socket.IO 5 as a session needs. Events are counted by one letter of their name and
 * not parsed; acknowledgements are matched by number and judged by how they begin. About 2 µs
 * an event, so that a measurement is of the server and not of this.
 *
 * opening → upgraded → joining → ready → closed.
 */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { clientFrame, FrameScanner } from "./frames.ts";

export interface Place {
  host: string;
  port: number;
  isTls: boolean;
}

export interface ClientSpec {
  place: Place;
  token: string;
  /** The contract that it speaks; by default the handshake does not say. */
  contract?: string;
  /** The source address; null: the system chooses. */
  address: string | null;
}

/** The callbacks that all clients of a process share. */
export interface LeanEvents {
  /** TCP is connected. */
  reached(client: LeanClient): void;
  ready(client: LeanClient): void;
  /** `code`: the first letter of an event's name. The bytes are good during the call only. */
  event(client: LeanClient, code: number, bytes: Buffer, from: number, to: number): void;
  closed(client: LeanClient, why: string): void;
}

export type OnAck = (isOk: boolean, bytes: Buffer, from: number, to: number) => void;

const QUOTE = 0x22;
const BRACKET = 0x5b;
const OK_TRUE = Buffer.from('[{"ok":true');
/** Where an event's name begins in `42["name"`. */
const NAME_AT = 4;
/** Read into by all connections in turn: nothing of it outlives the callback. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);
const HEAD_END = "\r\n\r\n";

export class LeanClient {
  readonly index: number;
  readonly #spec: ClientSpec;
  readonly #events: LeanEvents;
  readonly #acks = new Map<number, OnAck>();
  #scanner: FrameScanner;
  #socket: Socket | null = null;
  #state: "opening" | "upgraded" | "joining" | "ready" | "closed" = "closed";
  #head = "";
  #nextAck = 0;

  constructor(index: number, spec: ClientSpec, events: LeanEvents) {
    this.index = index;
    this.#spec = spec;
    this.#events = events;
    this.#scanner = this.#newScanner();
  }

  /** Has begun to connect and is not ready yet. */
  get isOnItsWay(): boolean {
    return this.#state !== "ready" && this.#state !== "closed";
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** Acknowledgements still owed. */
  get waiting(): number {
    return this.#acks.size;
  }

  open(): void {
    const { host, port, isTls } = this.#spec.place;
    const localAddress = this.#spec.address === null ? {} : { localAddress: this.#spec.address };
    this.#state = "opening";
    this.#head = "";
    this.#scanner = this.#newScanner();
    let socket: Socket;
    if (isTls) {
      // onread is for plain sockets.
      socket = connectTls({ host, port, servername: host, ...localAddress });
      socket.on("data", (bytes) => this.#onBytes(bytes));
    } else {
      const onread = {
        buffer: READ_BUFFER,
        callback: (length: number, buffer: Uint8Array) => {
          this.#onBytes(buffer.subarray(0, length) as Buffer);
          return true;
        },
      };
      socket = connect({ host, port, noDelay: true, onread, ...localAddress });
    }
    this.#socket = socket;
    // A connection that was dropped may still say its last when the next is there.
    const ifCurrent = (what: () => void) => () => {
      if (this.#socket === socket) what();
    };
    socket.once(
      "connect",
      ifCurrent(() => this.#events.reached(this)),
    );
    socket.on("error", (error) => ifCurrent(() => this.#end(error.message))());
    socket.on(
      "close",
      ifCurrent(() => this.#end("closed by the server")),
    );
    // The request may leave with the handshake's last packet: written before it is connected.
    socket.write(
      `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${host}:${port}\r\n` +
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUser-Agent: troupe-bench\r\n\r\n",
    );
  }

  /** Sends `42<id>["name",payload]`. */
  emit(name: string, payload: string, onAck: OnAck): void {
    const id = this.#nextAck++;
    this.#acks.set(id, onAck);
    this.#send(`42${id}["${name}",${payload}]`);
  }

  /** Several emits leave as one write. */
  cork(): void {
    this.#socket?.cork();
  }

  uncork(): void {
    this.#socket?.uncork();
  }

  /** Ends what takes too long; the fleet hears of it. */
  giveUp(why: string): void {
    this.#end(why);
  }

  /** As a cut cable: no goodbye. */
  drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#state = "closed";
    this.#acks.clear();
    socket?.resetAndDestroy();
  }

  close(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#state = "closed";
    this.#acks.clear();
    socket?.end();
    socket?.unref();
  }

  #newScanner(): FrameScanner {
    return new FrameScanner((bytes, from, to) => this.#onText(bytes, from, to));
  }

  #send(text: string): void {
    this.#socket?.write(clientFrame(text));
  }

  #onBytes(bytes: Buffer): void {
    if (this.#state !== "opening") {
      if (this.#state !== "closed") this.#scanner.push(bytes);
      return;
    }
    this.#head += bytes.toString("latin1");
    const end = this.#head.indexOf(HEAD_END);
    if (end < 0) return;
    if (!this.#head.startsWith("HTTP/1.1 101")) {
      this.#end(this.#head.slice(0, this.#head.indexOf("\r\n")));
      return;
    }
    this.#state = "upgraded";
    const rest = Buffer.from(this.#head.slice(end + HEAD_END.length), "latin1");
    this.#head = "";
    if (rest.length > 0) this.#scanner.push(rest);
  }

  #onText(bytes: Buffer, from: number, to: number): void {
    const engine = bytes[from];
    if (engine === 0x32) this.#send("3");
    else if (engine === 0x30) this.#join();
    else if (engine === 0x31) this.#end("ended by the server");
    else if (engine === 0x34) this.#onPacket(bytes, from, to);
  }

  #join(): void {
    this.#state = "joining";
    const { token, contract } = this.#spec;
    this.#send(`40${JSON.stringify({ token, contract })}`);
  }

  #onPacket(bytes: Buffer, from: number, to: number): void {
    const kind = bytes[from + 1];
    if (kind === 0x32 && bytes[from + 2] === BRACKET && bytes[from + 3] === QUOTE) {
      const isFirst = this.#state === "joining" && isReadyEvent(bytes, from);
      if (isFirst) {
        this.#state = "ready";
        this.#events.ready(this);
      } else {
        this.#events.event(this, bytes[from + NAME_AT]!, bytes, from, to);
      }
    } else if (kind === 0x33) {
      this.#onAck(bytes, from + 2, to);
    } else if (kind === 0x34 || kind === 0x31) {
      this.#end(bytes.toString("utf8", from, Math.min(to, from + 200)));
    }
  }

  #onAck(bytes: Buffer, from: number, to: number): void {
    let id = 0;
    let at = from;
    for (; at < to && bytes[at] !== BRACKET; at++) id = id * 10 + bytes[at]! - 0x30;
    const onAck = this.#acks.get(id);
    if (onAck === undefined) return;
    this.#acks.delete(id);
    const isOk = bytes.compare(OK_TRUE, 0, OK_TRUE.length, at, at + OK_TRUE.length) === 0;
    onAck(isOk, bytes, at, to);
  }

  #end(why: string): void {
    if (this.#state === "closed") return;
    this.drop();
    this.#events.closed(this, why);
  }
}

/** `42["ready"`: `receipt` begins alike. */
function isReadyEvent(bytes: Buffer, from: number): boolean {
  return bytes.toString("latin1", from + NAME_AT, from + NAME_AT + 6) === 'ready"';
}

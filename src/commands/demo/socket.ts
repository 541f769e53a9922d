/**
 * A Socket.IO connection over a bare WebSocket, as small as the protocol allows: the demo has no
 * other need of a client library. It reconnects by itself, with jitter, until it is closed.
 */
import { WebSocket } from "ws";
import type {
  Ack,
  ClientAck,
  ClientEventName,
  ClientPayload,
  ServerEventName,
  ServerPayload,
} from "../../protocol/events.ts";

const ACK_MS = 8_000;
const BACK_MIN_MS = 300;
const BACK_MAX_MS = 8_000;
/** The server pings every 25 s and gives up after another 20. */
const SILENCE_MS = 50_000;

export interface SocketEvents {
  /** Returns a valid token; called at every connect. */
  token(): Promise<string>;
  heard<E extends ServerEventName>(event: E, payload: ServerPayload<E>): void;
  /** A refused handshake. */
  refused(why: unknown): void;
}

export class DemoSocket {
  readonly #address: string;
  readonly #events: SocketEvents;
  readonly #acks = new Map<number, (answer: unknown) => void>();
  #ws: WebSocket | null = null;
  #isReady = false;
  #isClosed = false;
  #tries = 0;
  #ackId = 0;
  #timer: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;

  constructor(url: string, events: SocketEvents) {
    this.#address = `${url.replace(/^http/, "ws")}/socket.io/?EIO=4&transport=websocket`;
    this.#events = events;
    void this.#connect();
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Resolves with the answer; null when there is none in time or no connection. */
  emit<E extends ClientEventName>(
    event: E,
    payload: ClientPayload<E>,
  ): Promise<Ack<ClientAck<E>> | null> {
    const ws = this.#ws;
    if (ws === null || !this.#isReady) return Promise.resolve(null);
    const id = ++this.#ackId;
    return new Promise((resolve) => {
      const settle = (answer: unknown) => {
        clearTimeout(timer);
        this.#acks.delete(id);
        resolve(answer as Ack<ClientAck<E>> | null);
      };
      const timer = setTimeout(() => settle(null), ACK_MS);
      this.#acks.set(id, settle);
      ws.send(`42${id}${JSON.stringify([event, payload])}`);
    });
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#gone();
  }

  async #connect(): Promise<void> {
    let token: string;
    try {
      token = await this.#events.token();
    } catch (error) {
      if (!this.#isClosed) this.#events.refused(error);
      this.#comeBack();
      return;
    }
    if (this.#isClosed) return;
    const ws = new WebSocket(this.#address, { perMessageDeflate: false });
    this.#ws = ws;
    this.#watch();
    ws.on("message", (bytes) => {
      if (this.#ws === ws) this.#packet(bytes.toString(), token);
    });
    // "close" follows.
    ws.on("error", () => undefined);
    ws.on("close", () => {
      if (this.#ws !== ws) return;
      this.#gone();
      this.#comeBack();
    });
  }

  #packet(text: string, token: string): void {
    this.#watch();
    if (text.startsWith("0")) this.#ws?.send(`40${JSON.stringify({ token })}`);
    else if (text === "2") this.#ws?.send("3");
    else if (text.startsWith("42")) {
      const [event, payload] = JSON.parse(text.slice(2)) as [ServerEventName, never];
      if (event === "ready") {
        this.#isReady = true;
        this.#tries = 0;
      }
      this.#events.heard(event, payload);
    } else if (text.startsWith("43")) {
      const at = text.indexOf("[");
      const [answer] = JSON.parse(text.slice(at)) as [unknown];
      this.#acks.get(Number(text.slice(2, at)))?.(answer);
    } else if (text.startsWith("44")) {
      this.#events.refused(JSON.parse(text.slice(2)));
      this.#ws?.close();
    }
  }

  /** Ends a connection that died without a close. */
  #watch(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#ws?.terminate(), SILENCE_MS);
  }

  #gone(): void {
    clearTimeout(this.#silence);
    const ws = this.#ws;
    this.#ws = null;
    this.#isReady = false;
    for (const settle of [...this.#acks.values()]) settle(null);
    ws?.close();
  }

  #comeBack(): void {
    if (this.#isClosed) return;
    const mostMs = Math.min(BACK_MIN_MS * 2 ** this.#tries++, BACK_MAX_MS);
    this.#timer = setTimeout(() => void this.#connect(), BACK_MIN_MS + Math.random() * mostMs);
  }
}

/**
 * One Socket.IO session over one WebSocket, as small as the harness needs: Engine.IO 4 and
 * Socket.IO 5 packets, text only. It never reconnects. Everything is passed on synchronously as
 * it arrives, so records have the order of the wire.
 */
import { WebSocket } from "ws";

export interface WireEvents {
  /** Socket.IO's CONNECT was answered. */
  connected(session: string): void;
  /** Socket.IO's CONNECT was refused. */
  refused(code: string): void;
  event(name: string, payload: unknown): void;
  /** Called once, after everything that came before. */
  closed(reason: string): void;
}

export type WireAnswer =
  | { outcome: "answer"; payload: unknown }
  | { outcome: "late" }
  | { outcome: "cut_off" };

const HANDSHAKE_MS = 8000;
/** Engine.IO's ping interval and timeout, when the handshake does not say. */
const SILENCE_MS = 45_000;

interface Waiting {
  settle: (answer: WireAnswer) => void;
  timer: NodeJS.Timeout;
}

export class Wire {
  readonly #socket: WebSocket;
  readonly #events: WireEvents;
  readonly #token: string;
  readonly #contract: string;
  readonly #waiting = new Map<number, Waiting>();
  #nextAck = 0;
  #isClosed = false;
  isReading = true;
  #silenceMs = SILENCE_MS;
  #silence: NodeJS.Timeout;

  constructor(port: number, token: string, contract: string, events: WireEvents) {
    this.#events = events;
    this.#contract = contract;
    this.#token = token;
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, {
      perMessageDeflate: false,
      handshakeTimeout: HANDSHAKE_MS,
    });
    this.#silence = setTimeout(() => this.#onSilence(), HANDSHAKE_MS);
    this.#socket.on("message", (bytes: Buffer) => this.#onPacket(bytes.toString("utf8")));
    this.#socket.on("error", (error) => this.#end(error.message));
    this.#socket.on("close", (code) => this.#end(`closed ${code}`));
  }

  /**
   * Calls `settle` once: with the answer, with `late` after the deadline, or when the connection
   * ends. It takes a callback because a promise would let the next packets overtake the answer.
   */
  emit(
    name: string,
    payload: object,
    deadlineMs: number,
    settle: (answer: WireAnswer) => void,
  ): void {
    if (this.#isClosed) {
      settle({ outcome: "cut_off" });
      return;
    }
    const id = this.#nextAck++;
    const timer = setTimeout(() => {
      this.#waiting.delete(id);
      settle({ outcome: "late" });
    }, deadlineMs);
    this.#waiting.set(id, { settle, timer });
    this.#socket.send(`42${id}${JSON.stringify([name, payload])}`);
  }

  /** Sends DISCONNECT and closes. */
  close(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send("41");
    this.#socket.close();
    this.#end("closed here");
  }

  /** Ends without DISCONNECT, as when a cable is pulled. */
  drop(): void {
    this.#socket.terminate();
    this.#end("dropped here");
  }

  stopReading(): void {
    this.isReading = false;
    this.#socket.pause();
  }

  goOnReading(): void {
    this.isReading = true;
    this.#hear();
    this.#socket.resume();
  }

  #onPacket(packet: string): void {
    if (this.#isClosed) return;
    this.#hear();
    switch (packet[0]) {
      case "0": {
        const open = JSON.parse(packet.slice(1)) as { pingInterval: number; pingTimeout: number };
        this.#silenceMs = open.pingInterval + open.pingTimeout;
        this.#socket.send(`40${JSON.stringify({ token: this.#token, contract: this.#contract })}`);
        return;
      }
      case "1":
        this.#socket.terminate();
        this.#end("closed by the server");
        return;
      case "2":
        this.#socket.send("3");
        return;
      case "4":
        this.#onMessage(packet);
        return;
      default:
        return;
    }
  }

  #onMessage(packet: string): void {
    switch (packet[1]) {
      case "0":
        this.#events.connected((JSON.parse(packet.slice(2)) as { sid: string }).sid);
        return;
      case "1":
        this.#socket.terminate();
        this.#end("disconnected by the server");
        return;
      case "2": {
        const [name, payload] = JSON.parse(packet.slice(packet.indexOf("["))) as [string, unknown];
        this.#events.event(name, payload);
        return;
      }
      case "3": {
        const bracket = packet.indexOf("[");
        const id = Number(packet.slice(2, bracket));
        const waiting = this.#waiting.get(id);
        if (waiting === undefined) return;
        this.#waiting.delete(id);
        clearTimeout(waiting.timer);
        waiting.settle({ outcome: "answer", payload: JSON.parse(packet.slice(bracket))[0] });
        return;
      }
      case "4": {
        const refusal = JSON.parse(packet.slice(2)) as { data?: { code?: string } };
        this.#events.refused(refusal.data?.code ?? "unknown");
        this.#socket.terminate();
        this.#end("refused");
        return;
      }
      default:
        return;
    }
  }

  #hear(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#onSilence(), this.#silenceMs);
  }

  #onSilence(): void {
    if (!this.isReading) return;
    this.#socket.terminate();
    this.#end("silence");
  }

  #end(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#silence);
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { settle, timer } of waiting) {
      clearTimeout(timer);
      settle({ outcome: "cut_off" });
    }
    this.#events.closed(reason);
  }
}

/** One more session of a user who is online anyway; its events are ignored. */
export function stranger(port: number, token: string): Wire {
  const ignore = () => undefined;
  return new Wire(port, token, "1", {
    connected: ignore,
    refused: ignore,
    event: ignore,
    closed: ignore,
  });
}

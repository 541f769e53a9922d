/**
 * One connected socket of the real client library. Everything that arrives is recorded in its
 * order: events, acknowledgements, and the connection's own beginnings and ends. `next` hands
 * each event out once, so a test never races with the server.
 */
import type { Socket as EngineSocket } from "engine.io-client";
import { io, type Socket } from "socket.io-client";
import type { ErrorObject } from "../../src/protocol/errors.ts";
import type {
  ClientAck,
  ClientEventName,
  ClientPayload,
  ServerEventName,
  ServerPayload,
} from "../../src/protocol/events.ts";
import type { Cursors, Message } from "../../src/protocol/schemas.ts";
import type { Troupe } from "./cluster.ts";
import { seeAck, seeEvent } from "./conformity.ts";
import { within } from "./eventually.ts";

const NEXT_DEADLINE_MS = 5000;
const ACK_DEADLINE_MS = 10_000;
const READY_DEADLINE_MS = 10_000;

export interface ConnectOptions {
  transports?: ("websocket" | "polling")[];
  /** Null: none at all. */
  token?: string | null;
  /** Sends the token as a header instead of `auth`. */
  tokenInHeader?: boolean;
  /** `auth.contract`; by default the session does not say. */
  contract?: unknown;
  reconnection?: boolean;
  /** False: resolves at once, without waiting for `ready`. */
  waitForReady?: boolean;
  /** The loopback address to connect from; WebSocket only. */
  from?: string;
  label?: string;
}

export interface Recorded {
  kind: "event" | "ack" | "connect" | "disconnect";
  /** Event name; of an ack the event it answers; of a disconnect its reason. */
  name: string;
  payload: unknown;
  atMs: number;
}

/** An acknowledgement as it comes: `{ok: true, …}` or `{ok: false, error}`. */
export type AckAnswer = { ok: boolean; error?: ErrorObject };

interface Waiter {
  matches: (record: Recorded) => boolean;
  resolve: (record: Recorded) => void;
}

export class Session {
  readonly label: string;
  readonly socket: Socket;
  /** All that happened on this socket, in its order. */
  readonly record: Recorded[] = [];

  readonly #troupe: Troupe;
  readonly #taken = new Set<Recorded>();
  readonly #waiters = new Set<Waiter>();
  #clientIds = 0;

  private constructor(troupe: Troupe, label: string, options: ConnectOptions) {
    this.#troupe = troupe;
    this.label = label;
    const header = { Authorization: `Bearer ${options.token}` };
    this.socket = io(troupe.url, {
      forceNew: true,
      autoConnect: false,
      transports: options.transports ?? ["websocket"],
      reconnection: options.reconnection ?? false,
      reconnectionDelay: 50,
      reconnectionDelayMax: 500,
      timeout: READY_DEADLINE_MS,
      ...(troupe.ca !== undefined && { ca: troupe.ca }),
      ...(options.from !== undefined && { localAddress: options.from }),
      ...(options.tokenInHeader ? { extraHeaders: header } : {}),
      auth: {
        ...(options.token && !options.tokenInHeader && { token: options.token }),
        ...(options.contract !== undefined && { contract: options.contract }),
      },
    });
    this.socket.onAny((name: string, payload: unknown) => {
      seeEvent(name, payload);
      this.#add("event", name, payload);
    });
    this.socket.on("connect", () => this.#add("connect", "connect", null));
    this.socket.on("disconnect", (reason) => this.#add("disconnect", reason, null));
    troupe.sessions.add(this);
  }

  static async open(troupe: Troupe, name: string, options: ConnectOptions): Promise<Session> {
    const session = new Session(troupe, options.label ?? name, options);
    const refused = new Promise<never>((_, reject) => {
      session.socket.once("connect_error", reject);
    });
    // Where nobody waits (any more) a refusal is the test's own business.
    refused.catch(() => undefined);
    session.socket.connect();
    if (options.waitForReady === false) return session;
    await within(
      `${session.label} hears "ready"`,
      Promise.race([session.next("ready", undefined, READY_DEADLINE_MS), refused]),
      READY_DEADLINE_MS + 1000,
    ).catch(async (error: unknown) => {
      await session.disconnects();
      throw error;
    });
    return session;
  }

  /** The error object of a handshake that must be refused. */
  static async refused(troupe: Troupe, options: ConnectOptions): Promise<ErrorObject> {
    const session = new Session(troupe, options.label ?? "someone", options);
    try {
      const error = await within(
        "the handshake is refused with connect_error",
        new Promise<Error & { data?: ErrorObject }>((resolve, reject) => {
          session.socket.once("connect_error", resolve);
          session.socket.once("connect", () => reject(new Error("the handshake was accepted")));
          session.socket.connect();
        }),
        READY_DEADLINE_MS,
      );
      if (error.data === undefined) throw new Error(`no err.data in: ${error.message}`);
      return error.data;
    } finally {
      await session.disconnects();
    }
  }

  get id(): string {
    return this.socket.id ?? "";
  }

  get isConnected(): boolean {
    return this.socket.connected;
  }

  get transport(): string {
    return this.#engine.transport.name;
  }

  /** The client's own port of the WebSocket connection. */
  get localPort(): number {
    return this.#tcp.localPort;
  }

  /** Payload of the first event of that name which was not handed out yet, waiting for it. */
  async next<E extends ServerEventName>(
    name: E,
    predicate: (payload: ServerPayload<E>) => boolean = () => true,
    deadlineMs = NEXT_DEADLINE_MS,
  ): Promise<ServerPayload<E>> {
    const record = await this.#nextRecord(isEvent(name, predicate), `"${name}"`, deadlineMs);
    return record.payload as ServerPayload<E>;
  }

  /** Resolves with the reason once the connection has ended (or has already). */
  async untilDisconnected(deadlineMs = NEXT_DEADLINE_MS): Promise<string> {
    const record = await this.#nextRecord(
      (found) => found.kind === "disconnect",
      "the end of the connection",
      deadlineMs,
    );
    return record.name;
  }

  /** Resolves when a reconnecting client is back: `ready` after its last disconnect. */
  async untilBack(deadlineMs: number): Promise<void> {
    await this.next("ready", undefined, deadlineMs);
  }

  /** Fails if such an event has come and was not handed out, or comes within `forMs`. */
  async never<E extends ServerEventName>(
    name: E,
    forMs: number,
    predicate: (payload: ServerPayload<E>) => boolean = () => true,
  ): Promise<void> {
    const come = await this.#wait(isEvent(name, predicate), forMs);
    if (come !== undefined) {
      throw new Error(
        `${this.label} must not hear "${name}", heard ${JSON.stringify(come.payload)}`,
      );
    }
  }

  /** Payloads of all events of that name so far, handed out or not. */
  heard<E extends ServerEventName>(
    name: E,
    predicate: (payload: ServerPayload<E>) => boolean = () => true,
  ): ServerPayload<E>[] {
    return this.record
      .filter(isEvent(name, predicate))
      .map((found) => found.payload as ServerPayload<E>);
  }

  /** Emits with an acknowledgement; rejects when none comes. */
  async emits(event: string, ...args: unknown[]): Promise<AckAnswer> {
    const answer = await this.#emitted(event, args, ACK_DEADLINE_MS);
    if (answer !== null) return answer;
    throw new Error(`${this.label}: no answer to "${event}" in ${ACK_DEADLINE_MS} ms`);
  }

  /** Emits once; null when no acknowledgement came in time, as when the connection was cut. */
  async tries(event: string, payload: object, deadlineMs: number): Promise<AckAnswer | null> {
    return this.isConnected ? this.#emitted(event, [payload], deadlineMs) : null;
  }

  /** Emits and expects `ok: true`. */
  async does<E extends ClientEventName>(
    event: E,
    payload: ClientPayload<E>,
  ): Promise<ClientAck<E>> {
    const answer = await this.emits(event, payload);
    if (!answer.ok) throw new Error(`${event} was refused: ${JSON.stringify(answer.error)}`);
    return answer as unknown as ClientAck<E>;
  }

  /** Emits and expects a refusal; its error object. */
  async isRefused(event: string, ...args: unknown[]): Promise<ErrorObject> {
    const answer = await this.emits(event, ...args);
    if (answer.ok || answer.error === undefined) {
      throw new Error(`${event} must be refused, got ${JSON.stringify(answer)}`);
    }
    return answer.error;
  }

  async sends(
    conversationId: string,
    body: string,
    extra: { client_id?: string; reply_to_seq?: number | null } = {},
  ): Promise<Message> {
    this.#clientIds++;
    const answer = await this.does("send_message", {
      conversation_id: conversationId,
      client_id: `${this.id}-${this.#clientIds}`,
      body,
      ...extra,
    });
    return answer.message;
  }

  async types(conversationId: string, isTyping: boolean): Promise<void> {
    await this.does("typing", { conversation_id: conversationId, is_typing: isTyping });
  }

  async marksRead(conversationId: string, seq: number): Promise<Cursors> {
    return this.does("mark_read", { conversation_id: conversationId, seq });
  }

  async marksDelivered(conversationId: string, seq: number): Promise<Cursors> {
    return this.does("mark_delivered", { conversation_id: conversationId, seq });
  }

  /** `held`: conversation id → rev. */
  async syncs(
    held: Record<string, number>,
    extra: { complete?: boolean; notifications_after_seq?: number } = {},
  ): Promise<ClientAck<"sync">> {
    return this.does("sync", {
      conversations: Object.entries(held).map(([conversation_id, after_rev]) => ({
        conversation_id,
        after_rev,
      })),
      ...extra,
    });
  }

  /** Says goodbye, and never comes back. */
  async disconnects(): Promise<void> {
    this.#troupe.sessions.delete(this);
    this.socket.io.reconnection(false);
    const engine = this.socket.io.engine as EngineSocket | undefined;
    const closed = new Promise<void>((resolve) => {
      if (engine === undefined || engine.readyState === "closed") resolve();
      else engine.once("close", () => resolve());
    });
    this.socket.disconnect();
    this.socket.io.engine?.close();
    await within(`${this.label} is closed`, closed);
  }

  /** The connection is cut without a word, as when a cable is pulled. */
  drops(): void {
    this.#tcp.destroy();
  }

  /**
   * Recorded in the callback itself: a promise would let later events overtake the answer. One
   * that comes after the deadline is recorded, too, for the client library has handed it over.
   */
  #emitted(event: string, args: unknown[], deadlineMs: number): Promise<AckAnswer | null> {
    return new Promise((resolve) => {
      const late = setTimeout(() => resolve(null), deadlineMs);
      this.socket.emit(event, ...args, (answer: AckAnswer) => {
        clearTimeout(late);
        seeAck(event, answer);
        this.#add("ack", event, answer);
        resolve(answer);
      });
    });
  }

  #add(kind: Recorded["kind"], name: string, payload: unknown): void {
    const record: Recorded = { kind, name, payload, atMs: performance.now() };
    this.record.push(record);
    for (const waiter of this.#waiters) {
      if (this.#taken.has(record)) return;
      if (waiter.matches(record)) {
        this.#taken.add(record);
        this.#waiters.delete(waiter);
        waiter.resolve(record);
      }
    }
  }

  async #nextRecord(
    matches: (record: Recorded) => boolean,
    what: string,
    deadlineMs: number,
  ): Promise<Recorded> {
    const record = await this.#wait(matches, deadlineMs);
    if (record !== undefined) return record;
    const lately = this.record
      .slice(-8)
      .map((found) => `${found.kind} ${found.name} ${JSON.stringify(found.payload)}`);
    throw new Error(
      `${this.label} waited ${deadlineMs} ms for ${what} in vain; lately:\n  ${lately.join("\n  ")}`,
    );
  }

  async #wait(
    matches: (record: Recorded) => boolean,
    deadlineMs: number,
  ): Promise<Recorded | undefined> {
    const before = this.record.find((record) => !this.#taken.has(record) && matches(record));
    if (before !== undefined) {
      this.#taken.add(before);
      return before;
    }
    return new Promise((resolve) => {
      const waiter: Waiter = {
        matches,
        resolve: (record) => {
          clearTimeout(timer);
          resolve(record);
        },
      };
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        resolve(undefined);
      }, deadlineMs);
      this.#waiters.add(waiter);
    });
  }

  get #engine(): EngineSocket {
    return this.socket.io.engine as EngineSocket;
  }

  /** The TCP connection under a WebSocket; the library has no public way to it. */
  get #tcp(): { localPort: number; destroy(): void } {
    const transport = this.#engine.transport as unknown as {
      name: string;
      ws?: { _socket?: { localPort: number; destroy(): void } };
    };
    const tcp = transport.ws?._socket;
    if (tcp === undefined) throw new Error(`${this.label} has no WebSocket connection`);
    return tcp;
  }
}

function isEvent<E extends ServerEventName>(
  name: E,
  predicate: (payload: ServerPayload<E>) => boolean,
): (record: Recorded) => boolean {
  return (found) =>
    found.kind === "event" && found.name === name && predicate(found.payload as ServerPayload<E>);
}

/**
 * The client's ports: a socket, time, randomness and HTTP. `connect` in index.ts passes the real
 * ones; tests pass their own.
 */
import type { ErrorObject, Result } from "../protocol/errors.ts";
import type {
  ClientAck,
  ClientEventName,
  ClientPayload,
  ServerEventName,
  ServerPayload,
} from "../protocol/events.ts";
import type { Monotonic, WallTime } from "../protocol/time.ts";

export interface ClientClock {
  /** For timestamps only: the person at the machine may set it. */
  wallMs(): WallTime;
  /** For durations and deadlines. */
  monotonicMs(): Monotonic;
  /** Calls `ring` once after `delayMs`, unless the returned function is called before. */
  after(delayMs: number, ring: () => void): () => void;
}

export interface SocketHandlers {
  onEvent<E extends ServerEventName>(name: E, payload: ServerPayload<E>): void;
  /** The connection is over. Not called for `close`. */
  onClosed(detail: string): void;
  /** It could not be made. With the server's refusal, where it was the server. */
  onRefused(refusal: ErrorObject | null, detail: string): void;
}

/** One connection at a time; `open` makes a new one. */
export interface SocketPort {
  open(token: string): void;
  close(): void;
  /**
   * Calls `take` once, in the order of the events; with `unavailable` when there is no connection
   * or no answer within the deadline.
   */
  ask<E extends ClientEventName>(
    event: E,
    payload: ClientPayload<E>,
    deadlineMs: number,
    take: (answer: Result<ClientAck<E>>) => void,
  ): void;
}

/** One HTTP call of the contract; never rejects. `path` begins with `/api`. */
export type CallPort = (
  method: string,
  path: string,
  body: unknown,
  token: string | null,
) => Promise<Result<unknown>>;

export interface ClientPorts {
  /** Where Troupe is; "" for the page's own origin. */
  url: string;
  clock: ClientClock;
  /** From 0 to below 1. */
  random(): number;
  newClientId(): string;
  makeSocket(handlers: SocketHandlers): SocketPort;
  call: CallPort;
}

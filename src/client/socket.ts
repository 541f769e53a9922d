/**
 * The socket port on socket.io-client. Its own reconnection is off: it knows neither the
 * server's wishes nor an expired token.
 */
import { io } from "socket.io-client";
import { NEWEST_CONTRACT } from "../protocol/contract.ts";
import type { ErrorObject } from "../protocol/errors.ts";
import type { Ack } from "../protocol/events.ts";
import { refusal } from "./error.ts";
import type { SocketHandlers, SocketPort } from "./ports.ts";

const CONNECT_DEADLINE_MS = 10_000;

// biome-ignore lint/suspicious/noExplicitAny: typed by the event, which the port names
type Answer = Ack<any>;

export type Transports = ("websocket" | "polling")[];

export function makeSocket(
  url: string,
  transports: Transports,
  { onEvent, onClosed, onRefused }: SocketHandlers,
): SocketPort {
  // socket.io-client takes the path of a URL for a namespace.
  const base = url ? new URL(url) : undefined;
  const options = {
    path: `${base?.pathname.replace(/\/$/, "") ?? ""}/socket.io`,
    autoConnect: false,
    forceNew: true,
    reconnection: false,
    timeout: CONNECT_DEADLINE_MS,
    transports,
    tryAllTransports: true,
  };
  // Undefined, it is the page's own.
  const socket = io(base?.origin as string, options);
  socket.onAny(onEvent);
  socket.on("disconnect", (reason) => {
    if (reason !== "io client disconnect") onClosed(reason);
  });
  socket.on("connect_error", (error: Error & { data?: ErrorObject }) => {
    socket.disconnect();
    onRefused(error.data?.code ? error.data : null, error.message);
  });

  return {
    open(token) {
      socket.auth = { token, contract: NEWEST_CONTRACT };
      socket.connect();
    },
    close: () => void socket.disconnect(),
    ask(event, payload, deadlineMs, take) {
      if (!socket.connected) take(refusal("Offline."));
      else {
        // Not emitWithAck: a promise would let events that come after the answer overtake it.
        socket.timeout(deadlineMs).emit(event, payload, (error: Error | null, answer: Answer) => {
          if (error) take(refusal(error.message));
          else take(answer.ok ? { ok: true, value: answer } : answer);
        });
      }
    },
  };
}

/**
 * The socket port on socket.io-client. Its own reconnection is off: it knows neither the
 * server's wishes nor an expired token.
 */
import { io } from "socket.io-client";
import type { ErrorObject } from "../protocol/errors.ts";
import { refusal } from "./error.ts";
import type { SocketHandlers, SocketPort } from "./ports.ts";

const CONNECT_DEADLINE_MS = 10_000;

export type Transports = ("websocket" | "polling")[];

export function makeSocket(
  url: string | undefined,
  transports: Transports,
  { onEvent, onClosed, onRefused }: SocketHandlers,
): SocketPort {
  const options = {
    autoConnect: false,
    forceNew: true,
    reconnection: false,
    timeout: CONNECT_DEADLINE_MS,
    transports,
    tryAllTransports: true,
  };
  const socket = url === undefined ? io(options) : io(url, options);
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
      socket.auth = { token };
      socket.connect();
    },
    close: () => void socket.disconnect(),
    async ask(event, payload, deadlineMs) {
      if (!socket.connected) return refusal("Not connected right now.");
      try {
        const answer = await socket.timeout(deadlineMs).emitWithAck(event, payload);
        return answer.ok ? { ok: true, value: answer } : { ok: false, error: answer.error };
      } catch (error) {
        // No answer in time, or the connection went away before it.
        return refusal(`No answer: ${error}`);
      }
    },
  };
}

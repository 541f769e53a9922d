/**
 * The http.Server under the API. It never listens: the worker emits the connections on it that
 * the front door hands over. Knows timeouts, answers to what is not HTTP, and how to stop.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { stopwatch } from "../../../base/clock.ts";
import { ERROR_STATUS, type ErrorObject, refused } from "../../../protocol/errors.ts";
import { JSON_TYPE } from "./replies.ts";

export type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;

/** Longer than the 60 s after which most proxies drop an idle connection, so that they do it. */
const KEEP_ALIVE_MS = 65_000;
const HEADERS_MS = 10_000;
/** 64 KiB over a bad mobile connection take seconds, not more. */
const REQUEST_MS = 30_000;
const CHECK_MS = 5_000;
/**
 * Without a byte read or written in all of this a connection is cut, whatever it waits for: an
 * answer that the client does not read, most of all. Longer than a long poll, which is answered
 * within 25 s, and no hindrance to an answer that is read slowly.
 */
export const SILENCE_MS = 60_000;

/** How long the servers of a worker wait for what a client owes them. */
const TIMEOUTS = {
  keepAliveTimeout: KEEP_ALIVE_MS,
  headersTimeout: HEADERS_MS,
  requestTimeout: REQUEST_MS,
  connectionsCheckingInterval: CHECK_MS,
} as const;

export function createHttpServer(listener: RequestListener): Server {
  const server = createServer(TIMEOUTS, listener);
  server.timeout = SILENCE_MS;
  // Node begins to watch header and request timeouts, and to know idle connections, only when
  // a server listens; this one never does.
  server.emit("listening");
  knowConnections(server);
  return server;
}

/** Ends idle connections now, busy ones after their answer, all at the deadline. */
export function closeConnections(server: Server, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const elapsedMs = stopwatch();
    const open = openConnections.get(server) ?? new Set();
    const sweep = setInterval(() => {
      if (elapsedMs() < deadlineMs) server.closeIdleConnections();
      // Those upgraded too, which the server has let go of.
      else for (const socket of open) socket.destroy();
      if (open.size === 0) finish();
    }, 50);
    const finish = () => {
      clearInterval(sweep);
      // Ends the timeouts' watch; it says that the server was not running, which is so.
      server.close(() => resolve());
    };
    server.closeIdleConnections();
    if (open.size === 0) finish();
  });
}

const openConnections = new WeakMap<Server, Set<Socket>>();

/** Knows the connections, which a server that does not accept them itself does not. */
function knowConnections(server: Server): void {
  const open = new Set<Socket>();
  openConnections.set(server, open);
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
}

const TOO_LONG = refused("payload_too_large", "The request's headers are too large.").error;
const TOO_SLOW = refused("invalid_payload", "The request did not arrive in time.").error;
const NOT_HTTP = refused("invalid_payload", "This is not a valid HTTP request.").error;

/** Answers what node could not read as a request, and closes. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const refusal = clientRefusal(error.code);
  const body = JSON.stringify({ error: refusal });
  socket.end(
    `HTTP/1.1 ${ERROR_STATUS[refusal.code]} ${refusal.code}\r\ncontent-type: ${JSON_TYPE}\r\n` +
      "x-content-type-options: nosniff\r\n" +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function clientRefusal(code: string | undefined): ErrorObject {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return TOO_LONG;
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return TOO_SLOW;
    default:
      return NOT_HTTP;
  }
}

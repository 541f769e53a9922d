/**
 * The http.Server under the API. It never listens: the worker emits the connections on it that
 * the front door hands over. Knows timeouts, answers to what is not HTTP, and how to stop.
 *
 * [SRV1] A request with two Host headers is refused (RFC 9112, 3.2), an upgrade too.
 * [SRV2] An upgrade that was pipelined behind a request whose answer is still owed is refused
 *        after that answer: a proxy would take the answer for a part of the WebSocket stream.
 * [SRV3] A path with the prefix BASE_PATH is the path without it, for requests and upgrades.
 */
import { type IncomingMessage, Server, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { withoutBasePath } from "../../../base/base-path.ts";
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
 * A connection on which no byte is read or written for this long is cut, for example because the
 * client does not read its answer. It is longer than a long poll, which is answered within 25 s, and
 * does not affect an answer that is read slowly.
 */
export const SILENCE_MS = 60_000;

/** How long the servers of a worker wait for what a client owes them. */
const TIMEOUTS = {
  keepAliveTimeout: KEEP_ALIVE_MS,
  headersTimeout: HEADERS_MS,
  requestTimeout: REQUEST_MS,
  connectionsCheckingInterval: CHECK_MS,
} as const;

/** Looks at each request, and at each upgrade, before any listener is given it. */
class GuardedServer extends Server {
  readonly #owed = new WeakMap<Socket, Set<ServerResponse>>();
  readonly #basePath: string;

  constructor(listener: RequestListener, basePath: string) {
    super(TIMEOUTS, listener);
    this.#basePath = basePath;
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    const [request, second] = args;
    if (this.#basePath !== "" && (event === "request" || event === "upgrade")) {
      const message = request as IncomingMessage;
      message.url = withoutBasePath(message.url ?? "/", this.#basePath);
    }
    if (event === "request" && second instanceof ServerResponse) {
      const { rawHeaders, socket } = request as IncomingMessage;
      this.#owes(socket, second);
      if (hostsIn(rawHeaders) > 1) {
        second.writeHead(400, { "Content-Type": JSON_TYPE, Connection: "close" });
        second.end(JSON.stringify({ error: TWO_HOSTS }));
        return true;
      }
    } else if (event === "upgrade" && second instanceof Socket) {
      if (hostsIn((request as IncomingMessage).rawHeaders) > 1) {
        refuseRaw(second, TWO_HOSTS);
        return true;
      }
      const owed = this.#owed.get(second);
      if (owed !== undefined && owed.size > 0) {
        for (const response of owed) {
          response.once("close", () => owed.size === 0 && refuseRaw(second, PIPELINED));
        }
        return true;
      }
    }
    return super.emit(event as string, ...args);
  }

  #owes(socket: Socket, response: ServerResponse): void {
    let owed = this.#owed.get(socket);
    if (owed === undefined) {
      owed = new Set();
      this.#owed.set(socket, owed);
    }
    const responses = owed.add(response);
    response.once("close", () => responses.delete(response));
  }
}

function hostsIn(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === "host") hosts++;
  }
  return hosts;
}

export function createHttpServer(listener: RequestListener, basePath = ""): Server {
  const server = new GuardedServer(listener, basePath);
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
const TWO_HOSTS = refused("invalid_payload", "A request has one Host header.").error;
const PIPELINED = refused("invalid_payload", "An upgrade waits for the answers before it.").error;
const NOT_HTTP = refused("invalid_payload", "This is not a valid HTTP request.").error;

const patient = new WeakSet<Socket>();

/** The request that this connection sends now may take longer: it is a file. */
export function allowSlowBody(socket: Socket): void {
  patient.add(socket);
}

/** Answers what node could not read as a request, and closes. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  // Node says it once a request. SILENCE_MS still holds.
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT" && patient.delete(socket)) return;
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  refuseRaw(socket, clientRefusal(error.code));
}

/** Answers on a connection that is not node's to answer on any more, and closes it. */
function refuseRaw(socket: Socket, refusal: ErrorObject): void {
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

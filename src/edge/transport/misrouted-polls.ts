/**
 * Engine.IO requests that arrive on a kept-alive connection of the HTTP API: a browser or a
 * proxy reuses connections as it likes, and the front door saw only their first request. Requests
 * of this worker's sessions are served here. Those of another worker's session are sent through the
 * front door again, which knows the session's worker.
 */
import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import type { Server } from "socket.io";

const ENGINE_PATH = "/socket.io/";
/** Marks a request that goes through the front door a second time: it is not sent there again. */
const MISROUTED_HEADER = "x-troupe-stray";
/** Longer than a long-polling request can last. */
const MISROUTED_TIMEOUT_MS = 60_000;

interface Engine {
  clients: Record<string, unknown>;
  handleRequest(request: IncomingMessage, response: ServerResponse): void;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** `isRouted` is false with TLS: then the front door cannot see the session of a request either. */
export function createMisroutedPolls(io: Server, isRouted: boolean) {
  const engine = io.engine as unknown as Engine;

  function isOurs(request: IncomingMessage): boolean {
    const query = new URL(request.url ?? "/", "http://misrouted").searchParams;
    const sid = query.get("sid");
    return (
      !isRouted ||
      sid === null ||
      engine.clients[sid] !== undefined ||
      request.headers[MISROUTED_HEADER] !== undefined
    );
  }

  return {
    onRequest(request: IncomingMessage, response: ServerResponse): void {
      if (isOurs(request)) {
        engine.handleRequest(request, response);
        return;
      }
      const { localAddress, localPort } = request.socket;
      const onward = httpRequest(
        {
          host: localAddress,
          port: localPort,
          method: request.method,
          path: request.url,
          headers: { ...request.headers, [MISROUTED_HEADER]: "1", connection: "close" },
          agent: false,
          timeout: MISROUTED_TIMEOUT_MS,
        },
        (answer) => {
          const { connection: _hop, "keep-alive": _hops, ...headers } = answer.headers;
          response.writeHead(answer.statusCode ?? 502, headers);
          answer.pipe(response);
        },
      );
      onward.on("timeout", () => onward.destroy(new Error("timed out")));
      onward.on("error", () => {
        if (response.headersSent) response.destroy();
        else response.writeHead(502).end();
      });
      response.on("close", () => onward.destroy());
      request.pipe(onward);
    },

    onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
      if (!(request.url ?? "").startsWith(ENGINE_PATH)) {
        socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      if (isOurs(request)) {
        engine.handleUpgrade(request, socket, head);
        return;
      }
      const { localAddress, localPort } = request.socket;
      const onward = connect({ host: localAddress ?? "127.0.0.1", port: localPort ?? 0 });
      onward.write(headOf(request));
      onward.write(head);
      onward.pipe(socket);
      socket.pipe(onward);
      onward.on("error", () => socket.destroy());
      socket.on("error", () => onward.destroy());
      onward.on("close", () => socket.destroy());
      socket.on("close", () => onward.destroy());
    },
  };
}

function headOf(request: IncomingMessage): string {
  const lines = [`${request.method} ${request.url} HTTP/1.1`, `${MISROUTED_HEADER}: 1`];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
}

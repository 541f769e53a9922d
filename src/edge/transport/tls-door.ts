/**
 * TLS of one worker: shakes hands on the connections that the front door hands over, and gives
 * those that succeed to the HTTP server, which tells Socket.IO's requests from the API's one by
 * one. Tells the primary when a connection has sent its first request or is gone: until then
 * it counts as undecided for its address.
 *
 * All workers of a host have the same ticket keys, so that any of them resumes a session.
 */
import type { Socket as TcpSocket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { Counter, type Registry } from "prom-client";
import { errorCode } from "../../base/errors.ts";
import { TLS_VERSION_MIN } from "../../config/tls-pair.ts";
import type { TlsMaterial } from "../../runtime/control.ts";

export interface TlsDoorOptions {
  material: TlsMaterial;
  serve(socket: TLSSocket): void;
  /** Tickets of connections that count no longer; once a turn. */
  settled(tickets: number[]): void;
  registry: Registry;
}

export interface TlsDoor {
  /** `hello`: what was read of it. */
  take(socket: TcpSocket, hello: Buffer, ticket: number): void;
  /** Its first request has come, or one more. */
  requested(socket: TcpSocket): void;
  /** For handshakes from now on. Throws where OpenSSL does, and keeps what it has. */
  renew(material: TlsMaterial): void;
}

interface Undecided {
  name: string;
  ticket: number;
  isSettled: boolean;
}

/** A handshake is two round trips, and a slow phone's take a second each. */
const HANDSHAKE_MS = 5_000;
/** How long a client may come back without a full handshake. */
const RESUME_S = 7_200;
/** OpenSSL resumes only within one context, which node derives from the command line by default. */
const SESSION_CONTEXT = "troupe";

export function createTlsDoor(options: TlsDoorOptions): TlsDoor {
  const handshakes = new Counter({
    name: "troupe_tls_handshakes_total",
    help: "TLS handshakes by outcome: full, resumed, slow (cut at its deadline), failed.",
    labelNames: ["outcome"],
    registers: [options.registry],
  });
  /** By what names a connection to both sides, its raw socket and the one that decrypts. */
  const undecided = new Map<string, Undecided>();
  let reported: number[] = [];

  const server = createServer(
    { ...contextOf(options.material), ALPNProtocols: ["http/1.1"], handshakeTimeout: HANDSHAKE_MS },
    (socket) => {
      handshakes.inc({ outcome: socket.isSessionReused() ? "resumed" : "full" });
      options.serve(socket);
    },
  );
  server.on("tlsClientError", (error, socket) => {
    const isSlow = errorCode(error) === "ERR_TLS_HANDSHAKE_TIMEOUT";
    handshakes.inc({ outcome: isSlow ? "slow" : "failed" });
    // Node leaves closing to the listener, and would keep a slow connection open for ever.
    socket.destroy();
  });

  function settle(connection: Undecided): void {
    if (connection.isSettled) return;
    connection.isSettled = true;
    if (undecided.get(connection.name) === connection) undecided.delete(connection.name);
    if (reported.push(connection.ticket) > 1) return;
    setImmediate(() => {
      const tickets = reported;
      reported = [];
      options.settled(tickets);
    });
  }

  return {
    take(socket, hello, ticket) {
      const connection: Undecided = { name: nameOf(socket), ticket, isSettled: false };
      // It has no peer any more: gone on its way here.
      if (socket.destroyed || socket.remotePort === undefined) {
        settle(connection);
        socket.destroy();
        return;
      }
      undecided.set(connection.name, connection);
      socket.once("close", () => settle(connection));
      // The TLS engine takes what waits in the socket first.
      socket.unshift(hello);
      server.emit("connection", socket);
    },
    requested(socket) {
      if (undecided.size === 0) return;
      const connection = undecided.get(nameOf(socket));
      if (connection !== undefined) settle(connection);
    },
    renew: (material) => server.setSecureContext(contextOf(material)),
  };
}

function contextOf({ cert, key, ticketKeys }: TlsMaterial) {
  return {
    cert,
    key,
    ticketKeys: Buffer.from(ticketKeys, "base64"),
    minVersion: TLS_VERSION_MIN,
    sessionIdContext: SESSION_CONTEXT,
    sessionTimeout: RESUME_S,
  } as const;
}

function nameOf({ remoteAddress, remotePort, localAddress, localPort }: TcpSocket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
